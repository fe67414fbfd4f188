"""The English templates: each answer found again from the problem's text, in another way."""

from __future__ import annotations

import calendar
import datetime
import inspect
import itertools
import math
import random
import re
from fractions import Fraction

import pytest

from tools.corpus.english import boxed, identity_text, is_english, numeric
from tools.corpus.templates import algebra, counting, geometry, numbers, words
from tools.corpus.templates.draw import TEMPLATES, draw_english
from tools.files.errors import UserError

MODULES = (algebra, numbers, counting, geometry, words)
DRAWS = 40


def ints(text):
    return [int(number) for number in re.findall(r"-?\d+", text)]


def polynomial(text, x):
    """Evaluate a sum of terms like 6x^2-x+3 at x."""
    total = 0
    for sign, digits, symbol, power in re.findall(r"([+-]?)(\d*)(x?)(?:\^(\d))?", text):
        if digits or symbol:
            term = int(digits or 1) * (x ** int(power or 1) if symbol else 1)
            total += -term if sign == "-" else term
    return total


def in_dollars(problem):
    """The formulas of a problem that stand in dollar signs."""
    return re.findall(r"\$([^$]+)\$", problem)


def in_brackets(text):
    return re.findall(r"\(([^()]+)\)", text)


def surd(text):
    r"""The value of 6\sqrt{2}, or of a fraction with that above, and its radicand."""
    match = re.fullmatch(
        r"(\\frac\{)?(\d*)(?:\\sqrt\{(\d+)\})?(?(1)\}\{(\d+)\})", text.replace(" ", "")
    )
    _, factor, radicand, bottom = match.groups()
    return int(factor or 1) * math.sqrt(int(radicand or 1)) / int(bottom or 1), int(radicand or 1)


def square_free(number):
    return not any(number % (d * d) == 0 for d in range(2, math.isqrt(number) + 1))


def cramer(a, b, e, c, d, f):
    return Fraction(e * d - b * f + a * f - e * c, a * d - b * c)


def reciprocals(a, _, b, c, zero):
    root = (b * b - 4 * a * c + 0j) ** 0.5
    return sum(1 / ((-b + sign * root) / (2 * a)) for sign in (1, -1)).real


def composed(problem):
    outer, inner, k = in_dollars(problem)
    f, g = (text.split(" = ")[1] for text in (outer, inner))
    return polynomial(f, polynomial(g, ints(k)[0]))


def consecutive(count, total):
    first = next(n for n in range(2000) if sum(range(n, n + count)) == total)
    return first + count - 1


def geometric(problem):
    a, top, bottom = ints(problem)
    ratio = (-1 if r"-\frac" in problem else 1) * top / bottom
    return sum(a * ratio**k for k in range(3000))


def fives(n):
    return sum(1 for power in (5**k for k in range(1, 9)) for _ in range(power, n + 1, power))


def heron(o, p, a, b, c, d):
    sides = [math.hypot(a, b), math.hypot(c, d), math.hypot(a - c, b - d)]
    half = sum(sides) / 2
    return math.sqrt(max(0, half * math.prod(half - side for side in sides)))


def chosen(men, women, i, j):
    return sum(1 for _ in itertools.combinations(range(men), i)) * sum(
        1 for _ in itertools.combinations(range(women), j)
    )


def mixed_pairs(red, blue):
    pairs = list(itertools.combinations([0] * red + [1] * blue, 2))
    return Fraction(sum(a != b for a, b in pairs), len(pairs))


def rolled(_, one, sides, total):
    rolls = itertools.product(range(one, sides + 1), repeat=2)
    return Fraction(sum(sum(roll) == total for roll in rolls), sides**2)


def flipped(flips, heads):
    return Fraction(sum(bin(n).count("1") == heads for n in range(2**flips)), 2**flips)


def paid(problem):
    pen, book = [Fraction(price) for price in re.findall(r"\\\$(\d+\.\d\d)", problem)]
    n, m = ints(problem)[-2:]
    return n * pen + m * book


def of(function):
    """Give a function of a problem's text: `function` of the whole numbers in it."""
    return lambda problem: function(*ints(problem))


