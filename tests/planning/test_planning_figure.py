"""The picture of the memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tools.planning.figure import draw_memory, variants
from tools.planning.fit import Limit


def test_what_is_drawn_beside_the_plan(loads) -> None:
    assert list(variants(loads.alone)) == [
        "as planned",
        "recompute none",
        "recompute selective",
        "batch 2",
        "batch 8",
        "length 256",
        "length 1024",
    ]
    # Nothing was recomputed on the CPU, and half a row cannot be taken.
    one = replace(loads.cpu, batch=1)
    assert list(variants(one)) == ["as planned", "batch 2", "length 128", "length 512"]
    assert variants(loads.alone)["batch 8"] == replace(loads.alone, batch=8)


def test_a_png_of_the_same_bytes_twice(loads, measured, tmp_path: Path) -> None:
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in pictures:
        draw_memory(loads.alone, Limit(32, 26, "why"), measured.around["Ascend"], "8B", path)
    first, second = (path.read_bytes() for path in pictures)
    assert first.startswith(b"\x89PNG") and first == second
    other = tmp_path / "c.png"
    draw_memory(loads.cpu, Limit(6.5, 6.5, "why"), measured.around["CPU"], "8B", other)
    assert other.read_bytes() != first
