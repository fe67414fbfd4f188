"""Exact counts of parameters; what else is checked, test_training_launch.py shows."""

from __future__ import annotations

import json

import pytest

from tools.llama.lora import LoraConfig
from tools.llama.shape import LlamaShape
from tools.training.inputs import count_parameters, count_steps, labels_per_row

SHAPE = LlamaShape(2, 8, 8, 2, 1, 8, 10000.0, 1e-5, 1, 2, 2)


@pytest.mark.parametrize("tied, denominator", [(False, None), (True, None), (True, 8030000000)])
def test_count_parameters(tied, denominator):
    found = count_parameters(SHAPE, LoraConfig(2, 4.0, ".*wq|.*wv|.*w1"), tied, denominator)
    total = SHAPE.count() - (64 if tied else 0)
    # In two layers: wq is 8 x 8, wv 4 x 8, w1 8 x 8.
    by_module = {"attention.wq": 64, "attention.wv": 48, "feed_forward.w1": 64}
    assert found == {
        "trained": 176,
        "total": total,
        "denominator": denominator or total,
        "by_module": by_module,
    }


@pytest.mark.parametrize(
    "rows, batch, workers, epochs, steps",
    [(8, 4, 1, 3, 6), (9, 4, 1, 1, 2), (8, 4, 2, 1, 1), (31, 4, 2, 1, 4), (7, 4, 2, 2, 2)],
)
def test_count_steps(rows, batch, workers, epochs, steps):
    """What MindSpore makes of them: test_training_real.py, rows that workers cannot share."""
    assert count_steps(rows, batch, workers, epochs) == steps


@pytest.mark.parametrize(
    "summary, expected",
    [({"most_labels": 92}, 96), ({"most_labels": 96}, 96), ({"most_labels": 250}, 252),
     ({"most_labels": 1}, 16), ({}, 252)],
)  # fmt: skip
def test_labels_per_row(tmp_path, summary, expected):
    (tmp_path / "x.mindrecord.json").write_text(json.dumps(summary))
    assert labels_per_row(tmp_path / "x.mindrecord", 252) == expected
