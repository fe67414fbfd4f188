"""What MindFormers needs on the CPU, registered through its own registry, nothing on disk patched.

Each of these is registered under the name of what it stands for, so that one YAML serves both
devices: the training step, AdamW, and the models.
"""

from __future__ import annotations

from mindformers.core import optim
from mindformers.models.llama import LlamaForCausalLM
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindformers.trainer import utils as trainer_utils

from tools.training.cpu.model import CpuLlamaForCausalLM, CpuPackedLlamaForCausalLM
from tools.training.cpu.step import CpuTrainOneStepCell, wait_for_all
from tools.training.packing import PackedLlamaForCausalLM


def register() -> None:
    """Put all of it in the place of MindFormers', in this process.

    MindFormers has no registry for the barrier at which workers wait after loading the base
    weights: the name is replaced where its trainer looks it up.
    """
    trainer_utils.barrier = wait_for_all
    if hasattr(optim, "AdamW"):  # not in the contest's release
        from tools.training.cpu.optimizer import FusedAdamW

        MindFormerRegister.register_cls(
            FusedAdamW, MindFormerModuleType.OPTIMIZER, alias=optim.AdamW.__name__
        )
    for kind, name, cell in (
        (MindFormerModuleType.WRAPPER, "MFTrainOneStepCell", CpuTrainOneStepCell),
        (MindFormerModuleType.MODELS, LlamaForCausalLM.__name__, CpuLlamaForCausalLM),
        (MindFormerModuleType.MODELS, PackedLlamaForCausalLM.__name__, CpuPackedLlamaForCausalLM),
    ):
        MindFormerRegister.register_cls(cell, kind, alias=name)
