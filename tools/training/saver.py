"""The callback that saves adapters, and what a training needs to go on.

MindFormers' own resuming wants a checkpoint of the whole model, base weights and all. The base
does not change: only what does is saved, some megabytes, and `tools.training.resume` puts the two
together again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

import mindspore as ms
from mindspore import Callback

from tools.llama.stack import MindFormerModuleType, MindFormerRegister

# Two: the newest may be the one whose writing was cut short.
KEPT = 2


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class Saver(Callback):
    """Save the trained parameters after each of `steps`, and a state every `every` steps.

    adapters   folder that receives 1.ckpt … N.ckpt, one for each of `steps`
    states     folder that receives STEP.ckpt, of which two are kept: trained parameters, those of
               the optimiser (moments, step), and, as MindFormers names them, epoch_num, step_num,
               loss_scale and global_batch_size
    first      steps done before this process began
    batch      rows of a step over all workers

    A file is there whole or not at all.
    """

    def __init__(
        self, adapters: str, steps: List[int], states: str, every: int, first: int, batch: int
    ) -> None:
        super().__init__()
        self.adapters, self.states = Path(adapters), Path(states)
        self.numbers = {step: number for number, step in enumerate(steps, 1)}
        self.every, self.first, self.batch = every, first, batch

    def on_train_step_end(self, run_context: Any) -> None:
        params = run_context.original_args()
        step = self.first + params.cur_step_num
        optimizer = params.optimizer or params.network.optimizer
        trained = {item.name: item for item in optimizer.parameters}
        if step in self.numbers:
            _save(trained, self.adapters / f"{self.numbers[step]}.ckpt")
        if step % self.every == 0 or step in self.numbers:
            self._save_state(step, trained, optimizer, params)

    def _save_state(self, step: int, trained: Dict[str, Any], optimizer: Any, params: Any) -> None:
        changing = {**trained, **{item.name: item for item in optimizer.get_parameters()}}
        place = {
            "epoch_num": params.cur_epoch_num,
            "step_num": step,
            "loss_scale": float(params.net_outputs[2].asnumpy().reshape(-1)[0]),
            "global_batch_size": self.batch,
        }
        _save(changing, self.states / f"{step}.ckpt", place)
        saved = sorted(self.states.glob("[0-9]*.ckpt"), key=lambda path: int(path.stem))
        for spent in saved[:-KEPT]:
            spent.unlink()


def _save(parameters: Dict[str, Any], path: Path, place: Optional[Dict[str, Any]] = None) -> None:
    # MindSpore adds the suffix where a name lacks it.
    partial = path.with_name("partial.ckpt")
    items = [{"name": name, "data": item} for name, item in parameters.items()]
    ms.save_checkpoint(items, str(partial), append_dict=place)
    partial.replace(path)
