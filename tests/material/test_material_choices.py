"""The embedded choice questions: both layouts, no question twice, letters that say nothing."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tools.corpus.choice_files import HEADER, read_choices
from tools.corpus.choices import LETTERS, identity_text

FOLDER = Path(__file__).resolve().parents[2] / "material" / "embedded" / "choices"
FILES = {
    "mmlu/dev/elementary_mathematics_dev.csv",
    "mmlu/dev/high_school_geography_dev.csv",
    "mmlu/val/elementary_mathematics_val.csv",
    "mmlu/val/high_school_geography_val.csv",
    "mmlu/test/elementary_mathematics_test.csv",
    "mmlu/test/high_school_geography_test.csv",
    "cmmlu/dev/elementary_commonsense.csv",
    "cmmlu/dev/elementary_mathematics.csv",
    "cmmlu/test/elementary_commonsense.csv",
    "cmmlu/test/elementary_mathematics.csv",
}
ENTRIES = list(read_choices([FOLDER], strict=True))
_SUM = re.compile(r"(?:What is )?(\d+) (\+|-|x|/|加|减|乘|除以) (\d+)(?:\?| 等于多少？)")
_RESULT = {
    "+加": lambda a, b: a + b,
    "-减": lambda a, b: a - b,
    "x乘": lambda a, b: a * b,
    "/除以": lambda a, b: a / b,
}


def test_exactly_these_files():
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert found == FILES
    for name in FILES:
        first = (FOLDER / name).read_text("utf-8").split("\n", 1)[0]
        assert (first == ",".join(HEADER)) == name.startswith("cmmlu/")


def test_26_questions_a_subject_and_none_twice():
    assert Counter(entry.row.kind for entry in ENTRIES) == {
        "mmlu.elementary_mathematics": 26,
        "mmlu.high_school_geography": 26,
        "cmmlu.elementary_mathematics": 26,
        "cmmlu.elementary_commonsense": 26,
    }
    assert len({identity_text(entry.question) for entry in ENTRIES}) == 104
    for entry in ENTRIES:
        assert len({option.strip() for option in entry.question.options}) == 4, entry.row.id


def test_every_letter_is_right_about_as_often():
    counts = Counter(entry.row.answer for entry in ENTRIES)
    assert all(24 <= counts[letter] <= 28 for letter in LETTERS), counts


def test_sums_are_right():
    checked = 0
    for entry in ENTRIES:
        found = _SUM.fullmatch(entry.question.question)
        if not found:
            continue
        (result,) = (f for signs, f in _RESULT.items() if found[2] in signs)
        right = entry.question.options[LETTERS.index(entry.row.answer)]
        assert float(right) == result(int(found[1]), int(found[3])), entry.row.id
        checked += 1
    assert checked == 20
