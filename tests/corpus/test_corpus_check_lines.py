"""Both verdicts of every rule of docs/worked-solutions.md: solutions by hand, faults in them."""

from __future__ import annotations

import time

import pytest

from tools.corpus.check_lines import check_solution
from tools.corpus.grammar import Rounding
from tools.corpus.worked.styles import Style

ADD = "计算 4204.22 + 2369.17 等于多少？"
SUBTRACT = "计算 12.50 - 20.75 等于多少？"
MULTIPLY = "计算 12.34 * 5.6 等于多少？"
DIVIDE = "计算 5073.46 / -1586.04 等于多少？"
POWER = "计算 -0.50 的 3 次方？"
ROOT = "计算 5636.97 的平方根？"
EQUATION = "解方程 -39x + 20 = 0"
FUNCTION = "当 x = 7.59 时，求函数 y = 68x^5 的值"
MEAN = "求以下数据的平均值：[20, 12, 72]"
AREA = "一个长方形的长为 87 厘米，宽为 4 厘米，请计算其面积。"
DISCOUNT = "商品原价为 16 元，打折后的价格为 90 元，请计算打折的折扣比例。"
SALES = "去年销售额为 12 万元，今年销售额增加了 77%，请计算今年的销售额。"
MASS = "某物体的密度为 10 克/立方厘米，体积为 3 立方厘米，请计算该物体的质量。"
FRACTION = "将分数 4/10 进行简化。"
ENGLISH = "What is $1+1$?"

TWO, FOUR, FIVE_FIGURES = Rounding(decimals=2), Rounding(decimals=4), Rounding(significant=5)

