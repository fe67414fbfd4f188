"""What MindFormers needs on the CPU, registered through its own registry, nothing on disk patched.

Each of these is registered under the name of what it stands for, so that one YAML serves both
devices: the training step, AdamW, and the models.
"""

from __future__ import annotations

from tools.llama import stack
from tools.llama.stack import MindFormerModuleType as Kind
from tools.settings.stacks import CONTEST


def register() -> None:
    """Put all of it in the place of MindFormers', in this process.

    The step is needed. Models and optimiser are there for speed, and stand on the newer release's;
    the contest's trains on the CPU with its own.
    """
    from tools.training.cpu import step

    stack.replace_barrier(step.wait_for_all)
    own = [(Kind.WRAPPER, "MFTrainOneStepCell", step.CpuTrainOneStepCell)]
    stack.use_plain_rms_norm()
    if stack.RELEASE != CONTEST:
        from tools.training.cpu import model, optimizer

        own = [
            (Kind.WRAPPER, "MFTrainOneStepCell", model.SharedLayersTrainOneStepCell),
            (Kind.MODELS, "LlamaForCausalLM", model.CpuLlamaForCausalLM),
            (Kind.MODELS, "PackedLlamaForCausalLM", model.CpuPackedLlamaForCausalLM),
            (Kind.OPTIMIZER, "AdamW", optimizer.FusedAdamW),
        ]
    for kind, name, cell in own:
        stack.MindFormerRegister.register_cls(cell, kind, alias=name)
