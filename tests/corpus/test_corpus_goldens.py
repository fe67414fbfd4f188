"""Rows as the source has them, verbatim.

Origin: the table of the contest's train.json in the organisers' and teams' documents (one row a
kind), and rows quoted in the public reports of the contest's entries.
"""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tools.corpus.grammar import Problem, parse
from tools.corpus.kinds import CHINESE, UNIQUE
from tools.corpus.render import render
from tools.corpus.rows import unframed
from tools.corpus.solve import answer

TABLE = [
    ("add", "计算 4204.22 + -2369.17 等于多少？", "4204.22 + -2369.17 = 1835.05", "1835.05"),
    (
        "subtract",
        "计算 6874.58 - -2728.62 等于多少？",
        "6874.58 - -2728.62 = 9603.20",
        "9603.2",
    ),
    (
        "multiply",
        "计算 9004.56 * 2958.89 等于多少？",
        "9004.56 * 2958.89 = 26643502.5384",
        "26643502.5384",
    ),
    (
        "divide",
        "计算 5073.46 / -1586.04 等于多少？",
        "5073.46 / -1586.04 = -3.198822223903558548334216035",
        "-3.198822223903558548334216035",
    ),
    (
        "power",
        "计算 -456.58 的 4 次方？",
        "-456.58^4 = 43457779803.13985296",
        "43457779803.13985296",
    ),
    (
        "root",
        "计算 5636.97 的平方根？",
        "√5636.97 = 75.07975759151064280958687335",
        "75.07975759151064280958687335",
    ),
    ("equation", "解方程 -39x + 20 = 0", "方程的解为：0.5128205128205128", "0.5128205128205128"),
    (
        "function",
        "当 x = 7.59 时，求函数 y = 68x^95 的值",
        "函数的值为：2.854155448324274205322988364E+85",
        "2.854155448324274205322988364E+85",
    ),
    (
        "mean",
        "求以下数据的平均值：[20, 12, 72, 21, 95, 39]",
        "平均值为 43.166666666666664",
        "43.166666666666664",
    ),
    (
        "area",
        "一个长方形的长为 87 厘米，宽为 4 厘米，请计算其面积。",
        "面积为 348 平方厘米",
        "348",
    ),
    (
        "discount",
        "商品原价为 16 元，打折后的价格为 90 元，请计算打折的折扣比例。",
        "-462.5",
        "-462.5",
    ),
    (
        "sales",
        "去年销售额为 12 万元，今年销售额增加了 77%，请计算今年的销售额。",
        "21.240000000000002",
        "21.240000000000002",
    ),
    (
        "mass",
        "某物体的密度为 10 克/立方厘米，体积为 3 立方厘米，请计算该物体的质量。",
        "30 克",
        "30",
    ),
    ("fraction", "将分数 5/6 进行简化。", "最简化的形式为：5/6", "5/6"),
]

QUOTED = [
    ("计算 7469.98 * -2455.65 等于多少？", "7469.98 * -2455.65 = -18343656.3870"),
    ("解方程 -81x + -45 = 0", "方程的解为：-0.5555555555555556"),
    ("解方程 -1x + -17 = 0", "方程的解为：-17.0"),
    ("求以下数据的平均值：[79, 69, 19, 3, 23, 93]", "平均值为 47.666666666666664"),
    ("求以下数据的平均值：[70, 18, 94]", "平均值为 60.666666666666664"),
    (
        "商品原价为 51 元，打折后的价格为 28 元，请计算打折的折扣比例。",
        "45.09803921568628",
    ),
    ("一个长方形的长为 57 厘米，宽为 84 厘米，请计算其面积。", "面积为 4788 平方厘米"),
    ("计算 6145.00 的平方根？", "√6145.00 = 78.39005038906404479030928703"),
    ("计算 -711.31 的 4 次方？", "-711.31^4 = 255997460543.58343921"),
    ("计算 -787.36 的 4 次方？", "-787.36^4 = 384320358429.54428416"),
    ("去年销售额为 32 万元，今年销售额增加了 28%，请计算今年的销售额。", "40.96"),
    ("去年销售额为 90 万元，今年销售额增加了 65%，请计算今年的销售额。", "148.5"),
    (
        "当 x = 4.03 时，求函数 y = 57x^54 的值",
        "函数的值为：2.769155521409239378157128235E+34",
    ),
    (
        "计算 -7431.41 / 6769.29 等于多少？",
        "-7431.41 / 6769.29 = -1.097812325960329665297246831",
    ),
]

