"""LoRA+ with AdamW, which the contest's MindFormers has not."""

from __future__ import annotations

from typing import Any

import mindspore as ms

from tools.llama.stack import MindFormerModuleType, MindFormerRegister, adamw
from tools.training.lora_plus import TwoRates, split_groups

if ms.get_context("device_target") == "CPU":
    from tools.training.cpu.optimizer import FusedAdamW as AdamW
else:
    AdamW = adamw()


@MindFormerRegister.register(MindFormerModuleType.OPTIMIZER)
class LoraPlusAdamW(TwoRates, AdamW):
    """AdamW whose LoRA out matrices have `lora_plus_ratio` times the learning rate of the rest.

    All decay alike, whatever the ratio (see `split_groups`).
    Raises ValueError for a ratio that is not positive, or where no LoRA matrix is trained.
    """

    def __init__(
        self,
        params: Any,
        learning_rate: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        lora_plus_ratio: float = 16.0,
    ) -> None:
        groups = split_groups(params, learning_rate, weight_decay, lora_plus_ratio)
        super().__init__(groups, learning_rate, betas, eps, weight_decay)
        self.keep_rates()
