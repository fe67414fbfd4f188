"""Cores and memory under /proc and cgroup files as hosts and containers have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.machine.limits import Cores, Memory, read_cores, read_memory

KB, GIB = 1024, 1 << 30
MEMINFO = """MemTotal:       16384000 kB
MemFree:         1024000 kB
MemAvailable:    8192000 kB
Buffers:          204800 kB
Cached:          4096000 kB
SwapTotal:       2097152 kB
SwapFree:        1048576 kB
HugePages_Total:       0
"""
HOST = Memory(16384000 * KB, 8192000 * KB, 1048576 * KB, False)


@pytest.fixture
def root(tmp_path: Path):
    """Write files below a root of our own, with the meminfo above."""

    def write(files: dict[str, str], meminfo: str = MEMINFO) -> Path:
        for name, text in {"proc/meminfo": meminfo, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n" if text else "")
        return tmp_path

    return write


def v2(folder: str, limit: str, used: str, spare: int = 0) -> dict[str, str]:
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": used,
        f"{folder}/memory.stat": f"anon 1\ninactive_file {spare}",
    }


def v1(folder: str, limit: int, used: int, spare: int = 0) -> dict[str, str]:
    return {
        f"{folder}/memory.limit_in_bytes": str(limit),
        f"{folder}/memory.usage_in_bytes": str(used),
        f"{folder}/memory.stat": f"inactive_file 5\ntotal_inactive_file {spare}",
    }


def test_a_host_without_cgroups(root):
    assert read_memory(root({})) == HOST
    assert read_cores(root({}), 4) == Cores(4, os.cpu_count())


def test_an_old_kernel_does_not_say_what_is_available(root):
    text = "".join(line for line in MEMINFO.splitlines(True) if "Available" not in line)
    assert read_memory(root({}, text)) == HOST._replace(available=(1024000 + 4096000) * KB)


@pytest.mark.parametrize("meminfo", ["", "MemTotal: much kB", "\0\0", "MemTotal:"])
def test_a_system_that_does_not_tell(root, meminfo):
    assert read_memory(root({}, meminfo)) is None


def test_no_proc_at_all(tmp_path):
    assert read_memory(tmp_path) is None and read_cores(tmp_path, 3).usable == 3


GROUP = "sys/fs/cgroup"


@pytest.mark.parametrize(
    "cgroup, files, wanted",
    [
        # v2 in a container: its own group is the root.
        ("0::/", v2(GROUP, str(2 * GIB), str(GIB), GIB // 2), (2 * GIB, 3 * GIB // 2, 0, True)),
        # v2 on a host: a slice above the process has the limit.
        (
            "0::/a.slice/b.scope",
            {**v2(f"{GROUP}/a.slice", str(GIB), "0"), **v2(f"{GROUP}/a.slice/b.scope", "max", "5")},
            (GIB, GIB, 0, True),
        ),
        ("0::/", v2(GROUP, "max", str(GIB)), HOST),
        # More than the host has: what it uses is not the host's, but the limit is none.
        ("0::/", v2(GROUP, str(64 * GIB), str(63 * GIB)), (HOST.total, GIB, HOST.swap, False)),
        # v1, the path as the host has it, the mount showing the container's own group.
        (
            "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc",
            v1(f"{GROUP}/memory", GIB, GIB // 4, 2 * GIB),
            (GIB, GIB, 0, True),
        ),
        ("4:memory:/a", v1(f"{GROUP}/memory/a", GIB, 2 * GIB), (GIB, 0, 0, True)),
        ("4:memory:/a", v1(f"{GROUP}/memory/a", 0x7FFFFFFFFFFFF000, GIB), HOST),
        ("4:memory:/../..", v1(f"{GROUP}/memory", GIB, 0), (GIB, GIB, 0, True)),
        # Both, as systemd's hybrid has it: v1 rules memory, v2 lies beside.
        (
            "4:memory:/a\n0::/a",
            {**v1(f"{GROUP}/memory/a", GIB, 0), f"{GROUP}/unified/a/cgroup.procs": "1"},
            (GIB, GIB, 0, True),
        ),
        # Files that are no numbers, lines that are none.
        ("nonsense\n0::/", v2(GROUP, "lots", "some"), HOST),
        ("0::/", v2(GROUP, "", ""), HOST),
    ],
)
def test_memory_of_a_group(root, cgroup, files, wanted):
    assert read_memory(root({"proc/self/cgroup": cgroup, **files})) == wanted


@pytest.mark.parametrize(
    "cgroup, files, usable",
    [
        ("0::/", {f"{GROUP}/cpu.max": "150000 100000"}, 1.5),
        ("0::/", {f"{GROUP}/cpu.max": "max 100000"}, 8),
        ("0::/a/b", {f"{GROUP}/a/cpu.max": "200000 100000", f"{GROUP}/a/b/cpu.max": "max 1"}, 2),
        ("0::/", {f"{GROUP}/cpu.max": "9000000 100000"}, 8),  # more than it may run on
        ("0::/", {f"{GROUP}/cpu.max": "0 0"}, 8),
        ("0::/", {f"{GROUP}/cpu.max": "x"}, 8),
        (
            "2:cpu,cpuacct:/docker/abc",
            {
                f"{GROUP}/cpu,cpuacct/cpu.cfs_quota_us": "50000",
                f"{GROUP}/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        (
            "2:cpu:/",
            {f"{GROUP}/cpu/cpu.cfs_quota_us": "-1", f"{GROUP}/cpu/cpu.cfs_period_us": "100000"},
            8,
        ),
    ],
)
def test_cores_of_a_group(root, cgroup, files, usable):
    assert read_cores(root({"proc/self/cgroup": cgroup, **files}), 8).usable == usable


def test_this_machine():
    memory, cores = read_memory(), read_cores()
    assert memory is not None and 0 < memory.available <= memory.total
    assert 0 < cores.usable <= cores.online
