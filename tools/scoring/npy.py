"""The organisers' predictions: a .npy or .txt of [{'text_generation_text': ['...']}, ...].

The .npy is a pickle, and a pickle calls whatever function it names. The standard unpickler reads
it here, but of names it finds numpy's three alone, and gets stand-ins for them: nothing of numpy
is called with what the file says. The opcodes are looked through before, since a few of them
claim memory by a number in the file.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

from tools.files.errors import UserError
from tools.scoring.literals import expect, read_string, read_strings
from tools.scoring.prediction_rows import LONGEST_ANSWER

KEY = "text_generation_text"
LARGEST_FILE = 1 << 28

_MAGIC = b"\x93NUMPY"
_OBJECTS = re.compile(
    rb"\s*\{\s*'descr':\s*'\|?O8?',\s*'fortran_order':\s*(?:False|True),\s*"
    rb"'shape':\s*\([0-9]{0,9},?\s*\),?\s*\}\s*"
)
_REMEDY = "write the predictions as JSON lines and use --predictions"


def read_predictions_file(path: Union[str, Path]) -> List[str]:
    """Read the organisers' .npy or .txt, told apart by its content: one text a problem.

    The echoed prompt is still in the texts. Raises UserError, naming the opcode, the name or
    the place, at anything that is not a list of {'text_generation_text': [text]}.
    """
    path = Path(path)
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(f"larger than {LARGEST_FILE} bytes", path, _REMEDY)
    data = path.read_bytes()
    rows = _read_npy(data, path) if data.startswith(_MAGIC) else _read_text(data, path)
    if not rows:
        raise UserError("holds no prediction", path, _REMEDY)
    return [_text_of(row, path, index) for index, row in enumerate(rows)]


def _text_of(row: Any, path: Path, index: int) -> str:
    texts = row.get(KEY) if isinstance(row, dict) and len(row) == 1 else None
    if not isinstance(texts, list) or len(texts) != 1 or not isinstance(texts[0], str):
        what = f"prediction {index} (from 0) is not {{'{KEY}': [text]}}"
        raise UserError(what, path, _REMEDY)
    if len(texts[0]) > LONGEST_ANSWER:
        what = f"prediction {index} (from 0) is longer than {LONGEST_ANSWER} characters"
        raise UserError(what, path, "limit the new tokens when generating")
    return texts[0]


def _read_text(data: bytes, path: Path) -> List[Dict[str, List[str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("neither a .npy file nor UTF-8 text", path, _REMEDY) from error
    rows: List[Dict[str, List[str]]] = []
    position = 0
    try:
        position = expect(text, 0, "[")
        while not text.startswith("]", position):
            key, position = read_string(text, expect(text, position, "{"))
            texts, position = read_strings(text, expect(text, position, ":"))
            rows.append({key: texts})
            position = expect(text, position, "}")
            if not text.startswith("]", position):
                position = expect(text, position, ",")
        if expect(text, position, "]") != len(text):
            raise ValueError("more text after the list")
    except ValueError as error:
        line = text.count("\n", 0, position) + 1
        what = f"not a list of {{'{KEY}': [text]}} at character {position}: {error}"
        raise UserError(what, f"{path}:{line}", _REMEDY) from error
    return rows


def _read_npy(data: bytes, path: Path) -> List[Any]:
    # Format: magic, two bytes of version, length of the header (2 bytes in 1.0, else 4), header.
    width = 2 if data[6:7] == b"\x01" else 4
    start = 8 + width
    end = start + int.from_bytes(data[8:start], "little")
    if end - start > 10_000 or not _OBJECTS.fullmatch(data[start:end]):
        what = "not a one-dimensional .npy array of Python objects"
        raise UserError(what, path, _REMEDY)
    try:
        return _unpickle(data[end:])
    except _Refused as refused:
        raise UserError(f"refused, {refused}", path, _REMEDY) from refused
    except (pickle.UnpicklingError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError("broken or cut off inside the array", path, "copy it again") from error
    except (EOFError, OverflowError, MemoryError) as error:
        raise UserError("broken or cut off inside the array", path, "copy it again") from error


class _Refused(Exception):
    """The pickle wants something that predictions do not need."""


class _Array:
    """Stands for numpy's array of objects, made empty and then given its state."""

    def __init__(self, kind: Any, shape: Any, code: Any) -> None:
        if (kind, shape, code) != ("ndarray", (0,), b"b"):
            raise _Refused("it makes another array than numpy does for objects")
        self.items: List[Any] = []

    def __setstate__(self, state: Tuple) -> None:
        _, shape, dtype, _, items = state
        flat = isinstance(items, list) and shape == (len(items),)
        if not (flat and isinstance(dtype, _ObjectType)) or self.items:
            raise _Refused("the array is not a flat one of Python objects")
        self.items = items


class _ObjectType:
    """Stands for numpy's dtype of Python objects."""

    def __init__(self, *arguments: Any) -> None:
        if arguments != ("O8", False, True):
            raise _Refused("the array is not one of Python objects")

    def __setstate__(self, state: Tuple) -> None:
        """Take the byte order and the like, of which an array of objects has none."""


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _ObjectType,
}
# What numpy's pickles of lists, dicts and strings consist of. Those left out call and import in
# other ways, or claim memory by a number in the file (BYTEARRAY8, BINBYTES8).
_OPCODES = {
    *("PROTO", "FRAME", "STOP", "MARK", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"),
    *("BINBYTES", "SHORT_BINBYTES", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("APPEND", "APPENDS", "SETITEM", "SETITEMS", "MEMOIZE"),
    *("PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise _Refused(f"it names {f'{module} {name}'[:60]!r}")
        return _NAMES[module, name]


def _unpickle(stream: bytes) -> List[Any]:
    """Return the items of the array of objects that numpy pickled; _Refused for anything else."""
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name not in _OPCODES:
            raise _Refused(f"it uses the opcode {opcode.name}")
        # The unpickler keeps a table as long as the largest number.
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > len(stream):
            raise _Refused(f"it numbers a value {argument}")
    array = _Unpickler(io.BytesIO(stream)).load()
    if not isinstance(array, _Array):
        raise _Refused("it holds no array")
    return array.items
