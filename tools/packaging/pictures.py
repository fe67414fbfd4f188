"""The report's pictures: PNG files for report.md, and SVG that stands in report.html itself."""

from __future__ import annotations

import io
import re
from html import escape, unescape
from pathlib import Path
from typing import Any, Dict, List, Optional

from tools.files.figure import BLUE, GREEN, GREY, ORANGE, legend_below, new_figure, save_figure
from tools.packaging.facts import Facts
from tools.packaging.texts import Words
from tools.scoring.choose import row_of
from tools.scoring.curve import draw_checkpoints
from tools.training.losses import draw_losses

INK = "#333333"
# Colours as report.css names them: it knows another set for the dark.
_COLORS = {
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    GREY: "grey",
    INK: "ink",
    "#000000": "ink",
    "#b0b0b0": "line",
    "#ffffff": "page",
}


def draw_all(facts: Facts) -> Dict[str, Any]:
    """Return name -> matplotlib figure, all words in them in English."""
    rows = [row_of(item.number, item.step, item.scores) for item in facts.checkpoints]
    return {
        "accuracy": _accuracy(facts),
        "loss": draw_losses(facts.steps),
        "checkpoints": draw_checkpoints(rows, facts.best, facts.minimum),
    }


def save_all(facts: Facts, folder: Path) -> None:
    """Write accuracy.png, loss.png and checkpoints.png into `folder`."""
    for name, figure in draw_all(facts).items():
        save_figure(figure, folder / f"{name}.png")


def svg_of_all(facts: Facts, words: Words) -> Dict[str, str]:
    """Return name -> <svg> element, in a language and in the colours of report.css.

    Text stays text, so that the reader's own fonts show it, Chinese too. The same facts give the
    same bytes.
    """
    return {name: _svg(name, figure, words) for name, figure in draw_all(facts).items()}


def right_lines(math: Dict[str, Any], kind: Optional[str] = None) -> Optional[float]:
    """Return the share of right lines, of all kinds or of one; None where it is not known."""
    lines = math.get("lines") or {"by_kind": {}}
    return (lines if kind is None else lines["by_kind"].get(kind, {})).get("share")


def _accuracy(facts: Facts) -> Any:
    """Two bars a kind with their intervals, and a marker where the share of right lines is."""
    names = ["all kinds", *facts.kinds]
    figure = new_figure((5, 1.2 + 0.36 * len(names)), dpi=160)
    axes = figure.subplots()
    for scores, color, label, shift in (
        (facts.before, GREY, "before", -0.2),
        (facts.after, BLUE, "after", 0.2),
    ):
        math = scores["math"]
        shares = {names[0]: math, **math["by_kind"]}
        places = [index + shift for index, name in enumerate(names) if name in shares]
        shown = [shares[name] for name in names if name in shares]
        values = [100 * share["accuracy"] for share in shown]
        # An end may miss the value by a rounding, and a negative length is refused.
        ends = [
            [max(0.0, v - 100 * share["interval"][0]) for share, v in zip(shown, values)],
            [max(0.0, 100 * share["interval"][1] - v) for share, v in zip(shown, values)],
        ]
        style = {"ecolor": INK, "elinewidth": 0.8}
        axes.barh(places, values, height=0.38, color=color, label=label, xerr=ends, error_kw=style)
        known: List[Any] = [right_lines(math, kind) for kind in (None, *facts.kinds)]
        marked = [(100 * x, index + shift) for index, x in enumerate(known) if x is not None]
        if marked:
            label = "right lines" if scores is facts.after else None
            style = {"marker": "D", "s": 16, "color": "#ffffff", "edgecolors": INK}
            axes.scatter(*zip(*marked), label=label, clip_on=False, zorder=3, **style)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set(xlim=(0, 100), xlabel="accuracy, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="x", alpha=0.4)
    legend_below(figure, axes)
    return figure


def _svg(name: str, figure: Any, words: Words) -> str:
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        none = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=none)
    text = buffer.getvalue()
    text = re.sub("<style.*?</style>", "", text[text.index("<svg") :])  # report.css has it
    # Whatever the processor adds up differently lies beyond the second decimal.
    text = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", text)
    for color, variable in _COLORS.items():
        text = text.replace(color, f"var(--{variable})")
    # Of the page's ids each is its own; what nothing refers to needs none.
    ids = list(dict.fromkeys(re.findall(r'#(\w+)[")]', text)))
    text = re.sub(
        r' id="([^"]+)"',
        lambda found: f' id="{found[1]}"' if found[1] in ids else "",
        text,
    )
    for place, own in enumerate(ids):
        text = text.replace(own, f"{name}-{words.language}-{place}")
    said = words.of_english("words", "kinds")
    return re.sub(
        r">([^<>]*)</text>",
        lambda found: f">{escape(said.get(unescape(found[1]), unescape(found[1])))}</text>",
        text,
    )
