"""Which of our optimisers a config needs, registered with MindFormers."""

from __future__ import annotations


def register_optimizer(name: str) -> None:
    """Register the class of ours that a config names, by importing it.

    Not all of them in every process: each stands on what one of the two releases may lack.
    """
    from tools.llama.stack import RELEASE
    from tools.settings.stacks import CONTEST

    if name == "LoraPlusAdamW":
        from tools.training import lora_plus_adamw  # noqa: F401
    elif name.endswith("FP32StateAdamWeightDecay"):
        if RELEASE != CONTEST:
            from tools.training import adam_weight_decay  # noqa: F401
        if name.startswith("LoraPlus"):
            from tools.training import lora_plus_fp32  # noqa: F401
