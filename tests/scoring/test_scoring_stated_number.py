"""The number that an answer states."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.grammar import parse
from tools.scoring.stated_number import answer_part, find_number

FRAME = "Below is an instruction.\n\n### Instruction:\n{}\n\n### Response:"


@pytest.mark.parametrize(
    "text, value",
    [
        # The forms of the contest's own solutions.
        ("4204.22 + -2369.17 = 1835.05", "1835.05"),
        ("-456.58^4 = 43457779803.13985296", "43457779803.13985296"),
        ("√5636.97 = 75.07975759151064280958687335", "75.07975759151064280958687335"),
        ("方程的解为：-15.0", "-15"),
        ("函数的值为：2.854155448324274205322988364E+85", "2.854155448324274205322988364E+85"),
        ("面积为 348 平方厘米", "348"),
        ("30 克", "30"),
        ("最简化的形式为：5/6", "5/6"),
        ("-462.5", "-462.5"),
        # Signs and operators.
        ("10 - 3", "3"),
        ("8440.41 -3859.13", "3859.13"),
        ("5-3", "3"),
        ("5--3", "-3"),
        ("7451.51 - -1709.92", "-1709.92"),
        ("= - 5", "-5"),
        ("the answer is -5", "-5"),
        ("x-5", "5"),
        ("x = -5.", "-5"),
        ("42\n-5", "-5"),
        ("42\n - 5", "5"),
        ("−7", "-7"),
        ("负 8", "-8"),
        ("x = -64/11", "-64/11"),
        ("(-3)", "-3"),
        # Ways to write a number.
        ("1,234,567.5", "1234567.5"),
        ("1{,}234", "1234"),
        ("1.8E+7。", "18000000"),
        ("2.5×10^3", "2500"),
        ("2.5 \\times 10^{-3}", "0.0025"),
        (".5", "0.5"),
        ("45%", "45"),
        ("45\\%", "45"),
        ("－１２．５", "-12.5"),
        ("１，２３４", "1234"),
        ("348 cm^2", "348"),
        ("348 厘米2", "348"),
        ("21.24 万元", "21.24"),
        ("168 / 3", "3"),
        # Boxes and LaTeX.
        ("\\boxed{12} and then 13", "12"),
        ("\\boxed{1} or \\boxed{\\frac{-3}{4}}", "-3/4"),
        ("\\boxed{-1\\frac{1}{2}}", "-3/2"),
        ("\\boxed{\\dfrac12}", "1/2"),
        ("\\boxed{x = 7}", "7"),
        ("\\boxed{9603.20}", "9603.20"),
        ("\\boxed{60^\\circ}", "60"),
        ("= 3\\frac{1}{2}", "7/2"),
        ("2.5\n\\boxed{12", "12"),
    ],
)
def test_found(text, value):
    number = find_number(text)
    assert number is not None
    assert number.value == Fraction(value)


@pytest.mark.parametrize(
    "text",
    ["", "不知道", "\\boxed{A}", "\\boxed{2\\sqrt{3}}", "1e999999999", "5/0", "9" * 5000, "1.5/3"],
)
def test_no_number(text):
    assert find_number(text) is None


def test_decimals_as_written():
    assert find_number("9603.20")[1:] == (2, None)
    assert find_number("\\boxed{9603.20}")[1:] == (2, None)
    assert find_number("2.85E-3")[1:] == (2, -3)
    assert find_number("5/6")[1:] == (None, None)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9
    )
)
def test_any_decimal_is_read_back(value):
    for text in (f"答案：{value}", f"= {value:f} 厘米", f"\\boxed{{{value:f}}}"):
        assert find_number(text).value == Fraction(value)
    assert find_number(f"{value:,.6f}").value == Fraction(value)


@given(
    st.text(st.sampled_from(list("0123456789.,-+/eE×^*{}\\ \n=￥％boxedfracm负（）")), max_size=60)
)
def test_any_text_gives_a_number_or_none(text):
    found = find_number(text)
    assert found is None or isinstance(found.value, (int, Fraction))


def test_echo_is_taken_off():
    problem = "计算 1 + 2 等于多少？"
    assert answer_part(f"{problem} 3", problem) == " 3"
    assert answer_part(f"{problem} 3", FRAME.format(problem)) == " 3"
    assert answer_part(f"{FRAME.format(problem)}3", FRAME.format(problem)) == "3"
    assert answer_part("计算1+2 等于多少？\n3", problem) == "\n3"
    assert answer_part("计算 1", problem) == "计算 1"
    assert answer_part("3", "") == "3"


def test_hostile_text_is_read_in_linear_time():
    # Quadratic patterns would take minutes on these; the suite would be seen to hang.
    for piece in ("\\boxed{", "1,", "1,111", "-", "- ", "9", "1/", "\\frac{1", "0.", "e1", "m}^{"):
        find_number(piece * (20_000 // len(piece)))
        assert isinstance(answer_part(piece * (20_000 // len(piece)), piece), str)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"-39x = -79，所以 $\boxed{x = \frac{79}{39}}$", "79/39"),
        (r"答案是 $\boxed{\text{42}}$。", "42"),
        (r"$\boxed{x = -0.5}$", "-1/2"),
        (r"\boxed{k \approx \dfrac{1}{3}}", "1/3"),
        (r"\boxed{\mathbf{-3.5}}", "-7/2"),
        (r"\boxed{\text{42 cm}}", "42"),
        (r"\boxed{y=2.85\times10^{3}}", "2850"),
        (r"\boxed{x=1, y=2}", None),
        (r"\boxed{x = 1 \text{ or } 2}", None),
    ],
)
def test_a_box_is_one_number_whatever_dresses_it(text, value):
    found = find_number(text)
    assert (found and found.value) == (Fraction(value) if value else None)


@pytest.mark.parametrize(
    "text",
    [
        *("y = 2.85 x 10^85", "y ≈ 2.85×10⁸⁵", "y = 2.85 × 10^85", r"2.85 \times 10^{85}"),
        *("2.85*10**85", "2.85·10^(85)", "2.85e85", "2.85 X 10^+85", "2.85乘以10的85次方"),
    ],
)
def test_all_spellings_of_a_power_of_ten(text):
    found = find_number(text)
    assert (found.value, found.decimals, found.exponent) == (285 * 10**83, 2, 85)


@pytest.mark.parametrize(
    ("text", "value"),
    [("10^3", "1000"), ("10⁻³", "1/1000"), ("-10^2", "-100"), ("2^10", None), ("5²", None)],
)
def test_a_power_of_something_else_is_no_number(text, value):
    """Neither its base nor its exponent is what it states."""
    found = find_number(text)
    assert (found and found.value) == (Fraction(value) if value else None)


@pytest.mark.parametrize("dash", ["-", "‐", "‑", "‒", "–", "−", "﹣", "－"])
def test_minus_signs(dash):
    assert find_number(f"结果是 {dash}12.5").value == Fraction(-25, 2)
    assert find_number(rf"\boxed{{{dash}12.5}}").value == Fraction(-25, 2)
    # Between two numbers it is a range.
    assert find_number(f"在 10{dash}12.5 之间").value == Fraction(25, 2)
    assert parse(f"计算 5 - {dash}12.5 等于多少？").numbers == (5, Decimal("-12.5"))
