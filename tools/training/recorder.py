"""The callback that writes loss.csv, a line a step, and stops a run that does not learn."""

from __future__ import annotations

import math
import time
from collections import deque
from pathlib import Path
from typing import Any, Deque, Optional

import mindspore as ms
import numpy as np
from mindspore import Callback, ops

from tools.llama.stack import MindFormerModuleType, MindFormerRegister
from tools.training.losses import HEADER

# A run diverges where the mean of so many losses is so many times the least such mean before it.
_WINDOW, _TIMES = 20, 2.0


def _number(value: Any) -> float:
    return float(value.asnumpy().reshape(-1)[0] if hasattr(value, "asnumpy") else np.mean(value))


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class StepRecorder(Callback):
    """Append `step,loss,learning_rate,out_learning_rate,seconds` to `path` after every step.

    The rates are those of LoRA's in matrices and of its out matrices; they differ with LoRA+.
    The loss is the mean over the workers, so each of them has this callback; with path None it
    writes nothing. `first` steps were done before this process began.

    Raises RuntimeError where the workers' `first` differ, FloatingPointError at the first loss
    that is NaN or infinite, and where the loss has risen to twice its best (means of 20 steps);
    what was saved before stays.
    """

    def __init__(self, path: Optional[str], first: int = 0, workers: int = 1) -> None:
        super().__init__()
        self.path, self.first, self.workers = path and Path(path), first, workers
        self.started = time.perf_counter()
        self.recent: Deque[float] = deque(maxlen=_WINDOW)
        self.best = math.inf
        if self.path and not first:
            self.path.write_text(HEADER, encoding="utf-8")

    def _mean(self, loss: float) -> float:
        if self.workers == 1:
            return loss
        total = ops.AllReduce()(ms.Tensor([loss], ms.float32))
        return float(total.asnumpy()[0]) / self.workers

    def on_train_begin(self, run_context: Any) -> None:
        if self._mean(float(self.first)) != self.first:
            raise RuntimeError(
                f"the hosts go on from different steps, this one from {self.first}: remove the "
                "newer files of finetune.work/states on the others, or begin anew: RESUME=no"
            )

    def on_train_step_begin(self, run_context: Any) -> None:
        self.started = time.perf_counter()

    def on_train_step_end(self, run_context: Any) -> None:
        params = run_context.original_args()
        outputs = params.net_outputs
        loss, rate = self._mean(_number(outputs[0])), _number(outputs[3])
        seconds = time.perf_counter() - self.started
        optimizer = params.optimizer or params.network.optimizer
        rates = getattr(optimizer, "rates", None)
        in_rate, out_rate = (rate, rate) if rates is None else rates.asnumpy().tolist()
        step = self.first + params.cur_step_num
        if self.path:
            with self.path.open("a", encoding="utf-8") as handle:
                handle.write(f"{step},{loss:.9g},{in_rate:.9g},{out_rate:.9g},{seconds:.3f}\n")
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {step}")
        self.recent.append(loss)
        if len(self.recent) == _WINDOW:
            mean = sum(self.recent) / _WINDOW
            self.best = min(self.best, mean)
            if mean > _TIMES * self.best:
                raise FloatingPointError(
                    f"the loss diverges: {mean:.3g} over the {_WINDOW} steps to {step}, "
                    f"{self.best:.3g} at its best"
                )