# By template: the number that answers a problem's text.
NUMBERS = {
    "linear_system": of(cramer),
    "reciprocal_roots": of(reciprocals),
    "composition": composed,
    # A reciprocal is printed as a fraction, with a 1 before.
    "logarithm": of(lambda base, *n: (-1) ** (len(n) - 1) * math.log(n[-1], base)),
    "determinant": of(lambda a, b, c, d: a * d - b * c),
    "arithmetic_series": of(lambda a, b, _, last: sum(range(a, last + 1, b - a))),
    "consecutive": of(consecutive),
    "geometric_series": geometric,
    "power_remainder": of(lambda a, n, m: a**n % m),
    "modular_inverse": of(lambda _, m, a, *rest: next(n for n in range(m) if a * n % m == 1)),
    "factorial_zeros": of(fives),
    "common_multiple": of(lambda a, b: next(n for n in range(a, a * b + 1, a) if n % b == 0)),
    "divisor_count": of(lambda n: sum(n % divisor == 0 for divisor in range(1, n + 1))),
    "ending_decimal": of(Fraction),
    "repeating_decimal": lambda p: float("0." + re.search(r"\{(\d+)\}", p).group(1) * 8),
    "mixed_number": of(lambda a, b, c, d: Fraction(a * d + b * c, b * d)),
    "committee": of(chosen),
    "marbles": of(mixed_pairs),
    "dice_sum": lambda p: rolled(*map(abs, ints(p))),
    "coin_heads": of(flipped),
    "rectangle": of(
        lambda more, around: next(w * (w + more) for w in range(99) if 4 * w + 2 * more == around)
    ),
    "third_angle": of(lambda a, b: 180 - a - b),
    "tank": of(lambda a, b, c, edge: Fraction(a * b * c, edge**3)),
    "slope": of(lambda a, b, c, d: Fraction(b - d, a - c)),
    "triangle_area": of(heron),
    "price_percent": of(lambda up, down: Fraction((100 + up) * (100 - down), 100)),
    "shopping": paid,
    "average_speed": of(
        lambda way, there, back: 2 * way / (Fraction(way, there) + Fraction(way, back))
    ),
    "work_together": of(lambda a, b: 1 / (Fraction(1, a) + Fraction(1, b))),
}


def inverts(problem, answer):
    top, bottom = re.fullmatch(r"\\frac\{(.+)\}\{(\d+)\}", answer).groups()
    f = in_dollars(problem)[0].split(" = ")[1]
    return all(polynomial(f, Fraction(polynomial(top, x), int(bottom))) == x for x in (0, 7))


def is_product(polynomials, factors):
    return all(
        math.prod(polynomial(p, x) for p in polynomials)
        == math.prod(polynomial(f, x) for f in factors)
        for x in range(-2, 3)
    )


def factors_of(answer):
    return in_brackets(answer) * (2 if answer.endswith("^2") else 1)


def bounds(problem, answer):
    center, distance = -ints(problem)[0], ints(problem)[1]
    inside = [x for x in range(-99, 100) if abs(x - center) <= distance]
    brackets = "[]" if r"\le" in problem else "()"
    return answer == f"{brackets[0]}{inside[0]}, {inside[-1]}{brackets[1]}"


def both_solutions(problem, answer):
    shift, _, square = ints(problem)
    return answer == ", ".join(str(x) for x in range(-99, 100) if (x + shift) ** 2 == square)


def is_larger_root(problem, answer):
    first, disc, bottom = map(
        int, re.fullmatch(r"\\frac\{(-?\d+)\+\\sqrt\{(\d+)\}\}\{(\d+)\}", answer).groups()
    )
    left = in_dollars(problem)[0].split(" = ")[0]
    x = (first + math.sqrt(disc)) / bottom
    rising = polynomial(left, x + 0.001) > 0  # so it is the right one of two roots
    return abs(polynomial(left, x)) < 1e-9 and rising and square_free(disc)


def complex_value(text):
    return polynomial(text.replace("i", "x"), 1j)


def matrix_product(problem, answer):
    a, b, c, d, e, f, g, h = ints(problem)
    columns = list(zip((e, f), (g, h)))
    product = [sum(map(int.__mul__, r, column)) for r in ((a, b), (c, d)) for column in columns]
    return ints(answer) == product


def without_root_below(problem, answer):
    a, b = ints(problem)
    value, radicand = surd(answer)
    return math.isclose(value, a / math.sqrt(b)) and square_free(radicand)


def in_simplest_form(problem, answer):
    value, radicand = surd(answer)
    if "sqrt" not in answer:
        value = int(answer)
    return math.isclose(value, math.hypot(*ints(problem))) and square_free(radicand)


def halfway(problem, answer):
    a, b, c, d = ints(problem)
    x, y = [Fraction(numeric(part)) for part in answer[6:-7].split(", ")]
    return (x - a, y - b) == (c - x, d - y)


