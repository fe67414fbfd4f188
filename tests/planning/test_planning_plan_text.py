"""The plan as text, and the refusal of what does not fit."""

from __future__ import annotations

import pytest

from tools.files.errors import CheckFailed
from tools.planning.plan_text import plan_text
from tools.planning.planned_run import Options


def test_every_part_is_shown() -> None:
    options = Options("llama3-8b", "full", "plain", 4, 32, recompute="none", batch=16)
    text, refused = plan_text(options)
    for words in (
        "llama3-8b, budget full, recipe plain\n",
        "4 cards, 4 shares of 16 rows of 256 tokens; recompute none, flash attention on",
        "90,000 rows, 5 epochs: 7,030 steps, 115,179,520 tokens",
        "- shares of the data: as fast as one card alone",
        "- speed of a card: 156 TFLOP/s (134 to 181, of 1 training), 56 % of its peak",
        "trained, rank 8              3,407,872\n",
        "base model               8,030,261,248\n",
        "ratio, of 8,030,000,000    0.000424393\n",
        "score at 50.0 % accuracy: 0.649873, rank 6, if 90 % of",
        "GiB of a card",
        "activations             18.82      0.16\n",
        "together                42.64     15.31\n",
        "may use 26.00    DOES NOT FIT      fits\n",
        "key-value cache: 131,072 bytes a position, 8 rows of 186",
        "training, start and checkpoints included",
        "6 models are evaluated; a step: ",
    ):
        assert words in text, words
    assert max(map(len, text.splitlines())) < 110
    assert isinstance(refused, CheckFailed)
    assert "the largest term is activations, 18.8 GiB" in str(refused)
    # On cards of 64 GB the same run is no trouble.
    assert plan_text(Options("llama3-8b", "full", "plain", 4, 64, batch=16))[1] is None


def test_one_of_a_thing_and_a_run_that_is_close() -> None:
    options = Options("llama3-8b", "quick", "plain", 1, 32, recompute="full", batch=16)
    text, refused = plan_text(options)
    assert "1 card, 1 share of 16 rows" in text and "9,000 rows, 1 epoch:" in text
    assert "close: a formula that was never held against a card" in text and refused is None


def test_the_contests_baseline() -> None:
    split = {"batch": 64, "recompute": "full", "model_parallel": 4}
    text, refused = plan_text(Options("llama3-8b", "full", "plain", 4, 32, 0.64, **split))
    assert "1 share of 64 rows of 256 tokens, each share on 4 cards" in text
    # 肆拾贰's published score, at its accuracy and ratio.
    assert "score at 64.0 % accuracy: 0.747873, rank 3" in text
    assert "close" not in text and refused is None


@pytest.mark.parametrize("profile", ["smollm2-135m", "tiny"])
def test_profiles_on_the_cpu(profile: str) -> None:
    text, refused = plan_text(Options(profile))
    assert refused is None
    assert "GiB of all workers" in text and "process  " in text
    assert "- speed of the machine: 0.117 TFLOP/s (0.109 to 0.126, of 4 trainings)" in text
