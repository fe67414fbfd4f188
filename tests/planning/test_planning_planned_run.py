"""What a plan is of: the profile and the changes that options make; its memory and seconds."""

from __future__ import annotations

import json

import pytest

from tools.files.errors import UserError
from tools.planning.planned_run import Options, decoded_positions, memory_of, read_run, seconds_of
from tools.settings.profile import CONFIGS


def read(profile="smollm2-135m", budget="quick", recipe="plain", **more):
    return read_run(Options(profile, budget, recipe, **more))


@pytest.fixture(scope="module")
def baseline():
    """The contest's own way: one model on four cards."""
    return read("llama3-8b", "full", cards=4, batch=64, recompute="full", model_parallel=4)


def test_a_profile_on_the_cpu() -> None:
    found = read()
    assert (found.rows, found.epochs, found.checkpoints) == (344, 1, 5)
    assert (found.squad, found.valid, found.test, found.decode_batch) == (24, 28, 100, 32)
    assert (found.squad_tokens, found.problem_tokens) == (20, 56)
    assert found.load.device == "CPU" and found.load.outputs == 1
    assert any("packed" in note for note in found.notes)


def test_the_contests_profile_has_all_its_questions() -> None:
    found = read("llama3-8b", "full", cards=4)
    assert (found.squad, found.rows, found.epochs) == (2067, 90_000, 5)
    assert (found.load.cards, found.load.device, found.notes) == (4, "Ascend", [])


def test_the_embedded_reading_set_is_counted() -> None:
    reading = json.loads((CONFIGS.parent / "material/embedded/reading.json").read_text("utf-8"))
    paragraphs = sum(len(article["paragraphs"]) for article in reading["data"])
    assert read(budget="night", recipe="night-1").squad == paragraphs


def test_a_recipe_has_its_lengths() -> None:
    found = read(recipe="worked")
    assert (found.load.length, found.problem_tokens) == (608, 544)


def test_options_take_the_place_of_the_config() -> None:
    changes = {"batch": 3, "length": 128, "rank": 32, "recompute": "none", "model_parallel": 2}
    found = read("llama3-8b", cards=4, rows=77, **changes)
    load = found.load
    assert (load.batch, load.length, load.recompute, load.model_parallel) == (3, 128, False, 2)
    assert load.data_parallel == 2
    assert (load.lora.rank, load.lora.scaling, found.rows) == (32, 2.0, 77)


def test_rows_that_only_the_data_tells() -> None:
    with pytest.raises(UserError, match="--rows: how many training rows there are"):
        read(budget="night")
    assert read(budget="night", rows=9).rows == 9


@pytest.mark.parametrize(
    "words, text",
    [
        ({"profile": "none"}, "no such profile 'none'"),
        ({"budget": "none"}, "no such budget 'none'"),
        ({"recipe": "none"}, "no such recipe 'none'"),
        ({"profile": "llama3-8b", "cards": 4, "model_parallel": 3}, "3 does not divide 4 cards"),
    ],
)
def test_faults(words: dict, text: str) -> None:
    with pytest.raises(UserError, match=text):
        read(**words)


def test_the_memory_of_a_card_brings_what_the_profile_knows_of_it() -> None:
    small, large = (read("llama3-8b", hbm=float(size)) for size in (32, 64))
    assert (small.load.batch, large.load.batch) == (8, 16)
    assert small.notes == large.notes == []
    (note,) = read("llama3-8b", hbm=48.0).notes
    assert note == "the profile has no cards of 48 GB: batch and recompute as for 32"
    assert read("llama3-8b", hbm=48.0).load == read("llama3-8b").load == small.load


def test_the_contests_baseline(baseline, measured) -> None:
    assert baseline.steps == 7030 and baseline.steps * baseline.load.step_tokens == 7030 * 64 * 256
    low, _, high = seconds_of(baseline, measured)["training"] / 3600
    assert low < 6 < high
    stages = memory_of(baseline, measured)
    assert sum(stages["training"].values()) == pytest.approx(20.08, abs=0.01)
    # Answers are decoded by one card, with the whole model.
    assert stages["decoding"]["base weights"] == pytest.approx(14.96, abs=0.01)
    # The longest: a question's 166 tokens and the 20 of its answer.
    assert decoded_positions(baseline, measured) == 186


def test_seconds_add_up(baseline, measured) -> None:
    seconds = seconds_of(baseline, measured)
    # The chosen checkpoint is loaded again for the test problems.
    each = 6 * seconds["squad"] + 5 * seconds["valid"] + 2 * seconds["test"] + 7 * 700
    assert seconds["evaluations"].tolist() == pytest.approx(each.tolist())
    assert seconds["all"].tolist() == pytest.approx((seconds["training"] + each).tolist())
