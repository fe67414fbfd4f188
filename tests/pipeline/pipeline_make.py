"""`make` in a copy of the checkout, in a folder with a space in its name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKE = ["make", "PROFILE=tiny", f"PYTHON_SYSTEM={sys.executable}"]


def make(folder: Path, *words: str, timeout: int = 900) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*MAKE, *words], cwd=folder, capture_output=True, text=True, timeout=timeout
    )


def checkout(target: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    own = ROOT / ".venv"
    (target / ".venv").symlink_to(own if own.is_dir() else sys.prefix)
    # Copies are younger than the environment, which is nonetheless theirs.
    os.utime(target / "requirements" / "cpu.txt", (0, 0))
    return target
