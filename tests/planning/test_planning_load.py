"""What is read from a MindFormers YAML, the contest's form and ours; faults name their key."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.llama.lora import LoraConfig
from tools.llama.shape import LlamaShape
from tools.planning.load import adapter_sizes, layer_matrices, read_load
from tools.settings.native import read_finetune
from tools.settings.profile import CONFIGS

PATH = CONFIGS / "llama3-8b" / "finetune.yaml"


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


def test_the_contests_form() -> None:
    load = read_load(read_finetune(PATH.parent / "contest" / "baseline-4.yaml"), "x.yaml", 4)
    assert (load.cards, load.model_parallel, load.data_parallel) == (4, 4, 1)
    assert (load.batch, load.length, load.tokens, load.step_tokens) == (64, 256, 16384, 16384)
    assert (load.recompute, load.most_memory, load.flash) == (True, 26.0, True)
    assert (load.device, load.lora.rank, load.lora.targets) == ("Ascend", 8, ".*wq|.*wv")
    assert load.compute == 2


def test_shares_of_the_data_multiply_the_tokens(native: dict[str, Any]) -> None:
    load = read_load(change(native, {"recompute_config": {}, "parallel_config": {}}), "x.yaml", 8)
    assert (load.model_parallel, load.data_parallel, load.step_tokens) == (1, 8, 8 * 8 * 256)
    assert (load.weight, load.compute, load.recompute) == (2, 2, False)


@pytest.mark.parametrize(
    "section, expected",
    [({"recompute": True}, True), ({"recompute": False}, False), ({}, False), (None, False)],
)
def test_recomputation(native: dict[str, Any], section: Any, expected: bool) -> None:
    load = read_load(change(native, {"recompute_config": section}), "x", 1)
    assert load.recompute is expected


@pytest.mark.parametrize(
    "values, text",
    [
        ({"model.model_config.pet_config": None}, "pet_config"),
        ({"parallel_config.model_parallel": 3}, "model_parallel 3 does not divide 4 cards"),
        ({"parallel_config.pipeline_stage": 2}, "pipeline_stage over 1"),
        ({"recompute_config": {"recompute": [3, 5]}}, "recomputation of some layers"),
        ({"recompute_config": {"select_recompute": True}}, "recomputation of some layers"),
        ({"model.model_config.compute_dtype": "int8"}, "compute_dtype is 'int8'"),
        ({"model.model_config.param_init_type": None}, "param_init_type is None"),
    ],
)
def test_faults(native: dict[str, Any], values: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_load(change(native, values), "x.yaml", 4)
    assert text in str(caught.value) and str(caught.value).startswith("x.yaml: ")


@st.composite
def shapes(draw) -> LlamaShape:
    heads = draw(st.sampled_from([1, 2, 4, 8]))
    return LlamaShape(
        num_layers=draw(st.integers(1, 4)),
        hidden_size=heads * draw(st.sampled_from([8, 16])),
        intermediate_size=draw(st.integers(1, 90)),
        num_heads=heads,
        n_kv_heads=draw(st.sampled_from([n for n in (1, 2, 4, 8) if heads % n == 0])),
        vocab_size=draw(st.integers(3, 500)),
        theta=1e4,
        rms_norm_eps=1e-5,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )


@given(shape=shapes(), rank=st.integers(1, 9))
def test_sizes_add_up_and_lora_grows_with_its_rank(shape: LlamaShape, rank: int) -> None:
    hidden, key_value = shape.hidden_size, shape.n_kv_heads * shape.head_dim
    norms = (2 * shape.num_layers + 1) * hidden
    assert layer_matrices(shape) + 2 * shape.vocab_size * hidden + norms == shape.count()
    assert adapter_sizes(shape, LoraConfig(rank, 1.0, ".*wk|.*w2")) == {
        "attention.wk": shape.num_layers * rank * (hidden + key_value),
        "feed_forward.w2": shape.num_layers * rank * (hidden + shape.intermediate_size),
    }
    assert adapter_sizes(shape, LoraConfig(rank, 1.0, "none")) == {}
