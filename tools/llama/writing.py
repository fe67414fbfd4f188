"""Files of named tensors, written a block of rows at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Optional, Union

import numpy as np

from tools.files.errors import UserError
from tools.llama.checkpoint import CheckpointWriter
from tools.llama.safetensors import SafetensorsWriter
from tools.llama.tensors import Entry, Tensors

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


def keep_apart(output: Path, *sources: Path, mark: Optional[str] = None) -> None:
    """UserError where `output` is one of the sources, or a folder that holds one.

    mark   a file that an earlier output of the same kind holds: another folder, which would be
           replaced whole, is refused unless it is empty
    """
    made = output.resolve()
    for source in sources:
        own = source.resolve()
        if made == own or made in own.parents:
            raise UserError("would replace what it is made of", output, "name another output")
    if mark and output.is_dir() and any(output.iterdir()) and not (output / mark).is_file():
        raise UserError(f"is a folder without {mark}: no earlier output", output, "name another")


def write_tensors(
    path: Path, entries: Sequence[Entry], rows_of: Callable[[Entry], Iterable[np.ndarray]]
) -> None:
    """Write each entry's rows, in its storage type, as `rows_of` gives them."""
    with open_writer(path, entries) as writer:
        for entry in entries:
            writer.begin(entry)
            for rows in rows_of(entry):
                writer.write(rows)


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
