"""MindFormers' AdamW in one kernel a parameter.

MindFormers composes each parameter's step of some fifteen kernels: for the 240 matrices of a LoRA
over 30 layers that is a third of the graph to compile, and 4 000 launches of nearly no work.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import ops

from tools.llama.stack import adamw

_adam = ops.Adam()
_decay = ops.MultitypeFuncGraph("decay")
_update = ops.MultitypeFuncGraph("fused_update")


@_decay.register("Tensor", "Tensor", "Tensor")
def _decayed(rate, decay, parameter):
    return ops.assign(parameter, parameter * (1.0 - rate * decay))


@_update.register(*["Tensor"] * 10)
def _updated(beta1, beta2, power1, power2, eps, rate, parameter, gradient, first, second):
    updated = _adam(parameter, first, second, power1, power2, rate, beta1, beta2, eps, gradient)
    return updated[0]


class FusedAdamW(adamw()):
    """Adam with corrected bias and decoupled weight decay (arXiv 1711.05101), as in MindFormers.

    The kernel divides by √v + ε and corrects the bias in the rate; MindFormers divides by
    √(v / (1 − β₂ᵗ)) + ε. They are one where the kernel is given ε √(1 − β₂ᵗ). Parameters of the
    optimiser and their names are AdamW's.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.scalar = ops.Reshape()

    @classmethod
    def get_actual_adamw_cls(cls, use_fused):
        """Tell MindFormers' builder which class to make; its own fused one is for Ascend."""
        return cls

    def construct(self, gradients):
        """gradients, in the order of the parameters → the parameters after the step."""
        decays, rates = self.get_weight_decay(), self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        many = len(gradients)
        if not self.is_group_lr:
            rates = (rates,) * many
        if self.exec_weight_decay:
            if not self.is_group:
                decays = (decays,) * many
            done = self.hyper_map(_decay, rates, decays, self._parameters)
            gradients = ops.depend(gradients, done)
        beta1, beta2 = self.scalar(self.beta1, ()), self.scalar(self.beta2, ())
        step = self.scalar(self.global_step, ()).astype(ms.float32)
        power1, power2 = ops.pow(beta1, step), ops.pow(beta2, step)
        eps = self.scalar(self.eps, ()) * ops.sqrt(1.0 - power2)
        update = ops.partial(_update, beta1, beta2, power1, power2, eps)
        return self.hyper_map(
            update, rates, self._parameters, gradients, self.exp_avg, self.exp_avg_sq
        )
