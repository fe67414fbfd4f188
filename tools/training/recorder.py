"""The callback that writes loss.csv, a line a step, and stops a run that does not learn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Optional

import mindspore as ms
import numpy as np
from mindspore import Callback, ops

from tools.llama.stack import MindFormerModuleType, MindFormerRegister
from tools.training.losses import HEADER, DivergenceGuard, read_losses


def _number(value: Any) -> float:
    return float(value.asnumpy().reshape(-1)[0] if hasattr(value, "asnumpy") else np.mean(value))


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class StepRecorder(Callback):
    """Append `step,loss,learning_rate,out_learning_rate,seconds` to `path` after every step.

    The rates are those of LoRA's in matrices and of its out matrices; they differ with LoRA+.
    The loss is the mean over the workers, so each of them has this callback; with path None it
    writes nothing. `first` steps were done before this process began, and stand in `path`.

    Raises RuntimeError where the workers' `first` differ, and FloatingPointError where a loss is
    NaN or infinite or the losses diverge (`DivergenceGuard`); what was saved before stays.
    """

    def __init__(self, path: Optional[str], first: int = 0, workers: int = 1) -> None:
        super().__init__()
        self.path, self.first, self.workers = path and Path(path), first, workers
        self.started = time.perf_counter()
        # A worker that writes nothing knows no loss from before: those that write stop the others.
        before = read_losses(self.path) if self.path and first else []
        self.guard = DivergenceGuard(step.loss for step in before)
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
        self.guard.check(step, loss)
