"""Files of named tensors, written a block of rows at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Union

import numpy as np

from tools.llama.checkpoint import CheckpointWriter
from tools.llama.safetensors import SafetensorsWriter
from tools.llama.tensors import Entry

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


def write_tensors(
    path: Path, entries: Sequence[Entry], rows_of: Callable[[Entry], Iterable[np.ndarray]]
) -> None:
    """Write each entry's rows, in its storage type, as `rows_of` gives them."""
    with open_writer(path, entries) as writer:
        for entry in entries:
            writer.begin(entry)
            for rows in rows_of(entry):
                writer.write(rows)
