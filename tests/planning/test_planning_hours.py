"""Hours of trainings and evaluations."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tools.planning.hours import (
    Span,
    always,
    answering_seconds,
    as_json,
    step_span,
    taken,
    training_seconds,
)
from tools.planning.speed import Speed


def test_spans() -> None:
    span = taken(100.0, Speed(10.0, 20.0, 50.0, 3))
    assert span == Span(2.0, 5.0, 10.0)
    assert span + always(1.0) == Span(3.0, 6.0, 11.0)
    assert span.times(3) == Span(6.0, 15.0, 30.0)
    assert as_json(Span(36.0, 3600.0, 7200.0)) == {"low": 0.01, "middle": 1.0, "high": 2.0}
    with pytest.raises(TypeError):
        span + 1


def test_the_contests_baseline_takes_the_six_hours_that_are_told(loads, measured) -> None:
    span = training_seconds(loads.split, 7030, 5, measured)
    assert span.low < 6 * 3600 < span.high
    assert span.middle == pytest.approx(6 * 3600, rel=0.1)


def test_start_and_checkpoints_come_beside_the_steps(loads, measured) -> None:
    around = measured.around["Ascend"]
    assert training_seconds(loads.alone, 0, 5, measured) == always(
        around.start_seconds + 5 * around.save_seconds
    )


def test_cards_share_a_model_or_the_data(loads, measured) -> None:
    four = replace(loads.alone, cards=4)
    # Four times the tokens in the same time, and the model shared by twice the cards in half of it.
    assert step_span(four, measured) == pytest.approx(step_span(loads.alone, measured))
    two = replace(loads.split, cards=2, model_parallel=2)
    assert step_span(two, measured).middle == pytest.approx(
        2 * step_span(loads.split, measured).middle
    )
    # Workers on the CPU share the machine.
    both = replace(loads.cpu, cards=2)
    assert step_span(both, measured) == pytest.approx(step_span(loads.cpu, measured).times(2))


def test_a_log_takes_the_place_of_the_formula(loads, measured) -> None:
    assert step_span(loads.alone, measured, 0.7) == always(0.7)


def test_more_prompts_at_once_read_the_weights_less_often(loads, measured) -> None:
    one, eight = (answering_seconds(loads.alone, 64, 43, 128, n, measured) for n in (1, 8))
    assert 6 < one.middle / eight.middle < 8
    # A batch is never larger than what there is to answer.
    assert answering_seconds(loads.alone, 5, 43, 20, 8, measured) == answering_seconds(
        loads.alone, 5, 43, 20, 5, measured
    )


def test_one_row_is_bound_by_reading_the_weights(loads, measured) -> None:
    longer, shorter = (answering_seconds(loads.alone, 1, 43, n, 1, measured) for n in (101, 1))
    a_token = (longer.middle - shorter.middle) / 100
    # The logs of four evaluations: 29 to 33 ms.
    assert a_token == pytest.approx(0.031, rel=0.03)


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
    assert formula.middle == pytest.approx(last - first, rel=0.08)
