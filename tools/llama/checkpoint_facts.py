"""One pass over a checkpoint: shapes, element types, NaN and infinity, how many, the sha256."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from tools.files.hashing import content_of
from tools.files.progress import progress
from tools.llama.opening import open_tensors
from tools.llama.tensors import Tensors, widen

Shapes = dict[str, tuple[int, ...]]


class Report(NamedTuple):
    """What was found.

    faults       a line each, naming the tensor
    tensors      how many there are
    parameters   their elements together
    types        element types, the most frequent first
    hashes       file name → sha256
    """

    faults: list[str]
    tensors: int
    parameters: int
    types: list[str]
    hashes: dict[str, str]


def check_weights(path: Path, wanted: Optional[Shapes] = None) -> Report:
    """Read a checkpoint, a .safetensors file or a folder of these once, a block at a time.

    wanted   name → shape of what it must hold, exactly; None takes any. Scalars beside them, as
             MindFormers writes for the step, are no fault.

    Raises UserError for what is none of these, or not whole.
    """
    tensors = open_tensors(path)
    faults = [] if wanted is None else _misfits(tensors, wanted)
    types: Counter = Counter()
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    total = sum(entry.nbytes for entry in tensors.entries.values())
    total += sum(file.stat().st_size for file in files)
    with progress(f"check {path.name}", total, unit="bytes") as bar:
        for name, entry in tensors.entries.items():
            types[entry.type_name] += entry.size
            nan = infinite = 0
            for _, rows in tensors.blocks(name):
                if entry.dtype.kind == "f" or entry.type_name == "BFloat16":
                    numbers = widen(rows, entry.type_name)
                    if not np.isfinite(numbers).all():
                        nan += int(np.isnan(numbers).sum())
                        infinite += int(np.isinf(numbers).sum())
                bar.advance(rows.nbytes)
            if nan or infinite:
                faults.append(f"{name}: {nan} NaN, {infinite} infinite of {entry.size} numbers")
        hashes = {file.name: content_of(file, bar.advance).sha256 for file in files}
    order = [name for name, _ in types.most_common()]
    return Report(faults, len(tensors.entries), sum(types.values()), order, hashes)


def _misfits(tensors: Tensors, wanted: Shapes) -> list[str]:
    """A line for each tensor that is missing, too many or of another shape."""
    lines = []
    for name, dims in wanted.items():
        if name not in tensors:
            lines.append(f"{name}: missing, it should be {_text(dims)}")
        elif tensors.entries[name].shape != dims:
            found = tensors.entries[name].shape
            lines.append(f"{name}: is {_text(found)}, it should be {_text(dims)}")
    strange = [n for n, e in tensors.entries.items() if n not in wanted and e.size > 1]
    return lines + [f"{name}: no parameter of this model" for name in strange]


def _text(dims: tuple[int, ...]) -> str:
    return " x ".join(map(str, dims)) or "a scalar"
