"""Lengths: percentiles from counts are those of the list; measured as records are made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.records import lengths as module
from tools.records.lengths import PERCENTILES, Lengths, measure
from tools.records.mindrecord import RecordSettings, write_records
from tools.records.prompts import render_answer, render_prompt
from tools.records.tokenizers import open_tokenizer


@given(st.lists(st.lists(st.integers(1, 300), min_size=1), min_size=1, max_size=5))
def test_percentiles_are_those_of_the_list(batches):
    lengths = Lengths(100)
    for batch in batches:
        lengths.add("add", np.array(batch))
    lengths.add("root", np.array([5]))
    summary = lengths.summary(["root", "divide", "add"])
    assert list(summary["lengths"]) == list(summary["over"]) == ["all", "root", "add"]
    added = [size for batch in batches for size in batch]
    for name, sizes in [("add", added), ("all", [*added, 5]), ("root", [5])]:
        found = summary["lengths"][name]
        for percent in PERCENTILES:
            expected = np.percentile(sizes, percent, method="inverted_cdf")
            assert found[f"p{percent}"] == expected
        assert (found["count"], found["max"]) == (len(sizes), max(sizes))
        assert found["mean"] == round(sum(sizes) / len(sizes), 2)
        assert summary["over"][name] == round(sum(n > 100 for n in sizes) / len(sizes), 6)


def test_the_longest_do_not_cost_memory():
    lengths = Lengths(100)
    lengths.add("add", np.array([3, 10_000_000], dtype=np.int32))
    assert len(lengths._counts["add"]) == module._MOST + 1
    found = lengths.summary(["add"])["lengths"]["add"]
    assert (found["p50"], found["p90"], found["max"], found["mean"]) == (3, 10**7, 10**7, 5000001.5)


def test_nothing_was_measured():
    assert Lengths(5).summary(["add"]) == {"lengths": {}, "over": {}}


def test_measured_as_records_are_made(rows, rows_file, sentencepiece_file, tmp_path):
    texts = [(row.kind, row.problem, row.solution) for row in rows]
    found = measure(texts, sentencepiece_file, "vicuna", 160)
    settings = RecordSettings(160, "vicuna")
    summary = write_records(rows_file, sentencepiece_file, tmp_path / "x.mindrecord", settings)
    assert found == {key: summary[key] for key in ("seq_length", "lengths", "over")}
    assert 0 < found["over"]["all"] < 1
    tokenizer = open_tokenizer(sentencepiece_file)
    sizes = [
        len(tokenizer.encode(render_prompt("vicuna", problem)))
        + len(tokenizer.encode(render_answer("vicuna", solution)))
        + 1
        for _, problem, solution in texts
    ]
    assert found["lengths"]["all"]["mean"] == round(sum(sizes) / len(sizes), 2)
    assert found["over"]["all"] == round(sum(size > 161 for size in sizes) / len(sizes), 6)


def test_bad_rows_are_refused(sentencepiece_file):
    with pytest.raises(UserError, match="empty"):
        measure([("add", " ", "1")], sentencepiece_file, "alpaca", 9)