def fastest(problem, answer):
    runs = re.findall(r"(\w+) ran (\d+) miles in (\d+) minutes", problem)
    return answer == rf"\text{{{max(runs, key=lambda run: int(run[1]) / int(run[2]))[0]}}}"


def day_after(problem, answer):
    monday = datetime.date(2024, 1, 1)
    start = list(calendar.day_name).index(re.search(r"today is (\w+)", problem).group(1))
    day = monday + datetime.timedelta(days=start + ints(problem)[0])
    return answer == rf"\text{{{calendar.day_name[day.weekday()]}}}"


# By template whose answers are mostly no numbers: whether the boxed text answers the problem.
FORMS = {
    "inverse_function": inverts,
    "expand": lambda p, a: is_product(in_brackets(p), [a]),
    "factor": lambda p, a: is_product(in_dollars(p), factors_of(a)),
    "absolute_interval": bounds,
    "two_solutions": both_solutions,
    "larger_root": is_larger_root,
    "complex_product": lambda p, a: (
        complex_value(a) == math.prod(map(complex_value, in_brackets(p)))
    ),
    "matrix_product": matrix_product,
    "rationalise": without_root_below,
    "base_digits": lambda p, a: (
        int(a.split("_")[0], ints(p)[1]) == ints(p)[0] and a.endswith(f"_{{{ints(p)[1]}}}")
    ),
    "hypotenuse": in_simplest_form,
    "midpoint": halfway,
    "cone_volume": lambda p, a: (
        r"\pi" in a
        and (lambda r, h: Fraction(numeric(a.replace(r"\pi", ""))) * 3 == r * r * h)(*ints(p))
    ),
    "fastest": fastest,
    "weekday": day_after,
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.__name__)
def test_every_template_is_sound_english_with_one_box(template):
    for seed in range(DRAWS):
        problem, solution = template(random.Random(seed))
        assert is_english(problem) and solution.count(r"\boxed") == 1 and boxed(solution)
        for text in (problem, solution):
            assert text.isascii() and text.count("{") == text.count("}")
            assert text.replace(r"\$", "").count("$") % 2 == 0
            assert not {"+-", "--", "  "} & {a + b for a, b in zip(text, text[1:])}
        assert template(random.Random(seed)) == (problem, solution)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.__name__)
def test_the_boxed_answer_is_right(template):
    rng = random.Random(11)
    for _ in range(DRAWS):
        problem, solution = template(rng)
        answer = boxed(solution)
        if template.__name__ in FORMS:
            assert FORMS[template.__name__](problem, answer), (problem, answer)
        else:
            expected = NUMBERS[template.__name__](problem)
            found = Fraction(numeric(answer))
            if isinstance(expected, float):
                expected = pytest.approx(expected, rel=1e-9, abs=1e-9)
                found = float(found)
            assert found == expected, (problem, answer)


def test_every_template_is_drawn_from():
    written = [
        function
        for module in MODULES
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
    ]
    assert sorted(t.__name__ for t in TEMPLATES) == sorted(f.__name__ for f in written)
    assert len(set(TEMPLATES)) == len(TEMPLATES) == len(NUMBERS) + len(FORMS)


def test_as_many_as_the_contest_has_all_different_and_two_thirds_numbers():
    rows = list(draw_english(9993, random.Random("x")))
    assert len({identity_text(problem) for problem, _ in rows}) == 9993
    answers = [boxed(solution) for _, solution in rows]
    assert 0.6 < sum(numeric(answer) is not None for answer in answers) / 9993 < 0.75


def test_each_template_has_many_problems():
    for template in TEMPLATES:
        rng = random.Random(3)
        problems = {identity_text(template(rng)[0]) for _ in range(500)}
        assert len(problems) > 250, template.__name__


def test_the_same_seed_gives_the_same_problems_and_more_leave_the_first():
    few, many = (list(draw_english(n, random.Random(5))) for n in (20, 60))
    assert many[:20] == few
    assert few != list(draw_english(20, random.Random(6)))


def test_more_than_the_templates_have_is_refused(monkeypatch):
    monkeypatch.setattr(
        "tools.corpus.templates.draw.TEMPLATES", [lambda rng: (f"{rng.randint(1, 5)}?", "")]
    )
    with pytest.raises(UserError, match="hardly more than 5 English problems"):
        list(draw_english(6, random.Random(1)))
