"""Right lines of many answers: their sum, over the larger of ours and theirs."""

from __future__ import annotations

import pytest

from tools.corpus.grammar import Rounding
from tools.corpus.kinds import ENGLISH
from tools.corpus.worked.styles import Style
from tools.records.prompts import render_prompt
from tools.scoring.prediction_rows import Prediction
from tools.scoring.right_lines import score_lines

SUM = "计算 12.50 - 20.75 等于多少？"
OURS = "12.50 - 20.75 = -(20.75 - 12.5)\n20.75 - 12.5 = 8.25\n12.50 - 20.75 = -8.25\n#### -8.25"
STYLES = {"subtract": Style("schoolbook", Rounding(2))}


def answer(text: str, problem: str = SUM, kind: str = "subtract") -> Prediction:
    prompt = render_prompt("alpaca", problem)
    return Prediction(text, kind, prompt, text, "", (), problem)


@pytest.mark.parametrize(
    "text, right, count",
    [
        (OURS, 4, 4),
        (f" {OURS}\n", 4, 4),  # as the prompt's joint and a tokenizer have it
        (render_prompt("alpaca", SUM) + OURS, 4, 4),  # echoed
        ("#### -8.25", 1, 4),  # ours is longer
        ("\n".join([*OURS.splitlines(), "x", "y"]), 3, 6),  # theirs is; the answer is not its end
        ("", 0, 4),
    ],
)
def test_one_answer(text, right, count):
    share = {"share": right / count, "right": right, "count": count}
    assert score_lines([answer(text)], STYLES) == {**share, "by_kind": {"subtract": share}}


def test_sums_by_kind_and_what_has_no_lines_is_left_out():
    area = answer(
        "面积为 348 平方厘米", "一个长方形的长为 87 厘米，宽为 4 厘米，请计算其面积。", "area"
    )
    english = answer("It is 2.", "What is $1+1$?", ENGLISH)
    found = score_lines([answer(OURS), answer("#### 1"), area, english], STYLES)
    assert found == {
        **{"share": 5 / 9, "right": 5, "count": 9},
        "by_kind": {
            "area": {"share": 1.0, "right": 1, "count": 1},  # no style: the source's words
            "subtract": {"share": 0.5, "right": 4, "count": 8},
        },
    }
    assert score_lines([english], STYLES) is None
    endless = answer("1", "当 x = 999999.99 时，求函数 y = 99x^999 的值", "function")
    assert score_lines([endless], {"function": Style("direct", Rounding(None, 6))}) is None
    assert score_lines([], STYLES) is None
