"""Operations by the usual rules, speeds from measured.yaml, and hours against what was told."""

from __future__ import annotations

import re
import statistics
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.planning.hours import (
    answering_seconds,
    attention,
    decoded_bytes,
    decoding_step,
    load_of,
    measured_seconds,
    prefill,
    prefill_speed,
    reading_speed,
    spread,
    step_seconds,
    training_rates,
    training_seconds,
    training_step,
)
from tools.planning.load import layer_matrices, profile_load

# LLaMA3-8B: all but embedding, norms and output; the output.
LAYERS, OUTPUT, ADAPTER = 6_979_321_856, 525_336_576, 3_407_872


def test_a_frozen_model_takes_four_operations_a_parameter_and_token(loads) -> None:
    assert layer_matrices(loads.alone.shape) == LAYERS
    load = replace(loads.alone, recompute=False)
    whole = training_step(load)
    attended = 3 * attention(load.shape, 512)
    assert whole == 2048 * (4 * (LAYERS + OUTPUT) + 6 * ADAPTER + attended)
    # The rule without attention and LoRA is 4 N: these add little at 512 tokens.
    assert whole / (2048 * 4 * (LAYERS + OUTPUT)) == pytest.approx(1, abs=0.03)


def test_recomputation_adds_one_forward_pass_of_the_layers(loads) -> None:
    less = training_step(replace(loads.alone, recompute=False))
    forward = 2048 * (2 * (LAYERS + ADAPTER) + attention(loads.alone.shape, 512))
    assert training_step(loads.alone) - less == forward


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
    assert decoded_bytes(loads.alone) == 2 * (LAYERS + OUTPUT)
    assert prefill(shape, 1) == 2 * LAYERS + 2 * OUTPUT + attention(shape, 1)
    # The output layer is computed at the last position alone.
    assert prefill(shape, 2) == 2 * (2 * LAYERS + attention(shape, 2)) + 2 * OUTPUT


def test_several_speeds_together() -> None:
    high, middle, low = spread([[1.0, 2.0], [4.0, 4.0]])
    assert (high, low) == (4.0, 1.0)
    assert middle == pytest.approx((4 * 4 * 1 * 2) ** 0.25)


def test_a_card_with_a_model_of_its_own_is_more_than_twice_as_fast(measured) -> None:
    rates = [training_rates(measured, "Ascend", way) for way in (False, True)]
    assert list(map(len, rates)) == [1, 4]
    alone, split = map(spread, rates)
    assert 2 < alone[1] / split[1] < 3
    assert split[2] <= split[1] <= split[0] < alone[2]
    # The same cards' prefill of 8192 positions lies where the one training alone does.
    assert alone[2] < prefill_speed(measured, "Ascend")[1] < alone[0]


def test_no_speed_is_above_what_the_maker_names(measured) -> None:
    for device in ("Ascend", "CPU"):
        peak = measured.around[device].peak_teraflops * 1e12
        assert prefill_speed(measured, device).max() < peak
        assert spread(training_rates(measured, device, False)).max() < peak
    reading = reading_speed(measured, "Ascend").max()
    assert reading < 1e9 * measured.around["Ascend"].peak_gigabytes


def test_a_device_without_a_training_of_the_kind(measured) -> None:
    with pytest.raises(UserError, match="no training on CPU with a model that is split"):
        training_rates(measured, "CPU", True)


def test_a_told_time_is_spread_over_the_steps(measured) -> None:
    (point,) = [point for point in measured.steps if point.name == "contest's baseline"]
    # 90 000 x 5 / 64, the last rows of an epoch dropped: 7030 steps.
    start = measured.around["Ascend"].start_seconds
    assert measured_seconds(point, measured) == [
        (5.5 * 3600 - start) / 7030,
        (6.5 * 3600 - start) / 7030,
    ]
    load = load_of(point, 64)
    assert (load.step_tokens, load.data_parallel) == (64 * 256, 1)
    assert training_step(load) / 4 / 2.9 == pytest.approx(6.3e13, rel=0.01)


