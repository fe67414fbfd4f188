"""One worker of a training, started by msrun: `python tools/training/worker.py JOB.json`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Mapping

from tools.files.processes import die_with_parent


def main(job_path: str) -> None:
    """Fine-tune as the job file says, which `tools.training.launch` writes.

    The first worker of each host writes losses and states. The working folder receives what
    MindFormers writes beside.
    """
    job = json.loads(Path(job_path).read_text("utf-8"))
    from tools.llama.stack import MindFormerConfig, Trainer, build_context

    config = MindFormerConfig(job["config"])
    scheduler = os.environ.get("MS_ROLE") == "MS_SCHED"
    if scheduler and not config.use_parallel:
        # msrun starts its scheduler with the same script. It would wait in the initialisation of
        # the communication; a lone worker has none, and the scheduler would train beside it.
        return
    rank = rank_of(os.environ)
    if not scheduler:
        (Path(job["running"]) / rank).write_text(str(os.getpid()))
    # Without it MindSpore 2.9 stays in PyNative mode, where a step takes five times as long.
    build_context(config)
    if config.context.device_target == "CPU":
        import mindspore

        from tools.training import cpu

        cpu.register()
        mindspore.set_context(enable_compile_cache=True, compile_cache_path=job["graphs"])
    from tools.training import packed_rows, recorder, saver  # noqa: F401 - registered
    from tools.training.lora_plus import register_optimizer

    register_optimizer(config.optimizer.type)

    writes = int(rank) % job["local"] == 0
    told = job["recorder"] if writes else {**job["recorder"], "path": None}
    config.callbacks.append({"type": recorder.StepRecorder.__name__, **told})
    if writes:
        config.callbacks.append({"type": saver.Saver.__name__, **job["saver"]})
    # There is one file for each rank. To choose of several, PyPI's release would let them meet at
    # a Barrier, which the CPU has not; the contest's takes the newest anyway.
    config.resume_by_last_timestamp_ckpt = True
    # Called without arguments, finetune() forgets load_checkpoint and trains random weights.
    Trainer(args=config).finetune(
        finetune_checkpoint=job["checkpoint"], resume_training=job["resume"]
    )
    if not scheduler:
        (Path(job["running"]) / rank).unlink()


def rank_of(environment: Mapping[str, str]) -> str:
    """Number of this worker among those of all hosts, before the communication is there to tell.

    Every msrun exports it as MS_NODE_ID; older ones not as RANK_ID, and a cluster may have set that
    for the whole machine. "0" for the scheduler, and where no msrun is.
    """
    return environment.get("MS_NODE_ID", "0")


if __name__ == "__main__":
    # msrun does not end its workers when it is killed itself.
    die_with_parent(signal.SIGKILL)
    main(*sys.argv[1:])
