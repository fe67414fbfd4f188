"""Outputs that never replace what they are made of, nor a folder of somebody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from tools.files.errors import UserError


def keep_apart(output: Path, *sources: Path, mark: Optional[str] = None) -> None:
    """UserError where `output` is one of the sources, or a folder that holds one.

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
