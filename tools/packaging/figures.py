"""The report's figures as PNG files; the same run gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

from tools.files.atomic import atomic_path
from tools.packaging.facts import Checkpoint, Facts
from tools.training.losses import draw_losses

# Blue and orange keep apart for every kind of colour vision (Okabe and Ito).
_BEFORE, _AFTER, _THIRD = "#9aa5b1", "#0072b2", "#d55e00"


def draw_figures(facts: Facts, folder: Path) -> None:
    """Write loss.png, accuracy.png and checkpoints.png into `folder`."""
    draw_losses(facts.steps, folder / "loss.png")
    _accuracy(facts, folder / "accuracy.png")
    _checkpoints(facts, facts.checkpoints, folder / "checkpoints.png")


def _figure(height: float) -> Any:
    # The object interface: pyplot would keep figures in memory and look for a display.
    from matplotlib.figure import Figure

    return Figure(figsize=(7, height), dpi=110, layout="constrained")


def _save(figure: Any, path: Path) -> None:
    with atomic_path(path) as temporary:
        # The version of the library in the file would change its bytes.
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _accuracy(facts: Facts, path: Path) -> None:
    before, after = (scores["math"]["by_kind"] for scores in (facts.before, facts.after))
    kinds = sorted({*before, *after})
    figure = _figure(1.4 + 0.42 * len(kinds))
    axes = figure.subplots()
    for shares, color, label, shift in (
        (before, _BEFORE, "before", -0.2),
        (after, _AFTER, "after", 0.2),
    ):
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
    axes.set_yticks(range(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="accuracy in %, with 95 % intervals")
    axes.set_title("Arithmetic accuracy by kind of problem")
    axes.grid(axis="x", alpha=0.25)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    _save(figure, path)


def _whiskers(shares: List[Dict[str, Any]], values: List[float]) -> List[List[float]]:
    # An end may miss the value by a rounding, and a negative length is refused.
    low = [max(0.0, v - 100 * share["interval"][0]) for share, v in zip(shares, values)]
    high = [max(0.0, 100 * share["interval"][1] - v) for share, v in zip(shares, values)]
    return [low, high]


def _checkpoints(facts: Facts, checkpoints: List[Checkpoint], path: Path) -> None:
    figure = _figure(3.8)
    axes = figure.subplots()
    places = range(len(checkpoints))
    lines = (
        ("accuracy", _AFTER, [100 * item.scores["math"]["accuracy"] for item in checkpoints], None),
        ("F1", _THIRD, [item.scores["squad"]["f1"] for item in checkpoints], facts.minimum.f1),
        ("EM", "#009e73", [item.scores["squad"]["em"] for item in checkpoints], facts.minimum.em),
    )
    for label, color, values, gate in lines:
        axes.plot(places, values, color=color, marker="o", linewidth=1.4, label=label)
        if gate is not None:
            gate_label = f"{label} that must be kept"
            axes.axhline(gate, color=color, linestyle=":", linewidth=1.2, label=gate_label)
    best = [index for index, item in enumerate(checkpoints) if item.number == facts.best]
    axes.axvline(best[0], color="#000000", alpha=0.15, linewidth=8, zorder=0, label="best")
    names = [f"step {item.step}" if item.step else str(item.number) for item in checkpoints]
    axes.set_xticks(list(places), names)
    axes.set(ylabel="%", title="The checkpoints, beside the reading that must be kept")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    _save(figure, path)
