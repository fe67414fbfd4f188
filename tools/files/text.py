"""Text that a user gives: UTF-8, with or without the byte-order mark that Windows' editors write.

What is read in another way, by lines or out of bytes, takes its mark from here. Logs
are read line by line: a file may be of any length, a line may not.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Iterator, Optional, Tuple, Union

from tools.files.errors import UserError

MARK = codecs.BOM_UTF8
LONGEST_LINE = 10_000_000


def read_text(
    path: Union[str, Path], largest: Optional[int] = None, remedy: Optional[str] = None
) -> str:
    """Return the text of a file, its mark taken away.

    largest   bytes that it may have; None: any number
    remedy    what to do about a larger file

    Raises UserError where it is larger, or no UTF-8.
    """
    path = Path(path)
    if largest is not None and path.stat().st_size > largest:
        raise UserError(f"larger than {largest} bytes", path, remedy)
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("not UTF-8 text", path, "save it as UTF-8") from error


def bounded_lines(path: Union[str, Path], errors: str = "strict") -> Iterator[Tuple[int, str]]:
    """Yield (number from 1, line without its newline) of a UTF-8 file.

    `errors` is open()'s: logs are read with "replace", since a killed process may leave half
    a character. Raises UserError at a line longer than LONGEST_LINE characters, which would
    otherwise fill the memory, and at bytes that are not UTF-8.
    """
    # Only "\n" ends a line: a prediction may hold any other separator.
    with Path(path).open(encoding="utf-8", errors=errors, newline="\n") as handle:
        number = 0
        while True:
            number += 1
            try:
                line = handle.readline(LONGEST_LINE + 1)
            except UnicodeDecodeError as error:
                raise UserError("not UTF-8 text", path, "save it as UTF-8") from error
            if not line:
                return
            if len(line) > LONGEST_LINE:
                what = f"a line of more than {LONGEST_LINE} characters"
                raise UserError(what, f"{path}:{number}", "give one row a line")
            yield number, line.rstrip("\r\n")
