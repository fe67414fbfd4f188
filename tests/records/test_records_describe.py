"""What a corpus costs in tokens: the figures against counting by hand, and the picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.corpus.build import Plan, build_corpus
from tools.corpus.grammar import Rounding
from tools.corpus.kinds import CHINESE
from tools.corpus.rows import read_rows
from tools.corpus.worked.styles import STYLES, Style, read_styles
from tools.files.errors import UserError
from tools.records.describe import describe_corpus
from tools.records.mindrecord import RecordSettings, write_records
from tools.records.prompts import render_answer, render_prompt
from tools.records.tokenizers import SpecialIds, open_tokenizer

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def corpus(tmp_path):
    styles = {"multiply": Style("schoolbook", Rounding(4)), "add": Style("direct", Rounding(2))}
    build_corpus(tmp_path, None, Plan(150, 20, 20, styles=styles))
    return tmp_path


def tokens(tokenizer, row):
    texts = [render_prompt("alpaca", row.problem), render_answer("alpaca", row.solution)]
    return sum(map(len, tokenizer.encode_batch(texts))) + 1


def test_the_lengths_are_those_of_the_training_examples(corpus, tiktoken_file, smollm2_file):
    summary = describe_corpus(corpus, [tiktoken_file, smollm2_file], "alpaca", 200)
    assert summary == json.loads((corpus / "tokens.json").read_text("utf-8"))
    assert summary["rows_measured"] == 150
    first, second = summary["tokenizers"].values()
    rows = list(read_rows(corpus / "train.jsonl"))
    for found, path in ((first, tiktoken_file), (second, smollm2_file)):
        tokenizer = open_tokenizer(path, 1, 2, 2)
        sizes = sorted(tokens(tokenizer, row) for row in rows)
        assert found["lengths"]["all"]["max"] == sizes[-1]
        assert found["lengths"]["all"]["p50"] == sizes[74]
        assert found["lengths"]["all"]["mean"] == pytest.approx(sum(sizes) / 150, abs=0.01)
        assert found["over"]["all"] == pytest.approx(sum(s > 201 for s in sizes) / 150, abs=1e-5)
        assert list(found["styles"]) == list(CHINESE)


def test_lengths_that_the_records_counted_are_those_counted_here(corpus, smollm2_file):
    records = corpus / "train.mindrecord"
    settings = RecordSettings(200, "alpaca", SpecialIds(1, 2, 2))
    write_records(corpus / "train.jsonl", smollm2_file, records, settings)
    here = describe_corpus(corpus, [smollm2_file], "alpaca", 200)
    assert describe_corpus(corpus, [smollm2_file], "alpaca", 200, records) == here
    with pytest.raises(UserError, match="made with --prompt alpaca --seq-length 200; give"):
        describe_corpus(corpus, [smollm2_file], "alpaca", 100, records)
    Path(f"{records}.json").write_text("{}", "utf-8")
    with pytest.raises(UserError, match=r"mindrecord\.json: lacks frame, seq_length, lengths"):
        describe_corpus(corpus, [smollm2_file], "alpaca", 200, records)


def test_styles_are_compared_on_the_same_problems(corpus, tiktoken_file):
    (found,) = describe_corpus(corpus, [tiktoken_file], "alpaca", 200)["tokenizers"].values()
    for kind, costs in found["styles"].items():
        assert list(costs) == list(STYLES[kind])
        assert costs["answer"]["mean"] <= costs["direct"]["mean"] <= costs["schoolbook"]["mean"]
    # What is trained on in a style costs what the comparison says, to the places of both.
    trained = found["lengths"]["multiply"]["mean"]
    assert found["styles"]["multiply"]["schoolbook"]["mean"] == pytest.approx(trained)
    assert found["styles"]["multiply"]["source"]["mean"] < trained / 2


def test_the_picture_is_one_and_the_same(corpus, tiktoken_file):
    describe_corpus(corpus, [tiktoken_file], "alpaca", 200)
    picture = (corpus / "corpus.png").read_bytes()
    assert picture.startswith(PNG) and len(picture) > 10_000
    describe_corpus(corpus, [tiktoken_file], "alpaca", 200)
    assert (corpus / "corpus.png").read_bytes() == picture
    assert sorted(path.name for path in corpus.iterdir()) == [
        *("corpus.json", "corpus.png", "test.jsonl", "tokens.json", "train.jsonl", "valid.jsonl")
    ]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"kinds": 3}', "{"])
def test_a_folder_without_a_corpus_is_refused(tmp_path, tiktoken_file, text):
    if text is not None:
        (tmp_path / "corpus.json").write_text(text)
    with pytest.raises(UserError, match=r"corpus\.json: no corpus stands here"):
        describe_corpus(tmp_path, [tiktoken_file], "alpaca", 64)


def test_every_style_that_is_offered_can_be_read():
    for kind, names in STYLES.items():
        for name in names:
            choice = {"style": name, "decimals": 4, "significant": None}
            assert read_styles({kind: choice}, "here")[kind].name == name
