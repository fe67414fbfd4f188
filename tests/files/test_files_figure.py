"""PNG files without a trace of when and by what they were written."""

from __future__ import annotations

from tools.files.figure import legend_below, new_figure, save_figure


def test_same_drawing_same_bytes(tmp_path):
    for name in ("a", "b"):
        figure = new_figure((3, 2))
        axes = figure.subplots()
        axes.plot([1, 2], [3, 4], label="line")
        legend_below(figure, axes)
        save_figure(figure, tmp_path / name)
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes() and data.startswith(b"\x89PNG")
    assert b"Matplotlib" not in data
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
