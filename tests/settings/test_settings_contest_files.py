"""The contest's configs: committed as they are made, each with what it is for."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tools.files.errors import UserError
from tools.packaging.config_check import check_configs
from tools.settings.contest import read_contest
from tools.settings.contest_files import contest_files, laid_over, write_contest_files
from tools.settings.profile import CONFIGS
from tools.settings.stacks import CONTEST
from tools.training.inputs import count_steps

FOLDER = CONFIGS / "llama3-8b" / "contest"
MADE = contest_files("llama3-8b")
PARSED = {name: yaml.safe_load(text) for name, text in MADE.items()}
TRAININGS = [name for name in MADE if name.startswith(("finetune", "baseline"))]


def test_the_committed_files_are_those_that_are_made() -> None:
    assert {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()} == MADE


def test_they_are_good_in_the_contests_vocabulary() -> None:
    assert check_configs([FOLDER], CONTEST) == (len(MADE), [])


def test_which_files_there_are() -> None:
    assert set(MADE) == {
        *(f"finetune-{cards}x{size}.yaml" for cards in (4, 8) for size in (32, 64)),
        "baseline-4.yaml",
        "baseline-8.yaml",
        "squad.yaml",
        "math.yaml",
    }


@pytest.mark.parametrize("name", TRAININGS)
def test_cards_rows_and_checkpoints_agree(name: str) -> None:
    config, cards = PARSED[name], int(re.findall(r"-(\d)", name)[0])
    parallel = config["parallel_config"]
    assert parallel["data_parallel"] * parallel["model_parallel"] == cards
    assert config["use_parallel"] and not config["only_save_strategy"]
    batch = config["train_dataset"]["batch_size"]
    assert {
        config["runner_config"]["batch_size"],
        config["model"]["model_config"]["batch_size"],
    } == {batch}
    assert config["train_dataset_task"]["dataset_config"] == config["train_dataset"]
    (saver,) = (c for c in config["callbacks"] if c["type"] == "CheckpointMointor")
    # Told apart from the launcher's count, which stands in a storey above.
    steps = count_steps(90000, batch, parallel["data_parallel"], 5)
    wanted = read_contest().checkpoints
    assert steps // saver["save_checkpoint_steps"] == wanted == saver["keep_checkpoint_max"]


def test_the_baseline_is_the_organisers() -> None:
    """Read off their file in the contest's archive (entry 九毛一斤的瓜大队)."""
    config = PARSED["baseline-4.yaml"]
    assert config["lr_schedule"] == {
        "type": "CosineWithWarmUpLR",
        "learning_rate": 1e-5,
        "lr_end": 0.0,
        "warmup_ratio": 0.03,
        "total_steps": -1,
    }
    assert config["optimizer"]["beta2"] == 0.95
    assert config["train_dataset"]["batch_size"] == 64
    assert config["runner_config"] == {
        "epochs": 5,
        "batch_size": 64,
        "sink_mode": True,
        "sink_size": 2,
    }
    pet = config["model"]["model_config"]["pet_config"]
    assert (pet["lora_rank"], pet["lora_alpha"], pet["lora_dropout"]) == (8, 16, 0.05)
    assert pet["target_modules"] == ".*wq|.*wv"
    assert config["parallel"]["parallel_mode"] == 1 and config["parallel"]["full_batch"]
    assert config["context"]["max_device_memory"] == "26GB"


def test_an_evaluation_is_of_a_merged_model_and_greedy() -> None:
    for name, length, metric in (("squad.yaml", 20, "EmF1Metric"), ("math.yaml", 128, None)):
        config, model = PARSED[name], PARSED[name]["model"]["model_config"]
        assert "pet_config" not in model and model["do_sample"] is False
        assert (model["max_new_tokens"], model["min_new_tokens"]) == (length, 1)
        assert config.get("metric", {}).get("type") == metric
        assert config["processor"]["tokenizer"]["model_max_length"] == model["seq_length"]
        assert not config["use_parallel"] and "merged" in config["load_checkpoint"]
    assert PARSED["squad.yaml"]["eval_dataset_task"]["dataset_config"]["batch_size"] == 1


def test_a_value_is_written_once(tmp_path: Path) -> None:
    """What the profile and finetune.yaml say is in every file that it concerns."""
    configs = shutil.copytree(CONFIGS, tmp_path / "configs")
    for name, old, new in (
        ("finetune.yaml", "lora_rank: 8", "lora_rank: 16"),
        ("profile.yaml", "train: 90000", "train: 40000"),
        ("profile.yaml", "math: 128", "math: 300"),
    ):
        path = configs / "llama3-8b" / name
        text = path.read_text("utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), "utf-8")
    names = write_contest_files("llama3-8b", tmp_path / "made", configs)
    assert set(names) == {path.name for path in (tmp_path / "made").iterdir()} == set(MADE)
    made = {name: yaml.safe_load((tmp_path / "made" / name).read_text("utf-8")) for name in names}
    for name in TRAININGS:
        assert made[name]["model"]["model_config"]["pet_config"]["lora_rank"] == 16
        saved = made[name]["callbacks"][-1]["save_checkpoint_steps"]
        assert saved < PARSED[name]["callbacks"][-1]["save_checkpoint_steps"]
    assert made["math.yaml"]["model"]["model_config"]["max_new_tokens"] == 300


def test_laid_over() -> None:
    below = {"a": {"b": 1, "c": 2}, "d": [1], "e": 3}
    changes = {"a": {"c": 4, "f": 5}, "d": [2], "e": None}
    assert laid_over(below, changes) == {"a": {"b": 1, "c": 4, "f": 5}, "d": [2]}
    assert below == {"a": {"b": 1, "c": 2}, "d": [1], "e": 3}


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trains on the CPU"):
        contest_files("tiny")
    configs = shutil.copytree(CONFIGS, tmp_path / "configs")
    variants = configs / "llama3-8b" / "variants.yaml"
    for text, what in (("a: [", "not valid YAML"), ("a: 1", "lacks a section of baseline")):
        variants.write_text(text, "utf-8")
        with pytest.raises(UserError, match=what):
            contest_files("llama3-8b", configs)
    variants.unlink()
    with pytest.raises(UserError, match="no such file"):
        contest_files("llama3-8b", configs)


@pytest.mark.parametrize(("name", "given"), [("math.yaml", True), ("squad.yaml", False)])
def test_prediction_is_given_its_data(name: str, given: bool) -> None:
    """squad.yaml names its data set; run_mindformer.py has none for a prediction."""
    assert ("--predict_data " in MADE[name]) == given == ("eval_dataset" not in PARSED[name])
