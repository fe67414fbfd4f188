"""Reading and writing rows: both shapes, both layouts, every fault with file and line."""

from __future__ import annotations

import json

import pytest

from tools.corpus.grammar import parse
from tools.corpus.rows import (
    Entry,
    Misfit,
    make_row,
    read_rows,
    read_source,
    unframed,
)
from tools.files import json_lines
from tools.files.errors import UserError

RAW = {"problem": "计算 4204.22 + -2369.17 等于多少？", "solution": "4204.22 + -2369.17 = 1835.05"}
ENGLISH = {"problem": "What is half of one?", "solution": r"It is $\boxed{\frac{1}{2}}$."}
WORDS = {"problem": "Who wins?", "solution": r"$\boxed{\text{Evelyn}}$"}
ROW = make_row(parse(RAW["problem"]), "a-1")
FRAME = "Below is an instruction that describes a task.\n\n### Instruction:\n{}\n\n### Response:"


def put(tmp_path, text, name="train.json"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines(*objects):
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in objects)


def read(path):
    return list(read_source(path))


def test_raw_rows_of_both_languages(tmp_path):
    entries = read(put(tmp_path, lines(RAW, ENGLISH, WORDS)))
    assert [entry.row.answer for entry in entries] == ["1835.05", "1/2", r"\text{Evelyn}"]
    assert [entry.row.id for entry in entries] == ["add-1", "english-2", "english-3"]
    assert entries[0].row.problem == RAW["problem"]
    assert entries[0].problem == parse(RAW["problem"])
    assert not any(entry.differs for entry in entries)


@pytest.mark.parametrize(
    "text",
    [
        lines(RAW, ENGLISH),
        lines(RAW, ENGLISH).rstrip("\n"),
        lines(RAW, ENGLISH).replace("\n", "\r\n"),
        "\n \n" + lines(RAW) + "\n" + lines(ENGLISH) + "\n\n",
        "\ufeff" + lines(RAW, ENGLISH),
        json.dumps([RAW, ENGLISH]),
        json.dumps([RAW, ENGLISH], indent=2, ensure_ascii=False),
        "\ufeff \n[" + json.dumps(RAW) + "\n,\n" + json.dumps(ENGLISH) + "\n]\n ",
    ],
)
def test_lines_and_arrays_read_alike(tmp_path, text, monkeypatch):
    expected = [entry.row for entry in read(put(tmp_path, lines(RAW, ENGLISH), "plain"))]
    for chunk in (1 << 20, 7, 1):
        monkeypatch.setattr(json_lines, "_CHUNK", chunk)
        if not text.lstrip("\ufeff \n").startswith("[") and chunk < 20:
            continue
        assert [entry.row for entry in read(put(tmp_path, text))] == expected


def test_an_array_names_the_line_of_each_row(tmp_path):
    path = put(tmp_path, json.dumps([RAW, {"problem": "未知", "solution": "1"}], indent=1))
    misfit = read(path)[1]
    assert misfit == Misfit(f"{path}:6", "it fits no kind of problem", "未知")


def test_the_alpaca_frame_is_taken_off(tmp_path):
    framed = {**RAW, "problem": FRAME.format(RAW["problem"])}
    assert read(put(tmp_path, lines(framed)))[0].row.problem == RAW["problem"]
    assert unframed(FRAME.format("a\n\n### Response: b")) == "a\n\n### Response: b"
    assert unframed("no frame") == "no frame"


def test_a_solution_in_other_words_is_marked(tmp_path):
    worked = {**RAW, "solution": "it is 1835.05"}
    entry = read(put(tmp_path, lines(worked)))[0]
    assert entry.differs
    assert entry.row.solution == "it is 1835.05"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"problem": "计算 1.00 / 0.00 等于多少？", "solution": "1"}, "divides by zero"),
        ({"problem": "小明有几个苹果？", "solution": "3"}, "no kind"),
        ({"problem": "What?", "solution": "no box"}, r"no \boxed{} answer"),
        ({"problem": " ", "solution": "1"}, "problem is empty"),
        ({"problem": RAW["problem"], "solution": ""}, "solution is empty"),
        ({**ROW._asdict(), "kind": "root"}, "says root"),
        ({**ROW._asdict(), "answer": "7"}, "answers 7"),
    ],
)
def test_misfits_are_kept_apart(tmp_path, row, reason):
    path = put(tmp_path, lines(RAW, row, RAW))
    first, misfit, last = read(path)
    assert isinstance(first, Entry) and isinstance(last, Entry)
    assert misfit.where == f"{path}:2"
    assert reason in misfit.reason
    assert last.row.id == "add-3"


