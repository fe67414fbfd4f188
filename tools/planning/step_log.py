"""Step times in the log of a worker, as MindFormers' MFLossMonitor prints them."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median
from typing import List

from tools.files.errors import UserError
from tools.scoring.lines import bounded_lines

# … INFO - { Epoch:[  1/  5], step:[    4/  234], loss: 1.361, per_step_time: 3256ms, lr: 8.5e-06,
_STEP = re.compile(r"step:\[ *\d+/ *\d+\].* per_step_time: (\d{1,12})ms")
_FEWEST = 3


def step_times(path: Path) -> List[float]:
    """Seconds of every step that the log prints, in its order.

    With data sinking one line stands for several steps, each of that mean.
    """
    found = (_STEP.search(line) for _, line in bounded_lines(path, errors="replace"))
    return [int(match[1]) / 1000 for match in found if match]


def median_step(path: Path) -> float:
    """Seconds of a middle step; the first, in which the graph is compiled, is left out.

    UserError where the log prints fewer than three.
    """
    times = step_times(path)
    if len(times) < _FEWEST:
        raise UserError(
            f"prints {len(times)} step times (per_step_time), fewer than {_FEWEST}",
            path,
            "name the log of a worker of this training",
        )
    return median(times[1:])
