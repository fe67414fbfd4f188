"""A LoRA step on SmolLM2: ours, MindFormers' own cells, and torch with peft, in one run.

    python -m benchmarks.training --run runs/smollm2-135m-quick --reference /path/to/python

RUN is one that `make convert` made; --reference is a Python that has torch, transformers, peft and
gguf. Rank 8 on wq, wk, wv and wo, batch 4 of 256 tokens, float32, two threads. Of each side: the
median of the steps after the first two, launch to first step, and peak memory. Ours and peft's
take turns, since the machine is shared: ours, peft, ours with the graph that the first one kept,
peft. Their steps are ratios of medians over both turns. MindFormers' side trains on padded rows,
as the organisers' do, ours on packed ones: loss-bearing tokens a second follow. Prints a Markdown
table. Takes about fifteen minutes.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import click
import numpy as np
import yaml

from tools.cli import Command
from tools.settings.native import PLAIN_ARCH, read_finetune

SETTLED = 2
OURS, STOCK = "tools.finetune", "benchmarks.stock_finetune"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


class Side(NamedTuple):
    """What one process did: seconds of each step, launch to first step, MB, useful tokens a row."""

    name: str
    seconds: List[float]
    first: float
    peak: float
    useful: float

    @property
    def step(self) -> float:
        return float(np.median(self.seconds[SETTLED:]))


def _measured(command: List[str], losses: Path) -> Dict[str, float]:
    """Run to the end; give seconds to the first line of `losses`, and peak MB of any process."""
    started = time.time()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    first = None
    while process.poll() is None and first is None:
        time.sleep(0.05)
        if losses.is_file() and losses.read_text().count("\n") > 1:
            first = time.time() - started
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0) if process.returncode is None else (0, 0, None)
    if usage is None or status:
        raise SystemExit(f"{command[:4]} failed: {said[-2000:]}")
    return {"first": first, "peak": usage.ru_maxrss / 1000}


def finetuned(
    name: str,
    module: str,
    run: Path,
    folder: Path,
    records: Path,
    batch: int,
    plain: bool,
    seed: int,
    workers: int = 1,
    length: Optional[int] = None,
) -> Side:
    """Train on all of `records` and give what it took; batch is that of a worker."""
    native = read_finetune(run / "config" / "finetune.yaml")
    native["train_dataset"]["batch_size"] = batch
    native["runner_config"]["batch_size"] = batch
    native["seed"] = seed
    native["use_parallel"] = workers > 1
    native["parallel_config"]["data_parallel"] = workers
    native["model"]["model_config"]["batch_size"] = batch
    if length is not None:
        native["model"]["model_config"]["seq_length"] = length
    native["train_dataset_task"]["dataset_config"] = native["train_dataset"]
    if plain:
        native["model"]["arch"]["type"] = PLAIN_ARCH
    config = folder / f"{name}.yaml"
    config.write_text(yaml.safe_dump(native))
    output = folder / name
    command = [sys.executable, "-m", module, "--config", config, "--output", output]
    command += ["--model", run / "config" / "model.json", "--base", run / "base" / "model.ckpt"]
    command += ["--records", records, "--checkpoints", "1"]
    work = output.with_name(output.name + ".work")
    taken = _measured([str(part) for part in command], work / "loss.csv")
    with (output / "loss.csv").open() as handle:
        seconds = [float(line["seconds"]) for line in csv.DictReader(handle)]
    told = json.loads(Path(f"{records}.json").read_text())
    useful = told["answer_tokens"] / told["rows"]
    return Side(name, seconds, taken["first"], taken["peak"], useful)


def both(one: Side, other: Side) -> Side:
    """Two turns as one side: the settled steps of both, launch and memory of the first."""
    return one._replace(seconds=[*one.seconds, *other.seconds[SETTLED:]])


def by_peft(run: Path, folder: Path, reference: str, gguf: Path, records: Path, batch: int) -> Side:
    """The same shape through torch, transformers and peft, on the first rows of `records`."""
    rows = _rows(records, batch, 12)
    np.savez(folder / "rows.npz", **rows)
    script = Path(__file__).with_name("peft_reference.py")
    output = folder / "peft.json"
    command = [reference, script, "--gguf", gguf, "--rows", folder / "rows.npz", "--output", output]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    told: Dict[str, Any] = json.loads(output.read_text())
    useful = json.loads(Path(f"{records}.json").read_text())
    return Side(
        f"torch {told['versions']['torch']}, peft {told['versions']['peft']}",
        told["seconds"],
        told["first_step_seconds"],
        told["peak_mb"],
        useful["answer_tokens"] / useful["rows"],
    )


def _rows(records: Path, batch: int, steps: int) -> Dict[str, np.ndarray]:
    from mindspore import dataset

    source = dataset.MindDataset(str(records), ["input_ids", "labels"], shuffle=False)
    source = source.batch(batch, drop_remainder=True).take(steps)
    found = list(source.create_tuple_iterator(num_epochs=1, output_numpy=True))
    ids, labels = (np.stack([item[at] for item in found]).astype(np.int64) for at in (0, 1))
    return {"input_ids": ids, "labels": labels}


def padded(run: Path, folder: Path, examples: int) -> Path:
    """Records of the first examples of the run's corpus, one a row."""
    lines = (run / "corpus" / "train.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "train.jsonl").write_text("".join(lines[:examples]), encoding="utf-8")
    output = folder / "padded.mindrecord"
    command = [sys.executable, "-m", "tools.convert", "records", "--no-pack"]
    command += ["--config", run / "config" / "records.json", "--input", folder / "train.jsonl"]
    command += ["--tokenizer", run / "base" / "tokenizer.json", "--output", output]
    command += ["--model", run / "base" / "model.json"]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return output


def table(sides: List[Side], batch: int) -> str:
    """A Markdown table; ratios to the first side."""
    lines = [
        "| side | step, s | × ours | useful tokens/s | launch to first step, s | peak, GB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for side in sides:
        lines.append(
            f"| {side.name} | {side.step:.2f} | {side.step / sides[0].step:.2f} "
            f"| {side.useful * batch / side.step:.1f} | {side.first:.1f} | {side.peak / 1000:.2f} |"
        )
    return "\n".join(lines)


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--run", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--reference", required=True, help="Python with torch, transformers, peft, gguf.")
@click.option("--gguf", type=click.Path(path_type=Path), default=f"material/smollm2-135m/{GGUF}")
@click.option("--batch", default=4, show_default=True)
def main(run: Path, reference: str, gguf: Path, batch: int) -> None:
    packed = run / "records" / "train.mindrecord"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The seed is part of a graph's name: the first training finds none.
        seed = int(time.time()) % (1 << 31)
        rows = padded(run, folder, 14 * batch)
        turns = []
        for side in (
            lambda: finetuned("ours", OURS, run, folder, packed, batch, False, seed),
            lambda: by_peft(run, folder, reference, gguf, packed, batch),
            lambda: finetuned("graph read back", OURS, run, folder, packed, batch, False, seed),
            lambda: by_peft(run, folder, reference, gguf, packed, batch),
            lambda: finetuned("MindFormers, padded", STOCK, run, folder, rows, batch, True, seed),
        ):
            turns.append(side())
            steps = ", ".join(f"{value:.2f}" for value in turns[-1].seconds)
            click.echo(f"{turns[-1].name}: {steps} s", err=True)
    ours, peft, again, peft_again, stock = turns
    click.echo(table([both(ours, again), both(peft, peft_again), again, stock], batch))


if __name__ == "__main__":
    main()
