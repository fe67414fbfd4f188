"""Seconds of a training and of an evaluation, as a least, a middle and a most."""

from __future__ import annotations

import math
from typing import Any, Dict, NamedTuple, Optional

from tools.planning.load import Load
from tools.planning.memory import cache_bytes
from tools.planning.operations import decoding_step, prefill, training_step
from tools.planning.speed import (
    Speed,
    decoded_bytes,
    prefill_speed,
    reading_speed,
    training_speed,
)
from tools.settings.measured import Measured


class Span(NamedTuple):
    """Seconds by the greatest, the middle and the least speed that was measured."""

    low: float
    middle: float
    high: float

    def __add__(self, other: object) -> Span:  # type: ignore[override]
        if not isinstance(other, Span):
            return NotImplemented
        return Span(*(a + b for a, b in zip(self, other)))

    def times(self, factor: float) -> Span:
        """The same work so many times."""
        return Span(*(factor * seconds for seconds in self))


def taken(work: float, speed: Speed) -> Span:
    """Seconds of so many operations or bytes."""
    return Span(work / speed.high, work / speed.middle, work / speed.low)


def always(seconds: float) -> Span:
    """The same seconds at any speed."""
    return Span(seconds, seconds, seconds)


def step_span(load: Load, measured: Measured, logged: Optional[float] = None) -> Span:
    """Seconds of a step; `logged` are those of a log of this very training.

    The cards of a model share its operations; shares of the data work at the same time, and what
    they exchange, LoRA's gradients alone, is not counted. Workers on the CPU share one machine.
    """
    if logged is not None:
        return always(logged)
    speed = training_speed(measured, load.device, load.model_parallel > 1)
    cards = 1 if load.device == "CPU" else load.cards
    return taken(training_step(load) / cards, speed)


def training_seconds(
    load: Load, steps: int, checkpoints: int, measured: Measured, logged: Optional[float] = None
) -> Span:
    """From launch to the last checkpoint."""
    around = measured.around[load.device]
    fixed = always(around.start_seconds + checkpoints * around.save_seconds)
    return step_span(load, measured, logged).times(steps) + fixed


def answering_seconds(
    load: Load, questions: int, prompt: int, new: int, batch: int, measured: Measured
) -> Span:
    """One card's seconds for `questions` prompts of `prompt` tokens, `batch` at once.

    Every answer is taken to have all its `new` tokens: what follows its end is less.
    Each step reads all weights and the cache of the batch, and computes a token of each row.
    """
    compute, reading = prefill_speed(measured, load.device), reading_speed(measured, load.device)
    rows = min(batch, questions)
    positions = prompt + new // 2
    read = decoded_bytes(load) + cache_bytes(load, rows, positions)
    step = taken(read, reading) + taken(rows * decoding_step(load.shape, positions), compute)
    call = taken(rows * prefill(load.shape, prompt), compute) + step.times(new)
    beside = questions * measured.around[load.device].question_seconds
    return call.times(math.ceil(questions / rows)) + always(beside)


def as_json(span: Span) -> Dict[str, Any]:
    """Hours, {"low", "middle", "high"}."""
    return {name: round(seconds / 3600, 6) for name, seconds in span._asdict().items()}
