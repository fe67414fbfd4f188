"""The page's charts as paths and ticks for its template, in percent of the plot.

The pictures of report.md are matplotlib's (figures.py). In the page all words and numbers are
the browser's own text instead: one drawing then serves both languages, light and dark, and is
read on a phone as on paper.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from tools.packaging import layout
from tools.packaging.facts import Facts
from tools.packaging.tables import right_lines, sources_of_scores
from tools.packaging.texts import Text, label, say
from tools.scoring.arithmetic import wilson
from tools.training.losses import smoothed

# More points than a screen has columns only make the page larger.
_MOST_POINTS = 1000

Point = Tuple[float, float]
Tick = Tuple[float, str]  # place in percent, what stands there


class Line(NamedTuple):
    """`path` is SVG's, 0 0 on top left, 100 100 below right; `look` is a class of report.css."""

    look: str
    path: str


class Chart(NamedTuple):
    """Lines over an axis.

    keys    look -> what it stands for, for the legend.
    x_name  what the ticks below are.
    """

    lines: List[Line]
    keys: Dict[str, Text]
    x_ticks: List[Tick]
    y_ticks: List[Tick]
    x_name: Text
    sources: Tuple[str, ...]


class Bar(NamedTuple):
    """Of one kind, before and after: accuracy and its interval, and right lines, in percent.

    None where it was not asked, or lines are not known.
    """

    name: Text
    shares: List[Tuple[str, Optional[Tuple[float, float, float]], Optional[float]]]


class Bars(NamedTuple):
    """Pairs of bars from 0 to 100 %; `keys` as a Chart's."""

    bars: List[Bar]
    keys: Dict[str, Text]
    sources: Tuple[str, ...]


def charts(facts: Facts) -> Dict[str, Any]:
    """Name -> Chart, or Bars for "kinds"."""
    return {
        "kinds": _kinds(facts),
        "loss": _loss(facts),
        "rates": _rates(facts),
        "checkpoints": _checkpoints(facts),
    }


def _kinds(facts: Facts) -> Bars:
    sides = {"before": facts.before["math"], "after": facts.after["math"]}
    shares = [(side, _span(math), right_lines(math)) for side, math in sides.items()]
    bars = [Bar(say("cells.all_kinds"), shares)]
    for kind in facts.kinds:
        shares = [
            (side, _span(math["by_kind"].get(kind)), right_lines(math, kind))
            for side, math in sides.items()
        ]
        bars.append(Bar(label("kinds", kind), shares))
    keys = {side: say(f"cards.{side}") for side in sides}
    if "lines" in facts.after["math"]:
        keys["marker"] = say("figures.lines")
    return Bars(bars, keys, sources_of_scores(facts))


def _span(share: Optional[Dict[str, Any]]) -> Optional[Tuple[float, float, float]]:
    if share is None:
        return None
    low, high = share["interval"]
    return 100 * share["accuracy"], 100 * low, 100 * high


def _loss(facts: Facts) -> Chart:
    width, means = smoothed(facts.steps)
    series = {"each": [(step.step, step.loss) for step in facts.steps]}
    keys = {"each": say("figures.each_step")}
    if width > 1:
        series["mean"] = means
        keys["mean"] = say("figures.mean", width=width)
    return _over_steps(series, keys)


def _rates(facts: Facts) -> Chart:
    steps = facts.steps
    series = {"rate-in": [(step.step, step.learning_rate) for step in steps]}
    keys = {"rate-in": say("figures.rate_all")}
    if any(step.learning_rate != step.out_learning_rate for step in steps):
        series["rate-out"] = [(step.step, step.out_learning_rate) for step in steps]
        keys = {"rate-in": say("figures.rate_in"), "rate-out": say("figures.rate_out")}
    return _over_steps(series, keys)


