"""Step times in a worker's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.planning.step_log import median_step, step_times

# As the contest's MindFormers prints it; the second as 1.9 does.
OLD = (
    "-\\|/2024-07-06 21:09:51,331 - mindformers[callback.py:316] - INFO - { Epoch:[  1/  5], "
    "step:[    4/  234], loss: 1.361, per_step_time: {}ms, lr: 8.571428e-06, overflow cond: False"
)
NEW = (
    "2026-11-24 21:09:51 - mindformers[callback.py] - INFO - { Epoch:[  1/  1], "
    "step:[    4/   60], loss:[1.361000/1.400000], per_step_time: {}ms, lr: 1e-5"
)


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("form", [OLD, NEW])
def test_times_and_their_median_without_the_first(tmp_path: Path, form: str) -> None:
    times = ["90000", "1400", "1500", "1410"]
    lines = [form.replace("{}ms", f"{time}ms") for time in times]
    log = write(tmp_path / "worker_0.log", "per_step_time: 7ms", *lines, "step:[ 1/2] nothing")
    assert step_times(log) == [90.0, 1.4, 1.5, 1.41]
    assert median_step(log) == 1.41


def test_too_few(tmp_path: Path) -> None:
    log = write(tmp_path / "w.log", *[OLD.replace("{}ms", "5ms")] * 2)
    with pytest.raises(UserError, match="prints 2 step times"):
        median_step(log)


@pytest.mark.shared
def test_the_contests_own_log(shared: Path) -> None:
    log = shared / "contest" / "train-worker_0.log"
    times = step_times(log)
    # Five epochs of 234 steps, a line for every two, the first with the compilation.
    assert len(times) == 585 and times[0] == 383.209
    assert median_step(log) == 3.173
    assert sorted(times)[-2] == 3.399
