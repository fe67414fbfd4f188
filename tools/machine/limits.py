"""Cores and memory that a process may really use: of the host, its affinity and its cgroups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Dict, NamedTuple, Optional

# cgroup v1 writes a number of this size where there is no limit.
_NO_LIMIT = 1 << 60


class Cores(NamedTuple):
    """usable may be a fraction, where a container has a quota of time; online: of the host."""

    usable: float
    online: int


class Memory(NamedTuple):
    """Bytes. total and available: the least of host and cgroups; swap: free, 0 below a limit."""

    total: int
    available: int
    swap: int
    limited: bool  # a cgroup allows less than the host has


def read_cores(root: Path = Path("/"), affinity: Optional[int] = None) -> Cores:
    """The cores of this process.

    root: where proc/ and sys/ stand; affinity: how many it may run on, if not asked of the system.
    """
    online = os.cpu_count() or 1
    if affinity is None:
        affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else online
    usable = float(affinity)
    for group in _groups(root, "cpu"):
        # cgroup v2: "QUOTA PERIOD" or "max PERIOD", microseconds; v1: two files, -1 for none.
        words = _read(group / "cpu.max").split()
        quota = _number(words[0]) if len(words) == 2 else _number(_read(group / "cpu.cfs_quota_us"))
        period = _number(words[1] if len(words) == 2 else _read(group / "cpu.cfs_period_us"))
        if quota and period:
            usable = min(usable, quota / period)
    return Cores(usable, online)


def read_memory(root: Path = Path("/")) -> Optional[Memory]:
    """The memory of this process; None where the system has no /proc/meminfo."""
    host = _fields(root / "proc" / "meminfo")
    total = host.get("MemTotal", 0) * 1024
    if not total:
        return None
    # Kernels before 3.14 do not say what is available.
    available = host.get("MemAvailable", host.get("MemFree", 0) + host.get("Cached", 0)) * 1024
    swap, limited = host.get("SwapFree", 0) * 1024, False
    for group in _groups(root, "memory"):
        for names in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit, used = (_number(_read(group / name)) for name in names[:2])
            if limit is None or limit >= _NO_LIMIT or used is None:
                continue
            # Pages of files that nobody uses are counted, and given back when they are wanted.
            spare = _fields(group / "memory.stat").get(names[2], 0)
            available = min(available, max(0, limit - max(0, used - spare)))
            if limit < total:
                total, swap, limited = limit, 0, True
    return Memory(total, available, swap, limited)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and of those above it, whichever of them are there.

    In a container the path in /proc/self/cgroup may be the host's, while /sys/fs/cgroup shows the
    container's own group as its root: so the root is always among them.
    """
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            bases = [mounts, mounts / "unified"]
        elif controller in controllers.split(","):
            bases = [mounts / name for name in dict.fromkeys((controller, controllers))]
        else:
            continue
        steps = [step for step in PurePosixPath(path).parts if step not in ("/", "..")]
        for base in bases:
            for depth in range(len(steps), -1, -1):
                yield base.joinpath(*steps[:depth])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(text: str) -> Optional[int]:
    """A count; None for `max`, -1, and what is no number."""
    return int(text) if text.isascii() and text.isdigit() else None


def _fields(path: Path) -> Dict[str, int]:
    """`Name: 123 kB` or `name 123`, by name."""
    found = {}
    for line in _read(path).splitlines():
        words = line.replace(":", " ").split()
        number = _number(words[1]) if len(words) > 1 else None
        if number is not None:
            found[words[0]] = number
    return found
