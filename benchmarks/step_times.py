"""How the time of a LoRA step grows with batch, length and workers, on SmolLM2.

    python -m benchmarks.step_times --run runs/smollm2-135m-quick --output docs/step-times.png

RUN is one that `make convert` made. Rank 8 on wq, wk, wv and wo, packed rows, float32, two
threads together. Each row of the table is a training of its own, of some twelve steps; the median
of those after the first two is given, and what a step would take at the machine's best rate of
matrix products, which is measured first. A picture is drawn, a Markdown table printed. Takes about
fifteen minutes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, NamedTuple

import click
import numpy as np

from benchmarks.training import OURS, Side, finetuned
from tools.cli import Command
from tools.files.figure import GREY, new_figure, save_figure
from tools.llama.lora import LoraConfig, adapter_parameters, count
from tools.llama.shape import EMBEDDING, OUTPUT, LlamaShape
from tools.settings.native import read_finetune

STEPS = 12


class Point(NamedTuple):
    """Rows a worker and step, tokens a row, workers."""

    batch: int
    length: int
    workers: int


POINTS = [
    Point(1, 256, 1),
    Point(2, 256, 1),
    Point(4, 256, 1),
    Point(8, 256, 1),
    Point(4, 128, 1),
    Point(4, 512, 1),
    Point(2, 256, 2),
]


def best_rate() -> float:
    """FLOP/s of float32 matrix products of numpy on all cores, the best of five."""
    a, b = (np.random.default_rng(n).standard_normal((2048, 2048), np.float32) for n in (1, 2))
    best = 0.0
    for _ in range(5):
        started = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / (time.perf_counter() - started))
    return best


def operations(shape: LlamaShape, lora: LoraConfig, point: Point, labels: int) -> float:
    """FLOPs of the matrix products of a step of all workers.

    A frozen matrix takes two products a token, forward and the gradient of its input; a LoRA matrix
    a third, its own gradient; attention 2 · 2 · length · hidden forward and twice that backward.
    The output layer works on `labels` positions a row.
    """
    sizes = {
        name: int(np.prod(dims)) for name, dims in shape.parameters().items() if len(dims) == 2
    }
    inner = sum(size for name, size in sizes.items() if name not in (EMBEDDING, OUTPUT))
    adapters = count(adapter_parameters(shape, lora))
    tokens = point.batch * point.length * point.workers
    attention = 3 * 4 * point.length * shape.hidden_size * shape.num_layers
    per_token = 2 * (2 * inner + 3 * adapters) + attention
    return tokens * per_token + 4 * sizes[OUTPUT] * labels * point.batch * point.workers


def records_of(run: Path, folder: Path, length: int, rows: int) -> Path:
    """Packed records of `length` tokens, `rows` or more, of the run's corpus again and again."""
    lines = (run / "corpus" / "train.jsonl").read_text("utf-8").splitlines(keepends=True)
    each = 3 * length // 256 + 3  # examples a row, more than there are
    text = "".join(lines[index % len(lines)] for index in range(each * rows))
    source, output = folder / f"{length}-{rows}.jsonl", folder / f"{length}-{rows}.mindrecord"
    source.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tools.convert", "records", "--pack", "--input", source]
    command += ["--seq-length", length, "--tokenizer", run / "base" / "tokenizer.json"]
    command += ["--model", run / "base" / "model.json", "--output", output]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return output


def draw(points: List[Point], sides: List[Side], bounds: List[float], path: Path) -> None:
    """Step time over tokens of a step, beside the bound."""
    figure = new_figure((7, 4))
    axes = figure.subplots()
    tokens = [point.batch * point.length * point.workers for point in points]
    for label, chosen, marker in (
        ("batch 1 to 8 of 256 tokens", [p.length == 256 and p.workers == 1 for p in points], "o"),
        ("4 rows of 128 and 512", [p.length != 256 for p in points], "s"),
        ("two workers, 2 rows each", [p.workers > 1 for p in points], "^"),
    ):
        at = [index for index, yes in enumerate(chosen) if yes]
        steps = [sides[index].step for index in at]
        axes.plot([tokens[index] for index in at], steps, marker, label=label, markersize=7)
    order = np.argsort(tokens)
    axes.plot(
        [tokens[index] for index in order],
        [bounds[index] for index in order],
        color=GREY,
        linestyle="--",
        label="matrix products alone, at the machine's best rate",
    )
    axes.set(xlabel="tokens a step", ylabel="seconds", title="A LoRA step of SmolLM2-135M")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    save_figure(figure, path)


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--run", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--output", type=click.Path(path_type=Path), default="docs/step-times.png")
def main(run: Path, output: Path) -> None:
    model = read_finetune(run / "config" / "finetune.yaml")["model"]["model_config"]
    shape = LlamaShape.from_model_config(model, "finetune.yaml")
    lora = LoraConfig.from_pet_config(model["pet_config"], "finetune.yaml")
    rate = best_rate()
    click.echo(f"matrix products: {rate / 1e9:.0f} GFLOP/s at best", err=True)
    sides, bounds = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for point in POINTS:
            records = records_of(run, folder, point.length, STEPS * point.batch * point.workers)
            label = f"{point.batch}x{point.length}x{point.workers}"
            seed = int(time.time()) % (1 << 31)
            how = {"workers": point.workers, "length": point.length}
            side = finetuned(label, OURS, run, folder, records, point.batch, False, seed, **how)
            sides.append(side)
            # Of a row's positions as many have labels as in the records.
            bounds.append(operations(shape, lora, point, round(side.useful)) / rate)
            click.echo(f"{label}: {side.step:.2f} s, bound {bounds[-1]:.2f} s", err=True)
    draw(POINTS, sides, bounds, output)
    click.echo("| rows | length | workers | tokens | step, s | bound, s | tokens/s | peak, GB |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for point, side, bound in zip(POINTS, sides, bounds):
        tokens = point.batch * point.length * point.workers
        click.echo(
            f"| {point.batch} | {point.length} | {point.workers} | {tokens} | {side.step:.2f} "
            f"| {bound:.2f} | {tokens / side.step:.0f} | {side.peak / 1000:.2f} |"
        )


if __name__ == "__main__":
    main()
