"""Medians by kind, shares of a random matrix's ranks, and the comparison of the two groups."""

from __future__ import annotations

import numpy as np
import pytest

from tools.probing.baseline import random_spectrum
from tools.probing.measures import RANKS, measure
from tools.probing.sources import KINDS, Deltas, Weights, matrices_of
from tools.probing.summary import compare, summarise, table


class Made:
    """Spectra of our choice: a random matrix's, or for some kinds its first directions alone."""

    what, origin = "weights", {"weights": {"name": "made"}}

    def __init__(self, shape, low):
        self.matrices, self.low = matrices_of(shape), low

    def baseline(self, matrix):
        return random_spectrum(*matrix.shape)

    def spectra(self):
        found = []
        for matrix in self.matrices:
            values = self.baseline(matrix).copy()
            if matrix.kind in self.low:
                values[1:] *= 0.1
            found.append((matrix, values * (1 + matrix.layer)))
        return found


def test_random_weights_are_as_random(model):
    made = Made(model.shape, low=())
    summary = summarise(made, made.spectra())
    assert list(summary["kinds"]) == list(KINDS) and len(summary["matrices"]) == 14
    for found in summary["kinds"].values():
        assert found["layers"] == 2
        for rank in RANKS:
            assert found[rank]["of_random"] == pytest.approx(1)
    for rank in RANKS:
        assert summary["verdict"][rank] == {
            "attention": pytest.approx(1),
            "feed_forward": pytest.approx(1),
            "lower_in": 0,
            "layers": 2,
        }


@pytest.mark.parametrize(
    ("low", "lower"), [(("wq", "wk", "wv", "wo"), 2), (("w1", "w2", "w3"), 0), (("wq",), 0)]
)
def test_the_verdict_goes_either_way(model, low, lower):
    made = Made(model.shape, low)
    verdict = summarise(made, made.spectra())["verdict"]["entropy_rank"]
    assert verdict["lower_in"] == lower
    assert (verdict["attention"] < verdict["feed_forward"]) == (lower == 2)


def test_entries_are_measured_from_their_own_values(model):
    source = Weights(model.base, None, model.shape)
    spectra = [(matrix, source.values(matrix)) for matrix in source.matrices]
    summary = summarise(source, spectra)
    assert set(summary) == {"what", "origin", "kinds", "verdict", "matrices"}
    for (matrix, values), entry in zip(spectra, summary["matrices"]):
        assert (entry["name"], entry["side"]) == (matrix.name, min(matrix.shape))
        assert entry["r90"] == measure(values).r90
        assert entry["random"]["r90"] == measure(random_spectrum(*matrix.shape)).r90
    wk = [entry for entry in summary["matrices"] if entry["kind"] == "wk"]
    assert summary["kinds"]["wk"]["stable_rank"]["median"] == pytest.approx(
        np.mean([entry["stable_rank"] for entry in wk])
    )
    energies = {kind: found["energy"] for kind, found in summary["kinds"].items()}
    assert sum(energies.values()) == pytest.approx(1)
    squares = [(values**2).sum() for _, values in spectra]
    own = sum(e for (matrix, _), e in zip(spectra, squares) if matrix.kind == "wk")
    assert energies["wk"] == pytest.approx(own / sum(squares))
    lines = table(summary).splitlines()
    assert len([line for line in lines if line.startswith("|")]) == 2 + 7
    assert sum("layers" in line for line in lines) == len(RANKS)


def test_without_a_feed_forward_there_is_no_verdict(model):
    source = Deltas(model.adapters / "1.ckpt", model.shape, model.lora)
    attention = [m for m in source.matrices if m.kind in ("wq", "wv")]
    summary = summarise(source, [(matrix, source.values(matrix)) for matrix in attention])
    assert list(summary["kinds"]) == ["wq", "wv"]
    assert summary["verdict"]["r90"] == {
        "attention": pytest.approx(summary["kinds"]["wq"]["r90"]["of_random"], abs=1),
        "feed_forward": None,
        "lower_in": None,
        "layers": 0,
    }
    assert "layers" not in table(summary)


def test_layers_are_compared_one_by_one():
    def entry(kind, layer, rank):
        return {"kind": kind, "layer": layer, "r90": rank, "random": {"r90": 10}}

    matrices = [
        *(entry("wq", 0, 1), entry("w1", 0, 5)),
        *(entry("wq", 1, 9), entry("w1", 1, 5)),
        *(entry("wq", 2, 2), entry("wv", 2, 8), entry("w1", 2, 6)),
    ]
    assert compare(matrices, "r90") == {
        "attention": pytest.approx(0.5),
        "feed_forward": pytest.approx(0.5),
        "lower_in": 2,
        "layers": 3,
    }
