"""probe.png: a picture of what was measured, the same for the same."""

from __future__ import annotations

from tools.probing.picture import draw_probe
from tools.probing.sources import Deltas, Weights
from tools.probing.summary import summarise


def drawn(source, path, factor=1.0):
    spectra = [(matrix, source.values(matrix) ** factor) for matrix in source.matrices]
    draw_probe(source, spectra, summarise(source, spectra), path)
    return path.read_bytes()


def test_the_picture_depends_on_the_spectra_alone(model):
    source = Weights(model.base, None, model.shape)
    first = drawn(source, model.folder / "a.png")
    assert first.startswith(b"\x89PNG") and len(first) > 10_000
    assert drawn(source, model.folder / "b.png") == first
    assert drawn(source, model.folder / "c.png", factor=2.0) != first


def test_an_adapter_s_few_kinds_are_drawn(model):
    source = Deltas(model.adapters / "1.ckpt", model.shape, model.lora)
    assert drawn(source, model.folder / "a.png").startswith(b"\x89PNG")
