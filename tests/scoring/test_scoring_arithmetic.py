"""The four judges, both verdicts of each, and the counts."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.scoring.arithmetic import (
    JUDGES,
    disagreements,
    judge,
    parse_reference,
    score_verdicts,
    wilson,
)
from tools.scoring.prediction_rows import Prediction
from tools.settings.contest import read_contest

RULES = read_contest().arithmetic


def verdict(prediction, reference, kind="divide", prompt=""):
    row = Prediction("1", kind, prompt, prediction, reference, (reference,))
    return judge(row, RULES).right


def letters(right):
    return "".join(name[0] if right[name] else "-" for name in JUDGES)


@pytest.mark.parametrize(
    "prediction, reference, expected",
    [
        ("1835.05", "1835.05", "ertp"),
        ("1835.06", "1835.05", "--t-"),
        ("1.5", "1.50", "ertp"),
        ("-3.20", "-3.198822223903558548334216035", "-rt-"),
        ("-3.1988", "-3.198822223903558548334216035", "-rtp"),
        ("-3.19", "-3.198822223903558548334216035", "--tp"),
        ("-3.2", "-3.198822223903558548334216035", "-rt-"),
        ("-3", "-3.198822223903558548334216035", "----"),
        ("3.20", "-3.198822223903558548334216035", "----"),
        ("0.1", "0.1130", "----"),
        ("0.11", "0.1130", "-rtp"),
        ("75", "75.0798", "----"),
        # A half goes either way.
        ("0.12", "0.125", "-rtp"),
        ("0.13", "0.125", "-rt-"),
        # Fractions have no end of decimals.
        ("5/6", "5/6", "ertp"),
        ("10/12", "5/6", "ertp"),
        ("0.83", "5/6", "-rtp"),
        ("7/6", "5/6", "----"),
        ("-64/11", "-5.818181818181818", "-rtp"),
        # E-notation is compared by its mantissa.
        ("2.85E+85", "2.854155448324274205322988364E+85", "-r-p"),
        ("2.854155448E+85", "2.854155448324274205322988364E+85", "-rtp"),
        ("2.854155448E+84", "2.854155448324274205322988364E+85", "----"),
        ("0.00", "3.2E-23", "--t-"),
        ("0.0003", "0.00031", "-rtp"),
        ("4.27E7", "42684380.8347", "--t-"),
        # Zero is matched by zero only.
        ("-0.0", "0.0", "ertp"),
        ("0.0", "0.0003", "--t-"),
        # Answers in words.
        ("平均值为 43.17", "43.166666666666664", "-rt-"),
        ("面积为 348 平方厘米", "面积为 348 平方厘米", "ertp"),
        ("", "348", "----"),
    ],
)
def test_verdicts(prediction, reference, expected):
    assert letters(verdict(prediction, reference)) == expected


def test_echoed_prompt_is_no_answer():
    prompt = "计算 1.00 + 2.00 等于多少？"
    assert letters(verdict(f"{prompt} 3", "3.00", prompt=prompt)) == "ertp"
    assert letters(verdict("求平均值：[3]", "3", prompt="求平均值：[3]")) == "----"


@pytest.mark.parametrize(
    "prediction, reference, expected",
    [
        ("so \\boxed{\\frac{1}{2}}.", "so it is \\boxed{\\frac12}.", "ertp"),
        ("\\boxed{0.5}", "1/2", "ertp"),
        ("\\boxed{2\\sqrt{3}}", "2\\sqrt{3}", "ertp"),
        ("\\boxed{3}", "2\\sqrt{3}", "----"),
        ("\\boxed{\\left(1, 2\\right)}", "(1,2)", "ertp"),
        ("\\boxed{2}", "(1,2)", "----"),
        ("I think\nx+1", "\\boxed{x + 1}", "ertp"),
    ],
)
def test_english(prediction, reference, expected):
    assert letters(verdict(prediction, reference, kind="english")) == expected


SIX = st.decimals(-(10**6), 10**6, places=6, allow_nan=False)


@given(SIX)
def test_every_judge_takes_the_reference_itself(value):
    assert letters(verdict(f"{value:f}", f"{value:f}")) == "ertp"


@given(SIX, st.integers(2, 5))
def test_rounded_takes_a_rounded_value_and_not_its_neighbour(value, places):
    unit = Decimal(1).scaleb(-places)
    rounded = value.quantize(unit)
    assume(rounded != 0)
    assert verdict(f"{rounded:f}", f"{value:f}")["rounded"]
    # Two steps away is wrong whichever way a half goes.
    assert not verdict(f"{rounded + 2 * unit:f}", f"{value:f}")["rounded"]


@given(SIX, SIX)
def test_exact_is_the_strictest(ours, right):
    word = verdict(f"{ours:f}", f"{right:f}")
    assert word["exact"] == (ours == right)
    if word["exact"]:
        assert all(word.values())
    # The others only hold for values near to each other.
    if word["rounded"] or word["prefix"]:
        assert abs(ours - right) < Decimal("0.01")


def test_parse_reference():
    assert parse_reference("平均值为: 56.0").value == 56
    assert parse_reference("5/6").value == Fraction(5, 6)
    assert parse_reference("2\\sqrt{3}") == "2\\sqrt{3}"
    assert parse_reference("no number") == "nonumber"


def rows(*texts):
    return [
        Prediction(str(index), kind, "", text, "2.00", ("2.00",))
        for index, (kind, text) in enumerate(texts)
    ]


def test_counts_by_kind():
    answers = rows(("add", "2"), ("add", "3"), ("root", "2.001"), ("add", "?"))
    scores = score_verdicts([judge(row, RULES) for row in answers], RULES.judge)
    assert (scores["correct"], scores["count"], scores["accuracy"]) == (2, 4, 0.5)
    assert scores["unanswered"] == 1
    assert scores["judge"] == "rounded"
    assert scores["judges"]["exact"]["correct"] == 1
    assert list(scores["by_kind"]) == ["add", "root"]
    assert scores["by_kind"]["add"]["accuracy"] == 1 / 3
    assert set(scores["by_kind"]["add"]) == {"accuracy", "correct", "count", "interval"}


def test_disagreements():
    verdicts = [judge(row, RULES) for row in rows(("add", "2"), ("add", "2.001"), ("add", "9"))]
    assert [verdict.id for verdict in disagreements(verdicts)] == ["1"]


def test_nothing_to_judge():
    with pytest.raises(UserError):
        score_verdicts([], RULES.judge)


def test_wilson_against_published_values():
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@given(
    st.integers(1, 10**6).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count)))
)
def test_wilson_holds_the_share(pair):
    low, high = wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1
    assert math.isfinite(low + high)
