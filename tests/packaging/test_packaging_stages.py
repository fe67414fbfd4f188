"""A stage's record, and that no process survives the one that started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.packaging.provenance import without_folders
from tools.packaging.stages import record_stage

ROOT = Path(__file__).resolve().parents[2]


def stage(run: Path, *command: str, name: str = "merge") -> list:
    return [
        *(sys.executable, "-m", "tools.stage", "--run", str(run), "--stage", name),
        *("--", *command),
    ]


def alive(number: int) -> bool:
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def wait_for(condition, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_the_record(tmp_path: Path) -> None:
    code = "import sys; x = bytearray(60_000_000); print('seen'); print('told', file=sys.stderr)"
    done = subprocess.run(
        stage(tmp_path, sys.executable, "-c", code, f"{ROOT}/runs/x", "/elsewhere/y"),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "seen\n", "told\n")
    record = json.loads((tmp_path / "stages/merge.json").read_text())
    assert set(record) == {
        *("stage", "command", "seconds", "peak_memory_mb", "commit", "versions", "machine")
    }
    assert record["stage"] == "merge"
    assert record["peak_memory_mb"] > 60
    assert record["command"][1:] == ["-c", code, "runs/x", "y"]
    assert {p.name for p in (tmp_path / "stages").iterdir()} == {"merge.json"}


@pytest.mark.parametrize(("shell", "code"), [("exit 3", 3), ("kill -KILL $$", 137)])
def test_a_failed_stage_leaves_no_record(tmp_path: Path, shell: str, code: int) -> None:
    old = tmp_path / "stages/merge.json"
    old.parent.mkdir()
    old.write_text("{}")
    done = subprocess.run(stage(tmp_path, "sh", "-c", shell), cwd=ROOT, capture_output=True)
    assert done.returncode == code
    assert not old.exists()


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        stage(tmp_path, "no-such-command"), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == "error: no-such-command: no such file or directory; check the command\n"


def test_the_name_of_a_stage(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a stage's name"):
        record_stage(tmp_path, "../x", ["true"])


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) and /proc are Linux's")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, "parent killed", "child killed"])
def test_nothing_survives(tmp_path: Path, how) -> None:
    """A launcher with a worker in a session of its own, as msrun has."""
    launcher = (
        "import subprocess, os, pathlib, time\n"
        "worker = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"out = pathlib.Path({str(tmp_path / 'ids')!r})\n"
        "out.with_suffix('.part').write_text(f'{os.getpid()} {worker.pid}')\n"
        "out.with_suffix('.part').rename(out)\n"
        "time.sleep(300)\n"
    )
    command = stage(tmp_path, sys.executable, "-c", launcher)
    outer = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    if how == "parent killed":
        command = [sys.executable, "-c", outer, *command]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        assert wait_for((tmp_path / "ids").exists)
        numbers = [int(text) for text in (tmp_path / "ids").read_text().split()]
        assert all(map(alive, numbers))
        if how == "child killed":
            os.kill(numbers[0], signal.SIGKILL)
        else:
            process.send_signal(signal.SIGKILL if how == "parent killed" else how)
        code = process.wait(timeout=10)
        assert wait_for(lambda: not any(map(alive, numbers)))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    # SIGINT makes Python's launcher end with KeyboardInterrupt, by the signal itself.
    expected = {signal.SIGTERM: 143, signal.SIGINT: 130, "parent killed": -9, "child killed": 137}
    assert code == expected[how]
    assert not (tmp_path / "stages/merge.json").exists()


def test_commands_without_folders() -> None:
    command = ["/opt/py/bin/python", "-m", "x", f"{ROOT}/runs/a/b", "--to=/mnt/c d/e", "~/f/g"]
    assert without_folders([*command, "5/6", "https://host/a"])[:4] == [
        *("python", "-m", "x", "runs/a/b")
    ]
    assert without_folders(["5/6", "a/b/c"]) == ["5/6", "a/b/c"]
    assert without_folders(["~/f/g", "/data"]) == ["g", "data"]
