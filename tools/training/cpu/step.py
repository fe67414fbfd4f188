"""A training step on the CPU: MindFormers' own, but for what only an Ascend card can tell.

MFTrainOneStepCell asks the device whether a step overflowed (NPUGetFloatStatusV2). The cell below
asks the gradients instead and is otherwise MindFormers': learning rate, loss scale and norm are
computed and logged as ever.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import nn, ops

from tools.llama.stack import MFTrainOneStepCell

_half_square = ops.MultitypeFuncGraph("half_square")
_scale = ops.MultitypeFuncGraph("scale")
_l2_loss = ops.L2Loss()


@_half_square.register("Tensor")
def _half_square_sum(gradient):
    return _l2_loss(gradient)


@_scale.register("Tensor", "Tensor")
def _scaled(factor, gradient):
    return gradient * factor


class GlobalNorm(nn.Cell):
    """The Euclidean norm of all gradients together, in one kernel each."""

    def __init__(self) -> None:
        super().__init__()
        self.map = ops.HyperMap()

    def construct(self, gradients):
        """gradients, a tuple → () ."""
        return ops.sqrt(2.0 * ops.addn(self.map(_half_square, gradients)))


class ClipGradNorm(nn.Cell):
    """MindFormers' ClipGradNorm: gradients over `max_norm` together are scaled down to it."""

    def __init__(self, max_norm: float) -> None:
        super().__init__()
        self.max_norm = max_norm
        self.norm = GlobalNorm()
        self.map = ops.HyperMap()

    def construct(self, gradients):
        """gradients, a tuple → (gradients, their norm before, (1,))."""
        norm = self.norm(gradients)
        factor = self.max_norm / (ops.maximum(norm, self.max_norm) + 1e-6)
        factor = ops.minimum(factor, 1.0)
        return self.map(ops.partial(_scale, factor), gradients), norm.reshape((1,))


class CpuTrainOneStepCell(MFTrainOneStepCell):
    """MFTrainOneStepCell whose overflow flag is computed from the gradients."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.status = ms.Tensor([0], ms.float32)
        self.norm = GlobalNorm()
        self.clip_grad_norm = ClipGradNorm(float(self.clip_grad_norm.clip_norm.asnumpy()[0]))

    def start_overflow_check(self, pre_cond, compute_input):
        """Nothing to reset: there is no status register on the CPU."""
        return self.status, compute_input

    def get_overflow_status(self, status, compute_output):
        """True where a gradient holds NaN or infinity: then their norm is one of them.

        Asked after the gradients were averaged over the workers, so that all of them agree: a
        NaN of one is a NaN of the average.
        """
        return ops.logical_not(ops.isfinite(self.norm(compute_output)))


def wait_for_all() -> None:
    """Return when every worker has come here: a sum over the workers needs all of them.

    MindSpore's Barrier is an Ascend kernel; AllReduce is there on the CPU too.
    """
    ops.AllReduce()(ms.Tensor([0.0], ms.float32)).asnumpy()
