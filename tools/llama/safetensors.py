"""The safetensors format, read and written as a stream.

Eight bytes with the length of a JSON header, the header, the tensors without gaps:

    {"name": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}, …, "__metadata__": {…}}

The safetensors package reads bfloat16 into torch only and writes from whole tensors; here neither
is needed. https://github.com/huggingface/safetensors describes the format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Union

import numpy as np

from tools.files.errors import UserError
from tools.llama.copy_bytes import transfer, write_all
from tools.llama.tensors import MOST_DIMS, Entry, TensorFile, is_possible

INDEX = "model.safetensors.index.json"
_NAMES = {
    "F16": "Float16",
    "F32": "Float32",
    "F64": "Float64",
    "BF16": "BFloat16",
    "I8": "Int8",
    "U8": "UInt8",
    "I32": "Int32",
    "I64": "Int64",
    "BOOL": "Bool",
}
_DTYPE_OF = {ours: theirs for theirs, ours in _NAMES.items()}
# The reference implementation's limit.
_LONGEST_HEADER = 100_000_000


class SafetensorsFile(TensorFile):
    """A .safetensors file opened for reading; `metadata` as in its header."""

    def __init__(self, path: Union[str, Path]) -> None:
        path = Path(path)
        header, start = _read_header(path)
        self.metadata = header.pop("__metadata__", {})
        entries = {}
        for name, said in header.items():
            kind = said.get("dtype") if isinstance(said, dict) else None
            if isinstance(kind, str) and kind not in _NAMES:
                what = f"tensor {name[:80]!r} is of type {kind[:20]}, which is not supported"
                raise UserError(what, path, "convert it to BF16, F16 or F32")
            try:
                entries[name] = _entry(name, said, start)
            except (KeyError, TypeError, ValueError) as error:
                raise _damaged(path, f"tensor {name[:80]!r} is misdescribed") from error
        _check_extent(path, entries, start)
        super().__init__(path, entries)


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Give the header and the offset at which the tensors begin."""
    with path.open("rb") as handle:
        size = int.from_bytes(handle.read(8), "little")
        if size > min(_LONGEST_HEADER, path.stat().st_size):
            raise _damaged(path, "its header is longer than the file")
        data = handle.read(size)
    try:
        header = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON, or names one twice") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no object")
    return header, 8 + size


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _entry(name: str, said: dict[str, Any], start: int) -> Entry:
    dims, (low, high) = said["shape"], said["data_offsets"]
    whole = [*dims, low, high]
    if not all(type(number) is int and 0 <= number < 1 << 48 for number in whole):
        raise ValueError
    entry = Entry(name, tuple(dims), _NAMES[said["dtype"]], ((start + low, high - low),))
    if len(dims) > MOST_DIMS or entry.nbytes != high - low or not is_possible(entry.shape):
        raise ValueError
    return entry


def _check_extent(path: Path, entries: dict[str, Entry], start: int) -> None:
    """UserError unless the tensors fill the file, one after another: no gap, no overlap."""
    if not entries:
        raise UserError("holds no tensor", path, "make or fetch it again")
    for offset, size in sorted(entry.pieces[0] for entry in entries.values()):
        if offset != start:
            raise _damaged(path, "its tensors overlap or leave gaps")
        start += size
    if start != path.stat().st_size:
        raise _damaged(path, f"it has {path.stat().st_size} bytes, its header says {start}")


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"not a whole safetensors file ({why})", path, "make or fetch it again")


class SafetensorsWriter:
    """Writes tensors, each by rows, to an open file; the header needs to know all beforehand.

    format   what the header says of the framework, which transformers asks for.
    """

    def __init__(self, handle: BinaryIO, entries: Iterable[Entry], format: str = "pt") -> None:
        self._handle = handle
        self._next = list(entries)[::-1]
        self._left = 0
        header: dict[str, Any] = {"__metadata__": {"format": format}}
        at = 0
        for entry in reversed(self._next):
            header[entry.name] = {
                "dtype": _DTYPE_OF[entry.type_name],
                "shape": list(entry.shape),
                "data_offsets": [at, at + entry.nbytes],
            }
            at += entry.nbytes
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # so that tensors are aligned
        write_all(handle, len(text).to_bytes(8, "little") + text)

    def begin(self, entry: Entry) -> None:
        """Begin the tensor whose rows follow: they come in the order of the header."""
        self.end()
        if not self._next or self._next.pop() != entry:
            raise ValueError(f"{entry.name} is not the next of the header")
        self._left = entry.nbytes

    def write(self, array: np.ndarray) -> None:
        """Write the next rows, in the storage type."""
        data = memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        if len(data) > self._left:
            raise ValueError(f"{len(data)} bytes where {self._left} are left")
        write_all(self._handle, data)
        self._left -= len(data)

    def copy(self, source: int, offset: int, size: int) -> None:
        """Write the next `size` bytes from the open file `source`."""
        if size > self._left:
            raise ValueError(f"{size} bytes where {self._left} are left")
        transfer(source, offset, size, self._handle)
        self._left -= size

    def end(self) -> None:
        """ValueError unless the last tensor is whole."""
        if self._left:
            raise ValueError(f"{self._left} bytes of a tensor are missing")
