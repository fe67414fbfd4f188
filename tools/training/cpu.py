"""What MindFormers needs on the CPU, registered through its own registry, nothing patched.

MFTrainOneStepCell asks the device whether a step overflowed (NPUGetFloatStatusV2), which only an
Ascend card can tell. The cell below asks the gradients instead and is otherwise MindFormers' own:
learning rate, loss scale and norm are computed and logged as ever. It is registered under the
same name, so that one YAML serves both devices.
"""

from __future__ import annotations

import mindspore as ms
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindformers.trainer import utils as trainer_utils
from mindformers.wrapper.wrapper import MFTrainOneStepCell
from mindspore import ops

_is_finite = ops.MultitypeFuncGraph("is_finite")


@_is_finite.register("Tensor")
def _all_finite(gradient):
    return ops.isfinite(gradient).all()


class CpuTrainOneStepCell(MFTrainOneStepCell):
    """MFTrainOneStepCell whose overflow flag is computed from the gradients."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.status = ms.Tensor([0], ms.float32)
        self.stack = ops.Stack()
        self.smallest = ops.ReduceMin()

    def start_overflow_check(self, pre_cond, compute_input):
        """Nothing to reset: there is no status register on the CPU."""
        return self.status, compute_input

    def get_overflow_status(self, status, compute_output):
        """True where a gradient holds NaN or infinity.

        Asked after the gradients were averaged over the workers, so that all of them agree: a
        NaN of one is a NaN of the average.
        """
        flags = self.hyper_map(_is_finite, compute_output)
        return self.smallest(self.stack(flags).astype(ms.float32)) < 0.5


def wait_for_all() -> None:
    """Return when every worker has come here: a sum over the workers needs all of them.

    MindSpore's Barrier is an Ascend kernel; AllReduce is there on the CPU too.
    """
    ops.AllReduce()(ms.Tensor([0.0], ms.float32)).asnumpy()


def register() -> None:
    """Put the cell, and a barrier that the CPU has, in the place of MindFormers', in this process.

    MindFormers has no registry for the barrier: the name is replaced where its trainer looks it up
    when it loads the base weights. Nothing on disk changes.
    """
    trainer_utils.barrier = wait_for_all
    MindFormerRegister.register_cls(
        CpuTrainOneStepCell, MindFormerModuleType.WRAPPER, alias="MFTrainOneStepCell"
    )
