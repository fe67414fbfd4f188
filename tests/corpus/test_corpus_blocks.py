"""Both verdicts of the checker on each block of docs/worked-solutions.md, worked out by hand."""

from __future__ import annotations

import pytest

from tools.corpus.check_lines import check_solution
from tools.corpus.grammar import Rounding
from tools.corpus.worked.styles import Style

TWO = Rounding(decimals=2)

GOOD = {
    "product": (
        "计算 12.34 * 20.56 等于多少？",
        "12.34 * 20.56：\n12.34 * 20 = 246.8\n12.34 * 0.5 = 6.17\n246.8 + 006.17 = 252.97\n"
        "12.34 * 0.06 = 0.7404\n252.97 + 000.7404 = 253.7104\n12.34 * 20.56 = 253.7104\n"
        "#### 253.71",
        TWO,
    ),
    "product, the first is split": (
        "计算 20.50 * 12.34 等于多少？",
        "20.50 * 12.34 = 20.5 * 12.34\n20.5 * 12.34：\n12.34 * 20 = 246.8\n12.34 * 0.5 = 6.17\n"
        "246.8 + 6.17 = 252.97\n20.5 * 12.34 = 252.97\n#### 252.97",
        TWO,
    ),
    "division": (
        "计算 7.00 / 12.00 等于多少？",
        "7.00 / 12.00 = 7 / 12\n7 / 12：\n7 = 12 * 0 + 7\n70 = 12 * 5 + 10\n100 = 12 * 8 + 4\n"
        "40 = 12 * 3 + 4\n7 / 12 = 0.583… ≈ 0.58\n#### 0.58",
        TWO,
    ),
    "division, even": (
        "计算 4.20 / -0.07 等于多少？",
        "4.20 / -0.07 = -(4.2 / 0.07) = -(420 / 7)\n420 / 7：\n42 = 7 * 6 + 0\n0 = 7 * 0 + 0\n"
        "420 / 7 = 60\n4.20 / -0.07 = -60\n#### -60",
        TWO,
    ),
    "division, a 5 behind": (
        "计算 -3.00 / 8.00 等于多少？",
        "-3.00 / 8.00 = -(3 / 8)\n3 / 8：\n3 = 8 * 0 + 3\n30 = 8 * 3 + 6\n60 = 8 * 7 + 4\n"
        "40 = 8 * 5 + 0\n3 / 8 = 0.375 ≈ 0.38\n-3.00 / 8.00 ≈ -0.38\n#### -0.38",
        TWO,
    ),
    "root": (
        "计算 0.05 的平方根？",
        "√0.05：\n0 = 0 * 0 + 0\n5 = 2 * 2 + 1\n100 = 42 * 2 + 16\n1600 = 443 * 3 + 271\n"
        "√0.05 = 0.223… ≈ 0.22\n#### 0.22",
        TWO,
    ),
    "root, even": (
        "计算 1024.00 的平方根？",
        "√1024：\n10 = 3 * 3 + 1\n124 = 62 * 2 + 0\n√1024 = 32\n#### 32",
        TWO,
    ),
    "power": (
        "计算 -1.50 的 4 次方？",
        "1.5^2 = 1.5 * 1.5\n1.5 * 1.5 = 2.25\n1.5^3 = 2.25 * 1.5\n2.25 * 1.5：\n2.25 * 1 = 2.25\n"
        "2.25 * 0.5 = 1.125\n2.25 + 1.125 = 3.375\n2.25 * 1.5 = 3.375\n1.5^4 = 3.375 * 1.5\n"
        "3.375 * 1.5 = 5.0625\n(-1.5)^4 = 5.0625 ≈ 5.06\n#### 5.06",
        TWO,
    ),
    "function": (
        "当 x = -0.03 时，求函数 y = 50x^7 的值",
        "y = 50 * (-0.03)^7\nx^2：-0.03 * -0.03 = 0.0009\nx^3：0.0009 * -0.03 = -2.7E-5\n"
        "x^6：-2.7E-5 * -2.7E-5 = 7.29E-10\nx^7：7.29E-10 * -0.03 ≈ -2.19E-11\n"
        "y：50 * -2.19E-11 ≈ -1.10E-9\n#### -1.1E-9",
        Rounding(significant=2),
    ),
    "divisor": (
        "将分数 12/18 进行简化。",
        "18 = 12 * 1 + 6\n12 = 6 * 2 + 0\n最大公约数 = 6\n12 / 6 = 2\n18 / 6 = 3\n#### 2/3",
        TWO,
    ),
    "divisor of a whole number": (
        "将分数 6/3 进行简化。",
        "6 = 3 * 2 + 0\n最大公约数 = 3\n6 / 3 = 2\n3 / 3 = 1\n#### 2",
        TWO,
    ),
    "divisor of nothing": (
        "将分数 0/5 进行简化。",
        "最大公约数 = 5\n0 / 5 = 0\n5 / 5 = 1\n#### 0",
        TWO,
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_blocks_that_hold(name: str) -> None:
    problem, solution, rounding = GOOD[name]
    assert check_solution(problem, solution, Style("schoolbook", rounding)) == []


# (which of GOOD, what in it, replaced by what, line of the fault, part of its reason)
BAD = [
    ("product", "12.34 * 20 =", "20.56 * 12 =", 2, "here must stand 12.34 * 20"),
    ("product", "12.34 * 20 = 246.8\n12.34 * 0.5 = 6.17", "12.34 * 0.5 = 6.17", 2, "12.34 * 20"),
    ("product", "12.34 * 20 = 246.8", "12.34 * 20.0 = 246.8", 2, "here must stand 12.34 * 20"),
    ("product", "= 6.17\n", "= 6.18\n", 3, "6.18 is not 12.34 * 0.5"),
    ("product", "= 6.17\n", "= 06.17\n", 3, "zeros in front"),
    ("product", "246.8 + 006.17", "246.8 + 06.17", 4, "zeros in front"),
    ("product", "246.8 + 006.17", "0246.8 + 0006.17", 4, "zeros in front"),
    ("product", "\n252.97 + 000.7404 = 253.7104", "", 6, "here must stand 252.97 + 0.7404"),
    ("product", "\n12.34 * 20.56 = 253.7104", "", 7, "has no conclusion"),
    ("product", "12.34 * 20.56 = 253", "20.56 * 12.34 = 253", 7, "here must stand 12.34 * 20.56"),
    ("product", "= 253.7104\n####", "= 253.7104 * 1\n####", 7, "gives a number"),
    ("product", "12.34 * 20.56：\n", "", 1, "begin with the problem's own"),
    ("product, the first is split", "12.34 * 20 =", "20.5 * 10 =", 3, "here must stand 12.34 * 20"),
    ("division", "70 = 12 * 5 + 10", "70 = 12 * 4 + 22", 4, "must stand 70 = 12 * 5 + 10"),
    ("division", "\n40 = 12 * 3 + 4", "", 6, "it must end after 3 decimals, not 2"),
    ("division", "40 = 12 * 3 + 4", "40 = 12 * 3 + 4\n40 = 12 * 3 + 4", 8, "end after 3 decimals"),
    ("division", "7 = 12 * 0 + 7\n", "", 3, "must stand 7 = 12 * 0 + 7"),
    ("division", "\n7 / 12 = 0.583… ≈ 0.58", "", 7, "has no conclusion"),
    ("division", "0.583… ≈ 0.58", "0.583…", 7, "must be of the form"),
    ("division", "0.583… ≈ 0.58", "0.584… ≈ 0.58", 7, "0.584… is not 7 / 12, cut off"),
    ("division", "0.583… ≈ 0.58", "0.583… ≈ 0.583", 7, "one decimal less"),
    ("division", "\n7 / 12：", "", 2, "a step without the header"),
    ("division", "\n7 / 12：", "\n7.0 / 12：", 2, "only whole numbers"),
    ("division", "\n7 / 12：", "\n07 / 12：", 2, "zeros in front"),
    ("division", "\n7 / 12：", "\n7 / 13：", 2, "it uses 13"),
    ("division, even", "\n0 = 7 * 0 + 0", "", 4, "ends before its digits are spent"),
    (
        "division, even",
        "0 = 7 * 0 + 0",
        "0 = 7 * 0 + 0\n0 = 7 * 0 + 0",
        5,
        "here must stand 420 / 7",
    ),
    ("division, even", "\n4.20 / -0.07 = -60", "", 6, "the line before does not give -60"),
    ("division, a 5 behind", "0.375 ≈ 0.38\n", "0.375 ≈ 0.37\n", 7, "0.37 is not 3 / 8, rounded"),
    ("division, a 5 behind", "≈ -0.38", "≈ -0.37", 8, "rounded"),
    ("division, a 5 behind", "= 0.375 ≈", "= 0.375… ≈", 7, "cut off"),
    ("root", "5 = 2 * 2 + 1", "5 = 1 * 1 + 4", 3, "must stand 5 = 2 * 2 + 1"),
    ("root", "100 = 42 * 2 + 16", "100 = 41 * 2 + 18", 4, "must stand"),
    ("root", "\n1600 = 443 * 3 + 271", "", 5, "end after 3 decimals, not 2"),
    ("root", "√0.05：\n", "", 1, "a step without the header"),
    ("root", "√0.05：\n", "√0.5：\n", 1, "own expression, √0.05"),
    ("root, even", "\n124 = 62 * 2 + 0", "", 3, "ends before its digits are spent"),
    ("root, even", "√1024 = 32", "√1024 = 32… ≈ 32", 4, "cut off"),
    (
        "root, even",
        "124 = 62 * 2 + 0",
        "124 = 62 * 2 + 0\n0 = 640 * 0 + 0",
        4,
        "must stand √1024 =",
    ),
    ("power", "1.5^3 = 2.25 * 1.5\n", "", 7, "here must stand a power"),
    ("power", "1.5^3 = 2.25 * 1.5\n", "1.5^3 = 3.375\n", 8, "here must stand a power"),
    ("power", "1.5^2 = 1.5 * 1.5\n", "", 1, "begin with the problem's own"),
    ("power", "1.5^2 = 1.5 * 1.5\n", "1.5^2 ≈ 2\n", 1, "begin with the problem's own"),
    ("power", "\n1.5 * 1.5 = 2.25", "", 2, "here 1.5 * 1.5 must be worked out"),
    ("power", "\n3.375 * 1.5 = 5.0625", "", 10, "here 3.375 * 1.5 must be worked out"),
    ("power", "1.5^3 = 2.25 * 1.5", "1.5^4 = 2.25 * 2.25", 3, "must stand 1.5^3 = 2.25 * 1.5"),
    ("power", "1.5^3 = 2.25 * 1.5", "1.5^3 = 1.5 * 2.25", 3, "must stand 1.5^3 = 2.25 * 1.5"),
    ("power", "= 5.0625 ≈ 5.06\n", "= 5.0625 ≈ 5.07\n", 11, "rounded"),
    ("function", "(-0.03)^7", "-0.03^7", 1, "needs brackets"),
    ("function", "50 * (-0.03)^7", "(-0.03)^7 * 50", 1, "begin with the problem's own"),
    ("function", "x^3：", "x^4：", 3, "no two exponents that add up to 4"),
    ("function", "x^3：0.0009 * -0.03", "x^3：0.0009 * 0.03", 3, "no two exponents"),
    ("function", "x^6：", "x^3：", 4, "x^3 has been worked out before"),
    ("function", "x^6：-2.7E-5 * -2.7E-5 =", "-2.7E-5 * -2.7E-5 =", 4, "it uses 2.7E-5"),
    ("function", "≈ -2.19E-11", "≈ -2.18E-11", 5, "rounded"),
    ("function", "≈ -2.19E-11", "= -2.19E-11", 5, "is not"),
    ("function", "y：50", "y：5", 6, "5 is not the function's 50"),
    ("function", "y：50 * -2.19E-11 ≈ -1.10E-9", "y：50 * 7.29E-10 ≈ 3.65E-8", 6, "no x^7 before"),
    ("function", "≈ -1.10E-9", "≈ -1.1E-9\n1 + 1 = 2", 7, "after y only the answer"),
    ("divisor", "18 = 12 * 1 + 6", "12 = 18 * 0 + 12", 1, "must stand 18 = 12 * 1 + 6"),
    ("divisor", "12 = 6 * 2 + 0", "12 = 6 * 1 + 6", 2, "must stand 12 = 6 * 2 + 0"),
    ("divisor", "12 = 6 * 2 + 0\n", "", 2, "must stand 12 = 6 * 2 + 0"),
    ("divisor", "最大公约数 = 6", "最大公约数 = 3", 3, "must stand 最大公约数 = 6"),
    ("divisor", "最大公约数 = 6\n", "", 3, "must stand 最大公约数 = 6"),
    ("divisor", "12 / 6 = 2\n18 / 6 = 3", "18 / 6 = 3\n12 / 6 = 2", 4, "must stand 12 / 6 = 2"),
    ("divisor", "18 / 6 = 3\n", "", 5, "no conclusion"),
    ("divisor", "12 = 6 * 2 + 0", "#### 2/3\n12 = 6 * 2 + 0", 2, "only in the last line"),
    ("divisor of a whole number", "#### 2", "#### 2/1", 5, "the answer must be 2"),
    ("divisor of nothing", "最大公约数 = 5", "最大公约数 = 1", 1, "must stand 最大公约数 = 5"),
]


@pytest.mark.parametrize("name, old, new, line, reason", BAD)
def test_faults_in_blocks(name: str, old: str, new: str, line: int, reason: str) -> None:
    problem, solution, rounding = GOOD[name]
    assert old in solution
    found = check_solution(problem, solution.replace(old, new, 1), Style("schoolbook", rounding))
    assert any(fault.startswith(f"line {line}: ") and reason in fault for fault in found), found


def test_a_fault_is_reported_once_and_what_follows_is_still_read() -> None:
    problem, solution, rounding = GOOD["product"]
    wrong = solution.replace("= 6.17", "= 6.18").replace("#### 253.71", "#### 253.72")
    assert check_solution(problem, wrong, Style("schoolbook", rounding)) == [
        "line 3: 6.18 is not 12.34 * 0.5",
        "line 8: the answer must be 253.71",
    ]
