"""Expressions, chains and rounding of the checker against fractions and decimal arithmetic."""

from __future__ import annotations

import re
import time
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.exact import (
    Meter,
    Unverified,
    Value,
    answer_text,
    is_cut,
    is_rounded,
    literal,
    number,
    problem_value,
    square_root,
)
from tools.corpus.expressions import evaluate, own_expressions, split_chain, verify_links
from tools.corpus.grammar import Rounding, parse


def value_of(text: str) -> Fraction:
    value = evaluate(text, Meter()).value
    assert value.bottom > 0 and not value.root
    return Fraction(value.top, value.bottom)


def holds(line: str) -> bool:
    left, *links = split_chain(line)
    meter = Meter()
    try:
        verify_links(evaluate(left, meter).value, left, links, meter)
    except Unverified:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3.50", Fraction(-7, 2)),
        ("0345.67 + 2000", Fraction(234567, 100)),
        ("-12.5 - 03", Fraction(-31, 2)),
        ("4.1973E+83", 41973 * 10**79),
        ("2E-3", Fraction(1, 500)),
        ("4204.22 + -2369.17", Fraction(183505, 100)),
        ("2 + 3 * 4", 14),
        ("20 - 3 - 4", 13),
        ("20 / 4 / 5", 1),
        ("2 * 3^2", 18),
        ("(2 * 3)^2", 36),
        ("(-2)^3", -8),
        ("-(2 + 3) * 4", -20),
        ("-(2^2)", -4),
        ("7 / -2", Fraction(-7, 2)),
        ("√16 + 1", 5),
        ("√0.25", Fraction(1, 2)),
        ("5^0", 1),
    ],
)
def test_evaluate(text: str, value: Fraction) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "+", "2 +", "2 2", "2 3 + 4", "* 2", "2 ** 3", "(2", "2)", "()", "--2", "2.", ".5"),
        *("2^-1", "2^1.5", "2^2^2", "-2^2", "3 + -2^2", "√4^2", "√-4", "√(4)", "2 * √2", "-√2"),
        *("0^0", "1 / 0", "1 / (2 - 2)", "x", "2x", "3…", "12E+3", "0E+1", "1E+99999", "1E5"),
        *("2^²", "２", "2×3", "１ + 1", "(" * 100 + "1" + ")" * 100, "9" * 2000, "9^99999"),
        "(((9^999)^999)^999)",
        # Zeros in front that align nothing, and spaces where none or one should be.
        *("0345.67", "00", "012 + 3", "012 + 034", "012 * 34", "012 + 34 + 56", "2^03", "1 - (02)"),
        *("2 +3", "2+ 3", "2  + 3", "2 -3", "2 - -3 ", " 2", "- 3", "2 - - 3", "( 2)", "(2 )"),
        *("2 ^3", "2^ 3", "√ 4", "2 *3", "2* 3", "2 /3", "1 +-2", "-( 2)", "2 * - 3"),
        " * ".join(["9^9999"] * 20),
    ],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(Unverified):
        evaluate(text, Meter())


def test_the_work_of_many_expressions_is_bounded() -> None:
    meter, began = Meter(), time.perf_counter()
    with pytest.raises(Unverified, match="too much work"):
        for _ in range(1000):
            evaluate("9^20000 + 7^20000", meter)
    assert time.perf_counter() - began < 10


small = st.integers(-9999, 9999)


@given(a=small, b=small, c=st.integers(1, 999), d=st.integers(0, 5))
def test_evaluate_agrees_with_fractions(a: int, b: int, c: int, d: int) -> None:
    assert value_of(f"({a} + {b}) / {c} - {b} * {a}") == Fraction(a + b, c) - b * a
    if a or d:
        assert value_of(f"({a})^{d} / -{c}") == Fraction(a) ** d / -c


