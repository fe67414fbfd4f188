"""The report's figures as PNG files; the same run gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

from tools.files.figure import BLUE, GREY, new_figure, save_figure
from tools.packaging.facts import Facts
from tools.packaging.tables import right_lines
from tools.scoring.choose import row_of
from tools.scoring.curve import draw_checkpoints
from tools.training.losses import draw_losses


def draw_figures(facts: Facts, folder: Path) -> None:
    """Write loss.png, accuracy.png and checkpoints.png into `folder`."""
    draw_losses(facts.steps, folder / "loss.png")
    _accuracy(facts, folder / "accuracy.png")
    rows = [row_of(item.number, item.step, item.scores) for item in facts.checkpoints]
    draw_checkpoints(rows, facts.best, facts.minimum, folder / "checkpoints.png")


def _accuracy(facts: Facts, path: Path) -> None:
    kinds = ["all kinds", *facts.kinds]
    figure = new_figure((7, 1.4 + 0.42 * len(kinds)))
    axes = figure.subplots()
    for scores, color, label, shift in (
        (facts.before, GREY, "before", -0.2),
        (facts.after, BLUE, "after", 0.2),
    ):
        math = scores["math"]
        shares = {kinds[0]: math, **math["by_kind"]}
        present = [index for index, kind in enumerate(kinds) if kind in shares]
        chosen = [shares[kinds[index]] for index in present]
        values = [100 * share["accuracy"] for share in chosen]
        axes.barh(
            [index + shift for index in present],
            values,
            height=0.38,
            color=color,
            label=label,
            xerr=_whiskers(chosen, values),
            error_kw={"ecolor": "#333333", "elinewidth": 0.8, "capsize": 2},
        )
        lines = [right_lines(math, kind) for kind in (None, *facts.kinds)]
        marked = [(x, index + shift) for index, x in enumerate(lines) if x is not None]
        if marked:
            label = "right lines" if scores is facts.after else None
            style = {"marker": "D", "s": 16, "color": "white", "edgecolors": "#333333"}
            axes.scatter(*zip(*marked), label=label, clip_on=False, zorder=3, **style)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="accuracy in %, with 95 % intervals")
    axes.set_title("Arithmetic accuracy by kind of problem")
    axes.grid(axis="x", alpha=0.25)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save_figure(figure, path)


def _whiskers(shares: List[Dict[str, Any]], values: List[float]) -> List[List[float]]:
    # An end may miss the value by a rounding, and a negative length is refused.
    low = [max(0.0, v - 100 * share["interval"][0]) for share, v in zip(shares, values)]
    high = [max(0.0, 100 * share["interval"][1] - v) for share, v in zip(shares, values)]
    return [low, high]
