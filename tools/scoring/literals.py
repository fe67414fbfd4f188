"""Python's written strings and lists of strings, read by a grammar of our own, never evaluated."""

from __future__ import annotations

import re
from typing import List, Tuple

# DOTALL: a raw newline inside quotes is let through, since some logs print text as it is.
_STRING = re.compile(
    r"""\s*(?:'([^'\\]*(?:\\.[^'\\]*)*)'|"([^"\\]*(?:\\.[^"\\]*)*)")\s*""", re.DOTALL
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.))", re.DOTALL
)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": ""}
_SIMPLE.update({"\\": "\\", "'": "'", '"': '"'})


def read_string(text: str, position: int = 0) -> Tuple[str, int]:
    """Read the quoted string at `position`; return it and the position after it and its spaces.

    Raises ValueError where no whole string stands.
    """
    found = _STRING.match(text, position)
    if not found:
        raise ValueError("no quoted string")
    body = found[1] if found[1] is not None else found[2]
    return (_ESCAPE.sub(_unescape, body) if "\\" in body else body), found.end()


def read_strings(text: str, position: int = 0) -> Tuple[List[str], int]:
    """Read `['a', "b", ...]` at `position`; return the strings and the position after them.

    Raises ValueError where no whole list of strings stands.
    """
    position = expect(text, position, "[")
    values: List[str] = []
    while not text.startswith("]", position):
        value, position = read_string(text, position)
        values.append(value)
        if text.startswith(",", position):
            position = skip_spaces(text, position + 1)
        elif not text.startswith("]", position):
            raise ValueError("no comma and no end after a string")
    return values, skip_spaces(text, position + 1)


def expect(text: str, position: int, mark: str) -> int:
    """Return the position after `mark` and the spaces round it; ValueError if it is not there."""
    position = skip_spaces(text, position)
    if not text.startswith(mark, position):
        raise ValueError(f"no {mark!r}")
    return skip_spaces(text, position + len(mark))


_SPACES = re.compile(r"\s*")


def skip_spaces(text: str, position: int) -> int:
    """Return the first position from `position` on where no space stands."""
    return _SPACES.match(text, position).end()


def _unescape(found: re.Match) -> str:
    if found[5] is not None:
        # Python keeps the backslash of an escape that it does not know.
        return _SIMPLE.get(found[5], "\\" + found[5])
    if found[4] is not None:
        return chr(int(found[4], 8))
    code = int(found[1] or found[2] or found[3], 16)
    if code > 0x10FFFF:
        raise ValueError("no such character")
    return chr(code)
