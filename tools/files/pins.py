"""artifacts.lock: what was seen first of files whose sha256 nobody publishes.

A team commits it, so that its graders, and its other machines, get the same bytes or are told.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict

from tools.files.atomic import write_json
from tools.files.errors import UserError

LOCK = "artifacts.lock"
_ABOUT = "first seen of files whose sha256 is not published; commit it, see material/README.md"
REMEDY = "take it from version control again, or remove it: then the next fetch counts as first"


@dataclass(frozen=True)
class Pin:
    """One file as it was seen first: name, size, digest, whence and on what day (UTC)."""

    file: str
    bytes: int
    sha256: str
    source: str
    date: str


def read_pins(path: Path) -> Dict[str, Pin]:
    """Pins by artefact; none where there is no such file. UserError for a damaged one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): _pin(line) for name, line in content["artifacts"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"not as `make fetch` writes it ({error})", path, REMEDY) from None


def _pin(line: Dict[str, Any]) -> Pin:
    pin = Pin(**line)
    texts = (pin.file, pin.sha256, pin.source, pin.date)
    if not all(isinstance(text, str) for text in texts) or type(pin.bytes) is not int:
        raise ValueError("a value of the wrong type")
    if not re.fullmatch("[0-9a-f]{64}", pin.sha256) or pin.bytes < 0:
        raise ValueError("no sha256 or no size")
    if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9._-]*", pin.file):
        raise ValueError(f"no file's name: {pin.file!r}")
    return pin


def write_pin(path: Path, name: str, pin: Pin) -> None:
    """Add or replace the pin of one artefact; sorted, so that changes show as few lines.

    Fetches into several folders share the file: none loses what another has just added.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)  # locked itself, so that no file is left for it
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        pins = {**read_pins(path), name: pin}
        lines = {known: asdict(pins[known]) for known in sorted(pins)}
        write_json(path, {"about": _ABOUT, "artifacts": lines})
    finally:
        os.close(folder)