def _over_steps(series: Dict[str, Sequence[Point]], keys: Dict[str, Text]) -> Chart:
    numbers = [x for points in series.values() for x, _ in points]
    x = Scale(min(numbers), max(numbers))
    y = Scale(0, max(value for points in series.values() for _, value in points))
    lines = [
        Line(look, _path((x.place(a), 100 - y.place(b)) for a, b in _thinned(points)))
        for look, points in series.items()
    ]
    ticks = [tick for tick in x.ticks(whole=True) if 0 <= tick[0] <= 100]
    return Chart(lines, keys, ticks, y.ticks(), say("figures.steps"), (layout.LOSSES,))


def _checkpoints(facts: Facts) -> Chart:
    count = len(facts.checkpoints)
    # Each has a column of its own width, its point in the middle.
    places = [100 * (index + 0.5) / count for index in range(count)]
    maths = [item.scores["math"] for item in facts.checkpoints]
    squads = [item.scores["squad"] for item in facts.checkpoints]
    ends = [wilson(math["correct"], math["count"]) for math in maths]
    low = [(x, 100 - 100 * low) for x, (low, _) in zip(places, ends)]
    high = [(x, 100 - 100 * high) for x, (_, high) in zip(places, ends)]
    chosen = [item.number for item in facts.checkpoints].index(facts.best)
    left, right = 100 * chosen / count, 100 * (chosen + 1) / count
    lines = [
        Line("chosen", f"M{left:.2f} 0H{right:.2f}V100H{left:.2f}Z"),
        Line("band", _path([*low, *reversed(high)]) + "Z"),
        Line("f1 gate", f"M0 {100 - facts.minimum.f1:.2f}H100"),
        Line("em gate", f"M0 {100 - facts.minimum.em:.2f}H100"),
    ]
    curves = {key: [squad[key] for squad in squads] for key in ("f1", "em")}
    if all("lines" in math for math in maths):
        curves["lines"] = [100 * math["lines"]["share"] for math in maths]
    curves["accuracy"] = [100 * math["accuracy"] for math in maths]
    for look, values in curves.items():
        points = [(x, 100 - value) for x, value in zip(places, values)]
        lines += [Line(look, _path(points)), Line(f"{look} dots", _dots(points))]
    names = (*reversed(curves), "interval", "gate", "chosen")
    keys = {name.replace("interval", "band"): say(f"figures.{name}") for name in names}
    steps = [str(item.step or item.number) for item in facts.checkpoints]
    files = (layout.SCORES.format(name=item.number) for item in facts.checkpoints)
    return Chart(
        lines,
        keys,
        list(zip(places, steps)),
        Scale(0, 100).ticks(),
        say("figures.steps"),
        (layout.BEST, sources_of_scores(facts)[0], *files),
    )


class Scale:
    """Numbers as places from 0 to 100; one that is all the range there is stands in the middle."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def place(self, value: float) -> float:
        """Where `value` stands."""
        if self.high == self.low:
            return 50.0
        return 100 * (value - self.low) / (self.high - self.low)

    def ticks(self, whole: bool = False) -> List[Tick]:
        """A few round numbers within the range, with their places."""
        from matplotlib.ticker import MaxNLocator

        if self.high == self.low:
            return [(50.0, f"{self.low:g}")]
        locator = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10], integer=whole)
        values = locator.tick_values(self.low, self.high)
        return [
            (self.place(value), f"{value:,.0f}" if whole else f"{value:.6g}")
            for value in values
            if self.low <= value <= self.high
        ]


def _thinned(points: Sequence[Point]) -> Iterable[Point]:
    """At most _MOST_POINTS: of each stretch the lowest and the highest, so that peaks stay."""
    if len(points) <= _MOST_POINTS:
        return points
    stretch = -(-2 * len(points) // _MOST_POINTS)
    kept = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        kept += sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])})
    return kept


def _path(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points)


def _dots(points: Iterable[Point]) -> str:
    """Lines of no length: with round ends they are dots, however the plot is stretched."""
    return "".join(f"M{x:.2f} {y:.2f}h0" for x, y in points)
