"""Outputs that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

_WRITE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


@contextlib.contextmanager
def atomic_path(target: Union[str, Path]) -> Iterator[Path]:
    """Give a temporary path in `target`'s folder; rename it to `target` on a clean exit.

    After an exception the temporary file or folder is removed and `target` is what it was.
    A folder replaces a folder: the old one is moved aside first, since rename(2) replaces
    only an empty one.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A stale temporary of a killed process carries the same prefix and is swept here.
    prefix = f".{target.name}.partial-"
    for stale in target.parent.glob(f"{glob.escape(prefix)}*"):
        _remove(stale)
    holder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    temporary = holder / target.name
    try:
        yield temporary
        if temporary.is_dir() and target.is_dir():
            _replace_folder(temporary, target, holder / "replaced")
            return
        if temporary.is_file():
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
        temporary.replace(target)
    except OSError as error:
        # A failed write (disk full) carries no file name, yet the user has to be told one.
        if error.filename is None and error.errno in _WRITE_FAULTS:
            error.filename = str(target)
        raise
    finally:
        _remove(holder)


def _replace_folder(temporary: Path, target: Path, aside: Path) -> None:
    target.rename(aside)
    try:
        temporary.rename(target)
    except BaseException:
        aside.rename(target)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(target: Union[str, Path], text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(target: Union[str, Path], data: bytes) -> None:
    """Write bytes, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_json(target: Union[str, Path], value: Any) -> None:
    """Write indented JSON with a final newline, keys in the order given, non-ASCII as it is."""
    write_text(target, json.dumps(value, ensure_ascii=False, indent=2) + "\n")
