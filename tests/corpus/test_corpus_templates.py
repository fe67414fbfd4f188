"""The English templates: answers computed another way where one can be, all boxed."""

from __future__ import annotations

import math
import random
import re
from fractions import Fraction
from itertools import product

import pytest

from tools.corpus.english import boxed, identity_text, is_english, numeric
from tools.corpus.templates import counting, geometry, numbers, words
from tools.corpus.templates.draw import TEMPLATES, draw_english
from tools.files.errors import UserError


def written(template, seeds=range(40)):
    """(numbers in the problem, the boxed answer) of a template, many times."""
    for seed in seeds:
        problem, solution = template(random.Random(seed))
        yield [int(n) for n in re.findall(r"-?\d+", problem)], boxed(solution)


def value(answer):
    return Fraction(numeric(answer))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.__name__)
def test_every_template_is_english_with_one_box(template):
    for seed in range(30):
        problem, solution = template(random.Random(seed))
        assert is_english(problem) and solution.count(r"\boxed") == 1
        assert boxed(solution)
        for text in (problem, solution):
            assert (
                text.count("{") == text.count("}") and text.replace("\\$", "").count("$") % 2 == 0
            )
            assert "+-" not in text and "--" not in text and "  " not in text
        assert template(random.Random(seed)) == (problem, solution)


def test_problems_are_different():
    found = [problem for problem, _ in draw_english(3000, random.Random(1))]
    assert len({identity_text(problem) for problem in found}) == 3000


def test_templates_are_used_up_at_some_time(monkeypatch):
    from tools.corpus.templates import draw

    monkeypatch.setattr(draw, "TEMPLATES", (lambda rng: (f"Is it {rng.randint(1, 9)}?", ""),))
    with pytest.raises(UserError, match="hardly more than 9 English problems"):
        list(draw_english(10, random.Random(1)))


def test_remainders_of_powers():
    for (base, exponent, modulus), answer in written(numbers.power_remainder):
        rest = 1
        for _ in range(exponent):
            rest = rest * base % modulus
        assert value(answer) == rest


def test_divisors_are_counted():
    for (number,), answer in written(numbers.divisor_count):
        assert value(answer) == sum(number % d == 0 for d in range(1, number + 1))


def test_zeros_of_factorials():
    for (number,), answer in written(numbers.factorial_zeros, range(8)):
        product, zeros = math.factorial(number), 0
        while product % 10 == 0:
            product, zeros = product // 10, zeros + 1
        assert value(answer) == zeros


def test_sums_of_dice():
    for (sides, _, _, total), answer in written(counting.dice_sum):
        rolls = [a + b for a, b in product(range(1, sides + 1), repeat=2)]
        assert value(answer) == Fraction(rolls.count(total), len(rolls))


def test_marbles_of_two_colours():
    for (red, blue), answer in written(counting.marbles, range(12)):
        bag = [0] * red + [1] * blue
        pairs = [(a, b) for i, a in enumerate(bag) for b in bag[i + 1 :]]
        assert value(answer) == Fraction(sum(a != b for a, b in pairs), len(pairs))


def test_repeating_decimals():
    for seed in range(40):
        problem, solution = numbers.repeating_decimal(random.Random(seed))
        digits = re.search(r"overline\{(\d+)\}", problem)[1]
        found = value(boxed(solution))
        assert f"{float(found):.12f}".startswith("0." + (digits * 6)[:10])


def test_hypotenuses():
    for (a, b), answer in written(geometry.hypotenuse):
        match = re.fullmatch(r"(\d*)(?:\\sqrt\{(\d+)\})?", answer)
        factor, rest = int(match[1] or 1), int(match[2] or 1)
        assert factor**2 * rest == a * a + b * b
        assert all(rest % (d * d) for d in range(2, rest))


def test_weekdays():
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    for seed in range(40):
        problem, solution = words.weekday(random.Random(seed))
        start = next(day for day in days if f"today is {day}" in problem)
        count = int(re.search(r"(\d+) days from now", problem)[1])
        for _ in range(count):
            start = days[(days.index(start) + 1) % 7]
        assert start in boxed(solution)
