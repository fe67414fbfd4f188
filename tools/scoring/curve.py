"""A picture of accuracy, right lines, F1 and EM over training, beside what must be kept."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from tools.files.figure import BLUE, GREEN, ORANGE, legend_below, new_figure
from tools.scoring.arithmetic import wilson
from tools.settings.contest import ReadingScore


def draw_checkpoints(rows: List[Dict[str, Any]], best: int, minimum: Optional[ReadingScore]) -> Any:
    """Return a figure of the evaluated checkpoints.

    rows     "checkpoints" of best.json, in training order.
    best     the number of the chosen one.
    minimum  F1 and EM, in percent, that an eligible model reaches.
    """
    figure = new_figure((5, 3.9), dpi=160)
    axes = figure.subplots()
    places = range(len(rows))
    accuracy = [100 * row["accuracy"] for row in rows]
    ends = [wilson(row["correct"], row["count"]) for row in rows]
    axes.fill_between(
        places,
        [100 * low for low, _ in ends],
        [100 * high for _, high in ends],
        color=BLUE,
        alpha=0.12,
        linewidth=0,
        label="95% interval",
    )
    if all("lines" in row for row in rows):
        lines = [100 * row["lines"]["share"] for row in rows]
        axes.plot(places, lines, color=BLUE, marker="s", linestyle="--", label="right lines")
    for label, color, values, gate in (
        ("accuracy", BLUE, accuracy, None),
        ("F1", ORANGE, [row["f1"] for row in rows], minimum and minimum.f1),
        ("EM", GREEN, [row["em"] for row in rows], minimum and minimum.em),
    ):
        axes.plot(places, values, color=color, marker="o", linewidth=1.4, label=label)
        if gate is not None:
            gate_label = f"{label} to be kept"
            axes.axhline(gate, color=color, linestyle=":", linewidth=1.2, label=gate_label)
    chosen = [place for place, row in enumerate(rows) if row["checkpoint"] == best]
    axes.axvline(chosen[0], color="#000000", alpha=0.15, linewidth=8, zorder=0, label="chosen")
    axes.set_xticks(list(places), [str(row["step"] or row["checkpoint"]) for row in rows])
    axes.set(xlabel="step", ylabel="%")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.4)
    legend_below(figure, axes)
    return figure