@pytest.mark.parametrize(
    "line",
    [
        "1 / 3 = 0.3… ≈ 0.33",
        "1 / 3 = 0.333… = 2 / 6 ≈ 0.3333 ≈ 0.33",
        "-1 / 3 = -0.3… ≈ -0.33",
        "2 / 3 = 0.6… ≈ 0.7 ≈ 1",
        "0.25 ≈ 0.3",
        "-0.25 ≈ -0.3",
        "-0.04 ≈ 0.0",
        "16 / 5 ≈ 3.2000",
        "√2 = 1.41421… ≈ 1.4142",
        "√2 = √2",
        "√4 = 2",
        "12345 ≈ 1.23E+4",
        "0.0012345 ≈ 1.23E-3",
        "9996 ≈ 1.00E+4",
        "1001 ≈ 1.00E+3",
        "999600 ≈ 1.0E+6",
        "507346 / 158604 = 3.19882… ≈ 3.1988",
    ],
)
def test_chains_that_hold(line: str) -> None:
    assert holds(line)


@pytest.mark.parametrize(
    "line",
    [
        *("1 / 3 = 0.4…", "1 / 4 = 0.25…", "1 / 4 = 0.250…", "2 / 3 = 0.67…", "-1 / 3 = 0.3…"),
        *("-1 / 3 = -0.4…", "1 / 3 ≈ 0.3…", "0.25 ≈ 0.2", "0.35 ≈ 0.3", "-0.25 ≈ -0.2"),
        *("-0.04 ≈ -0.0", "2 / 3 ≈ 0.66", "1 / 3 ≈ 0.3 = 0.3", "1 / 3 = 0.3", "√2 = 1.4142"),
        *("√2 = √3", "√2 ≈ 1.42", "12345 ≈ 1.24E+4", "9970 ≈ 1.00E+4", "1 = 1 = 2", "1 = "),
        *("1 ≈ 1 + 0", "1 / 3 = …", "1 / 3 = 0.3… + 1", "1 / 3 = 3.3E-1…"),
    ],
)
def test_chains_that_do_not_hold(line: str) -> None:
    assert not holds(line)


@given(
    st.integers(-(10**12), 10**12),
    st.integers(1, 10**6),
    st.integers(0, 8),
    st.booleans(),
)
def test_rounding_and_cutting_agree_with_decimal(top: int, bottom: int, d: int, root: bool) -> None:
    with localcontext() as context:
        context.prec = 200
        value, exact = Value(top, bottom), Decimal(top) / Decimal(bottom)
        if root:
            value, exact = square_root(Value(abs(top), bottom)), (abs(exact)).sqrt()
        step = Decimal(1).scaleb(-d)
        rounded = exact.quantize(step, ROUND_HALF_UP)
        if not rounded:
            rounded = abs(rounded)
        cut = exact.quantize(step, ROUND_DOWN)
        assert is_rounded(value, literal(f"{rounded:f}"))
        assert not is_rounded(value, literal(f"{rounded + step:f}"))
        assert not is_rounded(value, literal(f"{rounded - step:f}"))
        assert is_cut(value, literal(f"{cut:f}")) == (cut != exact)
        text = answer_text(value, Rounding(decimals=d))
        assert Decimal(text) == rounded and text == (f"{Decimal(text):f}")
        if exact:
            # Half up by hand, from the place of the last significant digit.
            last = exact.adjusted() - 3
            few = exact.scaleb(-last).quantize(Decimal(1), ROUND_HALF_UP).scaleb(last)
            assert Decimal(answer_text(value, Rounding(significant=4))) == few
            # An exponent of zero is not written.
            assert is_rounded(value, literal(f"{few:.3E}".replace("E+0", "")))
            assert not is_rounded(value, literal(f"{few * 2:.3E}".replace("E+0", "")))


