"""The network of a dry run, in a process of its own: `python -m tools.planning.network JOB.json`.

MindSpore's simulation (MS_SIMULATION_LEVEL=0) builds and compiles without running, so that neither
a card nor the memory of the weights is needed. On the CPU it tells nothing of a device's memory.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Dict

# What the CPU has not, and what stands there for the same shapes.
_ON_CPU = {"use_flash_attention": False, "use_rope_slice": True, "fused_rms_norm": False}


def main(job_path: str) -> None:
    """Build what the job's finetune.yaml trains, and write what it is made of as JSON.

    job     {"config": finetune.yaml, "output": JSON file, "compile": bool}
    output  {"parameters": {name: [shape, type, whether trained]}, "build_seconds",
             "compile_seconds" or null}
    """
    job = json.loads(Path(job_path).read_text("utf-8"))
    from mindspore.nn.utils import no_init_parameters

    from tools.llama.stack import MindFormerConfig, build_context, build_network
    from tools.training import cpu, packing  # noqa: F401 - the packed architecture is registered

    config = MindFormerConfig(job["config"])
    trains_on_cpu = config.context.device_target == "CPU"
    # Whatever device is meant, there is none here.
    config.context.device_target = "CPU"
    config.use_parallel = False
    build_context(config)
    config.model.model_config.update(_ON_CPU)
    if trains_on_cpu:
        cpu.register()
    started = time.monotonic()
    with no_init_parameters():
        network = build_network(config.model)
    built = time.monotonic() - started
    result: Dict[str, Any] = {
        "parameters": {
            p.name: [list(p.shape), str(p.dtype), p.requires_grad] for p in network.get_parameters()
        },
        "build_seconds": round(built, 2),
        "compile_seconds": _compile(config, network) if job["compile"] else None,
    }
    Path(job["output"]).write_text(json.dumps(result), "utf-8")


def _compile(config: Any, network: Any) -> float:
    """Seconds for the graph of one training step, with optimiser and wrapper as in training."""
    import mindspore as ms

    from tools.llama.stack import build_lr, build_optim, build_wrapper
    from tools.training.optimizers import register_optimizer

    # The number of steps decides a value in the schedule, not the graph.
    schedule = type(config.lr_schedule)(**{**config.lr_schedule, "total_steps": 10})
    register_optimizer(config.optimizer.type)
    optimizer = build_optim(
        config.optimizer,
        default_args={"params": network.trainable_params(), "learning_rate": build_lr(schedule)},
    )
    network.set_train(True)
    step = build_wrapper(
        config.runner_wrapper, default_args={"network": network, "optimizer": optimizer}
    )
    step.set_train(True)
    shape = (config.train_dataset.batch_size, config.model.model_config.seq_length + 1)
    inputs = [ms.Tensor(shape=shape, dtype=ms.int32) for _ in range(2)]
    started = time.monotonic()
    step.compile(*inputs)
    return round(time.monotonic() - started, 2)


if __name__ == "__main__":
    main(*sys.argv[1:])
