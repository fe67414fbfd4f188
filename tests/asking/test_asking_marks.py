"""What is said of an answer: lines that hold and do not, the judge's word, and why nothing is."""

from __future__ import annotations

from typing import List, Optional

import pytest

from tools.asking.marks import Asked, mark
from tools.asking.models import Answer, Training
from tools.corpus.grammar import Rounding
from tools.corpus.worked.styles import Style

TRAINING = Training(
    prompt="none",
    styles={
        "add": Style("columns", Rounding(decimals=2)),
        "multiply": Style("answer", Rounding(decimals=4)),
        "power": Style("columns", Rounding(decimals=4)),
        "fraction": Style("columns"),
    },
    kinds=("add", "multiply", "power", "fraction"),
    exponents=[0, 1],
    device="CPU",
    min_new_tokens=1,
    max_new_tokens=96,
)
SUM = "计算 6136.99 + -4496.41 等于多少？"
# Both were written by a model that a short run had trained.
RIGHT = """ +613699-449641>-
9-1-0=8
9-4-0=5
6-6-0=0
3-9-0=4
1-4-1=6
6-4-1=1
#### 1640.58"""
OTHER = "计算 5135.21 + 553.21 等于多少？"
WRONG = """ +513521+553211<+
1+1+0=2
1+2+0=3
#### 10668.32"""
BASE = Answer("\n\n这就是100000", cut=True)


def asked(problem: str, text: str, training: Training = TRAINING) -> Asked:
    return mark(problem, (BASE, Answer(text, cut=False)), training)


def held(found: Asked) -> List[Optional[bool]]:
    return [line.holds for line in found.model.lines]


def test_a_right_solution() -> None:
    found = asked(SUM, RIGHT)
    assert (found.kind, found.exact, found.note) == ("add", "1640.58", None)
    assert held(found) == [True] * 8 and found.model.right is True
    assert [line.text for line in found.model.lines] == RIGHT.strip().split("\n")
    # The base model's are held against the same.
    assert found.base.right is False and found.base.cut and not found.model.cut
    assert found.base.lines == [("这就是100000", False)]


def test_wrong_lines_and_a_wrong_answer() -> None:
    found = asked(OTHER, WRONG)
    assert found.exact == "5688.42" and found.model.right is False
    # 553.21 was copied as 5532.11; the columns hold of what was copied, the answer does not.
    assert held(found) == [False, True, True, False]
    changed = asked(SUM, RIGHT.replace("6-6-0=0", "6-6-0=1"))
    assert held(changed)[:4] == [True, True, True, False]
    assert changed.model.right is True  # the judge looks at the number alone


def test_an_empty_line_is_no_work() -> None:
    found = asked(SUM, "6136.99 - 4496.41\n\n= 1640.58")
    assert held(found) == [False, None, False] and found.model.right is True


def test_an_answer_alone() -> None:
    found = asked("计算 2.50 * 4.00 等于多少？", " #### 10")
    assert held(found) == [True] and found.model.right is True
    assert held(asked("计算 2.50 * 4.00 等于多少？", " #### 11")) == [False]


@pytest.mark.parametrize("text", ["什么是重力？", "What is 2 + 2?", "计算 1.00 / 0.00 等于多少？"])
def test_none_of_the_kinds(text: str) -> None:
    found = asked(text, " 4\n5")
    assert (found.kind, found.exact, found.model.right, found.base.right) == (None,) * 4
    assert found.note.startswith("not marked: it ") and held(found) == [None, None]


@pytest.mark.parametrize(
    "problem, exact, note",
    [
        ("计算 99999.50 + 1.25 等于多少？", "100000.75", "no add with such numbers was taught"),
        ("计算 1.125 + 1.00 等于多少？", "2.125", "no add with such numbers was taught"),
        (
            "计算 12.5 + 7 等于多少？",
            "19.5",
            "such numbers were taught with two decimals, as 12.50, 7.00",
        ),
        ("计算 9.00 - 1.25 等于多少？", "7.75", "subtract was not taught"),
        ("计算 2.00 的 3 次方", "8", "no power of 3 was taught"),
    ],
)
def test_outside_of_what_was_taught(problem: str, exact: str, note: str) -> None:
    found = asked(problem, f" 1+1=2\n#### {exact}")
    assert found.note == f"lines not marked: {note}" and found.exact == exact
    assert held(found) == [None, None] and found.model.right is True
    assert asked(problem, " #### 1").model.right is False


def test_all_powers_where_none_are_named() -> None:
    found = asked("计算 2.00 的 3 次方", "#### 8", TRAINING._replace(exponents=None))
    assert found.note is None


def test_as_json() -> None:
    told = asked(SUM, RIGHT).as_json()
    assert told["base"] == {
        "right": False,
        "cut": True,
        "lines": [{"text": "这就是100000", "holds": False}],
    }
    assert told["model"]["lines"][-1] == {"text": "#### 1640.58", "holds": True}
    assert {name: told[name] for name in ("problem", "kind", "exact", "note")} == {
        "problem": SUM,
        "kind": "add",
        "exact": "1640.58",
        "note": None,
    }
