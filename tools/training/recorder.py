"""The callback that writes loss.csv, a line a step, and stops a run whose loss is no number."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore import Callback

HEADER = "step,loss,learning_rate,seconds\n"


def _number(value) -> float:
    return float(value.asnumpy().reshape(-1)[0] if hasattr(value, "asnumpy") else np.mean(value))


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class StepRecorder(Callback):
    """Append `step,loss,learning_rate,seconds` to `path` after every step.

    The loss is that of this worker's share of the batch. Raises FloatingPointError at the first
    loss that is NaN or infinite; the checkpoints saved before it stay.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)
        self.started = time.perf_counter()
        with self.path.open("w", encoding="utf-8") as handle:
            handle.write(HEADER)

    def on_train_step_begin(self, run_context) -> None:
        self.started = time.perf_counter()

    def on_train_step_end(self, run_context) -> None:
        params = run_context.original_args()
        outputs = params.net_outputs
        loss = _number(outputs[0])
        rate = _number(outputs[3])
        seconds = time.perf_counter() - self.started
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(f"{params.cur_step_num},{loss:.9g},{rate:.9g},{seconds:.3f}\n")
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {params.cur_step_num}")
