"""An optimiser of the contest's MindFormers that the newer release has dropped."""

from __future__ import annotations

from typing import Any

from mindspore import nn

from tools.llama.stack import MindFormerModuleType, MindFormerRegister


@MindFormerRegister.register(MindFormerModuleType.OPTIMIZER)
class FP32StateAdamWeightDecay(nn.AdamWeightDecay):
    """Adam with decoupled weight decay and without the correction of the moments' bias.

    That is MindSpore's AdamWeightDecay, to which the contest's release adds that the moments are
    float32 whatever the parameters are. Here they are the parameters' type: LoRA's matrices are
    float32 in all our configs.
    """

    def __init__(
        self,
        params: Any,
        learning_rate: Any = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, learning_rate, beta1, beta2, eps, weight_decay)
