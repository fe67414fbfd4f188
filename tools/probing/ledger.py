"""spectra.jsonl: a line a matrix, so that a probe of hours that was interrupted goes on.

The first line says what was probed. A line is there whole or is measured again: what a killed
process left after the last line break is cut off.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from tools.files.atomic import write_text
from tools.files.errors import UserError
from tools.files.progress import progress
from tools.probing.sources import Matrix, Source

SPECTRA = "spectra.jsonl"
# As many as float32 holds.
_DIGITS = 7


def spectra_of(source: Source, folder: Path) -> List[Tuple[Matrix, np.ndarray]]:
    """(matrix, singular values) of all matrices of `source`, measured or read from `folder`.

    Values are rounded to 7 digits. A file that was made of something else begins anew.
    """
    path = folder / SPECTRA
    head = json.dumps({"what": source.what, **source.origin}, ensure_ascii=False) + "\n"
    found = dict(_read(path, head, source.matrices))
    if not found:
        write_text(path, head)
    left = [matrix for matrix in source.matrices if matrix.name not in found]
    total = sum(map(_work, source.matrices))
    done = total - sum(map(_work, left))
    bar = progress("probe", total=total, unit="GFLOP", start=done)
    with path.open("a", encoding="utf-8") as handle, bar as shown:
        for matrix in left:
            values = [float(f"{value:.{_DIGITS - 1}e}") for value in source.values(matrix)]
            handle.write(_line(matrix, values))
            handle.flush()
            os.fsync(handle.fileno())
            found[matrix.name] = np.array(values)
            shown.advance(_work(matrix))
    return [(matrix, found[matrix.name]) for matrix in source.matrices]


def _work(matrix: Matrix) -> float:
    """Of the Gram matrix and its eigenvalues, in 10⁹ operations: what the time left follows."""
    short, long = sorted(matrix.shape)
    return (2 * long * short**2 + 4 / 3 * short**3) / 1e9


def _line(matrix: Matrix, values: Sequence[float]) -> str:
    return json.dumps({**matrix._asdict(), "values": list(values)}) + "\n"


def _read(path: Path, head: str, matrices: Sequence[Matrix]) -> Iterator[Tuple[str, np.ndarray]]:
    """Yield what is there of `matrices`, and cut off a line that is not whole."""
    if not path.is_file():
        return
    with path.open("rb+") as handle:
        if handle.readline() != head.encode("utf-8"):
            return
        known = {matrix.name: matrix for matrix in matrices}
        whole = handle.tell()
        for number, line in enumerate(handle, 2):
            if not line.endswith(b"\n"):
                handle.truncate(whole)
                break
            whole += len(line)
            yield _entry(line, known, f"{path}:{number}")


def _entry(line: bytes, known: Dict[str, Matrix], where: str) -> Tuple[str, np.ndarray]:
    try:
        said: Dict[str, Any] = json.loads(line)
        matrix, values = known[said["name"]], said["values"]
        size = len(values) <= min(matrix.shape)
        falling = all(a >= b >= 0 for a, b in zip(values, values[1:]))
        if not (size and falling and 0 < values[0] < math.inf):
            raise ValueError
        return matrix.name, np.array(values, np.float64)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError) as error:
        raise UserError("not a line of this probe", where, "remove the file") from error
