"""A picture: memory by term, for this plan and others beside it, against what a card has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Dict

from tools.files.figure import BLUE, GREEN, GREY, ORANGE, new_figure, save_figure
from tools.planning.fit import Limit, as_gib, processes
from tools.planning.load import RECOMPUTE, Load
from tools.planning.memory import training_terms
from tools.settings.measured import Around

_TRAINED = "LoRA, gradients, optimiser"
_COLOURS = {
    "base weights": GREY,
    _TRAINED: "#000000",
    "activations": BLUE,
    "logits and loss": ORANGE,
    "process": "#c8d1da",
}
# Too thin to be told apart.
_TOGETHER = {_TRAINED: ("LoRA weights", "gradients", "optimiser")}


def variants(load: Load) -> Dict[str, Load]:
    """Label → load: the plan, other batches and lengths, and on cards each way to recompute."""
    found = {"as planned": load}
    if load.device != "CPU":
        for way in RECOMPUTE:
            if way != load.recompute:
                found[f"recompute {way}"] = replace(load, recompute=way)
    if load.batch > 1:
        found[f"batch {load.batch // 2}"] = replace(load, batch=load.batch // 2)
    found[f"batch {2 * load.batch}"] = replace(load, batch=2 * load.batch)
    found[f"length {load.length // 2}"] = replace(load, length=load.length // 2)
    found[f"length {2 * load.length}"] = replace(load, length=2 * load.length)
    return found


def draw_memory(load: Load, limit: Limit, around: Around, title: str, path: Path) -> None:
    """Draw the memory of a training step into `path`, a PNG."""
    bars = variants(load)
    figure = new_figure((9, 1.5 + 0.42 * len(bars)))
    axes = figure.subplots()
    places = range(len(bars))[::-1]
    lefts = [0.0] * len(bars)
    terms = [as_gib(training_terms(each, around), processes(each)) for each in bars.values()]
    for name, colour in _COLOURS.items():
        parts = _TOGETHER.get(name, (name,))
        sizes = [sum(each.get(part, 0.0) for part in parts) for each in terms]
        if any(sizes):
            axes.barh(places, sizes, left=lefts, color=colour, height=0.66, label=name)
            lefts = [left + size for left, size in zip(lefts, sizes)]
    for place, whole in zip(places, lefts):
        axes.annotate(f" {whole:.1f}", (whole, place), va="center", fontsize=8)
    axes.axvline(limit.usable, color=GREEN, linewidth=1.5, label=f"may use {limit.usable:.1f}")
    if limit.total > limit.usable:
        axes.axvline(limit.total, color=GREEN, linestyle=":", label=f"has {limit.total:.1f}")
    axes.set_yticks(places, list(bars), fontsize=9)
    where = "a card" if load.device != "CPU" else "all workers"
    axes.set(title=title, xlabel=f"GiB of {where} at the peak of a training step")
    axes.set_xlim(0, 1.08 * max([limit.total, *lefts]))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    save_figure(figure, path)
