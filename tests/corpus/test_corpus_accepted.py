"""Which lines of a solution hold after those before them, in every style."""

from __future__ import annotations

import random

import pytest

from tools.corpus.check_lines import accepted_lines, check_solution
from tools.corpus.grammar import NoFit, Rounding
from tools.corpus.kinds import CHINESE
from tools.corpus.render import problem_text
from tools.corpus.sample import generate
from tools.corpus.worked.styles import STYLES, Style, work_out

ADD = "计算 4204.22 + 2369.17 等于多少？"
SUBTRACT = "计算 12.50 - 20.75 等于多少？"
MULTIPLY = "计算 12.34 * 5.6 等于多少？"
FRACTION = "将分数 4/10 进行简化。"
FUNCTION = "当 x = 7.59 时，求函数 y = 68x^5 的值"
BLOCK = (
    "12.34 * 5.6：\n12.34 * 5 = 61.7\n12.34 * 0.6 = 7.404\n61.7 + 07.404 = 69.104\n"
    "12.34 * 5.6 = 69.104\n#### 69.104"
)
EUCLID = "10 = 4 * 2 + 2\n4 = 2 * 2 + 0\n最大公约数 = 2\n4 / 2 = 2\n10 / 2 = 5\n#### 2/5"


def marks(problem: str, solution: str, style: str = "schoolbook", decimals: int = 4) -> str:
    """A sign a line, `+` where it holds."""
    accepted = accepted_lines(problem, solution, Style(style, Rounding(decimals)))
    return "".join("-+"[line] for line in accepted)


@pytest.mark.parametrize("kind", CHINESE)
def test_every_line_of_our_own_holds(kind):
    rng = random.Random(kind)
    rounding = Rounding(None, 6) if kind == "function" else Rounding(4)
    for _ in range(20):
        problem = generate(kind, rng)
        for name in STYLES[kind]:
            style = Style(name, rounding)
            solution = work_out(problem, style)
            accepted = accepted_lines(problem_text(problem), solution, style)
            assert accepted == [True] * (solution.count("\n") + 1), (name, solution)


@pytest.mark.parametrize(
    "problem, solution, expected",
    [
        (ADD, "4204.22 + 2369.17 = 6573.39\n#### 6573.39", "++"),
        (ADD, "4204.22 + 2369.17 = 6573.38\n#### 6573.38", "--"),
        # The answer is held against the problem's value alone.
        (ADD, "4204.22 + 2369.17 = 6573.38\n#### 6573.39", "-+"),
        (SUBTRACT, "12.50 - 20.75 = -(20.75 - 12.5)\n20.75 - 12.5 = 8.26\n#### -8.25", "+-+"),
        (MULTIPLY, BLOCK, "++++++"),
        # Of a block, what stands above the fault; the rest of it was not looked at.
        (MULTIPLY, BLOCK.replace("7.404\n61", "7.405\n61"), "++---+"),
        (MULTIPLY, BLOCK.replace("5.6 = 69.104", "5.6 = 69.14"), "++++-+"),
        (MULTIPLY, BLOCK.replace("#### 69.104", "#### 69.105"), "+++++-"),
        (FRACTION, EUCLID, "++++++"),
        (FRACTION, EUCLID.replace("最大公约数 = 2", "最大公约数 = 1"), "++-+++"),
        (FUNCTION, "y = 68 * 7.59^5\nx^2：7.59 * 7.59 = 57.6081\nx^2：1 * 1 = 1\n#### 7", "++--"),
        # It breaks off within the block, or where its conclusion should stand.
        (MULTIPLY, BLOCK[: BLOCK.index("\n61.7 +")], "+++"),
        (MULTIPLY, BLOCK.replace("\n12.34 * 5.6 = 69.104", ""), "++++-"),
        (ADD, "4204.22 + 2369.17 = 6573.39\n#### 6573.39\n#### 6573.39", "+-+"),
        (ADD, "4204.22 + 2369.17 = 6573.39\n\n#### 6573.39", "+-+"),
        (ADD, "", "-"),
        # After too many faults nothing is looked at.
        (ADD, "\n".join([*["1 = 1"] * 99, "4204.22 + 2369.17 = 6573.39"]), "-" * 100),
        (ADD, "#### 6573.39" + " " * 200_000, "-"),
    ],
)
def test_both_verdicts(problem, solution, expected):
    assert marks(problem, solution) == expected


def test_where_there_is_nothing_to_recompute_the_line_must_be_ours():
    assert marks(ADD, "#### 6573.39", "answer", 2) == "+"
    assert marks(ADD, "4204.22 + 2369.17 = 6573.39\n#### 6573.39", "answer", 2) == "--"
    assert marks(FRACTION, "#### 2/5", "answer") == "+"
    assert marks(ADD, "4204.22 + 2369.17 = 6573.39\nSo it is.", "source") == "+-"
    assert marks(ADD, "4204.22 + 2369.17 = 6573.40", "source") == "-"


def test_a_problem_that_cannot_be_read():
    with pytest.raises(NoFit):
        accepted_lines("What is $1+1$?", "#### 2", Style("answer"))


