"""LoRA+ with the optimiser of the contest's MindFormers; under the newer one, with our stand-in."""

from __future__ import annotations

from typing import Any

from tools.llama.stack import MindFormerModuleType, MindFormerRegister, fp32_state_adam
from tools.training.lora_plus import TwoRates, split_groups


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
