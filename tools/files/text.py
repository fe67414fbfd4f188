"""Text that a user gives: UTF-8, with or without the byte-order mark that Windows' editors write.

What is read in another way, by lines or out of bytes, takes its mark from here.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Optional, Union

from tools.files.errors import UserError

MARK = codecs.BOM_UTF8


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