SUM = "计算 4025.30 + 3001.00 等于多少？"
DIFFERENCE = "计算 45.30 - 1234.56 等于多少？"
PRODUCT = "计算 12.34 * -5.6 等于多少？"
QUOTIENT = "计算 7.00 / 0.12 等于多少？"
ROOT = "计算 12.5 的平方根？"
SUMS = "+402530+300100>+\n0+0+0=0\n3+0+0=3\n5+1+0=6\n2+0+0=2\n0+0+0=0\n4+3+0=7\n#### 7026.3"
COLUMNS = "+004530-123456<-\n6-0-0=6\n5-3-0=2\n4-5-0=9\n3-4-1=8\n2-0-1=1\n1-0-0=1\n#### -1189.26"


@pytest.mark.parametrize(
    "problem, solution, expected",
    [
        # One digit wrong, and every other line follows from what is written.
        (DIFFERENCE, COLUMNS.replace("4-5-0=9", "4-5-0=8"), "+++-++++"),
        (DIFFERENCE, COLUMNS.replace("5-3-0=2", "5-3-0=3"), "++-+++++"),
        # A borrow forgotten, a digit misread: the next line goes on from the digits that stand.
        (DIFFERENCE, COLUMNS.replace("3-4-1=8", "3-4-0=9"), "++++-+++"),
        (DIFFERENCE, COLUMNS.replace("6-0-0=6", "6-8-0=8"), "+--+++++"),
        (DIFFERENCE, COLUMNS.replace("6-0-0=6\n5-3-0=2", "6-8-0=8\n5-3-1=1"), "+-++++++"),
        # The answer is the problem's, not what wrong columns give.
        (DIFFERENCE, COLUMNS.replace("-1189.26", "-1189.25"), "+++++++-"),
        (DIFFERENCE, COLUMNS.replace("0-0=6", "0-0=5").replace(".26", ".25"), "+-+++++-"),
        # A sum taken for a difference: its columns are right as a difference's.
        (
            SUM,
            "+402530-300100>-\n0-0-0=0\n3-0-0=3\n5-1-0=4\n2-0-0=2\n0-0-0=0\n4-3-0=1\n#### 1024.3",
            "-++++++-",
        ),
        (SUM, SUMS.replace("3+0+0=3", "3-0-0=3"), "++-+++++"),
        # The smaller taken for the larger.
        (
            SUM,
            "+402530+300100<+\n0+0+0=0\n0+3+0=3\n1+5+0=6\n0+2+0=2\n0+0+0=0\n3+4+0=7\n#### 7026.3",
            "-+++++++",
        ),
        # Of another length, or no line of columns at all: nothing after it can be judged.
        (SUM, SUMS.replace("300100", "30010"), "--------"),
        (SUM, SUMS.replace("3+0+0=3", "so"), "++------"),
        (SUM, SUMS.replace("3+0+0=3", "3+0+0=3" * 999), "++------"),
        (SUM, "+402530+300100>+\n0+0+0=0\n#### 7026.3", "++-"),
        # Broken off, empty, the answer alone, and more than there is to say.
        (SUM, "+402530+300100>+\n0+0+0=0", "++"),
        (SUM, "", "-"),
        (SUM, "#### 7026.3", "-"),
        (SUM, f"{SUMS}\n#### 7026.3", "++++++++-"),
        (SUM, f"{SUMS}\n\n\n", "++++++++---"),
        (SUM, SUMS + " " * 200_000, "--------"),
        # 4 + 1: the second row takes over what stands in the first.
        (
            PRODUCT,
            "-1234*56\n6:424442318802212251106670\n5:420002315022210791105560\n#### -69.1",
            "+-++",
        ),
        (
            PRODUCT,
            "-1234*56\n6:424442318802212251106670\n5:420002315912210791105560\n#### -69.1",
            "+--+",
        ),
        (PRODUCT, "-1234*56\n6:424442318802212241\n5:420002315912210791105560\n#### -69.1", "+---"),
        (
            PRODUCT,
            "-1234*65\n5:420002315571210011105560\n6:424113318922212802106680\n#### -69.1",
            "-+++",
        ),
        # A digit too small: what remains is larger than the divisor, the next takes nine times.
        (QUOTIENT, "700/12\n4:20802211047320\n9:21802221092311\n\n#### 58.33", "+-+--"),
        (QUOTIENT, "700/0\n0:0000000\n0:0000000\n#### 58.33", "----"),
        (ROOT, "12.50\n2:20428810001100\n.9:98109994365904\n#### 3.54", "+-+-"),
        # With the space everywhere, and not in one place.
        (PRODUCT, "-1 2 3 4*5 6\n6:4 2 4 4 4 2 3 1 8 8 0 2 2 1 2 2 4 1 1 0 6 6 7 0", "++"),
        (
            PRODUCT,
            "-1 2 3 4*5 6\n6:424042318002212041106070\n5:420002315412210791105060\n#### -69.1",
            "+--+",
        ),
        (PRODUCT, "-1234*5 6\n6:4 2 4 4 4 2 3 1 8 8 0 2 2 1 2 2 4 1 1 0 6 6 7 0", "-+"),
    ],
)
def test_lines_of_columns(problem, solution, expected):
    assert marks(problem, solution, "columns", 2) == expected
    assert check_solution(problem, solution, Style("columns", Rounding(2)))
