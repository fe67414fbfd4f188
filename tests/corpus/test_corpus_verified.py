"""Every line of every worked solution recomputed by the checker, which knows only the page on them.

Problems in the source's slots, and at their edges: zeros, trailing zeros, signs, one digit, ties,
quotients far below one, powers of zero and one, E-notation.
"""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tools.corpus import english
from tools.corpus.check import check_solution
from tools.corpus.grammar import Problem
from tools.corpus.kinds import CHINESE
from tools.corpus.render import problem_text
from tools.corpus.rounding import Rounding
from tools.corpus.sample import generate
from tools.corpus.templates.draw import draw_english
from tools.corpus.worked.styles import STYLES, Style, work_out, work_out_english
from tools.files.parallel import ordered_map

_EDGES = [
    *("0.00", "0.01", "-0.01", "0.50", "-0.50", "1.00", "-1.00", "10.00", "-100.00", "9999.99"),
    *("-9999.99", "0.05", "99.95", "1000.00", "-2000.00", "5000.05", "12.50", "0.99", "-0.10"),
]
_WHOLE = [0, 1, 2, 5, 8, 9, 10, 11, 50, 99, 100, 1000]


def edge(kind: str, rng: random.Random) -> Problem:
    """A problem that the source's slots hold seldom or never."""
    pick, whole = (lambda: Decimal(rng.choice(_EDGES))), (lambda: rng.choice(_WHOLE))
    sign = rng.choice((1, -1))
    numbers = {
        "add": lambda: (pick(), pick()),
        "subtract": lambda: (pick(), pick()),
        "multiply": lambda: (pick(), pick()),
        "divide": lambda: (pick(), pick() or Decimal("0.01")),
        "power": lambda: (pick() or Decimal(3), rng.randint(0, 7)),
        "root": lambda: (abs(pick()),),
        "equation": lambda: (sign * (whole() or 3), rng.choice((1, -1)) * whole()),
        "function": lambda: (abs(pick()) or Decimal("0.07"), sign * whole(), rng.randint(0, 120)),
        "mean": lambda: tuple(rng.choice((1, 1, -1)) * whole() for _ in range(rng.randint(1, 12))),
        "area": lambda: (whole(), whole()),
        "discount": lambda: (whole() or 7, whole()),
        "sales": lambda: (whole(), whole()),
        "mass": lambda: (whole(), whole()),
        "fraction": lambda: (whole(), whole() or 12),
    }[kind]()
    return Problem(kind, numbers)


def faults(job: tuple[str, int, int]) -> list[str]:
    """Work out `count` problems of a kind, a style after the other; what the checker finds."""
    kind, start, count = job
    rng = random.Random(f"{kind}/{start}")
    names = [name for name in STYLES[kind] if name != "source"]
    found = []
    for number in range(start, start + count):
        problem = edge(kind, rng) if number % 4 == 0 else generate(kind, rng)
        if kind == "function":
            rounding = Rounding(significant=rng.randint(3, 9))
        else:
            rounding = Rounding(decimals=rng.choice((0, 1, 2, 3, 4, 4, 5)))
        # Not by `number`, of which every fourth is an edge: every style gets its share of both.
        text = work_out(problem, Style(names[(number // 4) % len(names)], rounding))
        wrong = check_solution(problem_text(problem), text, rounding)
        if wrong:
            found.append(f"{problem_text(problem)} {rounding}\n{text}\n{wrong}")
    return found


@pytest.mark.parametrize("kind", CHINESE)
def test_some_hundred_solutions(kind):
    assert not faults((kind, 0, 320))[:2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", CHINESE)
def test_twenty_thousand_solutions(kind):
    jobs = [(kind, start, 1000) for start in range(0, 20_000, 1000)]
    assert not [fault for found in ordered_map(faults, jobs) for fault in found][:2]


@pytest.mark.slow
def test_english_solutions():
    for problem, solution in draw_english(5000, random.Random(2)):
        box = english.boxed(solution)
        answer = english.numeric(box) or box
        for name in ("direct", "answer"):
            text = work_out_english(solution, answer, Style(name, Rounding()))
            if name == "direct":
                assert not check_solution(problem, text, Rounding(), answer=answer)
            assert text.splitlines()[-1] == f"#### {answer}"
