"""The picture of the checkpoints: what stands in it, and equal bytes for equal scores."""

from __future__ import annotations

from typing import Any, List

import pytest

from tools.scoring import curve
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


@pytest.fixture
def drawn(monkeypatch) -> List[Any]:
    """The figures that are saved."""
    figures: List[Any] = []
    save = curve.save_figure

    def keep(figure, path):
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(curve, "save_figure", keep)
    return figures


def test_lines_gates_and_steps(tmp_path, drawn):
    draw_checkpoints(ROWS, 2, ReadingScore(f1=45.0, em=36.0), tmp_path / "a.png")
    (axes,) = drawn[0].axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines["accuracy"] == pytest.approx([10.0, 20.0, 30.0])
    assert lines["F1"] == [51.0, 52.0, 53.0]
    assert lines["F1 that must be kept"] == [45.0, 45.0]
    assert lines["EM that must be kept"] == [36.0, 36.0]
    chosen = next(line for line in axes.lines if line.get_label() == "chosen")
    assert list(chosen.get_xdata()) == [1, 1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["step 20", "step 40", "3"]


def test_right_lines_beside_accuracy(tmp_path, drawn):
    rows = [{**row, "lines": {"share": row["checkpoint"] / 5}} for row in ROWS]
    draw_checkpoints(rows, 2, None, tmp_path / "a.png")
    draw_checkpoints([*rows[:2], ROWS[2]], 2, None, tmp_path / "b.png")
    first, second = ({line.get_label(): line for line in f.axes[0].lines} for f in drawn)
    assert list(first["right lines"].get_ydata()) == pytest.approx([20.0, 40.0, 60.0])
    assert "accuracy" in first and "right lines" not in second  # not of all checkpoints


def test_no_gate_and_the_same_bytes(tmp_path, drawn):
    for name in "ab":
        draw_checkpoints(ROWS[:1], 1, None, tmp_path / f"{name}.png")
    assert not any("kept" in line.get_label() for line in drawn[0].axes[0].lines)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