GOOD = {
    "answer alone": (ADD, "#### 6573.39", TWO),
    "chain": (ADD, "4204.22 + 2369.17 = 6573.39\n#### 6573.39", TWO),
    "rounded": (ADD, "4204.22 + 2369.17 ≈ 6573.4\n#### 6573.4", Rounding(decimals=1)),
    "zeros in front align": (
        MULTIPLY,
        "12.34 * 5.6：\n12.34 * 5 = 61.7\n12.34 * 0.6 = 7.404\n61.7 + 07.404 = 69.104\n"
        "12.34 * 5.6 = 69.104\n#### 69.104",
        FOUR,
    ),
    "long division": (
        DIVIDE,
        "5073.46 / -1586.04 = -(5073.46 / 1586.04) = -(507346 / 158604)\n507346 / 158604：\n"
        "507346 = 158604 * 3 + 31534\n315340 = 158604 * 1 + 156736\n1567360 = 158604 * 9 + 139924\n"
        "1399240 = 158604 * 8 + 130408\n507346 / 158604 = 3.198… ≈ 3.20\n"
        "5073.46 / -1586.04 ≈ -3.20\n#### -3.2",
        TWO,
    ),
    "mean": (
        MEAN,
        "平均值 = (20 + 12 + 72) / 3\n20 + 12 = 32\n32 + 72 = 104\n平均值 = 104 / 3\n104 / 3：\n"
        "10 = 3 * 3 + 1\n14 = 3 * 4 + 2\n20 = 3 * 6 + 2\n20 = 3 * 6 + 2\n20 = 3 * 6 + 2\n"
        "104 / 3 = 34.666… ≈ 34.67\n#### 34.67",
        TWO,
    ),
    "powers": (
        POWER,
        "(-0.5)^3 = -(0.5^3)\n0.5^2 = 0.5 * 0.5\n0.5 * 0.5 = 0.25\n0.5^3 = 0.25 * 0.5\n"
        "0.25 * 0.5 = 0.125\n(-0.5)^3 = -0.125\n#### -0.125",
        FOUR,
    ),
    "root": (
        ROOT,
        "√5636.97：\n56 = 7 * 7 + 7\n736 = 145 * 5 + 11\n1197 = 1500 * 0 + 1197\n"
        "119700 = 15007 * 7 + 14651\n1465100 = 150149 * 9 + 113759\n√5636.97 = 75.079… ≈ 75.08\n"
        "#### 75.08",
        TWO,
    ),
    "equation": (
        EQUATION,
        "-39x + 20 = 0\n-39x = -20\nx = -20 / -39\n-20 / -39 = 20 / 39 ≈ 0.51\nx ≈ 0.51\n#### 0.51",
        TWO,
    ),
    "function": (
        FUNCTION,
        "y = 68 * 7.59^5\nx^2：7.59 * 7.59 = 57.6081\nx^4：57.6081 * 57.6081 ≈ 3318.69\n"
        "x^5：3318.69 * 7.59 ≈ 25188.9\ny：68 * 25188.9 ≈ 1712845\n#### 1712800",
        FIVE_FIGURES,
    ),
    "function at once": (FUNCTION, "y = 68 * 7.59^5\n#### 1712800", FIVE_FIGURES),
    "area": (AREA, "面积 = 87 * 4 = 348\n#### 348", TWO),
    "discount": (
        DISCOUNT,
        "折扣比例 = (16 - 90) / 16 * 100 = -74 / 16 * 100 = -462.5\n#### -462.5",
        TWO,
    ),
    "sales": (SALES, "今年销售额 = 12 + 12 * 77 / 100 = 12 + 9.24 = 21.24\n#### 21.24", TWO),
    "mass": (MASS, "质量 = 10 * 3 = 30\n#### 30", TWO),
    "fraction": (
        FRACTION,
        "10 = 4 * 2 + 2\n4 = 2 * 2 + 0\n最大公约数 = 2\n4 / 2 = 2\n10 / 2 = 5\n#### 2/5",
        TWO,
    ),
    "English": (ENGLISH, "It is \\boxed{2}, of course.\n#### 2", Rounding()),
    "English, no number": (ENGLISH, "So \\boxed{\\text{two}}.\n#### \\text{two}", Rounding()),
    "E-notation": (
        "当 x = 9.00 时，求函数 y = 2x^99 的值",
        "y = 2 * 9^99\n#### 5.9025E+94",
        FIVE_FIGURES,
    ),
    "below a ten-millionth": (
        "当 x = 0.01 时，求函数 y = 3x^4 的值",
        "y = 3 * 0.01^4\n#### 3E-8",
        FIVE_FIGURES,
    ),
    "a ten-millionth": (
        "当 x = 0.10 时，求函数 y = 1x^7 的值",
        "y = 1 * 0.1^7 = 0.0000001\n#### 0.0000001",
        FIVE_FIGURES,
    ),
    "28 digits": (
        "当 x = 10.00 时，求函数 y = 1x^27 的值",
        f"y = 1 * 10^27\n#### 1{'0' * 27}",
        FIVE_FIGURES,
    ),
    "29 digits": (
        "当 x = 10.00 时，求函数 y = -1x^28 的值",
        "y = -1 * 10^28\n#### -1E+28",
        FIVE_FIGURES,
    ),
    "a tie": ("计算 0.10 * 1.25 等于多少？", "0.10 * 1.25 ≈ 0.13\n#### 0.13", TWO),
    "a negative tie": ("计算 -0.10 * 1.25 等于多少？", "-0.10 * 1.25 ≈ -0.13\n#### -0.13", TWO),
    "towards zero": ("计算 -0.10 * 0.01 等于多少？", "-0.10 * 0.01 ≈ 0.00\n#### 0", TWO),
    "zero": ("计算 0.00 * 98.76 等于多少？", "0.00 * 98.76 = 0 * 98.76 = 0\n#### 0", TWO),
    "English, nested": (
        ENGLISH,
        "$\\boxed{1}$? No: \\boxed{\\frac{1}{\\sqrt{2}}}.\n#### \\frac{1}{\\sqrt{2}}",
        TWO,
    ),
    "English, a fraction": (ENGLISH, "It is\n\n\\boxed{\\frac{2}{4}}.\n#### 1/2", TWO),
    "nothing is left": (ADD.replace("2369.17", "-4204.22"), "#### 0", TWO),
}


def test_the_function_s_answer_by_hand() -> None:
    # 68 * 7.59^5 = 1712848.07…: its five figures, which is what the solution above states.
    assert 1_712_750 <= 68 * 759**5 / 100**5 < 1_712_850


@pytest.mark.parametrize("name", GOOD)
def test_solutions_that_hold(name: str) -> None:
    problem, solution, rounding = GOOD[name]
    assert check_solution(problem, solution, Style("schoolbook", rounding)) == []


