"""SQuAD → MindRecord in the organisers' form: prompt, first answer, padding."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_records_mindrecord import read

from tools.files.errors import UserError
from tools.records import squad_records as module
from tools.records.prompts import render_prompt
from tools.records.squad_records import write_squad_records
from tools.records.tokenizers import open_tokenizer

PASSAGES = ["Denver won.", "Levi's Stadium e\u0301 is in California.", "x" * 300]


@pytest.fixture
def source(tmp_path):
    paragraphs = [
        {
            "context": passage,
            "qas": [
                {"id": f"{number}-{k}", "question": f"Who {k}?", "answers": [{"text": text}] * 2}
                for k, text in enumerate(("Denver", "nobody"))
            ],
        }
        for number, passage in enumerate(PASSAGES)
    ]
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    return path


@pytest.mark.parametrize("together", [1, 2, 64])
def test_rows(source, tiktoken_file, tmp_path, monkeypatch, together):
    monkeypatch.setattr(module, "_TOGETHER", together)
    output = tmp_path / "out" / "squad300.mindrecord"
    summary = write_squad_records(source, tiktoken_file, output, 300)
    ids, labels = read(output)
    tokenizer = open_tokenizer(tiktoken_file)
    assert ids.shape == labels.shape == (3, 300) and ids.dtype == labels.dtype == np.int32
    for row, passage in zip(ids, PASSAGES):
        # In NFC: e and its accent are one character.
        text = render_prompt("squad", passage.replace("e\u0301", "é"), "Who 0?")
        expected = [*tokenizer.encode(text), *[tokenizer.pad_id] * 300][:300]
        assert row.tolist() == expected
    answer = tokenizer.encode("Denver")
    expected = answer + [tokenizer.pad_id] * (300 - len(answer))
    assert labels.tolist() == [expected] * 3
    assert summary == json.loads((tmp_path / "out" / "squad300.mindrecord.json").read_text("utf-8"))
    assert summary.pop("tokenizer")["pad"] == tokenizer.pad_id
    longest = len(tokenizer.encode(render_prompt("squad", PASSAGES[2], "Who 0?")))
    assert summary == {
        "source": "dev.json",
        "rows": 3,
        "cut": 1,
        "longest": longest,
        "answer_tokens": 3 * len(answer),
        "seq_length": 300,
        "frame": "squad",
    }
    assert sorted(path.name for path in output.parent.iterdir()) == [
        f"squad300.mindrecord{suffix}" for suffix in ("", ".db", ".json")
    ]


def test_faults_leave_nothing(source, tiktoken_file, tmp_path):
    output = tmp_path / "out" / "x.mindrecord"
    with pytest.raises(UserError, match=r"question 0-0: its answer has 6 tokens, 5 fit"):
        write_squad_records(source, tiktoken_file, output, 5)
    with pytest.raises(UserError, match="would replace what it is made of"):
        write_squad_records(source, tiktoken_file, source, 5)
    assert list(output.parent.iterdir()) == []
