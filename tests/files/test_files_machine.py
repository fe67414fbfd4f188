"""Cores and memory under /proc and cgroup files as hosts and containers have them, and cards."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tools.files.machine import (
    Card,
    Memory,
    parse_cards,
    read_cann,
    read_cards,
    read_cores,
    read_memory,
    version_of,
)

KB, GIB, MB = 1024, 1 << 30, 10**6
MEMINFO = """MemTotal:       16384000 kB
MemFree:         1024000 kB
MemAvailable:    8192000 kB
HugePages_Total:       0
"""
HOST = Memory(16384000 * KB, 8192000 * KB)
GROUP = "sys/fs/cgroup"


@pytest.fixture
def root(tmp_path: Path):
    """Write files below a root of our own, with the meminfo above."""

    def write(files: dict[str, str]) -> Path:
        for name, text in {"proc/meminfo": MEMINFO, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    return write


def v2(limit: str, used: int, spare: int = 0) -> dict[str, str]:
    return {
        f"{GROUP}/memory.max": limit,
        f"{GROUP}/memory.current": str(used),
        f"{GROUP}/memory.stat": f"anon 1\ninactive_file {spare}",
    }


def v1(limit: int, used: int, spare: int = 0) -> dict[str, str]:
    return {
        f"{GROUP}/memory/memory.limit_in_bytes": str(limit),
        f"{GROUP}/memory/memory.usage_in_bytes": str(used),
        f"{GROUP}/memory/memory.stat": f"inactive_file 5\ntotal_inactive_file {spare}",
    }


@pytest.mark.parametrize(
    "files, wanted",
    [
        ({}, HOST),
        (v2(str(2 * GIB), GIB, GIB // 2), Memory(2 * GIB, 3 * GIB // 2, True)),
        (v2(str(GIB), GIB // 4, 2 * GIB), Memory(GIB, GIB, True)),
        (v2(str(GIB), 2 * GIB), Memory(GIB, 0, True)),
        (v2("max", GIB), HOST),
        (v2(str(64 * GIB), GIB), HOST),  # more than the host has
        (v1(GIB, GIB // 2, GIB // 4), Memory(GIB, 3 * GIB // 4, True)),
        (v1(0x7FFFFFFFFFFFF000, GIB), HOST),
    ],
)
def test_memory(root, files, wanted):
    assert read_memory(root(files)) == wanted


@pytest.mark.parametrize(
    "files, share",
    [
        ({}, None),
        ({"cpu.max": "50000 100000"}, 0.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "900000000 100000"}, None),  # more than it may run on
        ({"cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "100000"}, 0.25),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_cores(root, files, share):
    found = read_cores(root({f"{GROUP}/{name}": text for name, text in files.items()}))
    assert found == (share or len(os.sched_getaffinity(0)))


def test_this_machine():
    memory = read_memory()
    assert 0 < memory.available <= memory.total and read_cores() > 0


# The layouts are npu-smi's: release 24.1 on cards of 64 GB, and on cards that report two memories.
BIG = """
+------------------------------------------------------------------------------------------------+
| npu-smi 24.1.0                   Version: 24.1.0                                               |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B1               | OK            | 93.1        36                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          3418 / 65536         |
+===========================+===============+====================================================+
| 1     910B1               | Alarm         | 92.2        37                0    / 0             |
| 0                         | 0000:01:00.0  | 98          0    / 0          60005/ 65536         |
+===========================+===============+====================================================+
+---------------------------+---------------+----------------------------------------------------+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
+===========================+===============+====================================================+
| No running processes found in NPU 0                                                            |
+===========================+===============+====================================================+
| 1       0                 | 12345         | python                   | 56587                   |
+===========================+===============+====================================================+
"""
SMALL = """
| 4     910ProB             | OK            | 78.0        38                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           2387 / 13553      18   / 32768         |
"""
TWO_CHIPS = """
| 0     Ascend910           | OK            | 178.1       49                0    / 0             |
| 0     0                   | 0000:9D:00.0  | 0           0    / 0          3161 / 65536         |
+------------------------------------------------------------------------------------------------+
| 0     Ascend910           | Warning       | -           48                0    / 0             |
| 1     1                   | 0000:9F:00.0  | 0           0    / 0          2908 / 65536         |
"""


@pytest.mark.parametrize(
    "text, cards",
    [
        (
            BIG,
            [
                Card("910B1", "OK", 3418 * MB, 65536 * MB),
                Card("910B1", "Alarm", 60005 * MB, 65536 * MB),
            ],
        ),
        (SMALL, [Card("910ProB", "OK", 18 * MB, 32768 * MB)]),
        (
            TWO_CHIPS,
            [
                Card("Ascend910", "OK", 3161 * MB, 65536 * MB),
                Card("Ascend910", "Warning", 2908 * MB, 65536 * MB),
            ],
        ),
        ("", []),
        ("| 0     910B1               | OK            | 93.1 |", []),
    ],
)
def test_tables_of_cards(text, cards):
    assert parse_cards(text) == cards


@pytest.mark.parametrize(
    "lines, count, fault",
    [
        ("cat table", 2, ""),
        ("echo 'dcmi model initialized failed' >&2; false", 0, "dcmi model initialized failed"),
        ("printf '\\377\\376'", 0, "lists no card"),
    ],
)
def test_cards_of_a_command(tmp_path, monkeypatch, lines, count, fault):
    monkeypatch.chdir(tmp_path)
    Path("table").write_text(BIG)
    cards, said = read_cards(["sh", "-c", lines])
    assert len(cards) == count and fault in said


def test_no_such_command(tmp_path):
    cards, said = read_cards([str(tmp_path / "npu-smi")])
    assert cards == [] and said.startswith("npu-smi does not run")


@pytest.mark.parametrize(
    "place, text, version",
    [
        (
            "ascend-toolkit/latest/aarch64-linux/ascend_toolkit_install.info",
            "package_name=Ascend-cann-toolkit\nversion=8.0.RC1\ninnerversion=V100R001C17\n",
            "8.0.RC1",
        ),
        ("nnae/latest/ascend_nnae_install.info", "version=8.0.RC2.alpha1\n", "8.0.RC2.alpha1"),
        ("driver/version.info", "version=24.1.rc1\n", None),  # the driver's is another version
        ("ascend-toolkit/latest/x86_64-linux/ascend_toolkit_install.info", "version=\n", None),
    ],
)
def test_cann_where_it_is_installed(tmp_path, place, text, version):
    path = tmp_path / "usr/local/Ascend" / place
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert read_cann({}, tmp_path) == version


def test_the_environment_script_decides(tmp_path):
    for folder, version in (("usr/local/Ascend/nnrt/latest", "8.0.0"), ("own", "8.1.RC1")):
        path = tmp_path / folder / "x86_64-linux" / "ascend_toolkit_install.info"
        path.parent.mkdir(parents=True)
        path.write_text(f"version={version}\n")
    own = str(tmp_path / "own")
    assert read_cann({"ASCEND_HOME_PATH": own}, tmp_path) == "8.1.RC1"
    assert read_cann({"ASCEND_TOOLKIT_HOME": own}, tmp_path) == "8.1.RC1"
    assert read_cann({"ASCEND_HOME_PATH": str(tmp_path / "gone")}, tmp_path) == "8.0.0"
    assert read_cann({}, tmp_path / "elsewhere") is None


def test_the_version_of_an_installed_package() -> None:
    assert version_of("numpy") == metadata.version("numpy")
    assert version_of("PyYAML") == metadata.version("PyYAML")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('"""A."""\n\n__version__ = "1.1"\nimport nothing_that_is_there\n', "1.1+source"),
        ("__version__='2.0rc1'\n", "2.0rc1+source"),
        ("x = 1\n", "unknown+source"),
    ],
)
def test_the_version_of_a_folder_on_the_path(
    text: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read, not imported: the first of these could not be."""
    package = tmp_path / "package_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text(text, "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert version_of("package_of_a_test") == version
    assert "package_of_a_test" not in sys.modules


@pytest.mark.parametrize("name", ["no_such_package", "no-such-package"])
def test_the_version_of_no_package(name: str) -> None:
    assert version_of(name) is None
