"""Scripts that import MindSpore, run in a process of their own: its mode and folder are global."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def run_alone():
    """Run a script's text in a folder; MindSpore compiles what it can read again: a file."""

    def run(folder, text, *words):
        (folder / "script.py").write_text(text)
        done = subprocess.run(
            [sys.executable, "script.py", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    return run
