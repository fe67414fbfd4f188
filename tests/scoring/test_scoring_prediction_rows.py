"""Prediction and reference rows from files that nobody vouches for."""

from __future__ import annotations

import json

import pytest

from tools.files import json_lines
from tools.files.errors import UserError
from tools.records.prompts import render_prompt
from tools.scoring.prediction_rows import Prediction, join, read_predictions, read_references

ROW = {"id": "a", "kind": "add", "prompt": "1+1", "prediction": "2", "reference": "2"}


def write(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def test_rows(tmp_path):
    path = write(
        tmp_path,
        ROW,
        "",
        {"id": 7, "prediction": "", "reference": "x\u2028y", "references": ["z", "x\u2028y"]},
    )
    assert read_predictions(path) == [
        Prediction("a", "add", "1+1", "2", "2", ("2",), "1+1"),
        Prediction("7", "unknown", "", "", "x\u2028y", ("x\u2028y", "z"), ""),
    ]


def test_the_problem_is_the_row_s_or_the_prompt_without_its_frame(tmp_path):
    prompts = [render_prompt(frame, "1+1") for frame in ("alpaca", "vicuna")]
    rows = [{**ROW, "id": str(n), "prompt": prompt} for n, prompt in enumerate(prompts)]
    path = write(tmp_path, *rows, {**ROW, "problem": "2+2"})
    assert [row.problem for row in read_predictions(path)] == ["1+1", "1+1", "2+2"]


@pytest.mark.parametrize(
    "row, what",
    [
        ("{", "not valid JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not valid JSON"),
        ("9" * 5000, "not a JSON object"),
        ({**ROW, "id": None}, '"id" is missing'),
        ({**ROW, "prediction": 2}, '"prediction" is not a string'),
        ({**ROW, "problem": 2}, '"problem" is not a string'),
        ({**ROW, "id": True}, '"id" is not a string'),
        ({**ROW, "references": "2"}, '"references" is not a list of strings'),
        ({**ROW, "kind": "a|b\n"}, '"kind" is not a short word'),
        ({**ROW, "prediction": "x" * 20_001}, "longer than"),
        (ROW, "stands in line 1 already"),
    ],
)
def test_bad_row_is_named_by_line(tmp_path, row, what):
    path = write(tmp_path, ROW, row)
    with pytest.raises(UserError) as caught:
        read_predictions(path)
    assert what in caught.value.what
    assert str(caught.value.where) == f"{path}:2"


def test_empty_file_and_wrong_bytes(tmp_path):
    path = write(tmp_path)
    for read in (read_predictions, read_references):
        with pytest.raises(UserError, match="no row"):
            read(path)
    path.write_bytes(b'{"id": "\xff"}')
    with pytest.raises(UserError, match="UTF-8"):
        read_predictions(path)


def test_endless_line(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "MAX_BYTES", 100)
    path = write(tmp_path, {**ROW, "prompt": "x" * 200})
    with pytest.raises(UserError, match="the row is longer"):
        read_predictions(path)


def test_references_in_every_form(tmp_path):
    path = write(
        tmp_path,
        {"problem": "计算 1.00 + 2.00 等于多少？", "solution": "1.00 + 2.00 = 3.00"},
        {"id": "b", "kind": "root", "problem": "q", "solution": "√4 = 2", "answer": "2"},
        {"prompt": "p", "reference": "5/6"},
    )
    assert read_references(path) == [
        ("0", "add", "计算 1.00 + 2.00 等于多少？", "1.00 + 2.00 = 3.00"),
        ("b", "root", "q", "2"),
        ("2", "unknown", "p", "5/6"),
    ]
    with pytest.raises(UserError, match="none of"):
        read_references(write(tmp_path, {"problem": "q"}))


def test_join(tmp_path):
    references = read_references(write(tmp_path, {"problem": "q", "answer": "1"}))
    assert join(["x"], references, "f") == [Prediction("0", "unknown", "q", "x", "1", ("1",), "q")]
    with pytest.raises(UserError, match="2 predictions for 1 references"):
        join(["x", "y"], references, "f")