# What the formats imply for the corners of the slots; computed by the source's arithmetic.
CORNERS = [
    ("计算 5.00 - 5.00 等于多少？", "5.00 - 5.00 = 0.00", "0"),
    ("计算 -1.50 + 1.50 等于多少？", "-1.50 + 1.50 = 0.00", "0"),
    ("计算 0.00 * -5.00 等于多少？", "0.00 * -5.00 = -0.0000", "0"),
    ("计算 6.00 / 3.00 等于多少？", "6.00 / 3.00 = 2", "2"),
    (
        "计算 0.01 / -9999.00 等于多少？",
        "0.01 / -9999.00 = -0.000001000100010001000100010001000",
        None,
    ),
    ("计算 -456.58 的 0 次方？", "-456.58^0 = 1", "1"),
    ("计算 -456.50 的 1 次方？", "-456.50^1 = -456.50", "-456.5"),
    ("计算 -0.50 的 3 次方？", "-0.50^3 = -0.125000", "-0.125"),
    ("计算 9.00 的平方根？", "√9.00 = 3.0", "3"),
    ("解方程 1x + 0 = 0", "方程的解为：0.0", "0"),
    ("解方程 -7x + 0 = 0", "方程的解为：-0.0", "0"),
    ("解方程 -1x + -15 = 0", "方程的解为：-15.0", "-15"),
    ("当 x = 0.10 时，求函数 y = 3x^30 的值", None, "3E-30"),
    ("将分数 4/8 进行简化。", "最简化的形式为：1/2", "1/2"),
    ("将分数 8/4 进行简化。", "最简化的形式为：2/1", "2"),
    ("商品原价为 1 元，打折后的价格为 84 元，请计算打折的折扣比例。", "-8300.0", "-8300"),
]


@pytest.mark.parametrize(("kind", "problem", "solution", "exact"), TABLE)
def test_every_kind_of_the_table(kind, problem, solution, exact):
    parsed = parse(problem)
    assert parsed.kind == kind
    assert render(parsed) == (problem, solution)
    assert answer(parsed) == exact


def test_the_table_has_every_kind_and_the_counts_add_up():
    assert tuple(kind for kind, *_ in TABLE) == CHINESE
    assert sum(UNIQUE.values()) == 538_949


@pytest.mark.parametrize(("problem", "solution"), QUOTED)
def test_rows_quoted_in_reports(problem, solution):
    assert render(parse(problem)) == (problem, solution)


@pytest.mark.parametrize(("problem", "solution", "exact"), CORNERS)
def test_corners_of_the_slots(problem, solution, exact):
    parsed = parse(problem)
    rendered = render(parsed)
    assert rendered[0] == problem
    assert solution is None or rendered[1] == solution
    assert exact is None or answer(parsed) == exact


def test_numbers_keep_their_zeros_and_compare_by_value():
    assert parse("计算 5.50 + 1.0 等于多少？") == Problem("add", (Decimal("5.5"), Decimal(1)))
    assert [str(n) for n in parse("计算 5.50 + 1.0 等于多少？").numbers] == ["5.50", "1.0"]


@pytest.mark.shared
def test_the_200_problems_parse_and_their_answers_agree(shared):
    """The solutions of the file are one team's, rounded, so they agree to a few digits only."""
    lines = (shared / "contest" / "problems-200.json").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 200
    for line in lines:
        row = json.loads(line)
        text = unframed(row["problem"])
        assert text != row["problem"]
        parsed = parse(text)
        assert render(parsed)[0] == text
        last = row["solution"].replace("：", " ").replace("=", " ").split()
        stated = [float(word) for word in last if _is_float(word)][-1]
        exact = float(answer(parsed))
        # Products are rounded to eight digits there, or to fewer decimals than the number has.
        assert stated == pytest.approx(exact, rel=1e-3, abs=6e-3), text


def _is_float(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
