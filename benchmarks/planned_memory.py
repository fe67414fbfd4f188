"""The picture of docs/planning.md: a card's memory by term, for a plan and others beside it.

    python -m benchmarks.planned_memory --output docs/planning.png

The plan is that of `make plan PROFILE=llama3-8b`. Takes some seconds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from tools.cli import Command
from tools.files.figure import BLUE, GREEN, GREY, ORANGE, legend_below, new_figure, save_figure
from tools.planning.memory import limit_of, training_gib
from tools.planning.planned_run import Options, read_run
from tools.settings.measured import read_measured

TRAINED = "LoRA, gradients, optimiser"
# What is trained is too thin to be told apart.
PARTS = {
    "base weights": (GREY, ("base weights",)),
    TRAINED: ("#000000", ("LoRA weights", "gradients", "optimiser")),
    "activations": (BLUE, ("activations",)),
    "logits and loss": (ORANGE, ("logits and loss",)),
}


@click.command(cls=Command)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(output: Path) -> None:
    """Draw the memory of a card of 32 GiB in a training of LLaMA3-8B, as a PNG."""
    load, around = read_run(Options("llama3-8b")).load, read_measured().around["Ascend"]
    limit = limit_of(load, 32, around)
    bars = {
        "as planned": load,
        "recompute none": replace(load, recompute=False),
        f"batch {load.batch // 2}": replace(load, batch=load.batch // 2),
        f"batch {2 * load.batch}": replace(load, batch=2 * load.batch),
        f"length {load.length // 2}": replace(load, length=load.length // 2),
        f"length {2 * load.length}": replace(load, length=2 * load.length),
    }
    terms = [training_gib(each, around) for each in bars.values()]
    figure = new_figure((7, 4))
    axes = figure.subplots()
    places = range(len(bars))[::-1]
    lefts = [0.0] * len(bars)
    for name, (colour, parts) in PARTS.items():
        sizes = [sum(each[part] for part in parts) for each in terms]
        axes.barh(places, sizes, left=lefts, color=colour, height=0.66, label=name)
        lefts = [left + size for left, size in zip(lefts, sizes)]
    for place, whole in zip(places, lefts):
        axes.annotate(f" {whole:.1f}", (whole, place), va="center", fontsize=8)
    axes.axvline(limit.usable, color=GREEN, linewidth=1.5, label=f"may use {limit.usable:.0f}")
    axes.axvline(limit.total, color=GREEN, linestyle=":", label=f"has {limit.total:.0f}")
    axes.set_yticks(places, list(bars))
    axes.set(xlabel="GiB of a card at the peak of a training step", xlim=(0, 1.08 * limit.total))
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    legend_below(figure, axes)
    save_figure(figure, output)


if __name__ == "__main__":
    main()
