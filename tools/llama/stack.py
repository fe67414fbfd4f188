"""MindFormers, of either release, in one place: nothing else in tools/ imports it.

pypi      what PyPI has, and this project is tested with: 1.9.0 with MindSpore 2.9
contest   what the organisers froze in 2024, between 1.1 and 1.2, with MindSpore 2.3.0rc2

tools/settings/stacks.py says in what the two read a YAML differently; here is in what their
modules differ. Importing this takes as long as importing MindFormers: ten seconds.
"""

from __future__ import annotations

from typing import Any, Optional

from tools.llama import bridge
from tools.settings.stacks import CONTEST

RELEASE = bridge.release_on_path()
if RELEASE == CONTEST:
    bridge.restore_names()

from mindformers import MindFormerConfig, Trainer, __version__  # noqa: E402 - after the names
from mindformers.core import optim  # noqa: E402
from mindformers.core.context import build_context  # noqa: E402
from mindformers.core.lr import LearningRateWiseLayer, build_lr  # noqa: E402
from mindformers.core.optim import build_optim  # noqa: E402
from mindformers.models.build_model import build_network  # noqa: E402
from mindformers.models.llama import LlamaConfig, LlamaForCausalLM  # noqa: E402
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister  # noqa: E402
from mindformers.trainer import utils as trainer_utils  # noqa: E402
from mindformers.wrapper import build_wrapper  # noqa: E402
from mindformers.wrapper.wrapper import MFTrainOneStepCell  # noqa: E402

__all__ = [
    "RELEASE",
    "LearningRateWiseLayer",
    "LlamaConfig",
    "LlamaForCausalLM",
    "MFTrainOneStepCell",
    "MindFormerConfig",
    "MindFormerModuleType",
    "MindFormerRegister",
    "Trainer",
    "__version__",
    "adamw",
    "build_context",
    "build_lr",
    "build_network",
    "build_optim",
    "build_wrapper",
    "end_tokens",
    "fp32_state_adam",
    "replace_barrier",
    "use_plain_rms_norm",
]


def adamw() -> Optional[Any]:
    """AdamW with corrected bias; None in the contest's release, which has no such optimiser."""
    # The class itself: what `optim` exports under its name chooses one when it is called.
    module = getattr(optim, "adamw", None)
    return module and module.AdamW


def fp32_state_adam() -> Any:
    """FP32StateAdamWeightDecay: the contest's release's own, or what stands in for it."""
    return MindFormerRegister.get_cls(MindFormerModuleType.OPTIMIZER, "FP32StateAdamWeightDecay")


def end_tokens(eos_id: int) -> Any:
    """The end-of-sequence token as `generate` looks for it.

    The contest's release compares a token with what it is given, the newer one looks into a list.
    """
    return eos_id if RELEASE == CONTEST else [eos_id]


def use_plain_rms_norm() -> None:
    """Keep Ascend's kernel for RMSNorm out of models for the CPU.

    The contest's release takes it by MindSpore's version, whatever the device; the newer one has
    a key for it, `fused_rms_norm`.
    """
    if RELEASE == CONTEST:
        from mindformers.models.llama import llama_layer

        llama_layer.check_rmsnorm_big_kernel_valid = lambda: False


def replace_barrier(wait: Any) -> None:
    """Let MindFormers' trainer call `wait` where workers wait for each other.

    There is no registry for it: the name is replaced where the trainer looks it up. The contest's
    release does not wait.
    """
    if hasattr(trainer_utils, "barrier"):
        trainer_utils.barrier = wait
