"""Every line of the styles answer, direct and schoolbook recomputed by the checker.

And the other verdict: a changed digit, a missing line, two in each other's place are found. The
problems are in the source's slots, and at their edges: zeros, trailing zeros, signs, one digit,
ties, quotients far below one, powers of zero and one, E-notation.
"""

from __future__ import annotations

import random
import re
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tools.corpus import english
from tools.corpus.check_lines import check_solution
from tools.corpus.grammar import Problem, Rounding
from tools.corpus.kinds import CHINESE
from tools.corpus.render import problem_text
from tools.corpus.sample import generate
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
    names = [name for name in STYLES[kind] if name not in ("source", "columns")]
    found = []
    for number in range(start, start + count):
        problem = edge(kind, rng) if number % 4 == 0 else generate(kind, rng)
        if kind == "function":
            rounding = Rounding(significant=rng.randint(3, 9))
        else:
            rounding = Rounding(decimals=rng.choice((0, 1, 2, 3, 4, 4, 5)))
        # Not by `number`, of which every fourth is an edge: every style gets its share of both.
        style = Style(names[(number // 4) % len(names)], rounding)
        text = work_out(problem, style)
        wrong = check_solution(problem_text(problem), text, style)
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


_BOXES = [
    *("12", "-3.50", "1,234", r"\frac{6}{8}", r"3\frac{1}{2}", r"\sqrt{16}", r"1{,}250\text{ cm}"),
    *(r"\sqrt{2}", r"2\pi", "(1, -2)", r"\{1, 2\}", "x^2 + 1", r"\text{Evelyn}", "1011_{2}"),
]


@pytest.mark.parametrize("box", _BOXES)
@pytest.mark.parametrize(
    "prose", ["So $x = \\boxed{{{}}}$.", "It is\n\n$$\\boxed{{{}}}$$\n\nas claimed.\n"]
)
def test_english_solutions(box, prose):
    solution = prose.format(box)
    answer = english.numeric(box) or box
    for name in ("direct", "answer"):
        style = Style(name)
        text = work_out_english(solution, answer, style)
        assert not check_solution("What is $x$?", text, style, answer=answer)
        assert text.splitlines()[-1] == f"#### {answer}"


_POWER_STEP = re.compile(r"[0-9.]+\^[0-9]+ = [0-9.]+ \* [0-9.]+")


def solutions(kind: str, seed: int) -> tuple:
    rng = random.Random(seed)
    names = [name for name in STYLES[kind] if name in ("direct", "schoolbook")]
    rounding = Rounding(significant=6) if kind == "function" else Rounding(decimals=4)
    problem = generate(kind, rng)
    style = Style(rng.choice(names), rounding)
    text = work_out(problem, style)
    # Where the answer is zero, others lead to it as well: `16 * 0 = 0` is as true with a 0 for 16.
    assume(not text.endswith("#### 0"))
    return problem_text(problem), text, style, rng


def in_blocks(lines: list[str]) -> set[int]:
    """Give the places of the lines of blocks, from a header to its conclusion."""
    found, header = set(), None
    for at, line in enumerate(lines):
        if header is None and "：" in line and not line.startswith(("x", "y")):
            header = line.partition("：")[0]
            found.add(at)
        elif header is not None:
            found.add(at)
            if line.startswith(f"{header} = "):
                header = None
        elif line.startswith(("x^", "y：", "最大公约数")) or _POWER_STEP.fullmatch(line):
            found.add(at)
    return found


@settings(max_examples=400)
@given(st.sampled_from(CHINESE), st.integers(0, 10**9))
def test_no_digit_can_be_changed(kind: str, seed: int) -> None:
    problem, text, style, rng = solutions(kind, seed)
    at = rng.choice([at for at, char in enumerate(text) if char.isdigit()])
    digit = rng.choice([d for d in "0123456789" if d != text[at]])
    assert check_solution(problem, f"{text[:at]}{digit}{text[at + 1 :]}", style)


@settings(max_examples=300)
@given(st.sampled_from(CHINESE), st.integers(0, 10**9))
def test_no_line_can_be_left_out(kind: str, seed: int) -> None:
    problem, text, style, rng = solutions(kind, seed)
    lines = text.split("\n")
    # Harmless outside of blocks: what is left is a shorter solution, and each line of it holds.
    places = in_blocks(lines) | {len(lines) - 1}
    gone = rng.choice(sorted(places))
    # The last digit's step may repeat the one before, and look like it.
    assume(lines[gone] not in lines[max(gone - 1, 0) : gone] + lines[gone + 1 : gone + 2])
    assert check_solution(problem, "\n".join(lines[:gone] + lines[gone + 1 :]), style)


@settings(max_examples=300)
@given(st.sampled_from(CHINESE), st.integers(0, 10**9))
def test_no_two_lines_can_change_places(kind: str, seed: int) -> None:
    problem, text, style, rng = solutions(kind, seed)
    lines = text.split("\n")
    a, b = sorted(rng.sample(range(len(lines)), 2))
    # Equal lines are the same in each other's place. Lines between the first and the last that
    # stand outside of blocks may hold in another order: 10 - 50 = -40 before or after 50 - 10.
    assume(lines[a] != lines[b])
    assume(a == 0 or b >= len(lines) - 2 or {a, b} & in_blocks(lines))
    lines[a], lines[b] = lines[b], lines[a]
    assert check_solution(problem, "\n".join(lines), style)
