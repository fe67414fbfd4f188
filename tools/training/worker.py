"""One worker of a training, started by msrun: `python -m tools.training.worker CONFIG …`."""

from __future__ import annotations

import os
import signal
import sys

from tools.files.processes import die_with_parent


def main(config_path: str, checkpoint: str, loss_csv: str) -> None:
    """Fine-tune as `config_path` says, from the base weights in `checkpoint`.

    Worker 0 writes `loss_csv`. The working folder receives what MindFormers writes beside.
    """
    from mindformers import MindFormerConfig, Trainer
    from mindformers.core.context import build_context

    config = MindFormerConfig(config_path)
    if os.environ.get("MS_ROLE") == "MS_SCHED" and not config.use_parallel:
        # msrun starts its scheduler with the same script. It would wait in the initialisation of
        # the communication; a lone worker has none, and the scheduler would train beside it.
        return
    # Without it MindSpore 2.9 stays in PyNative mode, where a step takes five times as long.
    build_context(config)
    if config.context.device_target == "CPU":
        from tools.training import cpu

        cpu.register()
    from tools.training import packing, recorder  # noqa: F401 - packing registers its model

    if os.environ.get("RANK_ID", "0") == "0":
        config.callbacks.append({"type": recorder.StepRecorder.__name__, "path": loss_csv})
    # Called without arguments, finetune() forgets load_checkpoint and trains random weights.
    Trainer(args=config).finetune(finetune_checkpoint=checkpoint)


if __name__ == "__main__":
    # msrun does not end its workers when it is killed itself.
    die_with_parent(signal.SIGKILL)
    main(*sys.argv[1:])
