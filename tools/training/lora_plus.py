"""LoRA+: the out matrices of LoRA learn faster than the in matrices (arXiv 2402.12354).

With A small and random and B zero at the start, one learning rate for both is too small for B in
wide models. The paper's rule is a ratio, 16 being its advice; it holds under any schedule.
"""

from __future__ import annotations

from typing import Any, Dict, List

import mindspore as ms
from mindspore import ops
from mindspore.nn.learning_rate_schedule import LearningRateSchedule

from tools.llama.stack import LearningRateWiseLayer

OUT_MATRIX = "mindpet_delta_lora_b"


def scaled(rate: Any, ratio: float) -> Any:
    """Give `ratio` times a learning rate: a number, or a schedule under whatever form it takes."""
    if isinstance(rate, LearningRateSchedule):
        return LearningRateWiseLayer(rate, ratio)
    return rate * ratio


def split_groups(groups: List[Any], rate: Any, decay: float, ratio: float) -> List[Dict[str, Any]]:
    """Set the out matrices of every parameter group apart, with `ratio` times the learning rate.

    groups   as MindSpore's optimizers take them: parameters, or groups with a weight decay of
             their own.
    decay    weight decay of groups that have none.

    AdamW takes off learning rate times weight decay. The ratio is to speed up learning and not
    forgetting, so the out matrices get a weight decay that much smaller.

    The last group holds in matrices: its rate is the one that MindFormers logs. Raises ValueError
    where there is no out matrix or nothing beside, where a group has its own learning rate, and
    for a ratio that is not positive.
    """
    if not ratio > 0:
        raise ValueError(f"lora_plus_ratio is {ratio}, not a positive number")
    if groups and not isinstance(groups[0], dict):
        groups = [{"params": list(groups)}]
    if any("lr" in group for group in groups):
        raise ValueError("lora_plus_ratio does not go with grouped_lr_schedule: choose one of them")
    fast, slow = [], []
    for group in groups:
        out = [item for item in group["params"] if OUT_MATRIX in item.name]
        rest = [item for item in group["params"] if OUT_MATRIX not in item.name]
        own = group.get("weight_decay", decay)
        if out:
            fast.append({"params": out, "lr": scaled(rate, ratio), "weight_decay": own / ratio})
        if rest:
            slow.append({"params": rest, "lr": rate, "weight_decay": own})
    if not fast or not slow:
        raise ValueError("lora_plus_ratio needs the in and out matrices of LoRA to be trained")
    return fast + slow


class TwoRates:
    """What LoRA+ adds to an optimiser of MindSpore: it stands before it among the bases.

    `rates` holds what the last step applied: float32 (2,), in matrices and out matrices.
    """

    def keep_rates(self) -> None:
        """Called when the optimiser has its parameters."""
        self.is_out = tuple(OUT_MATRIX in item.name for item in self._parameters)
        self.fastest = self.is_out.index(True)
        self.slowest = self.is_out.index(False)
        self.rates = ms.Parameter(ms.Tensor([0.0, 0.0], ms.float32), "rates", requires_grad=False)

    def get_lr(self):
        """Give the learning rate of each parameter, and keep both for who asks afterwards.

        MindSpore's own asks the schedule once for each parameter, all of which are compiled.
        """
        slow = self.learning_rate[self.slowest]
        fast = self.learning_rate[self.fastest]
        if self.dynamic_lr:
            slow = slow(self.global_step).reshape(())
            fast = fast(self.global_step).reshape(())
        ops.assign(self.rates, ops.stack((slow, fast)).reshape((2,)))
        rates = ()
        for is_out in self.is_out:
            rates += (fast if is_out else slow,)
        return rates


def register_optimizer(name: str) -> None:
    """Register the optimizer of ours that a config names with MindFormers, by importing it.

    Not all of them in every process: each stands on what one of the two releases may lack.
    """
    if name == "LoraPlusAdamW":
        from tools.training import lora_plus_adamw  # noqa: F401
    elif name.endswith("FP32StateAdamWeightDecay"):
        from tools.training import fp32_state_adam  # noqa: F401
