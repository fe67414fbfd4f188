"""Disk space: asked for before a long write begins, not found missing in its middle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Union

from tools.files.errors import UserError
from tools.files.progress import format_bytes


def require_space(folder: Union[str, Path], needed: int) -> None:
    """Raise UserError if the disk of `folder` (which exists) has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        lacking = format_bytes(needed - free)
        raise UserError(
            f"needs {format_bytes(needed)} of disk space, {format_bytes(free)} is free, "
            f"{lacking} too little",
            folder,
            "free some disk space and run the same command again",
        )
