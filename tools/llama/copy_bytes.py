"""Bytes from one open file into another, by the system where it can: half the copying."""

from __future__ import annotations

import errno
import os
from typing import BinaryIO, Optional, Union

# What a system or a file system without copy_file_range says.
_CANNOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
_BLOCK = 1 << 20


def transfer(source: int, offset: int, size: int, target: BinaryIO) -> None:
    """Copy `size` bytes at `offset` of the file `source` to where `target`, unbuffered, stands.

    Raises EOFError where the source ends before.
    """
    while size:
        count = _by_the_system(source, offset, size, target)
        if count is None:
            count = write_all(target, os.pread(source, min(size, _BLOCK), offset))
        if not count:
            raise EOFError("a file was cut short while it was copied")
        offset, size = offset + count, size - count


def write_all(target: BinaryIO, data: Union[bytes, memoryview]) -> int:
    """Write all of `data`: an unbuffered file may take less at a time, on a full disk for one."""
    left = memoryview(data)
    while left:
        left = left[target.write(left) :]
    return len(data)


def _by_the_system(source: int, offset: int, size: int, target: BinaryIO) -> Optional[int]:
    if not hasattr(os, "copy_file_range"):
        return None
    try:
        return os.copy_file_range(source, target.fileno(), size, offset)
    except OSError as error:
        if error.errno in _CANNOT:
            return None
        raise