@pytest.mark.parametrize(
    ("top", "bottom", "rounding", "text"),
    [
        (1, 3, Rounding(decimals=4), "0.3333"),
        (-1, 3, Rounding(decimals=0), "0"),
        (-1, 2, Rounding(decimals=0), "-1"),
        (5, 2, Rounding(decimals=0), "3"),
        (1200, 1, Rounding(decimals=2), "1200"),
        (1, 8, Rounding(), "0.125"),
        (10**27, 1, Rounding(), "1" + "0" * 27),
        (10**28, 1, Rounding(), "1E+28"),
        (-25 * 10**28, 1, Rounding(), "-2.5E+29"),
        (1, 10**7, Rounding(), "0.0000001"),
        (12, 10**9, Rounding(), "1.2E-8"),
        (12345, 1, Rounding(significant=2), "12000"),
        (9996, 1000, Rounding(significant=3), "10"),
        (0, 5, Rounding(significant=3), "0"),
        (0, 5, Rounding(), "0"),
    ],
)
def test_answer_text(top: int, bottom: int, rounding: Rounding, text: str) -> None:
    assert answer_text(Value(top, bottom), rounding) == text


def test_an_answer_without_end_needs_a_rounding() -> None:
    with pytest.raises(Unverified, match="no last decimal"):
        answer_text(Value(1, 3), Rounding())
    with pytest.raises(Unverified, match="no last decimal"):
        answer_text(square_root(Value(2, 1)), Rounding())
    with pytest.raises(Unverified, match="too many digits"):
        answer_text(Value(3**9999, 1), Rounding())


@pytest.mark.parametrize(
    ("text", "value", "own"),
    [
        ("计算 4204.22 + -2369.17 等于多少？", Fraction(183505, 100), "4204.22+-2369.17"),
        ("计算 4.50 - 2 等于多少？", Fraction(5, 2), "4.5-2"),
        ("计算 -1.5 * 3 等于多少？", Fraction(-9, 2), "-1.5*3"),
        ("计算 3 / -1.5 等于多少？", -2, "3/-1.5"),
        ("计算 -1.5 的 3 次方？", Fraction(-27, 8), "-1.5^3"),
        ("计算 6.25 的平方根？", Fraction(5, 2), "√6.25"),
        ("解方程 -39x + 20 = 0", Fraction(20, 39), None),
        ("当 x = -0.5 时，求函数 y = 3x^3 的值", Fraction(-3, 8), "3*-0.5^3"),
        ("求以下数据的平均值：[3, -5, 9]", Fraction(7, 3), "(3+-5+9)/3"),
        ("一个长方形的长为 12 厘米，宽为 5 厘米，请计算其面积。", 60, "12*5"),
        ("商品原价为 50 元，打折后的价格为 28 元，请计算打折的折扣比例。", 44, None),
        ("去年销售额为 30 万元，今年销售额增加了 25%，请计算今年的销售额。", Fraction(75, 2), None),
        ("某物体的密度为 3 克/立方厘米，体积为 7 立方厘米，请计算该物体的质量。", 21, "3*7"),
        ("将分数 4/10 进行简化。", Fraction(2, 5), "4/10"),
    ],
)
def test_each_kind_has_its_value_and_expression(text: str, value: Fraction, own: str) -> None:
    problem = parse(text)
    exact = problem_value(problem)
    assert Fraction(exact.top, exact.bottom) == value and exact.bottom > 0
    assert own_expressions(problem)[:1] == ([own] if own else [])


def test_number_refuses_what_is_none() -> None:
    for text in ("", "-", "1-", "+1", "1e5", "1E+05", "1_0", "٣", "1.2.3", " 1"):
        with pytest.raises(Unverified):
            number(text)


@pytest.mark.parametrize(
    "name", ["exact", "expressions", "blocks", "check_schoolbook", "check_columns"]
)
def test_the_checker_is_independent(name: str) -> None:
    text = (Path(__file__).parents[2] / f"tools/corpus/{name}.py").read_text("utf-8")
    assert not re.search(
        r"(?:from|import) tools\.corpus(?:\.| import )(?:worked|solve|render)", text
    )
