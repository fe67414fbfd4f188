"""The optimiser of the contest's MindFormers, where the release has dropped it; LoRA+ with it."""

from __future__ import annotations

from typing import Any

from mindspore import nn

from tools.llama.stack import RELEASE, MindFormerModuleType, MindFormerRegister, fp32_state_adam
from tools.settings.stacks import CONTEST
from tools.training.lora_plus import TwoRates, split_groups

if RELEASE != CONTEST:

    @MindFormerRegister.register(MindFormerModuleType.OPTIMIZER)
    class FP32StateAdamWeightDecay(nn.AdamWeightDecay):
        """Adam with decoupled weight decay and without the correction of the moments' bias.

        That is MindSpore's AdamWeightDecay, to which the contest's release adds that the moments
        are float32 whatever the parameters are. Here they are the parameters' type: LoRA's
        matrices are float32 in all our configs.
        """


@MindFormerRegister.register(MindFormerModuleType.OPTIMIZER)
class LoraPlusFP32StateAdamWeightDecay(TwoRates, fp32_state_adam()):
    """FP32StateAdamWeightDecay with `lora_plus_ratio` times the learning rate for out matrices.

    All decay alike, whatever the ratio (see `split_groups`).
    Raises ValueError for a ratio that is not positive, or where no LoRA matrix is trained.
    """

    def __init__(
        self,
        params: Any,
        learning_rate: Any = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        lora_plus_ratio: float = 16.0,
    ) -> None:
        groups = split_groups(params, learning_rate, weight_decay, lora_plus_ratio)
        super().__init__(groups, learning_rate, beta1, beta2, eps, weight_decay)
        self.keep_rates()
