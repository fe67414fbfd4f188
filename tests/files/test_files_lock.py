"""One run, one lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.files.lock import run_lock

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from tools.files.lock import run_lock
with run_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_refused_at_once(tmp_path):
    folder = tmp_path / "runs" / "one"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UserError) as fault, run_lock(folder):
            pass
        assert str(fault.value).startswith(f"{folder}: another command is at work")
        assert "RUN=" in str(fault.value) and fault.value.exit_code == 2
        with run_lock(tmp_path / "runs" / "two"):
            pass
    finally:
        holder.kill()  # SIGKILL: the lock must not outlive its holder
        holder.communicate()
    with run_lock(folder):
        pass


def test_released_after_an_error(tmp_path):
    with pytest.raises(ValueError), run_lock(tmp_path):
        raise ValueError
    with run_lock(tmp_path):
        pass


def test_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        run_lock(tmp_path / "run").__enter__()
