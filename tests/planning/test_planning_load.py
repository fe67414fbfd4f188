"""What is read from a MindFormers YAML, the contest's form and ours; faults name their key."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tools.files.errors import UserError
from tools.planning.load import FULL, NONE, SELECTIVE, read_load
from tools.settings.native import read_finetune
from tools.settings.profile import CONFIGS

PATH = CONFIGS / "llama3-8b" / "finetune.yaml"
# The contest's configs differ from ours in these keys (archive, run_llama3_8b_8k_800T_A2_64G_
# lora_dis_256.yaml).
CONTEST = {
    "runner_config.batch_size": 64,
    "train_dataset.batch_size": 1,
    "parallel_config.data_parallel": 1,
    "parallel_config.model_parallel": 4,
    "parallel_config.vocab_emb_dp": True,
    "parallel": {"enable_parallel_optimizer": True},
    "recompute_config": {
        "recompute": True,
        "select_recompute": False,
        "recompute_slice_activation": True,
    },
    "context.max_device_memory": "26GB",
    "model.model_config.pet_config.param_init_type": None,
}


@pytest.fixture
def native() -> dict[str, Any]:
    return copy.deepcopy(read_finetune(PATH))


def change(native: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    for key, value in values.items():
        *path, last = key.split(".")
        section = native
        for step in path:
            section = section[step]
        section[last] = value
    return native


def test_the_contests_form(native: dict[str, Any]) -> None:
    load = read_load(change(native, CONTEST), "x.yaml", 4)
    assert (load.cards, load.model_parallel, load.data_parallel) == (4, 4, 1)
    # The runner's batch counts, not the dataset's.
    assert (load.batch, load.length, load.tokens, load.step_tokens) == (64, 256, 16384, 16384)
    assert (load.recompute, load.slice_inputs, load.whole_vocab) == (FULL, True, True)
    assert (load.share_states, load.most_memory, load.flash) == (True, 26.0, True)
    assert (load.weight, load.compute, load.norm, load.softmax, load.adapter) == (2, 2, 4, 4, 2)
    assert (load.device, load.lora.rank, load.lora.targets) == ("Ascend", 8, ".*wq|.*wv")


def test_shares_of_the_data_multiply_the_tokens(native: dict[str, Any]) -> None:
    values = {"runner_config.batch_size": 8, "recompute_config": {}, "parallel_config": {}}
    load = read_load(change(native, values), "x.yaml", 8)
    assert (load.model_parallel, load.data_parallel, load.step_tokens) == (1, 8, 8 * 8 * 256)
    # Nothing is split: nothing is sliced, and no vocabulary lies whole beside split layers.
    assert (load.recompute, load.slice_inputs, load.whole_vocab) == (NONE, False, False)


@pytest.mark.parametrize(
    "section, expected",
    [
        ({"recompute": True}, FULL),
        ({"recompute": True, "select_recompute": True}, SELECTIVE),
        ({"recompute": False, "select_recompute": True}, SELECTIVE),
        ({"recompute": False}, NONE),
        (None, NONE),
    ],
)
def test_recomputation(native: dict[str, Any], section: Any, expected: str) -> None:
    assert read_load(change(native, {"recompute_config": section}), "x", 1).recompute == expected


def test_interleaved_parts_each_have_a_batch(native: dict[str, Any]) -> None:
    values = {"micro_batch_interleave_num": 2, "runner_config.batch_size": 3}
    assert read_load(change(native, values), "x", 1).batch == 6


@pytest.mark.parametrize(
    "values, cards, text",
    [
        ({"model.model_config.pet_config": None}, 4, "pet_config"),
        ({"parallel_config.model_parallel": 3}, 4, "model_parallel 3 does not divide 4 cards"),
        ({"parallel_config.model_parallel": "4"}, 4, "model_parallel is '4'"),
        ({"parallel_config.model_parallel": True}, 4, "model_parallel is True"),
        ({"parallel_config.pipeline_stage": 2}, 4, "pipeline_stage over 1"),
        ({"recompute_config": {"recompute": [3, 5]}}, 4, "recompute is [3, 5]"),
        ({"recompute_config": True}, 4, "recompute_config is no section"),
        ({"model.model_config.compute_dtype": "int8"}, 4, "compute_dtype is 'int8'"),
        ({"context.max_device_memory": "26"}, 4, "max_device_memory is '26'"),
        ({"context.max_device_memory": "0GB"}, 4, "max_device_memory is '0GB'"),
        ({"runner_config.batch_size": 0}, 4, "batch_size is 0"),
        ({"micro_batch_interleave_num": 0}, 4, "micro_batch_interleave_num is 0"),
    ],
)
def test_faults(native: dict[str, Any], values: dict[str, Any], cards: int, text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_load(change(native, values), "x.yaml", cards)
    assert text in str(caught.value) and str(caught.value).startswith("x.yaml: ")
