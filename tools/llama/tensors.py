"""Files of named tensors, whatever their format: read by rows, so that none is held whole.

Element types have MindSpore's names. bfloat16 is kept as its bits, uint16: numpy has none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional, Union

import numpy as np

from tools.files.errors import UserError

DTYPES = {
    "Float16": np.dtype("<f2"),
    "Float32": np.dtype("<f4"),
    "Float64": np.dtype("<f8"),
    "BFloat16": np.dtype("<u2"),
    "Int8": np.dtype("<i1"),
    "UInt8": np.dtype("<u1"),
    "Int32": np.dtype("<i4"),
    "Int64": np.dtype("<i8"),
    "Bool": np.dtype("?"),
}
FLOATS = ("Float16", "Float32", "Float64", "BFloat16")
MOST_DIMS = 8  # MindSpore's own limit
# Bytes of a tensor that are read, changed and written at a time: what stays in a core's cache,
# where a block is merged in half the time that 16 MB take.
BLOCK = 1 << 20
# So far before what is read the system is asked to read ahead.
_AHEAD = 16 << 20


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: where its bytes lie, not the bytes.

    shape may be () for a scalar; `pieces` are (offset, size) in bytes, in order.
    """

    name: str
    shape: tuple[int, ...]
    type_name: str
    pieces: tuple[tuple[int, int], ...] = ()

    @property
    def dtype(self) -> np.dtype:
        """Of the elements as they are stored."""
        return DTYPES[self.type_name]

    @property
    def rows(self) -> int:
        """The length of the first dimension, 1 for a scalar."""
        return self.shape[0] if self.shape else 1

    @property
    def row_size(self) -> int:
        """Elements of a row."""
        size = 1
        for dim in self.shape[1:]:
            size *= dim
        return size

    @property
    def size(self) -> int:
        """Elements in all."""
        return self.rows * self.row_size

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize


class Tensors:
    """Named tensors that can be read by rows: a file, several, or shards put together."""

    path: Path
    entries: dict[str, Entry]

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def names(self) -> list[str]:
        return list(self.entries)

    def entry(self, name: str) -> Entry:
        """The entry of `name`; UserError where there is none."""
        if name not in self.entries:
            raise UserError(f"has no tensor {name}", self.path, "name a checkpoint that has it")
        return self.entries[name]

    def require_shapes(self, wanted: Mapping[str, tuple[int, ...]], who: str, remedy: str) -> None:
        """UserError, naming the first, where a tensor is missing or not as `who` makes it."""
        for name, dims in wanted.items():
            found = self.entries[name].shape if name in self else "missing"
            if found != dims:
                raise UserError(f"{name} is {found}, {who} makes it {dims}", self.path, remedy)

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """Rows start to stop of a tensor as stored, (stop - start, …); a scalar has one row."""
        raise NotImplementedError

    def place(self, name: str) -> Optional[tuple[Path, tuple[tuple[int, int], ...]]]:
        """The file and the (offset, size) pieces that hold a tensor as it is, if there are any."""
        return None

    def read(self, name: str) -> np.ndarray:
        """The whole tensor; bfloat16 is widened to float32, exactly."""
        entry = self.entry(name)
        array = self.read_rows(name, 0, entry.rows)
        return widen(array, entry.type_name).reshape(entry.shape)

    def blocks(self, name: str) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, rows as stored) in turn, at most BLOCK bytes or a row at a time.

        The rows may be overwritten when the next ones are asked for.
        """
        for start, stop in _steps(self.entry(name)):
            yield start, self.read_rows(name, start, stop)


def is_possible(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of that shape, none of its dimensions 0, could be on a disk."""
    size = 1
    for dim in shape:
        size *= max(dim, 1)
    return size < 1 << 48


