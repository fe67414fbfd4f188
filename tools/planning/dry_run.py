"""A dry run: MindFormers' own network, built without a card and held against the formulas."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict

import yaml

from tools.files.errors import CheckFailed
from tools.files.processes import killed_with, peak_memory
from tools.llama.lora import adapter_parameters
from tools.planning.load import Load
from tools.planning.memory import weights

BUILD, COMPILE = "build", "compile"
_ROOT = Path(__file__).resolve().parents[2]
_BYTES = {"Float32": 4, "Float16": 2, "BFloat16": 2}
_ERROR = re.compile(r"^[A-Za-z.]*(Error|Exception)\b")


def dry_run(native: Dict[str, Any], load: Load, depth: str) -> Dict[str, Any]:
    """Build the network of a MindFormers YAML and compare it with the formulas.

    depth   "build": every parameter's name, shape and type; "compile": the graph of a training
            step, too, which for 8 billion parameters takes minutes and 19 GB
    Returns {"trained", "total", "bytes", "build_seconds", "compile_seconds", "peak_gib"}.
    Raises CheckFailed where a parameter is not as the formulas have it, or MindFormers refuses.
    """
    # The formulas may have been changed by options: the network is built to match.
    native = json.loads(json.dumps(native))
    model = native["model"]["model_config"]
    model.update(batch_size=load.batch, seq_length=load.length)
    model["pet_config"].update(lora_rank=load.lora.rank, lora_alpha=load.lora.alpha)
    native["train_dataset"]["batch_size"] = load.batch
    with tempfile.TemporaryDirectory() as name:
        found = _run(native, Path(name), depth)
    counts = compare(found["parameters"], load)
    return {
        **counts,
        "build_seconds": found["build_seconds"],
        "compile_seconds": found["compile_seconds"],
        "peak_gib": peak_memory() / (1 << 30),
    }


def compare(parameters: Dict[str, Any], load: Load) -> Dict[str, Any]:
    """Counts and bytes of {name: [shape, type, whether trained]}, of a model that is not split.

    CheckFailed, naming the first parameter, where names, shapes, what is trained or the bytes are
    not those of the formulas.
    """
    base = load.shape.parameters()
    adapter = adapter_parameters(load.shape, load.lora)
    expected = {name: (list(dims), name in adapter) for name, dims in {**base, **adapter}.items()}
    found = {name: (dims, trained) for name, (dims, _, trained) in parameters.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise CheckFailed(
                f"{name} is {_words(found.get(name))} in MindFormers' network, "
                f"{_words(expected.get(name))} by the formulas",
                "dry run",
                "report it: the plan's counts do not hold",
            )
    trained = total = size = frozen = 0
    for dims, kind, learns in parameters.values():
        number = 1
        for dim in dims:
            number *= dim
        total += number
        size += number * _BYTES[kind]
        trained += number * learns
        frozen += 0 if learns else number * _BYTES[kind]
    if load.model_parallel == 1 and frozen != weights(load):
        raise CheckFailed(
            f"the base weights have {frozen} bytes in MindFormers' network, {weights(load):.0f} "
            "by the formula",
            "dry run",
            "report it: the plan's memory does not hold",
        )
    return {"trained": trained, "total": total - trained, "bytes": size}


def _words(parameter: Any) -> str:
    if parameter is None:
        return "absent"
    dims, trained = parameter
    return f"{tuple(dims)}, {'trained' if trained else 'frozen'}"


def _run(native: Dict[str, Any], work: Path, depth: str) -> Dict[str, Any]:
    config, output = work / "finetune.yaml", work / "network.json"
    config.write_text(yaml.safe_dump(native, sort_keys=False), "utf-8")
    job = {"config": str(config), "output": str(output), "compile": depth == COMPILE}
    (work / "job.json").write_text(json.dumps(job), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tools.planning.network", "job.json"],
        # MindSpore and MindFormers write where the process stands.
        cwd=work,
        env={
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "MS_SIMULATION_LEVEL": "0",
            "LOCAL_DEFAULT_PATH": str(work / "logs"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        preexec_fn=killed_with(os.getpid()),
    )
    if done.returncode or not output.is_file():
        raise CheckFailed(
            why(done.stdout, done.returncode), "dry run", "correct the config, or plan without it"
        )
    return json.loads(output.read_text("utf-8"))


def why(text: str, code: int) -> str:
    """The last error line of what the process printed, or how it ended."""
    errors = [line for line in text.splitlines() if _ERROR.match(line)]
    told = errors[-1].strip()[:300] if errors else f"it ended with code {code}"
    return f"MindFormers did not build the network: {told}"
