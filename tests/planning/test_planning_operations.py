"""Operations against the usual rules: 6 N D of a full training, 2 N of a forward pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.planning.load import FULL, NONE, SELECTIVE
from tools.planning.operations import attention, decoding_step, prefill, training_step
from tools.planning.sizes import sizes_of

# LLaMA3-8B: all but embedding, norms and output; the output.
LAYERS, OUTPUT = 6_979_321_856, 525_336_576


def test_matrices_of_the_contests_model(loads) -> None:
    shape = loads.alone.shape
    assert sizes_of(shape) == (LAYERS, OUTPUT, OUTPUT, 266_240)
    assert sum(sizes_of(shape)) == shape.count()


def test_a_frozen_model_takes_four_operations_a_parameter_and_token(loads) -> None:
    load = replace(loads.alone, recompute=NONE)
    whole = training_step(load)
    adapter = 3_407_872
    attended = 3 * attention(load.shape, 512)
    assert whole == 2048 * (4 * (LAYERS + OUTPUT) + 6 * adapter + attended)
    # The rule without attention and LoRA is 4 N: these add little at 512 tokens.
    assert whole / (2048 * 4 * (LAYERS + OUTPUT)) == pytest.approx(1, abs=0.03)


def test_recomputation_adds_one_forward_pass_of_the_layers(loads) -> None:
    step = {
        way: training_step(replace(loads.alone, recompute=way)) for way in (NONE, SELECTIVE, FULL)
    }
    forward = 2048 * (2 * (LAYERS + 3_407_872) + attention(loads.alone.shape, 512))
    assert step[FULL] - step[NONE] == forward
    # Elementwise operations are not counted.
    assert step[SELECTIVE] == step[NONE]
    plain = replace(loads.alone, flash=False)
    more = training_step(replace(plain, recompute=SELECTIVE)) - training_step(
        replace(plain, recompute=NONE)
    )
    assert more == 2048 * attention(plain.shape, 512)


def test_outputs_count_where_they_are_computed(loads) -> None:
    whole, half = (training_step(replace(loads.cpu, outputs=share)) for share in (1.0, 0.5))
    assert whole - half == loads.cpu.tokens * 0.5 * 4 * 49152 * 576


def test_all_cards_together(loads) -> None:
    four = replace(loads.alone, cards=4)
    assert training_step(four) == 4 * training_step(loads.alone)
    split = replace(loads.alone, cards=4, model_parallel=4)
    assert training_step(split) == training_step(loads.alone)


def test_decoding(loads) -> None:
    shape = loads.alone.shape
    assert decoding_step(shape, 0) == 2 * (LAYERS + OUTPUT)
    assert decoding_step(shape, 100) - decoding_step(shape, 0) == 4 * 32 * 4096 * 100
    assert prefill(shape, 1) == 2 * LAYERS + 2 * OUTPUT + attention(shape, 1)
    # The output layer is computed at the last position alone.
    assert prefill(shape, 2) == 2 * (2 * LAYERS + attention(shape, 2)) + 2 * OUTPUT
