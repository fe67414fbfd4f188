"""Conversations → MindRecord: the rows in order, the counts, nothing half-written."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from records_organisers import EDGES, GOLDEN, random_conversations, write
from test_records_mindrecord import read

from tools.files import json_lines
from tools.files.errors import UserError
from tools.records import encoding
from tools.records.conversation_records import write_conversation_records
from tools.records.prompts import render_conversation
from tools.records.tokenizers import SpecialIds, open_tokenizer


def test_the_organisers_rows_and_what_became_of_them(tiktoken_file, tmp_path):
    source = write(tmp_path / "c.json", EDGES)
    output = tmp_path / "out" / "train.mindrecord"
    summary = write_conversation_records(source, tiktoken_file, output, 230)
    ids, labels = read(output)
    golden = json.loads(GOLDEN.read_text("utf-8"))["small"]
    opened = open_tokenizer(tiktoken_file)
    pad = opened.pad_id
    # Of those with one question and one answer, their end less: BOS and EOS are added.
    texts = [render_conversation([t for _, t in row])[: -len("</s>")] for row in EDGES[20:30]]
    assert ids.dtype == labels.dtype == np.int32
    assert ids.tolist() == [row["ids"] + [pad] * (231 - len(row["ids"])) for row in golden]
    counts = [sum(end - first for first, end in row["labelled"]) for row in golden]
    assert (labels != -100).sum(axis=1).tolist() == counts
    assert summary == json.loads((tmp_path / "out" / "train.mindrecord.json").read_text("utf-8"))
    tokens = sum(len(row["ids"]) for row in golden)
    assert summary.pop("tokenizer")["kind"] == "tiktoken"
    assert summary == {
        "source": "c.json",
        "rows": len(EDGES),
        "tokens": tokens,
        "answer_tokens": sum(counts),
        "longest": 2 + max(len(opened.encode(text)) for text in texts),
        "most_labels": max(counts),
        "cut": 6,
        "masked": 14,
        "cut_and_masked": 0,
        "without_labels": 14,
        "examples": len(EDGES),
        "left_out": 0,
        "used": round(tokens / (len(EDGES) * 231), 6),
        "pack": False,
        "seq_length": 230,
        "frame": "vicuna",
    }
    assert sorted(path.name for path in output.parent.iterdir()) == [
        f"train.mindrecord{suffix}" for suffix in ("", ".db", ".json")
    ]


def test_rows_at_which_the_organisers_script_stops_are_counted(tiktoken_file, tmp_path):
    long, marked = "5" * 300, "a mark ASSISTANT: " + "5" * 300
    rows = [[("human", "1?"), ("gpt", answer)] for answer in (long, long, marked, marked, marked)]
    source = write(tmp_path / "c.json", rows)
    summary = write_conversation_records(source, tiktoken_file, tmp_path / "x.mindrecord", 230)
    assert summary["cut"] == 5 and summary["most_labels"] > 0
    assert summary["masked"] == summary["cut_and_masked"] == summary["without_labels"] == 3


def test_several_processes_give_the_same_bytes(tiktoken_file, tmp_path, monkeypatch):
    source = write(tmp_path / "c.json", random_conversations(200))
    monkeypatch.setattr(json_lines, "_BLOCK_ROWS", 30)
    outputs = [tmp_path / name / "x.mindrecord" for name in ("one", "two")]
    for count, output in enumerate(outputs, start=1):
        monkeypatch.setattr(encoding, "cores", lambda count=count: count)
        write_conversation_records(source, tiktoken_file, output, 300)
    for suffix in ("", ".db", ".json"):
        contents = [output.with_name(output.name + suffix).read_bytes() for output in outputs]
        assert contents[0] == contents[1]


def test_ids_that_are_given_count_before_the_files(tiktoken_file, tmp_path):
    source = write(tmp_path / "c.json", EDGES[:1])
    output = tmp_path / "x.mindrecord"
    summary = write_conversation_records(source, tiktoken_file, output, 300, SpecialIds(1, 2, 3))
    ids, _ = read(output)
    end = int(np.flatnonzero(ids[0] == 2)[-1])
    assert ids[0, 0] == 1 and (ids[0, end + 1 :] == 3).all()
    assert [summary["tokenizer"][name] for name in ("bos", "eos", "pad")] == [1, 2, 3]


def test_faults_leave_nothing(tiktoken_file, smollm2_file, tmp_path):
    source = write(tmp_path / "c.json", [*EDGES[:2], [("human", "1?"), ("human", "2?")]])
    output = tmp_path / "out" / "x.mindrecord"
    with pytest.raises(UserError, match=re.escape("the speakers do not take turns")):
        write_conversation_records(source, tiktoken_file, output, 20)
    with pytest.raises(UserError, match="give --bos-id or --model"):
        write_conversation_records(source, smollm2_file, output, 20, SpecialIds(None, 2, 2))
    with pytest.raises(UserError, match=r"pad id = end id \(2\) .* give another --pad-id"):
        write_conversation_records(source, tiktoken_file, output, 300, SpecialIds(1, 2, 2))
    unlabelled = write(tmp_path / "u.json", EDGES[:2])
    with pytest.raises(UserError, match="none of its 2 rows has a label"):
        write_conversation_records(unlabelled, tiktoken_file, output, 20)
    with pytest.raises(UserError, match="would replace what it is made of"):
        write_conversation_records(source, tiktoken_file, source, 20)
    assert list(output.parent.iterdir()) == []
