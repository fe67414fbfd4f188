"""What a plan is of: the profile, its records, and the changes that options make."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tools.files.errors import UserError
from tools.planning.load import FULL
from tools.planning.setup import Changes, read_setup
from tools.settings.contest import read_contest
from tools.settings.native import read_finetune
from tools.settings.profile import CONFIGS

RULES = read_contest()


def setup(profile="smollm2-135m", budget="quick", recipe="plain", changes=None, **more):
    more = {"cards": None, "hbm": None, **more}
    return read_setup(profile, budget, recipe, rules=RULES, changes=changes or Changes(), **more)


def summary(folder: Path, **values) -> Path:
    records = folder / "train.mindrecord"
    records.write_bytes(b"")
    (folder / "train.mindrecord.json").write_text(json.dumps(values))
    return records


def test_a_profile_on_the_cpu() -> None:
    found = setup()
    assert (found.rows, found.epochs, found.checkpoints) == (344, 1, 5)
    assert (found.squad, found.valid, found.math, found.decode_batch) == (24, 28, 100, 32)
    assert found.new_tokens == {"squad": 20, "math": 56}
    assert found.load.device == "CPU" and found.load.outputs == 1
    assert found.config == "configs/smollm2-135m/finetune.yaml"
    assert any("packed" in note for note in found.notes)


def test_the_contests_profile_has_all_its_questions() -> None:
    found = setup("llama3-8b", "full", cards=4)
    assert (found.squad, found.rows, found.epochs) == (2067, 90_000, 5)
    assert (found.load.cards, found.load.device, found.notes) == (4, "Ascend", [])


def test_the_embedded_reading_set_is_counted() -> None:
    reading = json.loads((CONFIGS.parent / "material/embedded/reading.json").read_text("utf-8"))
    paragraphs = sum(len(article["paragraphs"]) for article in reading["data"])
    assert setup(budget="night", recipe="night-1").squad == paragraphs


def test_a_recipe_has_its_lengths() -> None:
    found = setup(recipe="worked")
    assert (found.load.length, found.new_tokens["math"]) == (608, 544)


def test_records_tell_rows_and_labels(tmp_path: Path) -> None:
    records = summary(tmp_path, rows=87, seq_length=256, most_labels=90)
    found = setup(records=records)
    # Rounded up to 16 as training does.
    assert (found.rows, found.load.outputs, found.notes) == (87, 96 / 256, [])


@pytest.mark.parametrize(
    "values, text",
    [
        ({"rows": 87, "seq_length": 512}, "made with seq_length 512, the plan has 256"),
        ({"rows": "87", "seq_length": 256}, "rows is '87'"),
        ({"rows": 0, "seq_length": 256}, "rows is 0"),
        ({"rows": True, "seq_length": 256}, "rows is True"),
        ({"seq_length": 256}, "lacks rows"),
    ],
)
def test_records_that_do_not_fit(tmp_path: Path, values: dict, text: str) -> None:
    with pytest.raises(UserError) as caught:
        setup(records=summary(tmp_path, **values))
    assert text in str(caught.value) and "train.mindrecord.json" in str(caught.value)


def test_options_take_the_place_of_the_config() -> None:
    changes = Changes(batch=3, length=128, rank=32, recompute=FULL, model_parallel=2, rows=77)
    found = setup("llama3-8b", cards=4, changes=changes)
    load = found.load
    assert (load.batch, load.length, load.recompute, load.model_parallel) == (3, 128, FULL, 2)
    assert (load.slice_inputs, load.whole_vocab, load.data_parallel) == (True, True, 2)
    assert (load.lora.rank, load.lora.scaling, found.rows) == (32, 2.0, 77)


def test_another_yaml_in_the_place_of_the_profiles(tmp_path: Path) -> None:
    native = read_finetune(CONFIGS / "llama3-8b" / "finetune.yaml")
    native["runner_config"].update(batch_size=5, epochs=7)
    native["model"]["model_config"]["pet_config"]["lora_rank"] = 12
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(native))
    found = setup("llama3-8b", finetune=path)
    assert (found.load.batch, found.epochs, found.load.lora.rank) == (5, 7, 12)
    assert found.config == str(path)


def test_rows_that_only_the_data_tells(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    (configs / "recipes").mkdir(parents=True)
    (configs / "own").mkdir()
    (configs / "recipes" / "plain.yaml").write_text("about: no counts\n")
    profile = yaml.safe_load((CONFIGS / "tiny" / "profile.yaml").read_text())
    profile["budgets"]["quick"]["corpus"]["train"] = None
    (configs / "own" / "profile.yaml").write_text(yaml.safe_dump(profile))
    text = (CONFIGS / "tiny" / "finetune.yaml").read_text()
    (configs / "own" / "finetune.yaml").write_text(text)
    with pytest.raises(UserError, match="--rows: how many training rows there are"):
        setup("own", configs=configs)
    assert setup("own", configs=configs, changes=Changes(rows=9)).rows == 9


@pytest.mark.parametrize(
    "words, text",
    [
        ({"profile": "none"}, "no such profile 'none'"),
        ({"budget": "none"}, "no such budget 'none'"),
        ({"recipe": "none"}, "no such recipe 'none'"),
        ({"profile": "llama3-8b", "cards": 4, "changes": Changes(model_parallel=3)}, "divide"),
    ],
)
def test_faults(words: dict, text: str) -> None:
    with pytest.raises(UserError, match=text):
        setup(**words)


def test_the_memory_of_a_card_brings_what_the_profile_knows_of_it() -> None:
    small, large = (setup("llama3-8b", hbm=float(size)) for size in (32, 64))
    assert (small.load.batch, large.load.batch) == (8, 16)
    assert small.notes == large.notes == []
    (note,) = setup("llama3-8b", hbm=48.0).notes
    assert note == "the profile has no cards of 48 GB: batch and recompute as for 32"
    assert setup("llama3-8b", hbm=48.0).load == setup("llama3-8b").load == small.load
