"""Speeds from measured.yaml, and the error of every formula against every figure in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.planning.operations import training_step
from tools.planning.speed import (
    Residual,
    load_of_step,
    prefill_speed,
    reading_speed,
    residuals,
    speed_of,
    step_seconds,
    training_speed,
    worst,
)
from tools.planning.step_log import median_step


def test_speeds_together() -> None:
    speed = speed_of([[4.0], [1.0, 2.0]])
    assert (speed.low, speed.high, speed.count) == (1.0, 4.0, 2)
    # A figure with one rate counts as much as one with two.
    assert speed.middle == pytest.approx((4 * 4 * 1 * 2) ** 0.25)


def test_a_card_with_a_model_of_its_own_is_more_than_twice_as_fast(measured) -> None:
    alone, split = (training_speed(measured, "Ascend", way) for way in (False, True))
    assert (alone.count, split.count) == (1, 4)
    assert 2 < alone.middle / split.middle < 3
    assert split.low <= split.middle <= split.high < alone.low
    # The same cards' prefill of 8192 positions lies where the one training alone does.
    assert alone.low < prefill_speed(measured, "Ascend").middle < alone.high


def test_no_speed_is_above_what_the_maker_names(measured) -> None:
    for device in ("Ascend", "CPU"):
        peak = measured.around[device].peak_teraflops * 1e12
        assert prefill_speed(measured, device).high < peak
        assert training_speed(measured, device, False).high < peak
    assert reading_speed(measured, "Ascend").high < 1e9 * measured.around["Ascend"].peak_gigabytes


def test_a_device_without_a_training_of_the_kind(measured) -> None:
    with pytest.raises(UserError, match="no training on CPU with a model that is split"):
        training_speed(measured, "CPU", True)


def test_a_told_time_is_spread_over_the_steps(measured) -> None:
    (point,) = [point for point in measured.steps if point.name == "contest's baseline"]
    # 90 000 x 5 / 64, the last rows of an epoch dropped: 7030 steps.
    start = measured.around["Ascend"].start_seconds
    assert step_seconds(point, measured) == [
        (5.5 * 3600 - start) / 7030,
        (6.5 * 3600 - start) / 7030,
    ]
    load = load_of_step(point)
    assert (load.step_tokens, load.data_parallel) == (64 * 256, 1)
    assert training_step(load) / 4 / 2.9 == pytest.approx(6.3e13, rel=0.01)


@pytest.mark.parametrize("device, most", [("Ascend", 0.1), ("CPU", 0.21)])
def test_every_formula_is_near_every_figure(measured, device: str, most: float) -> None:
    found = residuals(measured, device)
    assert {residual.what for residual in found} >= {"step", "new token", "memory"}
    for residual in found:
        if residual.bound:
            assert 0.6 * residual.measured < residual.formula <= residual.measured, residual
        else:
            assert abs(residual.error) < most, residual


def test_each_figure_has_its_residual(measured) -> None:
    found = residuals(measured, "Ascend") + residuals(measured, "CPU")
    prefills = [point for point in measured.decoding if point.padded]
    expected = len(measured.steps) + len(measured.decoding) + len(prefills) + len(measured.memory)
    assert len(found) == expected
    assert all(residual.origin for residual in found)


def test_bounds_are_no_errors() -> None:
    found = [
        Residual("a", "step", "s", 2.0, 1.5, False, "x"),
        Residual("b", "step", "s", 2.0, 2.2, False, "x"),
        Residual("c", "memory", "GiB", 26.0, 13.0, True, "x"),
    ]
    assert worst(found) == {"step": 0.25}
    assert found[1].error == pytest.approx(0.1)


@pytest.mark.shared
def test_the_log_says_what_measured_yaml_says_of_it(measured, shared: Path) -> None:
    (point,) = [point for point in measured.steps if point.name == "LZMA, run-1"]
    assert median_step(shared / "contest" / "train-worker_0.log") == point.step_seconds[0]
