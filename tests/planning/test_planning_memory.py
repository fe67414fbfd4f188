"""Memory by term: against numbers worked out by hand, and how it grows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.llama.lora import LoraConfig
from tools.planning.load import FULL, NONE, SELECTIVE
from tools.planning.memory import (
    activations,
    cache_bytes,
    decoding_terms,
    layer_bytes,
    logits,
    training_terms,
    weights,
)
from tools.planning.speed import profile_load
from tools.settings.measured import read_measured

AROUND = read_measured().around["Ascend"]
# LLaMA3-8B.
H, F, V, KV, LAYERS, HEADS = 4096, 14336, 128256, 1024, 32, 32
MATRICES = LAYERS * (2 * H * H + 2 * H * KV + 3 * H * F)
NORMS = (2 * LAYERS + 1) * H


def test_weights_of_one_card_are_those_of_the_checkpoint(loads) -> None:
    # 16-bit matrices and float32 norms; MindFormers builds 8 029 995 008 and 266 240 of them.
    assert NORMS == 266_240 and MATRICES + 2 * V * H == 8_029_995_008
    assert weights(loads.alone) == 2 * 8_029_995_008 + 4 * NORMS


def test_a_split_model_has_its_vocabulary_whole_on_each_card(loads) -> None:
    assert weights(loads.split) == 2 * (MATRICES / 4 + 2 * V * H) + 4 * NORMS
    shared = replace(loads.split, whole_vocab=False)
    assert weights(shared) == 2 * (MATRICES + 2 * V * H) / 4 + 4 * NORMS


def test_what_a_layer_keeps_of_a_position(loads) -> None:
    norms, lora, qkv, attended, statistics = 2 * 4 * H, 2 * H, 2 * (H + 2 * KV), 2 * H, 64 * HEADS
    gates = 3 * 2 * F
    kept = norms + lora + qkv + attended + statistics + gates
    assert layer_bytes(loads.alone, NONE) == kept
    assert layer_bytes(loads.alone, SELECTIVE) == kept - 2 * F
    # Korthikanti et al., 2022: with full recomputation a layer keeps its input alone, 2 s b h.
    assert layer_bytes(loads.alone, FULL) == 2 * H


def test_scores_are_kept_without_flash_attention(loads) -> None:
    plain = replace(loads.alone, flash=False)
    more = layer_bytes(plain, NONE) - layer_bytes(loads.alone, NONE)
    # float32 and 16-bit scores over 512 others, keys and values repeated from 8 heads to 32.
    assert more == HEADS * 512 * (4 + 2) + 2 * 2 * (H - KV) - 64 * HEADS
    assert layer_bytes(plain, SELECTIVE) == layer_bytes(plain, NONE) - HEADS * 512 * 6 - 2 * F


@pytest.mark.parametrize(
    "targets, more",
    [
        (".*wq", 2 * H),
        (".*wq|.*wk|.*wv", 2 * H),
        (".*wo", 0),
        (".*w1|.*w3", 2 * H),
        (".*w2", 2 * F),
        (".*wq|.*w1|.*w2", 2 * H + 2 * H + 2 * F),
    ],
)
def test_only_adapted_matrices_need_their_input(loads, targets: str, more: int) -> None:
    least = replace(loads.alone, lora=LoraConfig(8, 16.0, ".*wo"))
    load = replace(loads.alone, lora=LoraConfig(8, 16.0, targets))
    assert layer_bytes(load, NONE) - layer_bytes(least, NONE) == more


def test_activations_are_the_layers_and_one_layers_work(loads) -> None:
    alone = loads.alone
    one = layer_bytes(alone, NONE)
    assert activations(alone) == 2048 * (LAYERS * 2 * H + 2 * one)
    assert activations(replace(alone, recompute=NONE)) == 2048 * (LAYERS * one + one)
    assert activations(loads.split) == 16384 * (
        LAYERS * 2 * H / 4 + 2 * layer_bytes(loads.split, NONE)
    )


def test_logits(loads) -> None:
    assert logits(loads.alone) == 2048 * V * (2 + 16)
    assert logits(loads.split) == 16384 * V * (2 + 16 / 4)
    assert logits(replace(loads.split, whole_vocab=False)) == 16384 * V * (2 + 16) / 4
    cpu = loads.cpu
    assert logits(replace(cpu, outputs=0.25)) == cpu.tokens * 0.25 * 49152 * 16


def test_states_are_shared_only_between_shares_of_the_data(loads, measured) -> None:
    around = measured.around["Ascend"]
    load = replace(loads.alone, cards=4, share_states=True)
    assert training_terms(loads.alone, around)["optimiser"] == 8 * 3_407_872
    assert training_terms(load, around)["optimiser"] == 2 * 3_407_872
    split = replace(loads.split, share_states=True)
    assert training_terms(split, around)["optimiser"] == 8 * 3_407_872


def test_terms_by_device(loads, measured) -> None:
    on_card = ["base weights", "LoRA weights", "gradients", "optimiser", "activations"]
    on_card.append("logits and loss")
    assert list(training_terms(loads.alone, measured.around["Ascend"])) == on_card
    assert list(training_terms(loads.cpu, measured.around["CPU"])) == [*on_card, "process"]
    decoding = ["weights", "key-value cache", "prefill", "logits"]
    assert list(decoding_terms(loads.alone, measured.around["Ascend"], 8, 186)) == decoding
    cpu = decoding_terms(loads.cpu, measured.around["CPU"], 8, 186)
    assert list(cpu) == [*decoding, "process"]


def test_the_key_value_cache(loads) -> None:
    # 2 x 32 layers x 8 heads x 128 x 2 bytes: 128 KiB a position, 1 GiB at 8192.
    assert cache_bytes(loads.alone, 1, 1) == 131_072
    assert cache_bytes(loads.alone, 1, 8192) == 1 << 30
    assert cache_bytes(loads.cpu, 3, 5) == 2 * 30 * 3 * 64 * 4 * 15


@given(
    batch=st.integers(1, 64),
    length=st.integers(16, 4096),
    rank=st.integers(1, 128),
    split=st.booleans(),
)
def test_more_of_anything_takes_more_and_recomputing_less(batch, length, rank, split) -> None:
    load = replace(
        profile_load("llama3-8b"),
        batch=batch,
        length=length,
        lora=LoraConfig(rank, 2.0 * rank, ".*wq|.*wv"),
        cards=4 if split else 1,
        model_parallel=4 if split else 1,
    )

    def size(**changes) -> float:
        return sum(training_terms(replace(load, **changes), AROUND).values())

    ways = [size(recompute=way) for way in (NONE, SELECTIVE, FULL)]
    assert ways[0] > ways[1] > ways[2] > 0
    assert size(batch=batch + 1) > size() and size(length=length + 1) > size()
    assert size(lora=LoraConfig(rank + 1, 2.0 * rank, ".*wq|.*wv")) > size()
