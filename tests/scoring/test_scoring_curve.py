"""The picture of the checkpoints: what stands in it."""

from __future__ import annotations

import pytest

from tools.scoring.curve import draw_checkpoints
from tools.settings.contest import ReadingScore

ROWS = [
    {
        "checkpoint": number,
        "step": step,
        "f1": 50.0 + number,
        "em": 40.0,
        "accuracy": number / 10,
        "correct": number,
        "count": 10,
    }
    for number, step in ((1, 20), (2, 40), (3, None))
]


def test_lines_gates_and_steps():
    (axes,) = draw_checkpoints(ROWS, 2, ReadingScore(f1=45.0, em=36.0)).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines["accuracy"] == pytest.approx([10.0, 20.0, 30.0])
    assert lines["F1"] == [51.0, 52.0, 53.0]
    assert lines["F1 to be kept"] == [45.0, 45.0]
    assert lines["EM to be kept"] == [36.0, 36.0]
    chosen = next(line for line in axes.lines if line.get_label() == "chosen")
    assert list(chosen.get_xdata()) == [1, 1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["20", "40", "3"]


def test_right_lines_beside_accuracy():
    rows = [{**row, "lines": {"share": row["checkpoint"] / 5}} for row in ROWS]
    figures = (draw_checkpoints(some, 2, None) for some in (rows, [*rows[:2], ROWS[2]]))
    first, second = ({line.get_label(): line for line in f.axes[0].lines} for f in figures)
    assert list(first["right lines"].get_ydata()) == pytest.approx([20.0, 40.0, 60.0])
    assert "accuracy" in first and "right lines" not in second  # not of all checkpoints


def test_without_a_minimum_there_is_no_gate():
    lines = draw_checkpoints(ROWS[:1], 1, None).axes[0].lines
    assert not any("kept" in line.get_label() for line in lines)
