"""What a process may use of this machine: cores, memory, Ascend cards, CANN and packages."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

# npu-smi asks every card in turn; one that hangs must not keep the user waiting.
_SECONDS = 30
# `| 0     910B1    | OK    | 93.1 …` and, below it, `| 0    | 0000:C1:00.0  | …  3418 / 65536  |`:
# the last pair of numbers is the memory of the chip, HBM where there are two kinds.
_CARD = re.compile(
    r"^\| *\d+ +(\S+) *\| *([A-Za-z]+) *\|.*\n"
    r"\|[ \d]+\| *[0-9A-Fa-f:]+\.\d *\|.*?(\d+) */ *(\d+) *\| *$",
    re.MULTILINE,
)
# Where CANN's toolkit and its smaller runtimes (nnae, nnrt) write their version.
_VERSION_FILES = [
    f"{folder}{system}ascend_*_install.info"
    for folder in ("", "latest/", "*/latest/")
    for system in ("*-linux/", "")
]

_STATED = re.compile(r"""^__version__\s*=\s*["']([^"']+)["']""", re.MULTILINE)


class Memory(NamedTuple):
    """Bytes that there are and that are free; limited: by a container, not by the host."""

    total: int
    available: int
    limited: bool = False


class Card(NamedTuple):
    """One chip: its model, npu-smi's word on its health, and its memory in bytes."""

    name: str
    health: str
    used: int
    total: int


def read_cores(root: Path = Path("/")) -> float:
    """Return the cores of this process, a fraction where a container has a quota of time.

    root   where proc/ and sys/ stand
    """
    usable = float(len(os.sched_getaffinity(0)))
    group = root / "sys" / "fs" / "cgroup"
    # cgroup v2: "QUOTA PERIOD" or "max PERIOD", microseconds; v1: two files, -1 for none.
    v1 = f"{_read(group / 'cpu/cpu.cfs_quota_us')} {_read(group / 'cpu/cpu.cfs_period_us')}"
    for text in (_read(group / "cpu.max"), v1):
        limited = re.fullmatch(r"(\d+) (\d+)", text)
        if limited:
            usable = min(usable, int(limited[1]) / int(limited[2]))
    return usable


def read_memory(root: Path = Path("/")) -> Memory:
    """Return the memory of this process, of host and container the lesser."""
    host = _fields(root / "proc" / "meminfo")
    memory = Memory(1024 * host["MemTotal"], 1024 * host["MemAvailable"])
    group = root / "sys" / "fs" / "cgroup"
    for folder, limit, used, unused in (
        (group, "max", "current", "inactive_file"),
        (group / "memory", "limit_in_bytes", "usage_in_bytes", "total_inactive_file"),
    ):
        most = _read(folder / f"memory.{limit}")
        # No limit: `max`, or in v1 a number that no machine has.
        if most.isdigit() and int(most) < memory.total:
            # Pages of files that nobody uses are counted, and given back when they are wanted.
            spare = _fields(folder / "memory.stat").get(unused, 0)
            free = int(most) - max(0, int(_read(folder / f"memory.{used}")) - spare)
            memory = Memory(int(most), min(memory.available, max(0, free)), limited=True)
    return memory


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip() if path.is_file() else ""


def _fields(path: Path) -> Dict[str, int]:
    """Return what a file of lines `Name: 123 kB` or `name 123` says, by name."""
    found = re.findall(r"^(\w+):?\s+(\d+)", _read(path), re.MULTILINE)
    return {name: int(number) for name, number in found}


def read_cards(command: Sequence[str] = ("npu-smi", "info")) -> Tuple[List[Card], str]:
    """Return the Ascend cards of this machine, and why there is none where there is none."""
    try:
        done = subprocess.run(list(command), capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"npu-smi does not run ({error})"
    text = (done.stderr + done.stdout).decode("utf-8", "replace").strip()
    return parse_cards(text), f"npu-smi lists no card ({text[:80]!r})"


def parse_cards(text: str) -> List[Card]:
    """Return the chips in the table of `npu-smi info`: a pair of rows is one chip."""
    found = _CARD.findall(text)
    return [Card(name, health, int(a) * 10**6, int(b) * 10**6) for name, health, a, b in found]


def read_cann(environment: Mapping[str, str], root: Path = Path("/")) -> Optional[str]:
    """Return the version of CANN where its environment script points, else in /usr/local/Ascend."""
    named = [environment.get(name) for name in ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")]
    folders = [*(Path(name) for name in named if name), root / "usr" / "local" / "Ascend"]
    for path in (path for top in folders for each in _VERSION_FILES for path in top.glob(each)):
        version = re.search(r"^version=([\w.+-]+)$", path.read_text("utf-8"), re.MULTILINE)
        if version:
            return version[1]
    return None


def version_of(package: str) -> Optional[str]:
    """Return the version of a package, without importing it; None where there is none.

    The contest's MindFormers is a folder on the path and was never installed: then the version is
    what its source states, with the mark `+source`.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        spec = find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        return None
    stated = _STATED.search(Path(spec.origin).read_text("utf-8"))
    return f"{stated[1] if stated else 'unknown'}+source"
