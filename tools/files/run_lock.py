"""One run, one lock: two commands never write into one folder at the same time."""

from __future__ import annotations

import contextlib
import os
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

    folder = _made(folder)
    lock = FileLock(str(folder / ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _held(folder) from None
    try:
        yield
    finally:
        lock.release()


def hold(folder: Union[str, Path]) -> None:
    """Hold `folder` for this process, what it becomes by exec, and all that these start.

    The lock is an open file that they inherit: it is free again when the last of them is gone,
    orphans of a killed one included. UserError at once where another command holds the folder.
    """
    import fcntl

    folder = _made(folder)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise _held(folder) from None
    os.set_inheritable(handle, True)


def _made(folder: Union[str, Path]) -> Path:
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(
            "a file stands where a folder is needed", folder, "remove it or choose another path"
        ) from None
    return folder


def _held(folder: Path) -> UserError:
    return UserError(
        "another command is at work in this folder",
        folder,
        "wait until it ends, or choose another folder (another run: RUN=NAME)",
    )
