"""Launch a training through msrun, show its progress, and keep its five checkpoints."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import yaml

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import CheckFailed, UserError
from tools.files.processes import killed_with
from tools.files.progress import progress
from tools.llama.checkpoint import Checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters, check_adapter, count
from tools.llama.shape import LlamaShape
from tools.settings.resolve import PACKED_ARCH, PLAIN_ARCH, read_finetune, read_resolved

ROOT = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.5


def finetune(
    config: Path, model: Path, base: Path, records: Path, output: Path, checkpoints: int
) -> Dict[str, Any]:
    """Train adapters as `config` says and return the contents of `output`/run.json.

    config       resolved finetune.yaml
    model        resolved model.json: shape, LoRA, how parameters are counted
    base         checkpoint of the base weights
    records      MindRecord file, its summary beside it (NAME.json)
    output       folder that receives adapters/1.ckpt … N.ckpt, logs/, loss.csv, parameters.json
                 and, last, run.json
    checkpoints  how many, at even intervals, the last step's included

    Everything is written to a work folder beside and renamed at the end. Raises UserError before
    anything is started where config, data and weights do not fit, CheckFailed where a worker
    fails.
    """
    started = time.time()
    settings = read_resolved(model, ["model_config", "pet_config", "tied", "denominator"])
    shape = LlamaShape.from_model_config(settings["model_config"], str(config))
    lora = LoraConfig.from_pet_config(settings["pet_config"] or {}, str(config))
    native = read_finetune(config)
    steps = _check_inputs(native, config, base, records, shape, checkpoints)
    trained = adapter_parameters(shape, lora)
    if not trained:
        raise UserError(
            f"target_modules {lora.targets!r} matches no module", config, "correct the regex"
        )
    parameters = count_parameters(shape, lora, settings["tied"], settings["denominator"])
    workers = native["parallel_config"]["data_parallel"]
    sys.stderr.write(
        f"{parameters['trained']:,} of {parameters['total']:,} parameters are trained, ratio "
        f"{parameters['trained'] / parameters['denominator']:.9f}; {steps} steps, "
        f"{workers} worker{'s' if workers > 1 else ''}\n"
    )
    # A killed run leaves its work folder; training starts anew in an empty one.
    with atomic_path(output.resolve()) as work:
        work.mkdir()
        write_json(work / "parameters.json", parameters)
        interval = steps // checkpoints
        run_config = _native_config(native, work, records, interval, steps // interval + 1)
        (work / "logs").mkdir()
        seconds = _run_workers(run_config, base, work, workers, steps)
        kept = _keep_adapters(work, steps, interval, checkpoints, shape, lora)
        result = {
            "steps": steps,
            "checkpoints": kept,
            "workers": workers,
            "seed": native["seed"],
            "wall_seconds": round(time.time() - started, 1),
            "training_seconds": round(seconds, 1),
            "parameters": parameters,
        }
        write_json(work / "run.json", result)
    return result


def count_parameters(
    shape: LlamaShape, lora: LoraConfig, tied: bool, denominator: Any
) -> Dict[str, int]:
    """{"trained", "total", "denominator"}: exact counts; a tied output is counted once."""
    total = shape.count() - (shape.vocab_size * shape.hidden_size if tied else 0)
    trained = count(adapter_parameters(shape, lora))
    return {"trained": trained, "total": total, "denominator": denominator or total}


def _check_inputs(
    native: Dict[str, Any],
    config: Path,
    base: Path,
    records: Path,
    shape: LlamaShape,
    checkpoints: int,
) -> int:
    """The number of steps; UserError where data, weights and config do not fit together."""
    if not any(entry["type"] == "CheckpointMonitor" for entry in native["callbacks"]):
        raise UserError("no callback saves checkpoints", config, "add a CheckpointMonitor")
    summary_path = records.with_name(records.name + ".json")
    if not records.is_file() or not summary_path.is_file():
        raise UserError("no such MindRecord file, or its summary is missing", records, "make it")
    summary = read_resolved(summary_path, ["seq_length", "rows"])
    length = native["model"]["model_config"]["seq_length"]
    if summary["seq_length"] != length:
        raise UserError(
            f"seq_length is {length}, the records were made with {summary['seq_length']}",
            config,
            "make the records again (make convert)",
        )
    _check_packing(native["model"]["arch"]["type"], config, summary.get("pack", False), records)
    weights = Checkpoint(base)
    for name, dims in shape.parameters().items():
        if name not in weights or weights.entries[name].shape != dims:
            raise UserError(
                f"{name} is not of shape {dims}", base, "convert the weights again (make convert)"
            )
    batch = native["train_dataset"]["batch_size"] * native["parallel_config"]["data_parallel"]
    steps = summary["rows"] // batch * native["runner_config"]["epochs"]
    if steps < checkpoints:
        raise UserError(
            f"{summary['rows']} rows in batches of {batch} give {steps} steps, "
            f"fewer than the {checkpoints} checkpoints asked for",
            records,
            "take more rows, a smaller batch or fewer workers",
        )
    return steps


def _check_packing(arch: str, config: Path, packed: bool, records: Path) -> None:
    """UserError unless packed records meet the architecture that keeps their examples apart."""
    if packed and arch != PACKED_ARCH:
        raise UserError(
            f"its rows are packed, and {arch} would let their examples see each other",
            records,
            f"set model.arch.type to {PACKED_ARCH} in {config.name} (pack: true in the profile), "
            "or make the records again without --pack",
        )
    if arch == PACKED_ARCH and not packed:
        raise UserError(
            f"model.arch.type is {PACKED_ARCH}, but the records are not packed",
            config,
            f"make the records again with --pack, or set model.arch.type to {PLAIN_ARCH}",
        )


def _native_config(
    native: Dict[str, Any], work: Path, records: Path, interval: int, saves: int
) -> Path:
    """Write the config as the workers run it: this machine's paths, the checkpoint interval.

    saves   how many checkpoints there will be: fewer to keep would remove the first ones.
    """
    native = json.loads(json.dumps(native))
    native["output_dir"] = str(work / "mindformers")
    loader = native["train_dataset"]["data_loader"]
    loader["dataset_dir"] = str(records.resolve())
    native["train_dataset_task"]["dataset_config"] = native["train_dataset"]
    for callback in native["callbacks"]:
        if callback["type"] == "CheckpointMonitor":
            callback["save_checkpoint_steps"] = interval
            callback["keep_checkpoint_max"] = max(callback.get("keep_checkpoint_max", 1), saves)
            callback["directory"] = str(work / "mindformers")
    path = work / "finetune-as-run.yaml"
    text = yaml.dump(native, Dumper=_NoAliases, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return path


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _environment(workers: int) -> Dict[str, str]:
    environment = dict(os.environ)
    # The workers run in their own folder, since MindSpore writes beside itself.
    environment["PYTHONPATH"] = str(ROOT)
    # msrun starts whatever `python` comes first.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    # Kernels allocate index vectors of megabytes at every call; glibc would map and unmap, and
    # the kernel clear, each of them: 60 % of the first step's time was page clearing.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 34))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(1 << 34))
    if workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    return environment


def _run_workers(config: Path, base: Path, work: Path, workers: int, steps: int) -> float:
    command = [
        str(Path(sys.executable).parent / "msrun"),
        f"--worker_num={workers}",
        f"--local_worker_num={workers}",
        "--master_addr=127.0.0.1",
        f"--master_port={os.environ.get('MASTER_PORT') or _free_port()}",
        f"--log_dir={work / 'logs'}",
        "--join=True",
        "--cluster_time_out=300",
        "-m",
        "tools.training.worker",
    ]
    loss_csv = work / "loss.csv"
    # msrun starts `python script args`; `-m` is not for it, so the module's file is named.
    command[-2:] = [str(ROOT / "tools" / "training" / "worker.py")]
    command += [str(config), str(base.resolve()), str(loss_csv)]
    started = time.time()
    with (work / "logs" / "msrun.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=work,
            env=_environment(workers),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=killed_with(os.getpid()),
        )
        try:
            _watch(process, loss_csv, steps)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode != 0 or _steps_done(loss_csv) != steps:
        raise CheckFailed(_why_it_failed(work), None, f"the whole logs are in {_save_logs(work)}")
    return time.time() - started


def _watch(process: subprocess.Popen, loss_csv: Path, steps: int) -> None:
    """Show steps as they come; the first takes minutes, since the graph is compiled before it."""
    with progress("finetune (graph first, then steps)", steps, unit="steps") as bar:
        done = 0
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
            found = _steps_done(loss_csv)
            bar.advance(found - done)
            done = found


def _steps_done(loss_csv: Path) -> int:
    if not loss_csv.is_file():
        return 0
    return max(0, loss_csv.read_bytes().count(b"\n") - 1)


def _save_logs(work: Path) -> Path:
    """Keep the logs of a failed training: the work folder itself goes."""
    kept = work.parent.parent / "finetune-failed-logs"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(work / "logs", kept)
    return kept


_ERROR = re.compile(r"^[A-Za-z.]*(Error|Exception)\b")


def _why_it_failed(work: Path) -> str:
    """The rank that failed first and the last error line of its log."""
    logs = sorted((work / "logs").glob("worker_*.log"), key=lambda path: path.stat().st_mtime)
    for log in logs:
        lines = log.read_text("utf-8", errors="replace").splitlines()
        errors = [i for i, line in enumerate(lines) if _ERROR.match(line)]
        if errors:
            # MindSpore puts the reason on the lines below the class of the error.
            told = " ".join(line for line in lines[errors[-1] :][:6] if not line.startswith("-"))
            return f"{log.stem} failed: {' '.join(told.split())[:300]}"
    return "the training ended before its last step"


def _keep_adapters(
    work: Path,
    steps: int,
    interval: int,
    checkpoints: int,
    shape: LlamaShape,
    lora: LoraConfig,
) -> List[int]:
    """Put the even checkpoints' adapters into adapters/1.ckpt …; return their steps."""
    found: Dict[int, Path] = {}
    folder = work / "mindformers" / "checkpoint_trainable" / "rank_0"
    csv_steps = steps  # steps are counted over all epochs; file names count within an epoch
    epochs = {int(m[1]) for m in map(_EPOCH.search, map(str, folder.glob("*.ckpt"))) if m}
    per_epoch = csv_steps // max(epochs, default=1)
    for path in folder.glob("*.ckpt"):
        match = _EPOCH.search(path.name)
        if match:
            found[(int(match[1]) - 1) * per_epoch + int(match[2])] = path
    wanted = [interval * k for k in range(1, checkpoints)] + [steps]
    (work / "adapters").mkdir()
    for index, step in enumerate(wanted, 1):
        if step not in found:
            raise CheckFailed(
                f"the checkpoint of step {step} was not saved (found {sorted(found)})", folder
            )
        check_adapter(Checkpoint(found[step]), shape, lora)
        shutil.copyfile(found[step], work / "adapters" / f"{index}.ckpt")
    write_json(work / "adapters" / "steps.json", {"steps": wanted})
    # What MindFormers keeps for resuming is a whole model a checkpoint: gigabytes, now spent.
    for spent in ("mindformers", "output"):
        shutil.rmtree(work / spent, ignore_errors=True)
    return wanted


_EPOCH = re.compile(r"-(\d+)_(\d+)\.ckpt$")
