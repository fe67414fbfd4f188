"""Memory by term against numbers worked out by hand and measured; whether it fits; remedies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import CheckFailed, UserError
from tools.llama.lora import LoraConfig
from tools.planning.hours import load_of
from tools.planning.load import profile_load
from tools.planning.memory import (
    GIB,
    MARGIN,
    Limit,
    activations,
    cache_bytes,
    decoding_terms,
    layer_bytes,
    limit_of,
    logits,
    refusal,
    smaller,
    training_gib,
    training_terms,
    weights,
)
from tools.settings.measured import read_measured

AROUND = read_measured().around["Ascend"]
POINTS = yaml.safe_load(Path(__file__).with_name("measured_memory.yaml").read_text("utf-8"))
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


def test_what_a_layer_keeps_of_a_position(loads) -> None:
    norms, lora, qkv, attended, statistics = 2 * 4 * H, 2 * H, 2 * (H + 2 * KV), 2 * H, 64 * HEADS
    gates = 3 * 2 * F
    kept = norms + lora + qkv + attended + statistics + gates
    assert layer_bytes(loads.alone, False) == kept
    # Korthikanti et al., 2022: with full recomputation a layer keeps its input alone, 2 s b h.
    assert layer_bytes(loads.alone, True) == 2 * H


def test_scores_are_kept_without_flash_attention(loads) -> None:
    plain = replace(loads.alone, flash=False)
    more = layer_bytes(plain, False) - layer_bytes(loads.alone, False)
    # float32 and 16-bit scores over 512 others, keys and values repeated from 8 heads to 32.
    assert more == HEADS * 512 * (4 + 2) + 2 * 2 * (H - KV) - 64 * HEADS


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
    assert layer_bytes(load, False) - layer_bytes(least, False) == more


def test_activations_are_the_layers_and_one_layers_work(loads) -> None:
    alone = loads.alone
    one = layer_bytes(alone, False)
    assert activations(alone) == 2048 * (LAYERS * 2 * H + 2 * one)
    assert activations(replace(alone, recompute=False)) == 2048 * (LAYERS * one + one)
    assert activations(loads.split) == 16384 * (
        LAYERS * 2 * H / 4 + 2 * layer_bytes(loads.split, False)
    )


def test_logits(loads) -> None:
    assert logits(loads.alone) == 2048 * V * (2 + 16)
    assert logits(loads.split) == 16384 * V * (2 + 16 / 4)
    cpu = loads.cpu
    assert logits(replace(cpu, outputs=0.25)) == cpu.tokens * 0.25 * 49152 * 16


def test_the_optimiser_keeps_two_moments_on_each_card(loads, measured) -> None:
    for load in (loads.alone, loads.split):
        assert training_terms(load, measured.around["Ascend"])["optimiser"] == 8 * 3_407_872


def test_terms_by_device(loads, measured) -> None:
    on_card = ["base weights", "LoRA weights", "gradients", "optimiser", "activations"]
    on_card.append("logits and loss")
    assert list(training_terms(loads.alone, measured.around["Ascend"])) == on_card
    assert list(training_terms(loads.cpu, measured.around["CPU"])) == [*on_card, "process"]
    decoding = ["base weights", "key-value cache", "activations", "logits and loss"]
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

    assert size(recompute=False) > size(recompute=True) > 0
    assert size(batch=batch + 1) > size() and size(length=length + 1) > size()
    assert size(lora=LoraConfig(rank + 1, 2.0 * rank, ".*wq|.*wv")) > size()


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point["name"])
def test_the_formula_against_what_is_known_of_trainings(measured, point: dict) -> None:
    given = {"model_parallel": 1, "outputs": 1.0, **point}
    load = load_of(SimpleNamespace(**given), point["batch"])
    size = sum(training_terms(load, measured.around[load.device]).values()) / GIB
    if "fits_gib" in point:
        assert 0.6 * point["fits_gib"] < size <= point["fits_gib"]
    else:
        assert size == pytest.approx(point["peak_gib"], rel=0.02)


def stages(load, around, batch: int = 8, positions: int = 186):
    decoding = decoding_terms(load, around, batch, positions)
    return {
        "training": training_gib(load, around),
        "decoding": {name: size / GIB for name, size in decoding.items()},
    }


def needed(load, around) -> float:
    return sum(training_gib(load, around).values())


@pytest.mark.parametrize(
    "hbm, most, usable",
    [
        (32, None, 26),  # as the organisers' max_device_memory of 32 GB cards
        (64, None, 58),  # and of 64 GB cards, 肆拾加贰's README
        (32, 26.0, 26),
        (32, 30.0, 30),
        (64, 26.0, 26),  # the framework takes no more, whatever the card has
        (32, 59.0, 26),  # more than there is
    ],
)
def test_limits_of_a_card(loads, measured, hbm, most, usable) -> None:
    limit = limit_of(replace(loads.alone, most_memory=most), hbm, measured.around["Ascend"])
    assert (limit.total, limit.usable) == (hbm, usable) and limit.why


def test_a_card_that_the_driver_fills(loads, measured) -> None:
    with pytest.raises(UserError, match="HBM: of 5 GiB nothing is left"):
        limit_of(loads.alone, 5, measured.around["Ascend"])


def test_the_whole_machine_may_be_used_on_the_cpu(loads, measured) -> None:
    assert limit_of(loads.cpu, 6.5, measured.around["CPU"]).usable == 6.5


def test_a_run_that_fits_is_not_refused(loads, measured) -> None:
    around = measured.around["Ascend"]
    limit = limit_of(loads.alone, 32, around)
    assert refusal(loads.alone, stages(loads.alone, around), limit, around) is None


def test_the_largest_term_and_a_remedy_are_named(loads, measured) -> None:
    around = measured.around["Ascend"]
    load = replace(loads.alone, recompute=False, batch=8)
    limit = limit_of(load, 32, around)
    failed = refusal(load, stages(load, around), limit, around)
    assert isinstance(failed, CheckFailed) and failed.exit_code == 1
    assert str(failed) == (
        "HBM: training needs 42.6 GiB, 26.0 may be used (6 GiB stay for driver, CANN and "
        "communication); the largest term is activations, 18.8 GiB; recompute fully, and take "
        "batch_size 4: 20.5 GiB"
    )


def test_recomputation_alone_is_named_where_it_is_enough(loads, measured) -> None:
    around = measured.around["Ascend"]
    load = replace(loads.alone, recompute=False)
    limit = limit_of(load, 32, around)
    text = str(refusal(load, stages(load, around), limit, around))
    assert text.endswith("recompute fully (recompute_config.recompute: True): 20.5 GiB")


def test_decoding_too_large(loads, measured) -> None:
    around = measured.around["Ascend"]
    limit = limit_of(loads.alone, 32, around)
    failed = refusal(loads.alone, stages(loads.alone, around, 64, 2048), limit, around)
    assert str(failed).startswith("HBM: decoding needs ")
    assert "the largest term is key-value cache, 16.0 GiB; decode fewer prompts" in str(failed)


def test_where_the_weights_alone_are_too_large_other_cards_are_advised(loads, measured) -> None:
    around = measured.around["Ascend"]
    load = replace(loads.alone, cards=1)
    failed = refusal(load, stages(load, around), Limit(16, 10, "why"), around)
    assert "the largest term is base weights, 15.0 GiB; take cards with more memory" in str(failed)
    four = replace(load, cards=4)
    failed = refusal(four, stages(four, around), Limit(16, 10, "why"), around)
    assert str(failed).endswith("split the model (model_parallel 4, batch_size 4): 7.1 GiB")


def test_workers_on_the_cpu_add_up(loads, measured) -> None:
    around = measured.around["CPU"]
    two = replace(loads.cpu, cards=2)
    assert needed(two, around) == pytest.approx(2 * needed(loads.cpu, around))
    limit = limit_of(two, 6.5, around)
    failed = refusal(two, stages(two, around), limit, around)
    assert str(failed).startswith("memory: training needs ")
    assert "take batch_size 1 and CARDS=1" in str(failed)
    assert "recompute" not in str(failed)


@given(
    batch=st.integers(1, 64),
    length=st.sampled_from([128, 256, 512, 1024, 2048]),
    way=st.booleans(),
    cards=st.sampled_from([1, 4, 8]),
)
def test_what_is_advised_fits(batch: int, length: int, way: str, cards: int) -> None:
    around = AROUND
    load = replace(
        profile_load("llama3-8b"), batch=batch, length=length, recompute=way, cards=cards
    )
    limit = limit_of(load, 32, around)
    failed = refusal(load, stages(load, around), limit, around)
    assert (failed is None) == (needed(load, around) <= limit.usable)
    if failed:
        words, size = str(failed).rsplit(": ", 1)
        assert float(size.split()[0]) <= (1 - MARGIN) * limit.usable
        advised = {text: needed(changed, around) for text, changed in smaller(load)}
        assert any(
            words.endswith(text) and f"{gib:.1f} GiB" == size for text, gib in advised.items()
        )


def test_workers_on_cards_have_a_memory_each(loads, measured) -> None:
    around = measured.around["Ascend"]
    terms = training_terms(loads.alone, around)
    expected = {name: size / GIB for name, size in terms.items()}
    assert training_gib(replace(loads.alone, cards=4), around) == expected
