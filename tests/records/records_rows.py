"""Rows of the corpus as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

from tools.corpus.rows import Row


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON lines."""
    path.write_text("".join(row.to_line() for row in rows), encoding="utf-8")