def test_rows_survive_writing_and_reading(tmp_path):
    english = [entry.row for entry in read(put(tmp_path, lines(ENGLISH, WORDS)))]
    odd = ROW._replace(id='quote " backslash \\ \u2028 \x01 \t 𝄞')
    rows = [ROW, odd, *english]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(row.to_line() for row in rows), encoding="utf-8")
    assert list(read_rows(path)) == rows
    assert [entry.row for entry in read(path)] == rows
    text = path.read_text(encoding="utf-8")
    assert json.loads(text.split("\n")[0]) == ROW._asdict()
    assert "等于" in text
    assert text.count("\n") == 4


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (b"", None, "no rows"),
        (b"\n  \n", None, "no rows"),
        (b"[]", None, "no rows"),
        (b"hello\n", 1, "not valid JSON"),
        (lines(RAW) + '{"problem": "x"', 2, "not valid JSON"),
        (lines(RAW) + "17\n", 2, "not a JSON object"),
        (lines(RAW) + '{"problem": "x"}\n', 2, '"solution" is missing'),
        (lines(RAW) + '{"problem": 5, "solution": "1"}\n', 2, '"problem" is not a string'),
        (lines(RAW) + '{"problem": "x", "solution": null}', 2, '"solution" is not a string'),
        (lines(RAW) + '{"problem": "x", "solution": NaN}', 2, '"solution" is not a string'),
        (lines(RAW).encode() + b'{"problem": "\xff"}\n', 2, "not valid UTF-8"),
        (lines(RAW) + '{"problem": "\\ud800", "solution": "1"}', 2, "surrogate"),
        (lines(RAW) + '{"problem": ' + "[" * 100_000, 2, "not valid JSON"),
        (lines(RAW) + '{"problem": ' + "9" * 100_000 + "}", 2, '"problem" is not a string'),
        (json.dumps([RAW, 3], indent=1), 6, "is needed"),
        ("[" + json.dumps(RAW) + "\n" + json.dumps(RAW) + "]", 2, "is needed"),
        ("[" + json.dumps(RAW) + ",\n", 2, "the file ends"),
        ("[" + json.dumps(RAW) + ',\n{"problem": "x', 2, "not valid JSON"),
        ("[" + json.dumps(RAW) + ',\n{"problem" "x"}]', 2, "not valid JSON"),
        ("[" + json.dumps(RAW) + "]\n[]", 2, "follows the array"),
        ("[" + json.dumps(RAW) + ",\n" + '{"a":' * 100_000, 2, "not valid JSON"),
        (b"[" + json.dumps(RAW).encode() + b',\n{"problem": "\xff"}]', 2, "not valid UTF-8"),
    ],
)
def test_faults_name_the_line(tmp_path, text, line, what):
    path = put(tmp_path, text)
    with pytest.raises(UserError) as caught:
        read(path)
    assert what in caught.value.what
    assert str(caught.value.where) == (f"{path}:{line}" if line else str(path))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("opening", ["", "[\n"])
def test_a_row_of_ten_megabytes_is_refused(tmp_path, opening):
    long = '{"problem": "' + "x" * (json_lines.MAX_BYTES + 10) + '", "solution": "1"}'
    path = put(tmp_path, opening + long)
    with pytest.raises(UserError, match="longer than 10 MB"):
        read(path)


def test_a_long_array_on_one_line_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "MAX_BYTES", 2000)
    monkeypatch.setattr(json_lines, "_CHUNK", 500)
    assert len(read(put(tmp_path, json.dumps([RAW] * 100)))) == 100


@pytest.mark.parametrize(
    ("change", "what"),
    [({"kind": "cube"}, "'cube' is unknown"), ({"answer": 3}, "not a string")],
)
def test_corpus_rows_are_checked(tmp_path, change, what):
    path = put(tmp_path, lines(ROW._asdict(), {**ROW._asdict(), **change}))
    with pytest.raises(UserError, match=what) as caught:
        list(read_rows(path))
    assert caught.value.where == f"{path}:2"