# (which of GOOD, what in it, replaced by what, line of the fault, part of its reason)
BAD = [
    ("chain", "6573.39\n", "6573.30\n", 1, "is not 4204.22 + 2369.17"),
    ("chain", "4204.22 +", "4204.23 +", 1, "is not"),
    ("chain", "4204.22 + 2369.17", "2369.17 + 4204.22", 1, "begin with the problem's own"),
    ("chain", "#### 6573.39", "#### 6573.40", 2, "the answer must be 6573.39"),
    ("chain", "#### 6573.39", "####6573.39", 2, "the last line must be ####"),
    ("chain", "\n#### 6573.39", "", 1, "the last line must be ####"),
    ("chain", "4204.22 + 2369.17 =", "#### 1\n4204.22 + 2369.17 =", 1, "only in the last line"),
    ("chain", " = 6573.39", " = 6573.39 = 6573", 1, "6573 is not"),
    ("chain", " = 6573.39", "", 1, "states nothing"),
    ("chain", "6573.39\n#", "6573.39 \n#", 1, "white space"),
    ("chain", "6573.39\n#", "6573.39\n\n#", 2, "empty"),
    ("answer alone", "6573.39", "6573.390", 1, "the answer must be 6573.39"),
    ("answer alone", "6573.39", "６５７３.39", 1, "the answer must be"),
    ("nothing is left", "#### 0", "#### -0", 1, "the answer must be 0"),
    ("rounded", "≈ 6573.4", "≈ 6573.3", 1, "rounded"),
    ("rounded", "≈ 6573.4", "= 6573.4", 1, "is not"),
    ("zeros in front align", "12.34 * 0.6 = 7.404", "12.34 * 0.06 = 0.7404", 3, "must stand"),
    ("zeros in front align", "61.7 + 07.404 = 69.104", "61.7 + 07.404 = 69.204", 4, "is not"),
    ("zeros in front align", "61.7 + 07", "61.8 + 07", 4, "must stand"),
    ("zeros in front align", "\n12.34 * 0.6 = 7.404", "", 3, "must stand"),
    ("long division", "1567360 = 158604 * 9", "1567360 = 158604 * 8", 5, "must stand"),
    ("long division", "= 3.198…", "= 3.199…", 7, "cut off"),
    ("long division", "≈ 3.20\n5", "≈ 3.19\n5", 7, "rounded"),
    ("long division", "= 3.198… ≈ 3.20\n5", "= 3.19… ≈ 3.2\n5", 7, "decimals were found"),
    ("long division", "\n1399240 = 158604 * 8 + 130408", "", 6, "must"),
    ("long division", "#### -3.2", "#### 3.2", 9, "the answer must be -3.2"),
    ("mean", "20 + 12 = 32", "20 + 12 = 31", 2, "is not"),
    ("mean", "32 + 72 = 104", "32 + 71 = 103", 3, "nothing before it gives"),
    ("powers", "0.5^2 = 0.5 * 0.5", "0.5^2 = 0.25 * 1", 2, "must stand 0.5^2 = 0.5 * 0.5"),
    ("powers", "(-0.5)^3 = -(0.5^3)", "-0.5^3 = -(0.5^3)", 1, "needs brackets"),
    ("root", "736 = 145 * 5 + 11", "736 = 144 * 5 + 16", 3, "must stand"),
    ("root", "≈ 75.08\n", "≈ 75.07\n", 7, "rounded"),
    ("equation", "-39x = -20", "-39x = 20", 2, "does not solve"),
    ("equation", "-39x + 20 = 0\n", "", 1, "begin with the problem's own equation"),
    ("function", "≈ 3318.69", "≈ 3318.70", 3, "rounded"),
    ("function", "x^4：57.6081", "x^5：57.6081", 3, "no two exponents"),
    ("function", "\ny：68 * 25188.9 ≈ 1712845", "", 5, "end before y"),
    ("function at once", "#### 1712800", "#### 1712848", 2, "the answer must be 1712800"),
    ("area", "面积", "质量", 1, "not what the problem asks"),
    ("discount", "-74", "74", 1, "is not 折扣比例"),
    ("sales", "9.24 = 21.24", "9.25 = 21.24", 1, "is not 今年销售额"),
    ("fraction", "10 = 4 * 2 + 2", "10 = 2 * 4 + 2", 1, "must stand 10 = 4 * 2 + 2"),
    ("fraction", "\n4 = 2 * 2 + 0", "", 2, "must stand 4 = 2 * 2 + 0"),
    ("fraction", "#### 2/5", "#### 4/10", 6, "the answer must be 2/5"),
    ("English", "#### 2", "#### 3", 2, "the answer must be 2"),
    ("English", "\\boxed{2}", "two", 2, "nothing is boxed"),
    ("English", "#### 2", "#### 2\n", 3, "the last line must be ####"),
    ("English, no number", "#### \\text{two}", "#### two", 2, "which is boxed"),
    ("English, nested", "#### \\frac{1}{\\sqrt{2}}", "#### 1", 2, "which is boxed"),
    ("English, a fraction", "#### 1/2", "#### 0.5", 4, "the answer must be 1/2"),
    ("English, a fraction", "\n\n", "\n#### 1/2\n", 2, "only in the last line"),
    ("E-notation", "E+94", "E+95", 2, "the answer must be"),
    ("below a ten-millionth", "#### 3E-8", "#### 0.00000003", 2, "the answer must be 3E-8"),
    ("a ten-millionth", "#### 0.0000001", "#### 1E-7", 2, "the answer must be 0.0000001"),
    ("a ten-millionth", "= 0.0000001\n", "= 0.000001\n", 1, "is not y"),
    ("28 digits", f"#### 1{'0' * 27}", "#### 1E+27", 2, "the answer must be 1000"),
    ("29 digits", "#### -1E+28", f"#### -1{'0' * 28}", 2, "the answer must be -1E+28"),
    ("29 digits", "#### -1E+28", "#### -1E28", 2, "the answer must be -1E+28"),
    ("a tie", "≈ 0.13", "≈ 0.12", 1, "rounded"),
    ("a tie", "#### 0.13", "#### 0.12", 2, "the answer must be 0.13"),
    ("a tie", "≈ 0.13", "≈ 0.1", 2, "the line before does not give 0.13"),
    ("a negative tie", "#### -0.13", "#### -0.12", 2, "the answer must be -0.13"),
    ("a negative tie", "≈ -0.13", "≈ 0.13", 1, "rounded"),
    ("towards zero", "≈ 0.00", "≈ -0.00", 1, "rounded"),
    ("towards zero", "≈ 0.00", "≈ 000", 1, "zeros in front"),
    ("towards zero", "#### 0", "#### 0.00", 2, "the answer must be 0"),
    ("zero", "= 0 * 98.76", "= 0 * 98.75", 1, "it uses 98.75, which nothing before it gives"),
    ("chain", "6573.39\n", "6573.39\n1 + 1 = 2\n", 2, "it uses 1, which nothing"),
    ("chain", "6573.39\n", "6573.39\n6573.39 + 4204.22 = 10777.61\n", 3, "line before does not"),
    ("chain", "= 6573.39\n", "= 6573.39 + 0\n", 2, "the line before does not give 6573.39"),
    ("chain", "4204.22 + 2369.17 =", "6573.39 =", 1, "nothing to compute"),
    ("chain", "4204.22 + 2369.17 = 6573.39", "6573.39 = 4204.22 + 2369.17", 1, "a step without"),
    ("chain", "4204.22 + 2369.17", "4204.22 +  2369.17", 1, "one space must stand"),
    ("chain", "4204.22 + 2369.17", "4204.22+2369.17", 1, "one space must stand"),
    ("chain", "= 6573.39\n", "= 06573.39\n", 1, "zeros in front"),
    ("chain", "4204.22 + 2369.17", "04204.22 + 2369.17", 1, "zeros in front"),
    ("chain", "4204.22 + 2369.17", "√4204.22 + 2369.17", 1, "irrational"),
    ("chain", "= 6573.39\n", "= 6573.39…\n", 1, "cut off"),
    ("chain", "= 6573.39\n", "= 6573.3… ≈ 6573.4 = 6573.4\n", 1, "= stands after ≈"),
    ("mean", "(20 + 12 + 72)", "(12 + 20 + 72)", 1, "begin with the problem's own"),
    ("mean", "平均值 = 104 / 3", "平均值 = 104 / 4", 4, "is not 平均值"),
    ("mean", "平均值 = (20 + 12 + 72) / 3\n", "", 1, "begin with the problem's own"),
    ("area", "87 * 4", "4 * 87", 1, "begin with the problem's own"),
    ("area", "面积 = 87 * 4 = 348", "面积 = 348", 1, "begin with the problem's own"),
    ("mass", "10 * 3", "3 * 10", 1, "begin with the problem's own"),
    ("discount", "(16 - 90) / 16 * 100", "(90 - 16) / 16 * -100", 1, "16 and 90, in this order"),
    ("sales", "12 + 12 * 77 / 100", "77 * 12 / 100 + 12", 1, "12 and 77, in this order"),
    ("equation", "-39x = -20", "-78x = -40", 2, "it uses 78"),
    ("equation", "x = -20 / -39\n", "x = -20 / -39\n-39x = -20\n", 4, "before all that works x"),
    ("equation", "\nx ≈ 0.51", "", 5, "the line before does not give 0.51"),
    ("equation", "\nx ≈ 0.51", "\nx ≈ 0.52", 5, "0.52 is not x"),
    ("equation", "+ 20 = 0", "+ 20 = 00", 1, "zeros in front"),
    ("powers", "-(0.5^3)", "-(0.5^4)", 1, "is not"),
    ("function", "y = 68", "x = 68", 1, "not what the problem asks"),
    ("function", "y = 68 * 7.59^5\n", "", 1, "begin with the problem's own"),
    ("fraction", "最大公约数 = 2", "最大公约数 = 4", 3, "must stand 最大公约数 = 2"),
]


