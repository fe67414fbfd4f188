"""probe.png: ranks of each kind across the layers, and how fast their energy gathers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np

from tools.files.figure import new_figure, save_figure
from tools.probing.allocation import Spectrum
from tools.probing.measures import POINTS, cumulative_energy
from tools.probing.sources import ATTENTION, Source

# Attention in blues, the feed-forward in reds, so that the two groups are seen first.
_COLORS = {
    "wq": "#0072b2",
    "wk": "#56b4e9",
    "wv": "#1b3f66",
    "wo": "#7fb8c9",
    "w1": "#d55e00",
    "w2": "#e69f00",
    "w3": "#a3341f",
}
_TITLES = {
    "weights": "Weights",
    "difference": "Change by training",
    "adapter": "LoRA's delta",
}


def draw_probe(
    source: Source, spectra: Sequence[Spectrum], summary: Dict[str, Any], path: Path
) -> None:
    """Draw the picture of a probe into `path`, a PNG; the same probe gives the same bytes."""
    figure = new_figure((10, 3.7))
    entropy, r90, energy = figure.subplots(1, 3)
    for kind in summary["kinds"]:
        entries = [entry for entry in summary["matrices"] if entry["kind"] == kind]
        layers = [entry["layer"] for entry in entries]
        marker = "o" if kind in ATTENTION else "s"
        style = {"color": _COLORS[kind], "marker": marker, "markersize": 3, "linewidth": 1}
        for axes, rank in ((entropy, "entropy_rank"), (r90, "r90")):
            shares = [entry[rank] / entry["random"][rank] for entry in entries]
            axes.plot(layers, shares, label=kind, **style)
        own = [(matrix, values) for matrix, values in spectra if matrix.kind == kind]
        curve = np.median([cumulative_energy(values) for _, values in own], axis=0)
        energy.plot(POINTS, curve, color=_COLORS[kind], linewidth=1.4, label=kind)
        random = cumulative_energy(source.baseline(own[0][0]))
        energy.plot(POINTS, random, color=_COLORS[kind], linewidth=0.9, linestyle="--")
    entropy.set(title="Entropy rank ÷ random", xlabel="layer")
    r90.set(title="90 % energy rank ÷ random", xlabel="layer")
    for axes in (entropy, r90):
        axes.axhline(1.0, color="#333333", linewidth=0.8, linestyle="--")
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
    energy.set(
        title="Energy held (dashed: random)",
        xlabel="share of the directions",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    for axes in (entropy, r90, energy):
        axes.grid(alpha=0.25)
    figure.suptitle(f"{_TITLES[source.what]}: ranks beside those of a random matrix")
    handles, labels = entropy.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    save_figure(figure, path)
