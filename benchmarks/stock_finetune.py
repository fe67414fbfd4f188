"""`tools.finetune` with MindFormers' own cells and optimiser: what is ours on the CPU left out.

    python -m benchmarks.stock_finetune --config … --model … --base … --records … --output …

Only what does not run on the CPU at all stays replaced, the step and the barrier; the other side
of benchmarks/training.py. Its worker is this file too, which msrun starts with a job.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path


def worker(job: str) -> None:
    """One worker: MindFormers' names are registered anew after ours."""
    from mindformers.core.clip_grad import ClipGradNorm
    from mindformers.core.optim import AdamW
    from mindformers.models.llama import LlamaForCausalLM
    from mindformers.tools.register import MindFormerModuleType, MindFormerRegister

    from tools.files.processes import die_with_parent
    from tools.training import cpu
    from tools.training.cpu import step
    from tools.training.worker import main

    ours = cpu.register

    def register() -> None:
        ours()
        step.ClipGradNorm = ClipGradNorm
        MindFormerRegister.register_cls(AdamW, MindFormerModuleType.OPTIMIZER, alias=AdamW.__name__)
        MindFormerRegister.register_cls(
            LlamaForCausalLM, MindFormerModuleType.MODELS, alias=LlamaForCausalLM.__name__
        )

    cpu.register = register
    die_with_parent(signal.SIGKILL)
    main(job)


def run() -> None:
    """The command, with msrun told to start this file."""
    import tempfile

    from tools.finetune import main
    from tools.training import graphs, workers

    command = workers._command

    def of_this_file(*args):
        return [
            str(Path(__file__).resolve()) if part.endswith("/training/worker.py") else part
            for part in command(*args)
        ]

    workers._command = of_this_file
    with tempfile.TemporaryDirectory() as folder:
        graphs.FOLDER = Path(folder)
        main()


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].endswith("job.json"):
        worker(sys.argv[1])
    else:
        run()
