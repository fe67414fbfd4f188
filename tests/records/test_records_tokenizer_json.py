"""tokenizer.json made from tiktoken's file: the same ids for any text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.records.tokenizer_json import export_tokenizer, from_tiktoken
from tools.records.tokenizers import SpecialIds, find_tokenizer, open_tokenizer

TEXTS = [
    "计算 4204.22 + -2369.17 等于多少？\n\n### Response:4204.22 + -2369.17 = 1835.05",
    "The Pacific's  largest\tisland,\r\n\r\n   √5636.97 = 75.0797… 🙂🙂 e\u0301",
    "<|begin_of_text|>a<|eot_id|>",
    " " * 100 + "x" * 300,
    "",
]


@pytest.fixture(scope="module")
def pair(tiktoken_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "tokenizer.json"
    path.write_text(from_tiktoken(tiktoken_file), encoding="utf-8")
    return open_tokenizer(tiktoken_file), open_tokenizer(path)


def test_the_same_ids(pair):
    tiktoken, converted = pair
    assert converted.kind == "tokenizer.json" and converted.vocab_size == tiktoken.vocab_size
    assert converted.encode_batch(TEXTS) == tiktoken.encode_batch(TEXTS)
    for ids in tiktoken.encode_batch(TEXTS):
        assert converted.decode(ids) == tiktoken.decode(ids)


@given(text=st.text(max_size=80))
def test_any_text(pair, text):
    tiktoken, converted = pair
    assert converted.encode(text) == tiktoken.encode(text)


def test_a_library_without_ignore_merges_is_refused(tiktoken_file, tmp_path, monkeypatch):
    import tokenizers

    path = tmp_path / "tokenizer.json"
    path.write_text(from_tiktoken(tiktoken_file), encoding="utf-8")
    # As tokenizers 0.19.0 reads it.
    read = tokenizers.Tokenizer.from_str
    older = SimpleNamespace(from_str=lambda text: read(text.replace('"ignore_merges": true, ', "")))
    monkeypatch.setattr(tokenizers, "Tokenizer", older)
    with pytest.raises(UserError, match=r"needs ignore_merges.*put the model's tokenizer\.model"):
        open_tokenizer(path)
    shutil.copy(tiktoken_file, tmp_path)
    assert find_tokenizer(tmp_path).name == "tokenizer.model"


def test_older_releases_read_merges_as_strings(tiktoken_file):
    model = json.loads(from_tiktoken(tiktoken_file))["model"]
    assert model["ignore_merges"] is True and model["merges"][:2] == ["1 2", "12 3"]


def test_bos_stands_first_unless_it_is_told_otherwise(pair, tiktoken_file):
    import tokenizers

    tiktoken, converted = pair
    library = tokenizers.Tokenizer.from_str(from_tiktoken(tiktoken_file))
    for text in TEXTS:
        ids = tiktoken.encode(text)
        assert library.encode(text).ids == [tiktoken.bos_id, *ids]
        assert library.encode(text, add_special_tokens=False).ids == converted.encode(text) == ids


@pytest.mark.shared
def test_the_real_vocabulary(shared, tmp_path):
    source = shared / "llama3" / "tokenizer.model"
    export_tokenizer(source, tmp_path, SpecialIds(128000, 128001, 128002))
    assert {path.name for path in tmp_path.iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["bos_token"] == "<|begin_of_text|>" and config["eos_token"] == "<|end_of_text|>"
    tiktoken, converted = open_tokenizer(source), open_tokenizer(tmp_path / "tokenizer.json")
    reading = Path(__file__).resolve().parents[2] / "material" / "embedded" / "reading.json"
    texts = [*TEXTS, *reading.read_text("utf-8").split("\n")]
    assert converted.encode_batch(texts) == tiktoken.encode_batch(texts)


def test_sentencepiece_is_copied(sentencepiece_file, tmp_path):
    export_tokenizer(sentencepiece_file, tmp_path, SpecialIds(1, 2, 3))
    copied = (tmp_path / "tokenizer.model").read_bytes()
    assert copied == Path(sentencepiece_file).read_bytes()
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "LlamaTokenizer" and config["eos_token"] == "</s>"
