"""The trained SentencePiece vocabulary: the same bytes every time, digits apart, sizes checked."""

from __future__ import annotations

import pytest

from tools.files.errors import UserError
from tools.records.tokenizers import open_tokenizer
from tools.records.vocabulary import train_sentencepiece, train_tokenizer

TEXTS = [f"计算 {i}.{i % 7} + {i * 37} 等于多少？ It is {i}." for i in range(300)]


def test_the_same_texts_give_the_same_bytes(tmp_path):
    files = [tmp_path / "a.model", tmp_path / "b.model"]
    for file in files:
        train_sentencepiece(iter(TEXTS), 295, file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_size_ids_and_digits(tmp_path):
    path = tmp_path / "tokenizer.model"
    train_sentencepiece(TEXTS, 295, path)
    tokenizer = open_tokenizer(path)
    assert tokenizer.vocab_size == 295
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (1, 2, 3)
    assert [tokenizer.decode([i]) for i in tokenizer.encode("371")] == ["3", "7", "1"]
    # No space is put in front, and control tokens are text.
    assert tokenizer.decode(tokenizer.encode("  </s>\n ")) == "  </s>\n "
    assert not {0, 1, 2, 3} & set(tokenizer.encode("<unk><s></s><pad>\n\n"))


def test_trained_on_rows_and_reading(rows_file, tmp_path, request):
    reading = request.config.rootpath / "material" / "embedded" / "reading.json"
    summary = train_tokenizer(rows_file, tmp_path / "t.model", 640, reading=reading)
    assert summary == {"vocab_size": 640, "texts": 48 + 43}
    # Frames are frequent, so that they cost few tokens.
    ids = open_tokenizer(tmp_path / "t.model").encode("\n\n### Response:")
    assert len(ids) <= 4


@pytest.mark.parametrize(
    ("texts", "size", "reason"),
    [(TEXTS, 20, "smaller"), (TEXTS, 60_000, "too high"), ([], 330, "no text")],
)
def test_sizes_that_do_not_suit(tmp_path, texts, size, reason):
    path = tmp_path / "tokenizer.model"
    with pytest.raises(UserError, match=reason):
        train_sentencepiece(texts, size, path)
    assert list(tmp_path.iterdir()) == []
