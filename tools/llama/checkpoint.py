"""MindSpore's checkpoint file, read and written as a stream, without MindSpore.

The file is one protobuf message (mindspore/ccsrc/utils/checkpoint.proto):

    Checkpoint { repeated Value value = 1 }
    Value      { string tag = 1; TensorProto tensor = 2 }
    TensorProto{ repeated int64 dims = 1; string tensor_type = 2; bytes tensor_content = 3 }

A tensor above 512 MiB stands in several entries of the same tag, each with the whole shape and a
part of the content. Nothing in the format is executable, and nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Union

import numpy as np

from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.llama.copy_bytes import transfer, write_all
from tools.llama.tensors import DTYPES, MOST_DIMS, Entry, TensorFile, cast, is_possible

_PART = 512 << 20
_VARINT, _BYTES = 0, 2


@dataclass
class _Piece:
    tag: str
    dims: tuple[int, ...]
    type_name: str
    offset: int
    size: int


class Checkpoint(TensorFile):
    """A checkpoint opened for reading: the index is in memory, tensors are read by rows."""

    def __init__(self, path: Union[str, Path]) -> None:
        path = Path(path)
        with path.open("rb") as handle:
            super().__init__(path, _index(handle, path))


def _index(handle: BinaryIO, path: Path) -> dict[str, Entry]:
    end = path.stat().st_size
    pieces: dict[str, list[_Piece]] = {}
    try:
        while handle.tell() < end:
            for piece in _read_value(handle, end):
                pieces.setdefault(piece.tag, []).append(piece)
    except (EOFError, UnicodeDecodeError, OverflowError) as error:
        raise UserError(
            f"not a whole MindSpore checkpoint ({error or 'it ends in the middle of a tensor'})",
            path,
            "make or fetch it again",
        ) from error
    if not pieces:
        raise UserError("holds no tensor", path, "make or fetch it again")
    return {tag: _join(tag, parts, path) for tag, parts in pieces.items()}


def _join(tag: str, parts: list[_Piece], path: Path) -> Entry:
    first = parts[0]
    if any((part.dims, part.type_name) != (first.dims, first.type_name) for part in parts):
        raise UserError(f"the parts of tensor {tag} do not fit together", path, "make it again")
    dtype = DTYPES.get(first.type_name)
    if dtype is None:
        raise UserError(f"tensor {tag} has the unknown element type {first.type_name!r}", path)
    found = sum(part.size for part in parts)
    # MindSpore writes a scalar's shape as one zero, or not at all.
    shape = () if first.dims == (0,) and found else first.dims
    if len(shape) > MOST_DIMS or min(shape, default=0) < 0 or not is_possible(shape):
        raise UserError(f"tensor {tag} has an impossible shape", path, "make or fetch it again")
    expected = dtype.itemsize
    for dim in shape:
        expected *= dim
    if found != expected:
        raise UserError(
            f"tensor {tag} of shape {shape} takes {expected} bytes, but {found} are there",
            path,
            "make or fetch it again",
        )
    return Entry(tag, shape, first.type_name, tuple((part.offset, part.size) for part in parts))


def _read_value(handle: BinaryIO, end: int) -> Iterator[_Piece]:
    field, value_end = _open_field(handle, end)
    if field != 1:
        raise EOFError(f"field {field} where an entry was expected")
    piece = _Piece("", (), "", 0, 0)
    found = False
    while handle.tell() < value_end:
        field, stop = _open_field(handle, value_end)
        if field == 1:
            piece.tag = _read_exact(handle, stop).decode("utf-8")
        elif field == 2:
            _read_tensor(handle, stop, piece)
            found = True
        else:
            handle.seek(stop)
    _require_end(handle, value_end)
    if found:
        yield piece


def _read_tensor(handle: BinaryIO, end: int, piece: _Piece) -> None:
    dims: list[int] = []
    while handle.tell() < end:
        key = _read_varint(handle)
        if key == 1 << 3 | _VARINT:
            dims.append(_signed(_read_varint(handle)))
            continue
        stop = _bounded(handle, end) if key & 7 == _BYTES else -1
        if stop < 0:
            raise EOFError(f"wire type {key & 7} in a tensor")
        if key >> 3 == 1:  # packed dims
            while handle.tell() < stop:
                dims.append(_signed(_read_varint(handle)))
            _require_end(handle, stop)
        elif key >> 3 == 2:
            piece.type_name = _read_exact(handle, stop).decode("utf-8")
        elif key >> 3 == 3:
            piece.offset, piece.size = handle.tell(), stop - handle.tell()
            handle.seek(stop)
        else:
            handle.seek(stop)
    _require_end(handle, end)
    piece.dims = tuple(dims)


def _require_end(handle: BinaryIO, end: int) -> None:
    """A number must not reach over the end of what holds it: all after it would be misread."""
    if handle.tell() != end:
        raise EOFError(f"a field reaches over byte {end}")


def _open_field(handle: BinaryIO, end: int) -> tuple[int, int]:
    key = _read_varint(handle)
    if key & 7 != _BYTES:
        raise EOFError(f"wire type {key & 7} at byte {handle.tell()}")
    return key >> 3, _bounded(handle, end)


def _bounded(handle: BinaryIO, end: int) -> int:
    """The end of the length-delimited field that starts here, which must lie inside `end`."""
    stop = _read_varint(handle) + handle.tell()
    if stop > end:
        raise EOFError("")
    return stop


def _read_exact(handle: BinaryIO, stop: int) -> bytes:
    size = stop - handle.tell()
    if size > 4096:
        raise EOFError("a name of more than 4096 bytes")
    return handle.read(size)


def _read_varint(handle: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = handle.read(1)
        if not byte:
            raise EOFError("")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
        if shift > 63:
            raise EOFError("a number of more than 64 bits")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, size: int) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(size)


class CheckpointWriter:
    """Writes tensors, each by rows, to an open file in MindSpore's format.

    entries   of all of them, as other formats need; this one takes them as they come.
    """

    def __init__(self, handle: BinaryIO, entries: Iterable[Entry] = ()) -> None:
        self._handle = handle
        self._head = b""
        self._left = self._part_left = 0

    def begin(self, entry: Entry) -> None:
        """Begin the tensor whose rows follow; those of the one before must all have come."""
        self.end()
        tag, type_bytes = entry.name.encode("utf-8"), entry.type_name.encode("utf-8")
        self._tag = _field(1, len(tag)) + tag
        self._head = b"".join(_varint(1 << 3 | _VARINT) + _varint(n) for n in entry.shape or (0,))
        self._head += _field(2, len(type_bytes)) + type_bytes
        self._left = entry.nbytes
        if not self._left:
            self._open_part()

    def write(self, array: np.ndarray) -> None:
        """Write the next rows, in the storage type."""
        # Flattened first: numpy refuses to cast a zero-dimensional array to bytes in place.
        data = memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        if len(data) > self._left:
            raise ValueError(f"{len(data)} bytes where {self._left} are left")
        while data:
            if not self._part_left:
                self._open_part()
            part = data[: self._part_left]
            write_all(self._handle, part)
            self._left -= len(part)
            self._part_left -= len(part)
            data = data[len(part) :]

    def copy(self, source: int, offset: int, size: int) -> None:
        """Write the next `size` bytes from the open file `source`."""
        if size > self._left:
            raise ValueError(f"{size} bytes where {self._left} are left")
        while size:
            if not self._part_left:
                self._open_part()
            count = min(size, self._part_left)
            transfer(source, offset, count, self._handle)
            self._left -= count
            self._part_left -= count
            offset, size = offset + count, size - count

    def end(self) -> None:
        """ValueError unless the last tensor is whole."""
        if self._left:
            raise ValueError(f"{self._left} bytes of a tensor are missing")

    def _open_part(self) -> None:
        self._part_left = min(self._left, _PART)
        head = self._head + _field(3, self._part_left)
        size = len(head) + self._part_left
        value = self._tag + _field(2, size)
        write_all(self._handle, _field(1, len(value) + size) + value + head)


def write_checkpoint(
    path: Union[str, Path], tensors: Iterable[tuple[str, np.ndarray, str]]
) -> None:
    """Write `(name, array, type_name)` triples as a MindSpore checkpoint, whole or not at all.

    `tensors` is consumed one at a time, so that a generator keeps memory at one tensor.
    `type_name` is MindSpore's ("Float32", "Float16", "BFloat16"); the array is cast to it once,
    bfloat16 rounding to nearest even. The result loads with `mindspore.load_checkpoint`.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        writer = CheckpointWriter(handle)
        for name, array, type_name in tensors:
            stored = cast(array, type_name)
            writer.begin(Entry(name, stored.shape, type_name))
            writer.write(stored)
        writer.end()
