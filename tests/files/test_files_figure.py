"""PNG files without a trace of when and by what they were written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.files.figure import legend_below, new_figure, save_figure

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.parametrize("place", ["HOME", "MATPLOTLIBRC", "."])
def test_a_users_own_style_changes_nothing(tmp_path, place):
    for folder in ("work", "home/.config/matplotlib"):
        (tmp_path / folder).mkdir(parents=True)
    style = tmp_path / {"HOME": "home/.config/matplotlib", "MATPLOTLIBRC": ""}.get(place, "work")
    code = (
        "import sys; from pathlib import Path; from tools.files.figure import *\n"
        "figure = new_figure((3, 2)); figure.subplots().plot([1, 2], [3, 4])\n"
        "save_figure(figure, Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path / "home")}
    if place == "MATPLOTLIBRC":
        environment[place] = str(style / "matplotlibrc")
    for name in ("without", "with"):
        command = [sys.executable, "-c", code, str(tmp_path / name)]
        subprocess.run(command, cwd=tmp_path / "work", env=environment, check=True)
        (style / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 20\n")
    assert (tmp_path / "with").read_bytes() == (tmp_path / "without").read_bytes()
    # The home folder is left alone.
    assert not (tmp_path / "home" / ".cache").exists()