def _steps(entry: Entry) -> Iterator[tuple[int, int]]:
    if not entry.size:
        return
    step = max(1, BLOCK // max(1, entry.row_size * entry.dtype.itemsize))
    for start in range(0, entry.rows, step):
        yield start, min(start + step, entry.rows)


class TensorFile(Tensors):
    """One file whose entries say where their bytes lie."""

    def __init__(self, path: Union[str, Path], entries: dict[str, Entry]) -> None:
        self.path, self.entries = Path(path), entries

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        entry = self.entry(name)
        room = np.empty((stop - start) * entry.row_size * entry.dtype.itemsize, np.uint8)
        return self._read_into(room, entry, start, stop)

    def place(self, name: str) -> Optional[tuple[Path, tuple[tuple[int, int], ...]]]:
        return self.path, self.entry(name).pieces

    def blocks(self, name: str) -> Iterator[tuple[int, np.ndarray]]:
        entry = self.entry(name)
        room = np.empty(0, np.uint8)  # for all blocks: new memory would be cleared each time
        for start, stop in _steps(entry):
            size = (stop - start) * entry.row_size * entry.dtype.itemsize
            room = room if len(room) >= size else np.empty(size, np.uint8)
            yield start, self._read_into(room[:size], entry, start, stop)

    def _read_into(self, room: np.ndarray, entry: Entry, start: int, stop: int) -> np.ndarray:
        width = entry.row_size * entry.dtype.itemsize
        first, last = start * width, stop * width
        view, passed = memoryview(room), 0
        with self.path.open("rb", buffering=0) as handle:
            for offset, size in entry.pieces:
                low, high = max(first, passed), min(last, passed + size)
                if low < high:
                    handle.seek(offset + low - passed)
                    self._fill(handle, view[low - first : high - first])
                    if hasattr(os, "posix_fadvise"):
                        after = handle.tell() + _AHEAD
                        advice = os.POSIX_FADV_WILLNEED
                        os.posix_fadvise(handle.fileno(), after, high - low, advice)
                passed += size
        return room.view(entry.dtype).reshape(stop - start, *entry.shape[1:])

    def _fill(self, handle, view: memoryview) -> None:
        while view:
            count = handle.readinto(view)
            if not count:
                raise UserError("was cut short while it was read", self.path, "make it again")
            view = view[count:]


class Renamed(Tensors):
    """Tensors of another file under other names, as they are: new name → old one."""

    def __init__(self, source: Tensors, names: Mapping[str, str]) -> None:
        self.path, self._source, self._old = source.path, source, dict(names)
        self.entries = {
            name: replace(source.entry(other), name=name) for name, other in names.items()
        }

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        return self._source.read_rows(self._old[self.entry(name).name], start, stop)

    def place(self, name: str) -> Optional[tuple[Path, tuple[tuple[int, int], ...]]]:
        return self._source.place(self._old[self.entry(name).name])


def widen(array: np.ndarray, type_name: str) -> np.ndarray:
    """The array as stored → one to compute with: bfloat16's bits become float32, exactly."""
    if type_name != "BFloat16":
        return array
    return np.left_shift(array, 16, dtype=np.uint32).view(np.float32)


def cast(array: np.ndarray, type_name: str) -> np.ndarray:
    """The array in the storage type `type_name`; bfloat16 comes back as its uint16 bits."""
    if type_name != "BFloat16":
        # Not ascontiguousarray, which makes a scalar a vector of one.
        return np.asarray(array, dtype=DTYPES[type_name], order="C")
    bits = np.asarray(array, dtype=np.float32, order="C").view(np.uint32)
    # In place, for half the time: (bits + 0x7FFF + the last bit that stays) >> 16.
    rounded = bits >> 16
    rounded &= 1
    rounded += 0x7FFF
    rounded += bits
    rounded >>= 16
    nan = np.isnan(array)
    if nan.any():
        # The carry would turn a NaN's payload into an infinity or a number: keep it quiet instead.
        rounded = np.where(nan, (bits >> 16) | 0x40, rounded)
    return rounded.astype(np.uint16)
