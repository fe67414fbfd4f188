"""The folders that a run fills: their disks, whether they can be written to, who holds them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

SHARED_MEMORY = Path("/dev/shm")


class Place(NamedTuple):
    """A folder that is there or will be made.

    disk      number of its file system: places of one number share their space
    free      bytes that this user may still write there
    held      bytes that stand in it already
    writable  whether it, or what it will be made in, can be written to
    """

    path: str
    disk: int
    free: int
    held: int
    writable: bool


def look_at(path: Path, count: bool = True) -> Place:
    """The disk below `path`; count: whether to add up what stands there."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    # A file that stands in the way of a folder cannot hold what a folder would.
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    held = tree_size(path) if count and there == path else 0
    return Place(str(path), there.stat().st_dev, shutil.disk_usage(there).free, held, writable)


def look_at_temporary() -> Optional[Place]:
    """The folder for temporary files; None where Python finds none that it can write to."""
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        return None
    return look_at(Path(folder), count=False)


def can_share_memory(folder: Path = SHARED_MEMORY) -> bool:
    """Whether processes can share semaphores, which lie in /dev/shm where there is one."""
    return not folder.exists() or os.access(folder, os.W_OK | os.X_OK)


def tree_size(folder: Path) -> int:
    """Bytes on the disk of all that is below `folder`, hard links counted once."""
    blocks = {}
    for above, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(above, name))  # noqa: PTH118 - 30 000 of them
            except OSError:  # removed meanwhile
                continue
            blocks[status.st_dev, status.st_ino] = status.st_blocks
    return 512 * sum(blocks.values())


def is_held(folder: Path) -> bool:
    """Whether a command holds `folder` (tools/files/lock.py); asked for without keeping others out.

    A shared lock that is given back at once: only an exclusive one stands against it.
    """
    try:
        handle = os.open(folder / ".lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def is_newer(target: Path, *sources: Path) -> bool:
    """Whether make would leave `target` as it is: it is there, and none of `sources` is younger."""
    try:
        made = target.stat().st_mtime_ns
        return all(source.stat().st_mtime_ns <= made for source in sources)
    except OSError:
        return False
