"""`make` in a copy of the checkout, in a folder with a space in its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from checkout import ROOT, copy_checkout

MAKE = ["make", "PROFILE=tiny", f"PYTHON_SYSTEM={sys.executable}"]


def make(folder: Path, *words: str, timeout: int = 900) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*MAKE, *words], cwd=folder, capture_output=True, text=True, timeout=timeout
    )


def checkout(target: Path) -> Path:
    copy_checkout(target)
    own = ROOT / ".venv"
    (target / ".venv").symlink_to(own if own.is_dir() else sys.prefix)
    # Copies are younger than the environment, which is nonetheless theirs.
    for lock in (target / "requirements").glob("*.txt"):
        os.utime(lock, (0, 0))
    return target
