"""What is asked before a long write begins: room on the disk, and that nothing else is replaced."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Optional, Union

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


def keep_apart(output: Path, *sources: Path, mark: Optional[str] = None) -> None:
    """Raise UserError where `output` is one of the sources, or a folder that holds one.

    mark   a file that an earlier output of the same kind holds: another folder, which would be
           replaced whole, is refused unless it is empty
    """
    made = output.resolve()
    for source in sources:
        own = source.resolve()
        if made == own or made in own.parents:
            raise UserError("would replace what it is made of", output, "name another output")
    if mark and output.is_dir() and any(output.iterdir()) and not (output / mark).is_file():
        raise UserError(f"is a folder without {mark}: no earlier output", output, "name another")
