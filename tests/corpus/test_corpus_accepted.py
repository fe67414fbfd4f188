"""Which lines of a solution hold: all of our own, and none from a fault to the end of its block."""

from __future__ import annotations

import random

import pytest

from tools.corpus.check import accepted_lines
from tools.corpus.grammar import NoFit
from tools.corpus.kinds import CHINESE
from tools.corpus.render import problem_text
from tools.corpus.rounding import Rounding
from tools.corpus.sample import generate
from tools.corpus.worked.styles import STYLES, Style, work_out

ADD = "计算 4204.22 + 2369.17 等于多少？"
SUBTRACT = "计算 12.50 - 20.75 等于多少？"
MULTIPLY = "计算 12.34 * 5.6 等于多少？"
BLOCK = (
    "12.34 * 5.6：\n12.34 * 5 = 61.7\n12.34 * 0.6 = 7.404\n61.7 + 07.404 = 69.104\n"
    "12.34 * 5.6 = 69.104\n#### 69.104"
)


def marks(problem: str, solution: str, style: str = "schoolbook", decimals: int = 4) -> str:
    """A sign a line, `+` where it holds."""
    held = accepted_lines(problem, solution, Style(style, Rounding(decimals)))
    return "".join("-+"[line] for line in held)


@pytest.mark.parametrize("kind", CHINESE)
def test_every_line_of_our_own_holds(kind):
    rng = random.Random(kind)
    rounding = Rounding(None, 6) if kind == "function" else Rounding(4)
    for _ in range(20):
        problem = generate(kind, rng)
        for name in STYLES[kind]:
            style = Style(name, rounding)
            solution = work_out(problem, style)
            held = accepted_lines(problem_text(problem), solution, style)
            assert held == [True] * (solution.count("\n") + 1), (name, solution)


@pytest.mark.parametrize(
    "problem, solution, expected",
    [
        (ADD, "4204.22 + 2369.17 = 6573.39\n#### 6573.39", "++"),
        (ADD, "4204.22 + 2369.17 = 6573.38\n#### 6573.38", "--"),
        # A wrong line does not make the next ones wrong: they are held against what it says.
        (SUBTRACT, "12.50 - 20.75 = -(20.75 - 12.5)\n20.75 - 12.5 = 8.26\n#### -8.25", "+-+"),
        (MULTIPLY, BLOCK, "++++++"),
        # Of a block, what stands above the fault; the rest of it is not looked at.
        (MULTIPLY, BLOCK.replace("7.404", "7.405"), "++---+"),
        (MULTIPLY, BLOCK.replace("#### 69.104", "#### 69.105"), "+++++-"),
        # It breaks off in the block, or goes on after the answer.
        (MULTIPLY, BLOCK[: BLOCK.index("61.7 +")].strip(), "++-"),
        (ADD, "4204.22 + 2369.17 = 6573.39\n#### 6573.39\n#### 6573.39", "+-+"),
        (ADD, "4204.22 + 2369.17 = 6573.39\n\n#### 6573.39", "+-+"),
        (ADD, "", "-"),
        (ADD, "\n".join(["1 = 1"] * 99), "-" * 99),
        # A line without an end is no work for the checker.
        (ADD, "#### 6573.39" + " " * 200_000, "-"),
    ],
)
def test_both_verdicts(problem, solution, expected):
    assert marks(problem, solution) == expected


def test_where_there_is_nothing_to_recompute_the_line_must_be_ours():
    assert marks(ADD, "#### 6573.39", "answer", 2) == "+"
    assert marks(ADD, "4204.22 + 2369.17 = 6573.39\n#### 6573.39", "answer", 2) == "--"
    assert marks("将分数 4/10 进行简化。", "#### 2/5", "answer") == "+"
    assert marks(ADD, "4204.22 + 2369.17 = 6573.39\nSo it is.", "source") == "+-"
    assert marks(ADD, "4204.22 + 2369.17 = 6573.40", "source") == "-"


def test_a_problem_that_cannot_be_read():
    with pytest.raises(NoFit):
        accepted_lines("What is $1+1$?", "#### 2", Style("answer"))
