"""The losses of a training: loss.csv read, drawn, and watched for divergence."""

from __future__ import annotations

import csv
import math
from collections import deque
from pathlib import Path
from typing import Any, Deque, Iterable, List, NamedTuple, Tuple

from tools.files.errors import UserError
from tools.files.figure import BLUE, ORANGE, new_figure

# The mean is drawn over a twentieth of all steps.
_SMOOTHED = 20
# A training diverges where the mean of its last 100 losses is 1.5 times that of its first 20. With
# two or three examples a step a window of 20 losses varies by more than twice once they are small,
# so 100 are taken, and a mean of less than 1.0 at the beginning counts as 1.0.
_FIRST, _LAST, _LEAST, _TIMES = 20, 100, 1.0, 1.5


class Step(NamedTuple):
    """A line of loss.csv.

    loss                mean over the tokens with a label, and over the workers
    learning_rate       of LoRA's in matrices, A
    out_learning_rate   of its out matrices, B; another one with LoRA+
    seconds             wall time of the step
    """

    step: int
    loss: float
    learning_rate: float
    out_learning_rate: float
    seconds: float


HEADER = ",".join(Step._fields) + "\n"


def read_losses(path: Path) -> List[Step]:
    """Read loss.csv; UserError with file:line for a line that is none, and for an empty file."""
    steps = []
    with path.open(encoding="utf-8", newline="") as handle:
        try:
            for row in csv.DictReader(handle):
                numbers = (float(row[name]) for name in Step._fields[1:])
                step = Step(int(row["step"]), *numbers)
                if not all(map(math.isfinite, step)):
                    raise ValueError
                steps.append(step)
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            where = f"{path}:{len(steps) + 2}"
            what = f"not a row of {HEADER.strip()}"
            raise UserError(what, where, "fine-tune again (make finetune)") from error
    if not steps:
        raise UserError("holds no step", path, "fine-tune again (make finetune)")
    return steps


class DivergenceGuard:
    """Watch the losses of a training; `before` are those of its steps so far."""

    def __init__(self, before: Iterable[float] = ()) -> None:
        self._first: List[float] = []
        self._last: Deque[float] = deque(maxlen=_LAST)
        for loss in before:
            self._keep(loss)

    def check(self, step: int, loss: float) -> None:
        """Raise FloatingPointError where the loss of `step` is not finite, or the last diverge."""
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {step}")
        self._keep(loss)
        if len(self._last) < _LAST:
            return
        first, last = sum(self._first) / _FIRST, sum(self._last) / _LAST
        if last > _TIMES * max(_LEAST, first):
            raise FloatingPointError(
                f"the loss diverges: {last:.3g} over the {_LAST} steps to {step}, {first:.3g} over "
                f"the first {_FIRST}; lower the learning rate"
            )

    def _keep(self, loss: float) -> None:
        if len(self._first) < _FIRST:
            self._first.append(loss)
        self._last.append(loss)


def smoothed(steps: List[Step]) -> Tuple[int, List[Tuple[int, float]]]:
    """(width, [(step, mean loss of the last `width` steps)]); a twentieth of all is the width."""
    width = len(steps) // _SMOOTHED
    losses = [step.loss for step in steps]
    if width < 1:
        return width, []
    means = [sum(losses[i - width : i]) / width for i in range(width, len(losses) + 1)]
    return width, list(zip((step.step for step in steps[width - 1 :]), means))


def draw_losses(steps: List[Step]) -> Any:
    """Return a figure of the loss, and of each group's learning rate, over the steps."""
    figure = new_figure((5, 4), dpi=160)
    loss, rate = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    numbers = [step.step for step in steps]
    losses = [step.loss for step in steps]
    width, means = smoothed(steps)
    pale = 0.45 if width > 1 else 1
    loss.plot(numbers, losses, color=BLUE, linewidth=0.8, alpha=pale, label="each step")
    if width > 1:
        loss.plot(*zip(*means), color=BLUE, linewidth=1.8, label="moving mean")
    loss.set(ylabel="loss")
    loss.set_ylim(bottom=0)
    loss.legend(fontsize=9, frameon=False)
    both = any(step.learning_rate != step.out_learning_rate for step in steps)
    name = "in matrices, A" if both else "learning rate"
    groups = [(name, BLUE, [s.learning_rate for s in steps])]
    if both:
        groups.append(("out matrices, B", ORANGE, [s.out_learning_rate for s in steps]))
    for label, color, rates in groups:
        rate.plot(numbers, rates, color=color, linewidth=1.4, label=label)
    rate.set(xlabel="step", ylabel="learning rate")
    if any(value > 0 for _, _, rates in groups for value in rates):
        rate.set_yscale("log", nonpositive="mask")  # a warm-up begins at 0
    if both:
        rate.legend(fontsize=9, frameon=False)
    for axes in (loss, rate):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.4)
    return figure
