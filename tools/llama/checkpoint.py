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

# MindSpore's name of an element type → numpy's. bfloat16 is kept as its bits: numpy has none.
_DTYPES = {
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
_PART = 512 << 20
_MOST_DIMS = 8  # MindSpore's own limit
_VARINT, _BYTES = 0, 2


@dataclass
class _Piece:
    tag: str
    dims: tuple[int, ...]
    type_name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Entry:
    """One tensor of a checkpoint: where its bytes lie, not the bytes.

    shape may be () for a scalar; `pieces` are (offset, size) in bytes, in order.
    """

    name: str
    shape: tuple[int, ...]
    type_name: str
    pieces: tuple[tuple[int, int], ...]


class Checkpoint:
    """A checkpoint opened for reading: the index is in memory, tensors are read one at a time."""

    def __init__(self, path: Union[str, Path]) -> None:
        self.path = Path(path)
        with self.path.open("rb") as handle:
            self.entries = _index(handle, self.path)

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def names(self) -> list[str]:
        return list(self.entries)

    def read(self, name: str) -> np.ndarray:
        """The tensor as stored; bfloat16 is widened to float32, exactly.

        Raises UserError where the checkpoint has no such tensor.
        """
        if name not in self.entries:
            raise UserError(f"has no tensor {name}", self.path, "name a checkpoint that has it")
        entry = self.entries[name]
        with self.path.open("rb") as handle:
            parts = []
            for offset, size in entry.pieces:
                handle.seek(offset)
                parts.append(handle.read(size))
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        array = np.frombuffer(data, dtype=_DTYPES[entry.type_name])
        if entry.type_name == "BFloat16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array.reshape(entry.shape)


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
    dtype = _DTYPES.get(first.type_name)
    if dtype is None:
        raise UserError(f"tensor {tag} has the unknown element type {first.type_name!r}", path)
    found = sum(part.size for part in parts)
    # MindSpore writes a scalar's shape as one zero, or not at all.
    shape = () if first.dims == (0,) and found else first.dims
    if len(shape) > _MOST_DIMS or not all(0 <= dim < 1 << 40 for dim in shape):
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


def write_checkpoint(
    path: Union[str, Path], tensors: Iterable[tuple[str, np.ndarray, str]]
) -> None:
    """Write `(name, array, type_name)` triples as a MindSpore checkpoint, whole or not at all.

    `tensors` is consumed one at a time, so that a generator keeps memory at one tensor.
    `type_name` is MindSpore's ("Float32", "Float16", "BFloat16"); the array is cast to it once,
    bfloat16 rounding to nearest even. The result loads with `mindspore.load_checkpoint`.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        for name, array, type_name in tensors:
            _write_tensor(handle, name, cast(array, type_name), type_name)


def cast(array: np.ndarray, type_name: str) -> np.ndarray:
    """The array in the storage type `type_name`; bfloat16 comes back as its uint16 bits."""
    if type_name != "BFloat16":
        # Not ascontiguousarray, which makes a scalar a vector of one.
        return np.asarray(array, dtype=_DTYPES[type_name], order="C")
    bits = np.asarray(array, dtype=np.float32, order="C").view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    # The carry would turn a NaN's payload into an infinity or a number: keep it quiet instead.
    return np.where(np.isnan(array), (bits >> 16) | 0x40, rounded).astype(np.uint16)


def _write_tensor(handle: BinaryIO, name: str, array: np.ndarray, type_name: str) -> None:
    tag = name.encode("utf-8")
    head = b"".join(_varint(1 << 3 | _VARINT) + _varint(dim) for dim in array.shape or (0,))
    type_bytes = type_name.encode("utf-8")
    head += _field(2, len(type_bytes)) + type_bytes
    # Flattened first: numpy refuses to cast a zero-dimensional array to bytes in place.
    data = memoryview(array.reshape(-1).view(np.uint8))
    for start in range(0, max(len(data), 1), _PART):
        content = data[start : start + _PART]
        tensor_head = head + _field(3, len(content))
        tensor_size = len(tensor_head) + len(content)
        value_head = _field(1, len(tag)) + tag + _field(2, tensor_size)
        handle.write(_field(1, len(value_head) + tensor_size) + value_head + tensor_head)
        handle.write(content)