@pytest.mark.parametrize("name, old, new, line, reason", BAD)
def test_faults(name: str, old: str, new: str, line: int, reason: str) -> None:
    problem, solution, rounding = GOOD[name]
    assert solution.count(old) >= 1
    found = check_solution(problem, solution.replace(old, new, 1), Style("schoolbook", rounding))
    assert any(fault.startswith(f"line {line}: ") and reason in fault for fault in found), found


def test_an_english_answer_is_held_against_the_row_s() -> None:
    problem, solution, rounding = GOOD["English"]
    assert check_solution(problem, solution, Style("schoolbook", rounding), answer="2") == []
    assert check_solution(problem, solution, Style("schoolbook", rounding), answer="3") == [
        "line 2: the answer must be 3"
    ]


def test_a_problem_of_no_kind() -> None:
    assert "cannot be read" in check_solution("多少？", "#### 1", Style("direct", TWO))[0]


@pytest.mark.parametrize(
    "text",
    [
        "1" * 300_000,
        "4204.22 + 2369.17 = " + "(" * 50_000,
        "4204.22 + 2369.17 = " + " + ".join(["9^99999"] * 200),
        "\n".join(["4204.22 + 2369.17 = 6573.39"] * 5000),
        "4204.22 + 2369.17：" + "1 " * 50_000,
        "4204.22 + 2369.17 = 6573.39\x00",
        "4204.22 + 2369.17 = ６５７３.39",
        "9E+99999 = 1",
        "",
        "####",
        "：\n" * 1000,
        "4204.22 + 2369.17 = " + "9" * 190_000,
        "x" * 199_000,
        "x^2：" + "9" * 100_000 + " * " + "9" * 90_000 + " = 1",
        "0" * 199_000 + " + 1 = 1",
        "9" * 900 + "^99999 = 1",
        "√" + "9" * 900 + "：\n" + "0 = 0 * 0 + 0\n" * 10_000,
        "9E+9999 * 9E+9999 ≈ 8.1E+19999",
        "x^2：9E+9999 * 9E-9999 ≈ 1E-12000\n" * 4000,
        "10 = 4 * 2 + 2\n" * 10_000,
        "-39x + 20 = 0\n" * 10_000,
        "最大公约数 = " + "(" * 41 + "2" + ")" * 41,
        "4204.22 + 2369.17 = \ud800",
        "4204.22 + 2369.17 = ٣",
        "4204.22 + 2369.17 = ²",
        "#### " + "9" * 199_000,
        "#### 1E+999999999",
        "1.1" * 60_000,
        " " * 199_000,
        "(-" * 99_000,
        "√" * 199_000,
    ],
)
@pytest.mark.parametrize("problem", [ADD, POWER, FUNCTION, FRACTION, EQUATION])
def test_hostile_text(problem: str, text: str) -> None:
    began = time.perf_counter()
    faults = check_solution(problem, text, Style("schoolbook", FOUR))
    assert faults and all(fault.isprintable() and len(fault) < 250 for fault in faults)
    assert time.perf_counter() - began < 20  # some 0.1 s; without bounds it would be minutes
