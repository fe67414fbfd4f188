"""One run, one lock."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.files.run_lock import hold, run_lock

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from tools.files.run_lock import run_lock
with run_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
HANDED_ON = """
import os, sys
from tools.files.errors import UserError
from tools.files.run_lock import hold
try:
    hold(sys.argv[1])
except UserError as error:
    sys.exit(f"error: {error}")
os.execvp(sys.argv[2], sys.argv[2:])
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


def locked(folder, *command, **options):
    """A process that holds `folder` and becomes `command`."""
    line = [sys.executable, "-c", HANDED_ON, str(folder), *command]
    return subprocess.Popen(
        line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@contextlib.contextmanager
def held(folder, script):
    """A shell that holds `folder`, once it has said so; it waits on its standard input."""
    holder = locked(folder, "bash", "-c", script, stdin=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()
        for pipe in (holder.stdin, holder.stdout, holder.stderr):
            pipe.close()


def test_what_a_process_holds_the_command_holds_that_it_becomes(tmp_path):
    done = locked(tmp_path / "new", "bash", "-c", "echo out; echo err >&2; exit 7")
    assert done.communicate() == ("out\n", "err\n") and done.returncode == 7
    assert (tmp_path / "new").is_dir()
    done = locked(tmp_path / "new", "bash", "-c", "echo again")
    assert done.communicate() == ("again\n", "") and done.returncode == 0


def test_a_second_command_is_refused(tmp_path):
    with held(tmp_path, "echo held; read line"):
        second = locked(tmp_path, "touch", str(tmp_path / "made"))
        out, err = second.communicate()
        assert second.returncode == 1 and out == ""
        assert err.startswith(f"error: {tmp_path}: another command is at work") and "RUN=" in err
        assert err.count("\n") == 1 and not (tmp_path / "made").exists()
        # Both locks are one: what a script holds, a make may not take, and the other way round.
        with pytest.raises(UserError), run_lock(tmp_path):
            pass
        other = locked(tmp_path / "other", "true")
        assert other.wait() == 0
    with run_lock(tmp_path):
        third = locked(tmp_path, "true")
        assert third.communicate()[1].startswith("error: ") and third.returncode == 1
    assert locked(tmp_path, "true").wait() == 0


def test_the_folder_is_held_until_the_last_child_is_gone(tmp_path):
    """A killed make leaves its stages behind, which still write into the folder."""
    with held(tmp_path, "exec 9<&0; (read line <&9) >&- 2>&- & echo held; wait") as holder:
        holder.kill()
        holder.wait()
        refused = locked(tmp_path, "true")
        assert "another command is at work" in refused.communicate()[1]
        holder.stdin.close()  # now the child's `read` ends, and the child
        for _ in range(200):
            if locked(tmp_path, "true").wait() == 0:
                break
        else:
            pytest.fail("the lock outlived the last child")


def test_a_file_cannot_be_held(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        hold(tmp_path / "run")
