"""Which of our optimisers a config needs, registered with MindFormers."""

from __future__ import annotations


def register_optimizer(name: str) -> None:
    """Register the class of ours that a config names, by importing it.

    Not all of them in every process: each stands on what one of the two releases may lack.
    """
    if name == "LoraPlusAdamW":
        from tools.training import lora_plus_adamw  # noqa: F401
    elif name.endswith("FP32StateAdamWeightDecay"):
        from tools.training import fp32_state_adam  # noqa: F401
