"""JSON objects out of a file of any size: one a line, or the elements of one array.

This is the one reader of rows that users write. Memory is bounded by one object, whatever the file;
every fault names file and line.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from tools.files.errors import UserError
from tools.files.text import MARK

# A row of the contest's file has some 150 bytes, its longest below 10 000.
MAX_BYTES = 10_000_000
_CHUNK = 1 << 20
# Of a block: small enough to be spread over processes, large enough not to be sent about for long.
_BLOCK_ROWS, _BLOCK_BYTES = 2048, 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")

# Rows hold text, and whole numbers as ids. Others are not converted: one of a million digits would
# take minutes.
_DECODER = json.JSONDecoder(
    parse_int=lambda digits: int(digits) if len(digits) < 20 else None,
    parse_float=lambda digits: None,
    parse_constant=lambda name: None,
)


def read_objects(path: Union[str, Path]) -> Iterator[Tuple[int, Dict[str, Any]]]:
    """Yield (line number, object) for each object of a JSON-lines file or a JSON array.

    Numbers come as None, whole ones of less than 20 characters aside. Raises UserError for what
    is not JSON, not UTF-8, not an object, longer than MAX_BYTES, or a file without any object.
    """
    count = 0
    with Path(path).open("rb") as handle:
        reader = _elements if _is_array(handle) else _lines
        for item in reader(handle, path):
            count += 1
            yield item
    if not count:
        raise no_rows(path)


class Block(NamedTuple):
    """Some rows of a file that another process is to decode.

    content   whole lines as they are in the file, or what was decoded out of an array.
    line      number of the line before the first.
    fault     what the reader found behind them, if anything: the last block.
    """

    content: Union[bytes, List[Tuple[int, Dict[str, Any]]]]
    line: int = 0
    fault: Optional[UserError] = None

    def objects(self, path: Union[str, Path]) -> Iterator[Tuple[int, Dict[str, Any]]]:
        """Yield what `read_objects` would, and raise what it would."""
        if isinstance(self.content, bytes):
            yield from _lines(io.BytesIO(self.content), path, self.line)
        else:
            yield from self.content
        if self.fault is not None:
            raise self.fault


def read_blocks(path: Union[str, Path]) -> Iterator[Block]:
    """Cut a file into blocks, whose objects together are those of `read_objects`.

    Lines are not decoded here, the elements of an array have to be. A fault in the file comes as
    a block, so that those in the rows before it can come first. A file of blank lines is none.
    """
    with Path(path).open("rb") as handle:
        if not _is_array(handle):
            yield from _line_blocks(handle, path)
            return
    yield from _element_blocks(path)


def _is_array(handle: BinaryIO) -> bool:
    # peek, not seek: the input may be a pipe.
    return handle.peek().lstrip(MARK + b" \t\r\n").startswith(b"[")  # type: ignore[attr-defined]


def _line_blocks(handle: BinaryIO, path: Union[str, Path]) -> Iterator[Block]:
    number, lines, size = 0, [], 0
    while line := handle.readline(MAX_BYTES + 1):
        if len(line) > MAX_BYTES:
            fault = _too_long(f"{path}:{number + len(lines) + 1}")
            yield Block(b"".join(lines), number, fault)
            return
        lines.append(line)
        size += len(line)
        if len(lines) == _BLOCK_ROWS or size >= _BLOCK_BYTES:
            yield Block(b"".join(lines), number)
            number, lines, size = number + len(lines), [], 0
    if lines:
        yield Block(b"".join(lines), number)


def _element_blocks(path: Union[str, Path]) -> Iterator[Block]:
    items, size, fault = [], 0, None
    objects = read_objects(path)
    while True:
        try:
            item = next(objects, None)
        except UserError as error:
            item, fault = None, error
        if item is not None:
            items.append(item)
            size += sum(len(value) for value in item[1].values() if isinstance(value, str))
        if item is None or len(items) == _BLOCK_ROWS or size >= _BLOCK_BYTES:
            if items or fault:
                yield Block(items, fault=fault)
            items, size = [], 0
        if item is None:
            return


def _lines(
    handle: BinaryIO, path: Union[str, Path], number: int = 0
) -> Iterator[Tuple[int, Dict[str, Any]]]:
    while True:
        line = handle.readline(MAX_BYTES + 1)
        if not line:
            return
        number += 1
        where = f"{path}:{number}"
        if len(line) > MAX_BYTES:
            raise _too_long(where)
        if number == 1:
            line = line.removeprefix(MARK)
        try:
            text = line.decode("utf-8").strip(" \t\r\n")
            if text:
                yield number, _object(_DECODER.decode(text), where)
        except UnicodeDecodeError:
            raise _not_utf8(where) from None
        except (ValueError, RecursionError) as error:
            raise _not_json(error, where) from None


def _elements(handle: BinaryIO, path: Union[str, Path]) -> Iterator[Tuple[int, Dict[str, Any]]]:
    text = _Window(handle, path)
    text.expect("[")
    if text.peek() == "]":
        text.expect("]")
    else:
        while True:
            text.peek()
            line = text.line
            yield line, _object(text.value(), f"{path}:{line}")
            if text.peek() != ",":
                break
            text.expect(",")
        text.expect("]")
    if text.peek():
        raise UserError("something follows the array", text.where(), "remove it")


class _Window:
    """The part of a text file that is being read, with the number of its first line."""

    def __init__(self, handle: BinaryIO, path: Union[str, Path]) -> None:
        self._handle, self._path = handle, path
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._buffer, self._at, self._ended = "", 0, False
        self.line = 1

    def where(self) -> str:
        return f"{self._path}:{self.line}"

    def peek(self) -> str:
        """Skip white space and give the next character, '' at the end of the file."""
        while True:
            end = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            self._advance(end)
            if end < len(self._buffer) or not self._fill():
                return self._buffer[end : end + 1]

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            found = f"{self.peek()!r} stands" if self.peek() else "the file ends"
            raise UserError(
                f"{found} where {mark!r} is needed", self.where(), "repair the JSON array"
            )
        self._at += 1

    def value(self) -> Any:
        """Decode the next value, reading on until it is whole."""
        if self.peek() != "{":
            self.expect("{")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                # Cut off by the window or broken: only reading on can tell.
                if len(self._buffer) - self._at > MAX_BYTES and self._open_string(error):
                    raise _too_long(self.where()) from None
                broken = len(self._buffer) - self._at > MAX_BYTES or not self._fill()
                if broken or isinstance(error, RecursionError):
                    raise _not_json(error, self.where()) from None
                continue
            if end - self._at > MAX_BYTES:
                raise _too_long(self.where())
            self._advance(end)
            return value

    @staticmethod
    def _open_string(error: Exception) -> bool:
        return str(error).startswith("Unterminated string")

    def _advance(self, end: int) -> None:
        self.line += self._buffer.count("\n", self._at, end)
        self._at = end

    def _fill(self) -> bool:
        if self._ended:
            return False
        chunk = self._handle.read(_CHUNK)
        self._ended = not chunk
        try:
            more = self._decoder.decode(chunk, final=self._ended)
        except UnicodeDecodeError as error:
            whole = self._buffer.count("\n", self._at) + chunk[: error.start].count(b"\n")
            raise _not_utf8(f"{self._path}:{self.line + whole}") from None
        self._buffer, self._at = self._buffer[self._at :] + more, 0
        return True


def _object(value: Any, where: str) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError("a row is not a JSON object", where, "give one JSON object a line")
    return value


def no_rows(path: Union[str, Path]) -> UserError:
    """Give the error for a file without any object."""
    return UserError("the file holds no rows", path, "give one JSON object a line")


def _too_long(where: str) -> UserError:
    return UserError(f"the row is longer than {MAX_BYTES // 1_000_000} MB", where, "remove it")


def _not_utf8(where: str) -> UserError:
    return UserError("the text is not valid UTF-8", where, "save the file as UTF-8")


def _not_json(error: Exception, where: str) -> UserError:
    deep = isinstance(error, RecursionError)
    reason = "nested too deeply" if deep else getattr(error, "msg", str(error))
    return UserError(f"not valid JSON ({reason})", where, "correct or remove the row")
