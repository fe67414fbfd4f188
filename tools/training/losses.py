"""loss.csv, a line a step: read, and drawn as loss.png."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import List, NamedTuple, Tuple

from tools.files.errors import UserError
from tools.files.figure import BLUE, ORANGE, new_figure, save_figure

# The mean is drawn over a twentieth of all steps.
_SMOOTHED = 20


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


def smoothed(steps: List[Step]) -> Tuple[int, List[Tuple[int, float]]]:
    """(width, [(step, mean loss of the last `width` steps)]); a twentieth of all is the width."""
    width = len(steps) // _SMOOTHED
    losses = [step.loss for step in steps]
    if width < 1:
        return width, []
    means = [sum(losses[i - width : i]) / width for i in range(width, len(losses) + 1)]
    return width, list(zip((step.step for step in steps[width - 1 :]), means))


def draw_losses(steps: List[Step], path: Path) -> None:
    """Draw the loss, and the learning rate of each group, over the steps into a PNG."""
    figure = new_figure((7, 4.6))
    loss, rate = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    numbers = [step.step for step in steps]
    losses = [step.loss for step in steps]
    loss.plot(numbers, losses, color=BLUE, linewidth=0.8, alpha=0.45, label="each step")
    width, means = smoothed(steps)
    if width > 1:
        loss.plot(*zip(*means), color=BLUE, linewidth=1.8, label=f"mean of {width} steps")
    loss.set(ylabel="loss", title="Training loss and learning rates")
    loss.set_ylim(bottom=0)
    loss.legend(fontsize=8)
    both = any(step.learning_rate != step.out_learning_rate for step in steps)
    groups = [("in matrices, A" if both else "all", BLUE, [s.learning_rate for s in steps])]
    if both:
        groups.append(("out matrices, B", ORANGE, [s.out_learning_rate for s in steps]))
    for label, color, rates in groups:
        rate.plot(numbers, rates, color=color, linewidth=1.4, label=label)
    rate.set(xlabel="step", ylabel="learning rate")
    if any(value > 0 for _, _, rates in groups for value in rates):
        rate.set_yscale("log", nonpositive="mask")  # a warm-up begins at 0
    rate.legend(fontsize=8)
    for axes in (loss, rate):
        axes.grid(alpha=0.25)
    save_figure(figure, path)
