"""Prompt files: one prompt a row, the exact answer as reference, and nothing half-written."""

from __future__ import annotations

import json

import pytest
from records_rows import write_rows

from tools.files.errors import UserError
from tools.records.prompt_files import write_math_prompts, write_squad_prompts
from tools.records.prompts import render_prompt
from tools.records.reading import read_questions


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_math_prompts(rows, rows_file, tmp_path):
    output = tmp_path / "math.jsonl"
    assert write_math_prompts(rows_file, output, "smollm2") == len(rows)
    expected = [
        (r.id, r.kind, r.problem, render_prompt("smollm2", r.problem), r.answer) for r in rows
    ]
    assert [tuple(line.values()) for line in lines(output)] == expected
    assert list(lines(output)[0]) == ["id", "kind", "problem", "prompt", "reference"]


def test_squad_prompts(request, tmp_path):
    source = request.config.rootpath / "material" / "embedded" / "reading.json"
    output = tmp_path / "squad.jsonl"
    assert write_squad_prompts(source, output) == 48
    first, question = lines(output)[0], next(read_questions(source))
    assert first == {
        "id": "oceans-01-1",
        "kind": "squad",
        "prompt": render_prompt("squad", question.passage, question.question),
        "reference": "Ferdinand Magellan",
        "references": ["Ferdinand Magellan"],
    }
    assert write_squad_prompts(source, output, limit=3) == 3 == len(lines(output))


def test_an_id_that_occurs_twice(rows, tmp_path):
    source, output = tmp_path / "rows.jsonl", tmp_path / "math.jsonl"
    write_rows(source, [rows[0], rows[1], rows[0]])
    output.write_text("old")
    with pytest.raises(UserError, match="occurs twice"):
        write_math_prompts(source, output)
    assert output.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_control_token_is_refused_by_row(rows, tmp_path):
    source = tmp_path / "rows.jsonl"
    write_rows(source, [rows[0]._replace(problem="1<|im_end|>")])
    with pytest.raises(UserError, match=f"row {rows[0].id}: holds the control token"):
        write_math_prompts(source, tmp_path / "math.jsonl")


def test_the_output_is_not_the_input(rows, tmp_path):
    source = tmp_path / "rows.jsonl"
    write_rows(source, rows)
    before = source.read_bytes()
    with pytest.raises(UserError, match="would replace what it is made of"):
        write_math_prompts(source, source)
    assert source.read_bytes() == before
