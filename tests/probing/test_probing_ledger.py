"""spectra.jsonl: written a line a matrix, gone on with, begun anew, and not believed blindly."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tools.files.errors import UserError
from tools.probing.ledger import SPECTRA, spectra_of
from tools.probing.sources import Weights


class Counted:
    """A source that says which matrices were measured, and fails at one of them."""

    def __init__(self, source, fails_at=None):
        self.source, self.fails_at, self.measured = source, fails_at, []
        self.matrices, self.what, self.origin = source.matrices, source.what, source.origin

    def values(self, matrix):
        if len(self.measured) == self.fails_at:
            raise KeyboardInterrupt
        self.measured.append(matrix.name)
        return self.source.values(matrix)


@pytest.fixture
def source(model):
    return Weights(model.base, None, model.shape)


@pytest.fixture
def folder(model):
    (model.folder / "probe").mkdir()
    return model.folder / "probe"


def test_what_is_written_is_what_is_given(source, folder):
    first = spectra_of(source, folder)
    assert [path.name for path in folder.iterdir()] == [SPECTRA]
    lines = [json.loads(line) for line in (folder / SPECTRA).read_text().splitlines()]
    assert lines[0]["what"] == "weights" and lines[0]["weights"]["name"] == "base.ckpt"
    for (matrix, values), line in zip(first, lines[1:]):
        assert (line["name"], line["kind"], line["layer"]) == matrix[:3]
        assert line["values"] == values.tolist()
        np.testing.assert_allclose(values, source.values(matrix), rtol=1e-6)
    assert len(lines) == 1 + len(source.matrices)


def test_an_interrupted_probe_goes_on(source, folder):
    stopped = Counted(source, fails_at=5)
    with pytest.raises(KeyboardInterrupt):
        spectra_of(stopped, folder)
    path = folder / SPECTRA
    with path.open("ab") as handle:  # a line that was not finished
        handle.write(b'{"name": "model.layers.1.attention.wq.wei')
    again = Counted(source)
    found = spectra_of(again, folder)
    assert stopped.measured + again.measured == [matrix.name for matrix in source.matrices]
    third = Counted(source)
    for (matrix, values), (other, read) in zip(found, spectra_of(third, folder)):
        assert matrix == other and (values == read).all()
    assert third.measured == [] and len(path.read_text().splitlines()) == 15


def test_another_checkpoint_begins_anew(source, folder, model):
    spectra_of(source, folder)
    other = Counted(Weights(model.tuned, None, model.shape))
    spectra_of(other, folder)
    assert len(other.measured) == 14
    model.tuned.touch()
    touched = Counted(Weights(model.tuned, None, model.shape))
    spectra_of(touched, folder)
    assert len(touched.measured) == 14


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace("model.layers.0.", "model.layers.9."),
        lambda line: json.dumps({**json.loads(line), "values": []}),
        lambda line: json.dumps({**json.loads(line), "values": [1.0, 2.0]}),
        lambda line: json.dumps({**json.loads(line), "values": [1.0] * 99}),
        lambda line: json.dumps({**json.loads(line), "values": [float("nan")]}),
        lambda line: json.dumps({**json.loads(line), "values": [0.0, 0.0]}),
        lambda line: json.dumps({**json.loads(line), "values": [10**400, 1]}),
        lambda line: json.dumps({**json.loads(line), "values": "many"}),
        lambda line: "[1]",
        lambda line: "{",
        lambda line: "[" * 100_000,
    ],
)
def test_a_line_that_is_none_is_named(source, folder, change):
    spectra_of(source, folder)
    path = folder / SPECTRA
    lines = path.read_text().splitlines()
    lines[2] = change(lines[2])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=rf"{SPECTRA}:3: not a line of this probe; remove the file"):
        spectra_of(source, folder)
