"""Reading by rows: any rows of any tensor, however its bytes are divided over the file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.llama import tensors as module
from tools.llama.tensors import Entry, TensorFile, cast, widen


@given(st.data())
def test_rows_of_a_tensor_in_pieces(tmp_path_factory, data):
    rows, width = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 4))
    array = np.arange(rows * width, dtype="<f4").reshape(rows, width)
    content = array.tobytes()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    path = tmp_path_factory.mktemp("rows") / "x"
    pieces, written = [], b""
    for low, high in zip([0, *cuts], [*cuts, len(content)]):
        written += b"between"
        pieces.append((len(written), high - low))
        written += content[low:high]
    path.write_bytes(written)
    opened = TensorFile(path, {"a": Entry("a", array.shape, "Float32", tuple(pieces))})
    start = data.draw(st.integers(0, rows))
    stop = data.draw(st.integers(start, rows))
    assert np.array_equal(opened.read_rows("a", start, stop), array[start:stop])
    assert np.array_equal(opened.read("a"), array)


def test_blocks_are_small_and_whole(tmp_path, monkeypatch):
    array = np.arange(10 * 3, dtype="<f4").reshape(10, 3)
    (tmp_path / "x").write_bytes(array.tobytes())
    opened = TensorFile(tmp_path / "x", {"a": Entry("a", (10, 3), "Float32", ((0, 120),))})
    for limit, sizes in ((48, [4, 4, 2]), (1, [1] * 10), (1000, [10])):
        monkeypatch.setattr(module, "BLOCK", limit)
        blocks = [(start, rows.copy()) for start, rows in opened.blocks("a")]
        assert [len(rows) for _, rows in blocks] == sizes
        assert [start for start, _ in blocks] == list(np.cumsum([0, *sizes[:-1]]))
        assert np.array_equal(np.concatenate([rows for _, rows in blocks]), array)


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    (tmp_path / "x").write_bytes(bytes(8))
    opened = TensorFile(tmp_path / "x", {"a": Entry("a", (4,), "Float32", ((0, 16),))})
    with pytest.raises(UserError, match="was cut short"):
        opened.read("a")


@given(st.floats(width=32, allow_infinity=False))
def test_bfloat16_is_the_nearest(value):
    number = np.float32(value)
    (found,) = widen(cast(np.array([number]), "BFloat16"), "BFloat16")
    assert found.dtype == np.float32 and np.isnan(found) == np.isnan(number)
    if np.isfinite(found) and np.isfinite(number):
        bits = found.view(np.uint32)
        assert bits & 0xFFFF == 0
        exact = float(number)
        with np.errstate(over="ignore"):
            others = [np.uint32(bits + step).view(np.float32) for step in (0x10000, -0x10000)]
        for other in others:
            if np.isfinite(other):
                assert abs(float(found) - exact) <= abs(float(other) - exact)
