"""Rows that packing makes, estimated from text: held against what records had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.planning.packed import packed_rows
from tools.settings.resolve import resolve


@pytest.mark.parametrize(
    "recipe, prompt, length, rows",
    [
        # SmolLM2's vocabulary; the records of so many problems, packed.
        ("plain", "alpaca", 256, 436),
        ("rank-01", "response", 512, 461),
    ],
)
def test_as_many_as_the_records_had(tmp_path: Path, recipe, prompt, length, rows) -> None:
    resolve(tmp_path, "smollm2-135m", "quick", recipe, 1, None)
    corpus = json.loads((tmp_path / "corpus.json").read_text())
    corpus["train"] = 1000
    assert packed_rows(corpus, prompt, length) == pytest.approx(rows, rel=0.05)
    twice = packed_rows({**corpus, "train": 2000}, prompt, length)
    assert twice == pytest.approx(2 * rows, rel=0.05)


def test_rows_that_only_the_data_tells(tmp_path: Path) -> None:
    resolve(tmp_path, "tiny", "quick", "plain", 1, None)
    corpus = json.loads((tmp_path / "corpus.json").read_text())
    assert packed_rows({**corpus, "train": None}, "alpaca", 192) == 0
