"""One run, one lock: two commands never write into one folder at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Union

from tools.files.errors import UserError


@contextlib.contextmanager
def run_lock(folder: Union[str, Path]) -> Iterator[None]:
    """Hold `folder` (made if absent) for this process; UserError at once if another holds it.

    The system frees the lock with the process, even one killed by SIGKILL: the file `.lock`
    that stays behind locks nothing.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(
            "a file stands where a folder is needed", folder, "remove it or choose another path"
        ) from None
    lock = FileLock(str(folder / ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            "another command is at work in this folder",
            folder,
            "wait until it ends, or choose another folder (another run: RUN=NAME)",
        ) from None
    try:
        yield
    finally:
        lock.release()
