"""The page's charts: points where the numbers are, ticks within the range."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Tuple

from hypothesis import given
from hypothesis import strategies as st

from tools.packaging.charts import Scale, _thinned, charts
from tools.packaging.facts import gather
from tools.training.losses import Step, smoothed

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


def points(path: str) -> List[Tuple[float, float]]:
    assert re.fullmatch(r"M[\d.]+ [\d.]+(L[\d.]+ [\d.]+)*", path)
    return [tuple(map(float, pair.split())) for pair in path[1:].split("L")]  # type: ignore


def test_loss_and_rates(finished: Dict[str, Path]) -> None:
    drawn = charts(gather(finished["run"]))
    # Ten steps from 3.8 to 2.0: too few for a mean; the axis begins at 0 and ends at the highest.
    (line,) = drawn["loss"].lines
    path = points(line.path)
    assert [path[0], path[-1]] == [(0, 0), (100, round(100 - 200 / 3.8, 2))]
    assert [text for _, text in drawn["loss"].y_ticks] == ["0", "1", "2", "3"]
    assert [line.look for line in drawn["rates"].lines] == ["rate-in", "rate-out"]
    inner, outer = (points(line.path) for line in drawn["rates"].lines)
    assert outer[0] == (0, 0)
    assert inner[0] == (0, round(100 - 100 / 16, 2))
    assert drawn["rates"].sources == ("training/loss.csv",)


def test_checkpoints(finished: Dict[str, Path]) -> None:
    chart = charts(gather(finished["run"]))["checkpoints"]
    lines = {line.look: line.path for line in chart.lines}
    assert points(lines["accuracy"]) == [
        *((10, 58.33), (30, 50), (50, 41.67), (70, 50), (90, 58.33)),
    ]
    # Seven right lines of seventeen: each of five wrong answers is two lines for one.
    assert points(lines["lines"])[2] == (50, 58.82)
    assert lines["f1 gate"] == "M0 55.00H100"
    assert lines["chosen"] == "M40.00 0H60.00V100H40.00Z"
    assert lines["em dots"].startswith("M10.00 25.00h0M30.00 25.00h0")
    assert chart.x_ticks == [(10, "2"), (30, "4"), (50, "6"), (70, "8"), (90, "10")]
    # Every look has its entry in the key or belongs to one.
    assert set(chart.keys) == {"accuracy", "lines", "f1", "em", "band", "gate", "chosen"}
    assert {word for look in lines for word in look.split()} == {*chart.keys, "dots"}


def test_kinds_that_were_asked_once_only(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    del facts.before["math"]["by_kind"]["divide"]
    bars = charts(facts)["kinds"].bars
    assert [bar.name.zh for bar in bars] == ["全部题型", "加法", "除法"]
    (_, before, _), (_, after, lines) = bars[2].shares
    assert before is None
    assert [round(value, 2) for value in (*after, lines)] == [66.67, 30.0, 90.32, 50.0]
    del facts.after["math"]["lines"]
    assert [lines for _, _, lines in charts(facts)["kinds"].bars[0].shares][1] is None


@given(NUMBERS, NUMBERS)
def test_ticks_are_few_and_within(low: float, high: float) -> None:
    scale = Scale(min(low, high), max(low, high))
    ticks = scale.ticks()
    assert len(ticks) <= 6
    assert all(-1e-6 <= place <= 100 + 1e-6 for place, _ in ticks)


@given(st.lists(NUMBERS, min_size=1, max_size=3000))
def test_thinned_lines_keep_their_peaks(values: List[float]) -> None:
    line = list(enumerate(values))
    kept = list(_thinned(line))
    assert len(kept) <= 1001
    assert kept == sorted(kept)
    assert set(kept) <= set(line)
    assert {min(values), max(values)} <= {value for _, value in kept}


def test_means_are_of_the_last_twentieth() -> None:
    steps = [Step(n, float(n), 0.1, 0.1, 1.0) for n in range(1, 61)]
    width, means = smoothed(steps)
    assert width == 3
    assert means[0] == (3, 2.0)
    assert means[-1] == (60, 59.0)
    assert smoothed(steps[:19]) == (0, [])
