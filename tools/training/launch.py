"""A fine-tuning from resolved config to adapters, resumed where an earlier one was cut short."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import yaml

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import CheckFailed, UserError
from tools.files.figure import save_figure
from tools.llama.bridge import release_on_path
from tools.llama.checkpoint import Checkpoint
from tools.llama.lora import LoraConfig, check_adapter
from tools.llama.precision import matmul_precision
from tools.llama.shape import LlamaShape
from tools.settings.native import read_finetune
from tools.settings.resolve import read_resolved
from tools.settings.stacks import for_stack
from tools.training import graphs, resume, workers
from tools.training.initial import BEGUN, MATRICES, begin, identify
from tools.training.inputs import check_inputs, count_parameters, even_steps, labels_per_row
from tools.training.losses import draw_losses, read_losses
from tools.training.resume import Start
from tools.training.workers import ALONE, LOSSES, Hosts, run_workers

# Between two checkpoints so many states are saved: what a kill costs at most.
_STATES_BETWEEN = 4
_COMPILING = "compiling the graph, a minute or two; the time left is told from the second step on"


def finetune(
    config: Path,
    model: Path,
    base: Path,
    records: Path,
    output: Path,
    checkpoints: int,
    hosts: Hosts = ALONE,
    go_on: bool = True,
    bfloat16: bool = False,
    initial: Optional[Path] = None,
) -> Dict[str, Any]:
    """Train adapters as `config` says and return the contents of `output`/run.json.

    config       resolved finetune.yaml
    model        resolved model.json: shape, LoRA, how parameters are counted
    base         checkpoint of the base weights
    records      MindRecord file, its summary beside it (NAME.json)
    output       folder that receives adapters/1.ckpt … N.ckpt, logs/, tensorboard/, loss.csv,
                 loss.png, parameters.json, init.ckpt, if there is one, and, last, run.json
    checkpoints  how many, at even intervals, the last step's included
    hosts        on each of which this runs; each writes all of `output`
    go_on        from the newest whole state of an earlier training of the same inputs
    bfloat16     whether matrices are multiplied in bfloat16 where the processor has units for it
    initial      adapter to begin with, in place of fresh matrices; see `begin`

    Work is done in `output`.work, which a failed or killed training leaves there. Raises UserError
    before anything is started where config, data and weights do not fit, or that folder holds steps
    of other inputs; CheckFailed where a worker fails.
    """
    started = time.time()
    settings = read_resolved(model, ["model_config", "pet_config", "tied", "denominator"])
    shape = LlamaShape.from_model_config(settings["model_config"], str(config))
    lora = LoraConfig.from_pet_config(settings["pet_config"] or {}, str(config))
    native = read_finetune(config)
    count = native["parallel_config"]["data_parallel"]
    hosts.check(count)
    steps = check_inputs(native, config, base, records, shape, checkpoints)
    if native["context"]["device_target"] == "CPU":
        length = native["model"]["model_config"]["seq_length"]
        native["model"]["model_config"]["labels_per_row"] = labels_per_row(records, length)
    parameters = count_parameters(shape, lora, settings["tied"], settings["denominator"])
    if not parameters["trained"]:
        raise UserError(
            f"target_modules {lora.targets!r} matches no module", config, "correct the regex"
        )
    output = output.resolve()
    work = output.with_name(output.name + ".work")
    precision = matmul_precision(bfloat16)
    inputs = {
        "config": native,
        "base": resume.identity(base),
        "records": resume.identity(records),
        "checkpoints": checkpoints,
        "matmul_precision": precision,
        "init": None,
    }
    if initial is not None:
        before = resume.recorded(work) or {}
        inputs["init"] = identify(initial, before.get("init"))
    start, begun = _open(
        work, inputs, go_on, lambda folder: begin(base, initial, shape, lora, folder)
    )
    _tell(parameters, steps, start, count, hosts)
    wanted = even_steps(steps, checkpoints)
    job = _job(native, work, base, records, wanted, start, hosts)
    name = graphs.name_of(native, steps, count, hosts.rank)
    graph = graphs.place(name, work, workers.last_line(work / LOSSES) is not None)
    doing = "reading the graph, some seconds" if graph.is_dir() else _COMPILING
    _warn(f"finetune: {doing}")
    job["graphs"] = str(graph)
    seconds = run_workers(job, work, count, hosts, steps, precision)
    graphs.keep(name, graph)
    for number in range(1, checkpoints + 1):
        check_adapter(_adapter(work, number), shape, lora)
    result = {
        "steps": steps,
        "checkpoints": wanted,
        "workers": count,
        "hosts": hosts.count,
        "seed": native["seed"],
        "matmul_precision": precision,
        **begun,
        "resumed_at": start.step or None,
        "wall_seconds": round(time.time() - started, 1),
        "training_seconds": round(seconds, 1),
        "parameters": parameters,
    }
    _finish(work, output, wanted, parameters, result)
    return result


def _open(
    work: Path, inputs: Dict[str, Any], go_on: bool, write: Callable[[Path], Dict[str, Any]]
) -> Tuple[Start, Dict[str, Any]]:
    """Make the work folder ready; return where the training begins, and what run.json says of that.

    write   writes what it begins with into a folder. That is done, and checked, before steps of an
            unfinished training are thrown away.
    """
    start = Start(0, None)
    goes_on = go_on and resume.recorded(work) == inputs and (work / BEGUN).is_file()
    with tempfile.TemporaryDirectory() as folder:
        begun = read_resolved(work / BEGUN, []) if goes_on else write(Path(folder))
        if resume.open_work(work, inputs, go_on, _warn):
            start = resume.newest_state(work, _warn)
        for name in (MATRICES, BEGUN):
            if (Path(folder) / name).is_file():
                shutil.move(str(Path(folder) / name), str(work / name))
    (work / "adapters").mkdir(exist_ok=True)
    logs = work / "logs"
    logs.mkdir(exist_ok=True)
    last = workers.last_line(work / LOSSES)
    workers.keep_logs(logs, int(last["step"]) if last else 0)
    resume.cut_losses(work / LOSSES, start.step)
    return start, begun


def _warn(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _tell(parameters: Dict[str, Any], steps: int, start: Start, count: int, hosts: Hosts) -> None:
    modules = ", ".join(f"{name} {size:,}" for name, size in parameters["by_module"].items())
    first = f" from step {start.step} on" if start.step else ""
    many = "s" if count > 1 else ""
    where = f" on {hosts.count} hosts" if hosts.count > 1 else ""
    sys.stderr.write(
        f"{parameters['trained']:,} of {parameters['total']:,} parameters are trained ({modules}), "
        f"ratio {parameters['trained'] / parameters['denominator']:.9f}; {steps} steps{first}, "
        f"{count} worker{many}{where}\n"
    )


def _job(
    native: Dict[str, Any],
    work: Path,
    base: Path,
    records: Path,
    wanted: List[int],
    start: Start,
    hosts: Hosts,
) -> Dict[str, Any]:
    """Return what the workers are told.

    What they begin with is one file: the base weights, and behind them the newest state or, where
    there is none, the matrices to begin with.
    """
    count = native["parallel_config"]["data_parallel"]
    checkpoint = base.resolve()
    if start.state is not None:
        # MindFormers looks for the file in its rank's folder.
        checkpoint = work / "resume"
        shutil.rmtree(checkpoint, ignore_errors=True)
        whole = resume.whole_checkpoint(base, start.state, checkpoint / "resume.ckpt")
        local = count // hosts.count
        for rank in range(hosts.rank * local, (hosts.rank + 1) * local):
            (checkpoint / f"rank_{rank}").mkdir()
            (checkpoint / f"rank_{rank}" / whole.name).symlink_to(whole)
    elif (work / MATRICES).is_file():
        checkpoint = resume.whole_checkpoint(base, work / MATRICES, work / "initial.ckpt")
    interval = wanted[0]
    return {
        "config": str(_native_config(native, work, records)),
        "checkpoint": str(checkpoint),
        "resume": start.state is not None,
        "recorder": {"path": str(work / LOSSES), "first": start.step, "workers": count},
        "saver": {
            "adapters": str(work / "adapters"),
            "steps": wanted,
            "states": str(work / resume.STATES),
            "every": max(1, interval // _STATES_BETWEEN),
            "first": start.step,
            "batch": native["train_dataset"]["batch_size"] * count,
        },
    }


def _native_config(native: Dict[str, Any], work: Path, records: Path) -> Path:
    """Write the config as the workers run it, with this machine's paths."""
    native = json.loads(json.dumps(native))
    native["output_dir"] = str(work / "mindformers")
    native["train_dataset"]["data_loader"]["dataset_dir"] = str(records.resolve())
    native["train_dataset_task"]["dataset_config"] = native["train_dataset"]
    native["tensorboard"] = {
        "tensorboard_dir": str(work / "tensorboard"),
        "tensorboard_queue_size": 10,
    }
    native["callbacks"] = [c for c in native["callbacks"] if c["type"] not in _SAVERS]
    native = for_stack(native, release_on_path())
    path = work / "finetune-as-run.yaml"
    text = yaml.dump(native, Dumper=_NoAliases, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return path


# Ours saves adapters and states; what MindFormers' saves beside them is the whole model. The
# contest's release spells the name with a swap of letters.
_SAVERS = ("CheckpointMonitor", "CheckpointMointor")


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _adapter(work: Path, number: int) -> Checkpoint:
    path = work / "adapters" / f"{number}.ckpt"
    if not path.is_file():
        raise CheckFailed(f"checkpoint {number} was not saved", path)
    return Checkpoint(path)


def _finish(
    work: Path,
    output: Path,
    wanted: List[int],
    parameters: Dict[str, Any],
    result: Dict[str, Any],
) -> None:
    """Put the outcome in the place of an earlier one, whole, and remove the work folder."""
    with atomic_path(output) as folder:
        folder.mkdir()
        for name in ("adapters", "logs", "tensorboard", LOSSES, MATRICES, "finetune-as-run.yaml"):
            if (work / name).exists():
                # Copied, so that the work can be done again if this is cut short.
                copy = shutil.copytree if (work / name).is_dir() else shutil.copyfile
                copy(work / name, folder / name)
        save_figure(draw_losses(read_losses(folder / LOSSES)), folder / "loss.png")
        write_json(folder / "adapters" / "steps.json", {"steps": wanted})
        write_json(folder / "parameters.json", parameters)
        write_json(folder / "run.json", result)
    shutil.rmtree(work, ignore_errors=True)
