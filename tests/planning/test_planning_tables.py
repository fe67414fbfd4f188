"""The plan as text: what people read is what the JSON holds."""

from __future__ import annotations

import pytest

from tools.planning.plan import Asked, present
from tools.planning.setup import Changes
from tools.planning.tables import plan_table


@pytest.fixture(scope="module")
def plan():
    changes = Changes(recompute="none", batch=16)
    found, _ = present(
        Asked("llama3-8b", "full", "plain", 4, 32, None, 0.5, changes, None, None, None)
    )
    return found


def test_every_part_is_shown(plan) -> None:
    text = plan_table(plan)
    for words in (
        "llama3-8b, budget full, recipe plain (configs/llama3-8b/finetune.yaml)",
        "4 cards, 4 shares of 16 rows of 256 tokens; recompute none, flash attention on",
        "90,000 rows, 5 epochs: 7,030 steps, 115,179,520 tokens",
        "- speed of a card: ",
        "trained, rank 8",
        "3,407,872",
        "0.000424393",
        "training, memory of a card",
        "may use: DOES NOT FIT",
        "may use: fits",
        "key-value cache: 131,072 bytes a position, 8 rows of 186",
        "training, start and checkpoints included",
        "50.0 % (expected)  0.649873",
        "F1 53.8832, EM 39.7533",
        "42.64 !",
        "枪心如火，枪如我心",
        "within",
        "largest errors: step 8 %",
    ):
        assert words in text, words
    assert "dry run" not in text and "OVER" not in text
    assert max(map(len, text.splitlines())) < 130


def test_chinese_names_take_two_columns_each(plan) -> None:
    lines = [line for line in plan_table(plan).splitlines() if " step " in line and " s " in line]
    names = {line.split("  ")[0] for line in lines}
    assert {"枪心如火，枪如我心", "LZMA, run-0"} <= names
    wide = [sum(2 if ord(char) > 0x2E80 else 1 for char in line) for line in lines]
    assert len(set(wide)) == 1


def test_one_of_a_thing_and_a_run_that_is_close() -> None:
    changes = Changes(recompute="full", batch=16)
    asked = Asked("llama3-8b", "quick", "plain", 1, 32, 6, 0.5, changes, None, None, None)
    text = plan_table(present(asked)[0])
    assert "1 card, 1 share of 16 rows" in text and "9,000 rows, 1 epoch:" in text
    assert "close: a formula that was never held against a card" in text


def test_a_dry_run_stands_behind_the_parameters(plan) -> None:
    found = {
        "trained": 7168,
        "total": 155_968,
        "bytes": 652_544,
        "build_seconds": 0.16,
        "compile_seconds": 4.38,
        "peak_gib": 0.7,
    }
    text = plan_table({**plan, "dry_run": found})
    assert text.index("dry run: MindFormers' network") < text.index("memory of a card")
    assert "step compiled in" in text and "4.4 s" in text
    text = plan_table({**plan, "dry_run": {**found, "compile_seconds": None}})
    assert "step compiled in" not in text
