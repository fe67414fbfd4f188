"""What can be fetched, as a table for people."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import List

from tools.files.artifact import Artifact
from tools.files.pins import read_pins
from tools.files.progress import format_bytes


def list_artifacts(artifacts: Iterable[Artifact], lock: Path) -> str:
    """A line for each artefact: id, size, how its content is known, licence, what it is.

    lock   artifacts.lock, which may know sizes that are not published.
    """
    pins = read_pins(lock)
    rows: List[List[str]] = [["id", "size", "sha256", "licence", "about"]]
    for item in artifacts:
        pin = pins.get(item.id)
        size = item.bytes if item.bytes is not None else pin.bytes if pin else None
        known = "published" if item.sha256 else "as first seen" if pin else "unknown"
        shown = "?" if size is None else format_bytes(size)
        rows.append([item.id, shown, known, item.licence, f"{item.file}: {item.about}"])
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths)), row[4]])
        for row in rows
    )
