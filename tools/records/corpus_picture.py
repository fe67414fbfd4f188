"""corpus.png: how many rows of each kind, how long they are, what each style costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

from tools.files.figure import BLUE, GREY, ORANGE, new_figure, save_figure

_TRAIN, _LEFT, _LINE = BLUE, "#c8d1da", ORANGE
_STYLES = {
    "source": (GREY, "o"),
    "answer": ("#000000", "|"),
    "direct": ("#56b4e9", "s"),
    "schoolbook": (BLUE, "D"),
    "columns": (ORANGE, "^"),
}


def draw_corpus(counts: Dict[str, Dict[str, Any]], summary: Dict[str, Any], path: Path) -> None:
    """Draw the picture of a corpus into `path`, a PNG; the same corpus gives the same bytes.

    counts    by kind: rows, unique, train, style, … as in corpus.json
    summary   as in tokens.json; the first tokenizer is drawn
    """
    name, found = next(iter(summary["tokenizers"].items()))
    kinds = list(counts)[::-1]
    figure = new_figure((13, 1.6 + 0.34 * len(kinds)))
    rows, lengths, styles = figure.subplots(1, 3, sharey=True)
    places = range(len(kinds))
    unique = [counts[kind]["unique"] for kind in kinds]
    train = [counts[kind]["train"] for kind in kinds]
    rows.barh(places, unique, color=_LEFT, height=0.75, label="different problems")
    rows.barh(places, train, color=_TRAIN, height=0.45, label="in train")
    rows.set_yticks(places, [f"{kind}\n{counts[kind]['style']}" for kind in kinds], fontsize=7.5)
    rows.set(title="Rows by kind, and the style of their solutions", xlabel="rows")
    rows.legend(fontsize=8, loc="lower right")

    for place, kind in zip(places, kinds):
        length = found["lengths"].get(kind)
        if length:
            span = length["p99"] - length["p50"]
            lengths.barh(place, max(span, 1), left=length["p50"], color=_TRAIN, height=0.45)
            lengths.plot(length["max"], place, "|", color=_TRAIN, markersize=9)
        for style, cost in found["styles"].get(kind, {}).items():
            color, marker = _STYLES[style]
            styles.plot(cost["mean"], place, marker, color=color, markersize=6)
    fits = f"seq_length {found['seq_length']}"
    lengths.axvline(found["seq_length"], color=_LINE, linestyle="--", linewidth=1, label=fits)
    lengths.set(title="Tokens of the training rows: p50 to p99, longest", xlabel=name)
    styles.axvline(found["seq_length"], color=_LINE, linestyle="--", linewidth=1)
    styles.set(title="Mean tokens of the same problems, by style", xlabel=name, xscale="log")
    ticks = [25 * 2**power for power in range(8)]
    low, high = styles.get_xlim()
    styles.set_xticks([tick for tick in ticks if low <= tick <= high], minor=False)
    styles.xaxis.set_major_formatter("{x:.0f}")
    styles.minorticks_off()
    drawn = {style for costs in found["styles"].values() for style in costs}
    for style, (color, marker) in _STYLES.items():
        if style in drawn:
            styles.plot([], [], marker, color=color, label=style)
    lengths.legend(fontsize=8, loc="lower right")
    styles.legend(fontsize=8, loc="lower right")
    for axes in (rows, lengths, styles):
        axes.grid(axis="x", alpha=0.25)
        axes.set_axisbelow(True)
    save_figure(figure, path)
