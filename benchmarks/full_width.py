"""Two layers of LLaMA3-8B at their full width, trained on the CPU in float32.

    python -m benchmarks.full_width --tokenizer tokenizer.model --output FILE

configs/llama3-8b/contest/finetune-4x32.yaml with two layers of 32, one process, one row a step;
weights from a seed, LLaMA-3's vocabulary, which this project does not carry, and problems of ours.
With CONTEST_MINDFORMERS=DIR under the contest's MindFormers, otherwise under the installed one.
Takes 15 GB of memory and 9 GB of disk.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Optional

import click
import yaml

from benchmarks.contest_stack import CONFIGS, ROOT, Stacks, cut_down, losses_of
from tools.files.atomic import write_json
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.settings.stacks import CONTEST, PYPI

_LAYERS, _STEPS = 2, 10


@click.command()
@click.option("--tokenizer", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--run", default="full-width", show_default=True, help="Folder under runs/.")
@click.option("--output", type=click.Path(path_type=Path), help="The result as JSON, too.")
def main(tokenizer: Path, run: str, output: Optional[Path]) -> None:
    """Train two full-width layers for ten steps, and tell losses, seconds a step and memory."""
    source = os.environ.get("CONTEST_MINDFORMERS")
    stack = CONTEST if source else PYPI
    work = ROOT / "runs" / run
    work.mkdir(parents=True, exist_ok=True)
    stacks = Stacks(Path(source or ".").resolve(), work)
    native = yaml.safe_load((CONFIGS / "finetune-4x32.yaml").read_text("utf-8"))
    shape = {**native["model"]["model_config"], "num_layers": _LAYERS}
    native = cut_down(native, shape, 1)
    (work / "finetune.yaml").write_text(yaml.safe_dump(native, sort_keys=False), "utf-8")
    stacks.run(PYPI, "config", "tools.run", work, "--profile", "llama3-8b")
    for name in ("model", "records", "corpus"):
        shutil.copy(work / f"config/{name}.json", work)
    model = json.loads((work / "model.json").read_text("utf-8"))
    model.update(source="seed", file=None)
    model["model_config"]["num_layers"] = _LAYERS
    model["pet_config"] = native["model"]["model_config"]["pet_config"]
    write_json(work / "model.json", model)
    (work / "finetune.yaml").write_text(yaml.safe_dump(native, sort_keys=False), "utf-8")
    write_json(work / "corpus.json", _fewer(work / "corpus.json"))
    base, records = work / "base/model.ckpt", work / "records/train.mindrecord"
    for name, done, words in (
        ("weights", base, ["weights", "--config", work / "model.json", "--material", work,
                           "--output", base]),
        ("math", work / "corpus/corpus.json", ["math", "--config", work / "corpus.json",
                                               "--folder", work / "corpus"]),
        ("records", records, ["records", "--config", work / "records.json", "--input",
                              work / "corpus/train.jsonl", "--tokenizer", tokenizer, "--model",
                              work / "base/model.json", "--output", records]),
    ):  # fmt: skip
        if not done.is_file():
            done.parent.mkdir(exist_ok=True)
            stacks.run(PYPI, name, "tools.convert", *words)
    start = work / "base/bfloat16.ckpt"
    if not start.is_file():
        # As the contest's file is; MindSpore's reading takes 2.3 times its size for a while.
        whole = Checkpoint(base)
        write_checkpoint(start, ((name, whole.read(name), "BFloat16") for name in whole.names()))
    # Freed memory goes back to the system, not to the next allocation: it is all needed.
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
        os.environ[name] = str(1 << 20)
    trained = work / f"finetune-{stack}"
    if not (trained / "run.json").is_file():
        started = time.monotonic()
        stacks.run(
            stack, trained.name, "tools.stage", "--run", work, "--stage", "finetune", "--",
            sys.executable, "-m", "tools.finetune", "--config", work / "finetune.yaml",
            "--model", work / "model.json", "--base", start, "--records", records, "--output",
            trained, "--resume", "no",
        )  # fmt: skip
        click.echo(f"trained in {time.monotonic() - started:.0f} s", err=True)
    losses = losses_of(trained)
    seconds = [float(row.split(",")[4]) for row in _rows(trained)]
    stage = json.loads((work / "stages/finetune.json").read_text("utf-8"))
    result = {
        "stack": stack,
        "losses": [round(float(loss), 4) for loss in losses],
        "median_seconds_a_step": sorted(seconds)[len(seconds) // 2],
        "wall_seconds": stage["seconds"],
        "peak_memory_mb": stage["peak_memory_mb"],
    }
    click.echo(json.dumps(result))
    if output:
        write_json(output, result)


def _fewer(path: Path) -> dict:
    """The profile's corpus, of as many rows as there are steps."""
    corpus = json.loads(path.read_text("utf-8"))
    return {**corpus, "train": _STEPS, "valid": 14, "test": 14}


def _rows(folder: Path) -> list:
    return (folder / "loss.csv").read_text("utf-8").splitlines()[1:]


if __name__ == "__main__":
    main()
