"""The callback after a step: what it writes, and that a resumed training knows its beginning."""

from __future__ import annotations

SCRIPT = """
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tools.training.recorder import StepRecorder

path = Path("loss.csv")


def end_step(recorder, number, loss):
    params = SimpleNamespace(
        net_outputs=(np.array(loss), None, None, np.array(1e-3)),
        cur_step_num=number,
        optimizer=SimpleNamespace(),
    )
    recorder.on_train_step_end(SimpleNamespace(original_args=lambda: params))


begun = StepRecorder(str(path))
for step in range(1, 101):
    end_step(begun, step, 0.8)
lines = path.read_text().splitlines()
assert len(lines) == 101 and lines[100].startswith("100,0.8,0.001,0.001,"), lines[-1]
resumed, silent = StepRecorder(str(path), first=100), StepRecorder(None, first=100)
for step in range(1, 80):
    end_step(silent, step, 2.0)
    try:
        end_step(resumed, step, 2.0)
    except FloatingPointError as error:
        Path("error.txt").write_text(str(error))
        break
"""


def test_a_resumed_training_knows_its_first_losses(tmp_path, run_alone):
    run_alone(tmp_path, SCRIPT)
    # 0.8 + 1.2 k / 100 is more than 1.5 from k = 59 on; the run without a file never stops.
    assert (tmp_path / "loss.csv").read_text().splitlines()[-1].startswith("159,2,")
    assert "to 159, 0.8 over the first 20" in (tmp_path / "error.txt").read_text()
