"""Files of named tensors, written a block of rows at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Optional, Union

from tools.files.errors import UserError
from tools.llama.checkpoint import CheckpointWriter
from tools.llama.safetensors import SafetensorsWriter
from tools.llama.tensors import Entry, Tensors, cast, widen

# Bytes that go to one file before the next: they are still in memory then.
_TOGETHER = 64 << 20
Writer = Union[CheckpointWriter, SafetensorsWriter]


@contextlib.contextmanager
def open_writer(path: Path, entries: Sequence[Entry]) -> Iterator[Writer]:
    """Open `path` for tensors that are known beforehand, in that order.

    A name that ends in .safetensors makes one, any other a MindSpore checkpoint. Written in
    place: give a temporary path. ValueError at the end where a tensor is not whole.
    """
    kind = SafetensorsWriter if path.suffix == ".safetensors" else CheckpointWriter
    with path.open("wb", buffering=0) as handle:
        writer = kind(handle, entries)
        yield writer
        writer.end()


def copy_renamed(
    source: Tensors,
    names: Mapping[str, str],
    path: Path,
    on_bytes: Callable[[int], object] = lambda count: None,
    type_name: Optional[str] = None,
) -> None:
    """Write tensors of `source` to `path` under other names: new name → old one.

    type_name   of the elements in the new file; None leaves them as they are
    """
    old = {name: source.entry(other) for name, other in names.items()}
    entries = [
        Entry(name, entry.shape, type_name or entry.type_name) for name, entry in old.items()
    ]
    with open_writer(path, entries) as writer:
        for entry in entries:
            writer.begin(entry)
            was = old[entry.name]
            if was.type_name == entry.type_name:
                copy_tensor(source, was, [writer], on_bytes)
                continue
            for _, rows in source.blocks(was.name):
                writer.write(cast(widen(rows, was.type_name), entry.type_name))


def copy_tensor(
    source: Tensors, entry: Entry, writers: Sequence[Writer], on_bytes: Callable[[int], object]
) -> None:
    """Copy a tensor as it is to all writers, which have begun it; it is read once.

    on_bytes   hears of every n bytes written
    """
    place = source.place(entry.name)
    if place is None:
        for _, rows in source.blocks(entry.name):
            for writer in writers:
                writer.write(rows)
                on_bytes(rows.nbytes)
        return
    path, pieces = place
    parts = [
        (start, min(_TOGETHER, offset + size - start))
        for offset, size in pieces
        for start in range(offset, offset + size, _TOGETHER)
    ]
    with path.open("rb") as handle:
        for start, count in parts:
            for writer in writers:
                try:
                    writer.copy(handle.fileno(), start, count)
                except EOFError as error:
                    raise UserError(
                        "was cut short while it was read", path, "make it again"
                    ) from error
                on_bytes(count)
