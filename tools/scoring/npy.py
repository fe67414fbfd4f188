"""The organisers' predictions: a .npy or .txt of [{'text_generation_text': ['...']}, ...].

The .npy is a pickle, and unpickling runs whatever the file says. Here nothing is unpickled:
the opcodes are read as data, and those few are followed that numpy writes for an array of
lists, dicts and strings. Any other opcode, and any other name than numpy's three, is refused.
"""

from __future__ import annotations

import pickletools
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Union

from tools.files.errors import UserError
from tools.scoring.literals import expect, read_string, read_strings
from tools.scoring.rows import LONGEST_ANSWER

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
        text = data.decode("utf-8")
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
        return _follow(data[end:])
    except _Refused as refused:
        raise UserError(f"refused, {refused}", path, _REMEDY) from refused
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # A malformed stream: pickletools raises ValueError, our stack and memo the rest.
        raise UserError("broken or cut off inside the array", path, "copy it again") from error


class _Refused(Exception):
    """The stream wants something that predictions do not need."""


class _Name(str):
    """A global that numpy writes; it stands for itself and is never imported."""


class _Mark:
    """The stack's own mark."""


class _Array(list):
    """A numpy array of objects, flattened."""


_NAMES = {
    f"{module} {name}"
    for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    for name in ("_reconstruct",)
} | {"numpy ndarray", "numpy dtype"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NEW: Dict[str, Callable[[], Any]] = {
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "MARK": _Mark,
}
_VALUES = {
    *("BININT", "BININT1", "BININT2", "BINBYTES", "SHORT_BINBYTES"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}


def _follow(stream: bytes) -> List[Any]:
    """Follow the opcodes of numpy's pickle of an object array; return the array's items."""
    stack: List[Any] = []
    memo: Dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        name = opcode.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _PUTS:
            memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in _GETS:
            stack.append(memo[int(argument)])
        elif name in _NEW:
            stack.append(_NEW[name]())
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else _above_mark(stack)
            _only(stack[-1], list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else _above_mark(stack)
            target = _only(stack[-1], dict)
            for key, value in zip(items[::2], items[1::2]):
                target[_only(key, str)] = value
        elif name == "TUPLE":
            stack.append(tuple(_above_mark(stack)))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            size = int(name[-1])
            stack[-size:] = [tuple(stack[-size:])]
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            if name == "STACK_GLOBAL":
                argument = f"{stack.pop(-2)} {stack.pop()}"
            if argument not in _NAMES:
                raise _Refused(f"it names {str(argument)[:60]!r}")
            stack.append(_Name(argument))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(_reduced(stack.pop(), arguments))
        elif name == "BUILD":
            state = stack.pop()
            _build(stack[-1], state)
        elif name == "STOP":
            return _only(stack.pop(), _Array)
        elif name not in ("PROTO", "FRAME"):
            raise _Refused(f"it uses the opcode {name}")
    raise ValueError("no STOP")


def _above_mark(stack: List[Any]) -> List[Any]:
    items = []
    while not isinstance(stack[-1], _Mark):
        items.append(stack.pop())
    stack.pop()
    return items[::-1]


def _only(value: Any, kind: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"not {kind.__name__}")
    return value


def _reduced(function: Any, arguments: Any) -> Any:
    """numpy's two calls: an empty array to be filled, and the dtype of Python objects."""
    if isinstance(function, _Name):
        if function.endswith("_reconstruct") and arguments == ("numpy ndarray", (0,), b"b"):
            return _Array()
        if function == "numpy dtype" and arguments == ("O8", False, True):
            return _Name("numpy dtype O8")
    raise _Refused("it calls something else than numpy does for an array of objects")


def _build(target: Any, state: Any) -> None:
    if isinstance(target, _Array):
        _, shape, dtype, _, items = state
        if dtype != "numpy dtype O8" or shape != (len(_only(items, list)),) or target:
            raise _Refused("the array is not a flat one of Python objects")
        target.extend(items)
    elif target != "numpy dtype O8" or not isinstance(target, _Name):
        raise _Refused("it sets the state of something that has none")
