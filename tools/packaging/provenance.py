"""Where a result comes from: commit, versions, machine, and a command without its folders."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from tools.files.machine import version_of

ROOT = Path(__file__).resolve().parents[2]

_VERSIONS = ("mindspore", "mindformers", "numpy", "tokenizers", "jieba", "matplotlib")
_FOLDERS = re.compile(r"(?<![\w./~-])~?/(?:[^\s/:=,'\"]+/)+")


def commit_of(folder: Union[str, Path] = ROOT) -> Optional[str]:
    """The git commit of a checkout, with `-dirty` behind it where tracked files were changed.

    None outside of a checkout, and where git is not installed.
    """
    # --exclude '*' hides all tags: the bare commit is wanted.
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    text = run_git(command, folder)
    return text.strip() or None if text is not None else None


def run_git(command: Sequence[str], folder: Union[str, Path]) -> Optional[str]:
    """What a git command that only reads prints in `folder`; None where it fails."""
    # Without optional locks git does not touch the index of a checkout in which others work.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            list(command), cwd=folder, env=environment, capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def versions() -> Dict[str, str]:
    """The versions of Python and of the packages that results depend on; absent ones left out."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        version = version_of(name)
        if version:
            found[name] = version
    return found


def machine() -> Dict[str, Any]:
    """{"system", "architecture", "processor", "cores", "memory_mb"}; no host name, no user."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_mb": round(pages * page / 1e6),
    }


def without_folders(command: Sequence[str], root: Path = ROOT) -> List[str]:
    """A command whose paths are relative to `root`; of others only the last name is kept.

    Records are handed in, and nobody should learn from them how a machine is set up.
    """
    words = []
    for word in command:
        word = word.replace(f"{root}/", "")
        word = _FOLDERS.sub("", word)
        # `/data` alone is a path too.
        words.append(re.sub(r"(^|=)/(?=\w)", r"\1", word))
    return words


def _processor() -> Optional[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor() or None
