"""Prompt rows, unfinished predictions, and when predictions are done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.llama.predictions import Unfinished, fingerprint, is_done, read_prompts

HEADER = {"model": {"bytes": 1, "sha256": "00"}, "settings": {"max_new_tokens": 4}}


def row(**changed: Any) -> dict[str, Any]:
    return {"id": "1", "kind": "add", "prompt": "1+1=", "reference": "2", **changed}


def write_rows(path: Path, *rows: Any) -> Path:
    lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("rows", "line", "what"),
    [
        ([row(), "{"], 2, "not valid JSON"),
        ([row(), "[" * 100_000], 2, "not valid JSON"),
        ([row(), "[1]"], 2, "not a JSON object"),
        ([row(prompt=5)], 1, '"prompt" is missing or not a string'),
        ([{"id": "1"}], 1, '"kind" is missing'),
        ([row(problem=5)], 1, '"problem" is not a string'),
        ([row(references="2")], 1, '"references" is not a list of strings'),
        ([row(), "", row()], 3, "occurs twice"),
    ],
)
def test_faulty_rows(tmp_path: Path, rows: list[Any], line: int, what: str) -> None:
    path = write_rows(tmp_path / "prompts.jsonl", *rows)
    with pytest.raises(UserError) as caught:
        read_prompts(path)
    assert what in caught.value.what and caught.value.where == f"{path}:{line}"


def test_no_rows_and_other_encodings(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no rows"):
        read_prompts(write_rows(tmp_path / "empty.jsonl", "", " "))
    (tmp_path / "gbk.jsonl").write_bytes(json.dumps(row()).replace("add", "加").encode("gbk"))
    with pytest.raises(UserError, match="not valid UTF-8"):
        read_prompts(tmp_path / "gbk.jsonl")


def test_only_the_known_fields_go_on(tmp_path: Path) -> None:
    known = row(problem="1 + 1", references=["2", "two"])
    path = write_rows(tmp_path / "p.jsonl", {**known, "extra": 1}, row(id="2"))
    first, second = read_prompts(path)
    assert first.fields == known and second.fields == row(id="2")
    assert (first.line, second.line) == (1, 2)


def unfinished(folder: Path, header: Any = HEADER) -> Unfinished:
    return Unfinished(folder / "out.jsonl", header)


def kept(folder: Path, header: Any = HEADER) -> list[int]:
    with unfinished(folder, header) as found:
        return sorted(found.rows)


def test_rows_are_kept_after_a_kill_at_any_byte(tmp_path: Path) -> None:
    with unfinished(tmp_path) as first:
        first.add(2, [5, 6], "两", "eos")
        first.add(0, [7], "\udc80", "length")
    partial = tmp_path / "out.jsonl.partial"
    whole = partial.read_bytes()
    ends = [end + 1 for end, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole) + 1):
        partial.write_bytes(whole[:cut])
        rows = [index for index, end in zip([2, 0], ends[1:]) if end <= cut]
        assert kept(tmp_path) == sorted(rows)
        # What was torn is gone from the file, so that the next row begins a line.
        with unfinished(tmp_path) as again:
            again.add(1, [8], "x", "stop")
        assert kept(tmp_path) == sorted([*rows, 1])


def test_nothing_is_left_of_a_fault_before_the_first_row(tmp_path: Path) -> None:
    with pytest.raises(KeyError), unfinished(tmp_path):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_other_settings_or_damage_start_again(tmp_path: Path) -> None:
    with unfinished(tmp_path) as first:
        first.add(0, [1], "a", "eos")
    other = {**HEADER, "settings": {"max_new_tokens": 5}}
    assert kept(tmp_path, other) == []
    partial = tmp_path / "out.jsonl.partial"
    partial.write_bytes(json.dumps(HEADER).encode() + b"\n" + bytes(20) + b"\n")
    assert kept(tmp_path) == []


def test_complete_is_in_the_order_of_the_prompts(tmp_path: Path) -> None:
    rows = read_prompts(write_rows(tmp_path / "p.jsonl", *[row(id=str(i)) for i in range(3)]))
    with unfinished(tmp_path) as work:
        for index in (2, 0, 1):
            work.add(index, [index], f"答{index}\udc80", ("stop", "eos", "length")[index])
        content = work.complete(rows)
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {**row(id=str(i)), "prediction": f"答{i}\udc80", **({"cut": True} if i == 2 else {})}
        for i in range(3)
    ]
    assert work.reasons() == {"eos": 1, "length": 1, "stop": 1}
    assert fingerprint(tmp_path / "out.jsonl")["sha256"] == content.sha256


def test_done(tmp_path: Path) -> None:
    output, run = tmp_path / "out.jsonl", tmp_path / "out.run.json"
    assert is_done(output, run, HEADER) is None
    output.write_text("{}\n")
    write_json(run, {**HEADER, "output": fingerprint(output), "rows": 1})
    assert is_done(output, run, HEADER)["rows"] == 1
    assert is_done(output, run, {**HEADER, "settings": {}}) is None
    output.write_text("{}\n{}\n")
    assert is_done(output, run, HEADER) is None
    run.write_text("{")
    assert is_done(output, run, HEADER) is None
