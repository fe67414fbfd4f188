"""Text files line by line, of any length of file but bounded length of line."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Tuple, Union

from tools.files.errors import UserError

LONGEST_LINE = 10_000_000


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