def test_the_formula_is_near_every_measured_step(measured) -> None:
    for point in measured.steps:
        load = load_of(point, point.batch // (point.cards // point.model_parallel))
        told = statistics.mean(measured_seconds(point, measured))
        assert step_seconds(load, measured)[1] == pytest.approx(told, rel=0.1), point.name


@pytest.mark.parametrize("device, most", [("Ascend", 0.1), ("CPU", 0.21)])
def test_the_formulas_are_near_every_measured_decoding(measured, device: str, most) -> None:
    compute, read = prefill_speed(measured, device)[1], reading_speed(measured, device)[1]
    points = [p for p in measured.decoding if profile_load(p.profile).device == device]
    assert len(points) > 2
    for point in points:
        load = profile_load(point.profile)
        token = decoded_bytes(load) / read + point.batch * decoding_step(load.shape, 0) / compute
        assert token == pytest.approx(point.step_seconds, rel=most), point.name
        if point.padded:
            seconds = point.batch * prefill(load.shape, point.padded) / compute
            assert seconds == pytest.approx(point.prefill_seconds, rel=most), point.name


@pytest.mark.shared
def test_the_log_says_what_measured_yaml_says_of_it(measured, shared: Path) -> None:
    (point,) = [point for point in measured.steps if point.name == "LZMA, run-1"]
    log = (shared / "contest" / "train-worker_0.log").read_text("utf-8", errors="replace")
    times = [int(found) for found in re.findall(r"per_step_time: (\d+)ms", log)]
    # The graph is compiled in the first.
    assert statistics.median(times[1:]) / 1000 == point.step_seconds[0]


def test_the_contests_baseline_takes_the_six_hours_that_are_told(loads, measured) -> None:
    low, middle, high = training_seconds(loads.split, 7030, 5, measured)
    assert low < 6 * 3600 < high
    assert middle == pytest.approx(6 * 3600, rel=0.1)


def test_start_and_checkpoints_come_beside_the_steps(loads, measured) -> None:
    around = measured.around["Ascend"]
    fixed = around.start_seconds + 5 * around.save_seconds
    assert training_seconds(loads.alone, 0, 5, measured).tolist() == [fixed] * 3


def test_cards_share_a_model_or_the_data(loads, measured) -> None:
    def step(load, **changes):
        return step_seconds(replace(load, **changes), measured).tolist()

    # Four times the tokens in the same time, and the model shared by twice the cards in half of it.
    assert step(loads.alone, cards=4) == pytest.approx(step(loads.alone))
    two, four = step(loads.split, cards=2, model_parallel=2), step(loads.split)
    assert two == pytest.approx([2 * seconds for seconds in four])
    # Workers on the CPU share the machine.
    one = step(loads.cpu)
    assert step(loads.cpu, cards=2) == pytest.approx([2 * seconds for seconds in one])


def test_more_prompts_at_once_read_the_weights_less_often(loads, measured) -> None:
    one, eight = (answering_seconds(loads.alone, 64, 43, 128, n, measured)[1] for n in (1, 8))
    assert 6 < one / eight < 8
    # A batch is never larger than what there is to answer.
    eight, five = (answering_seconds(loads.alone, 5, 43, 20, n, measured) for n in (8, 5))
    assert (eight == five).all()


def test_one_row_is_bound_by_reading_the_weights(loads, measured) -> None:
    longer, shorter = (answering_seconds(loads.alone, 1, 43, n, 1, measured) for n in (101, 1))
    # The logs of four evaluations: 29 to 33 ms.
    assert (longer[1] - shorter[1]) / 100 == pytest.approx(0.031, rel=0.03)


@pytest.mark.shared
def test_the_contests_own_evaluation(loads, measured, shared: Path) -> None:
    line = re.compile(r"([\d-]+ [\d:]+),(\d+) - .*total time: [\d.]+ s; generated tokens: (\d+)")
    text = (shared / "contest" / "base-squad-eval.log").read_text("utf-8", errors="replace")
    calls = [match.groups() for match in map(line.search, text.splitlines()) if match]
    assert len(calls) == 2067
    first, last = (
        datetime.fromisoformat(call[0]).timestamp() + int(call[1]) / 1000
        for call in (calls[0], calls[-1])
    )
    new = sum(int(call[2]) for call in calls[1:]) / (len(calls) - 1)
    # Its prefill computes 8192 positions whatever the prompt.
    formula = answering_seconds(loads.alone, 2066, 8192, round(new), 1, measured)
    assert formula[1] == pytest.approx(last - first, rel=0.08)
