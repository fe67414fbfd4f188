"""Text that a user gives reads the same with a byte-order mark, as Windows' editors save it."""

from __future__ import annotations

import codecs
import json

import pytest

from tools.files.errors import UserError
from tools.files.json_lines import read_objects
from tools.files.text import read_text
from tools.llama.shape import LlamaShape
from tools.records.reading import read_questions
from tools.records.tokenizers import open_tokenizer
from tools.scoring.npy import read_predictions_file
from tools.settings.lines import read_yaml
from tools.settings.resolve import read_resolved

_ASKED = {"id": "1", "question": "q", "answers": [{"text": "a"}]}
_SQUAD = {"data": [{"paragraphs": [{"context": "c", "qas": [_ASKED]}]}]}
_SHAPE = LlamaShape(1, 8, 16, 2, 2, 32, 1e4, 1e-5, 1, 2, 0)
_WORDS = {"type": "WordLevel", "vocab": {"一": 0, "b": 1}, "unk_token": "一"}


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_text, "一\n"),
        (lambda path: list(read_objects(path)), '{"a": "一"}\n{"a": 2}\n'),
        (lambda path: list(read_objects(path)), '[{"a": "一"}]'),
        (lambda path: list(read_questions(path)), json.dumps(_SQUAD)),
        (lambda path: read_yaml(path).value, "a: 一\n"),
        (lambda path: read_resolved(path, ["a"]), '{"a": "一"}'),
        (LlamaShape.load, json.dumps(_SHAPE.to_dict())),
        (lambda path: open_tokenizer(path).encode("b"), json.dumps({"model": _WORDS})),
        (read_predictions_file, "[{'text_generation_text': ['一']}]"),
    ],
)
def test_a_mark_changes_nothing(tmp_path, read, text):
    path = tmp_path / "given"
    path.write_bytes(text.encode())
    without = read(path)
    path.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert read(path) == without


def test_what_is_refused(tmp_path):
    path = tmp_path / "given"
    path.write_bytes("题目".encode("gbk"))
    with pytest.raises(UserError, match="given: not UTF-8 text; save it as UTF-8"):
        read_text(path)
    path.write_text("一", encoding="utf-8")
    assert read_text(path, 3) == "一"
    with pytest.raises(UserError, match="given: larger than 2 bytes; cut it"):
        read_text(path, 2, "cut it")
