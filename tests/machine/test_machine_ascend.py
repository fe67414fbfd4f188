"""npu-smi's tables of several cards and releases, and CANN's files."""

from __future__ import annotations

import pytest

from tools.machine.ascend import Card, parse_cards, read_cann, read_cards

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
MB = 10**6


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
        ("\0|||| 0 | /", []),
        # Half a table: a card without its chip, a chip without its card.
        ("\n".join(BIG.splitlines()[:8]), []),
        (BIG.splitlines()[8], []),
    ],
)
def test_tables(text, cards):
    assert parse_cards(text) == cards


@pytest.fixture
def npu_smi(tmp_path):
    """A command that behaves as the shell lines given, in npu-smi's place."""

    def make(lines: str) -> list[str]:
        path = tmp_path / "npu-smi"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return [str(path), "info"]

    return make


def test_cards_of_a_command(npu_smi, tmp_path):
    (tmp_path / "table").write_text(BIG)
    found = read_cards(npu_smi(f'test "$1" = info && cat {tmp_path}/table'))
    assert [card.health for card in found.cards] == ["OK", "Alarm"] and found.fault is None


@pytest.mark.parametrize(
    "lines, fault",
    [
        (
            "echo 'dcmi model initialized failed, because the device is used. ret is -8020'; false",
            "lists no card (dcmi model initialized failed, because the device is used.",
        ),
        ("exit 3", "lists no card"),
        ("printf '\\377\\376'", "lists no card"),
        ("exec sleep 60", "does not answer within 0.2 s"),
    ],
)
def test_a_command_that_shows_none(npu_smi, lines, fault):
    found = read_cards(npu_smi(lines), seconds=0.2 if "sleep" in lines else 10)
    assert found.cards == [] and fault in str(found.fault)


def test_no_such_command(tmp_path):
    assert read_cards([str(tmp_path / "no")]).fault == f"{tmp_path}/no is not there"
    (tmp_path / "no").write_text("not to be executed")
    assert "ermission denied" in str(read_cards([str(tmp_path / "no")]).fault)


TOOLKIT = """package_name=Ascend-cann-toolkit
version=8.0.RC1
innerversion=V100R001C17SPC001B258
compatible_version=[V100R001C15],[V100R001C17]
arch=aarch64
os=linux
path=/usr/local/Ascend/ascend-toolkit/8.0.RC1/aarch64-linux
"""


@pytest.mark.parametrize(
    "place, text, version",
    [
        (
            "ascend-toolkit/latest/aarch64-linux/ascend_toolkit_install.info",
            TOOLKIT,
            "8.0.RC1",
        ),
        ("ascend-toolkit/latest/version.info", "Version = 7.0.0\n", "7.0.0"),
        ("nnae/latest/ascend_nnae_install.info", "version=8.0.RC2.alpha1\n", "8.0.RC2.alpha1"),
        ("driver/version.info", "Version=24.1.rc1\n", None),  # the driver's is another version
        ("ascend-toolkit/latest/version.info", "innerversion=V1\nversion=\n", None),
        ("ascend-toolkit/latest/version.info", "", None),
    ],
)
def test_cann_where_it_is_installed(tmp_path, place, text, version):
    path = tmp_path / "usr/local/Ascend" / place
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert read_cann({}, tmp_path) == version


def test_the_environment_script_decides(tmp_path):
    for folder, version in (
        ("usr/local/Ascend/ascend-toolkit/latest", "8.0.0"),
        ("own", "8.1.RC1"),
    ):
        path = tmp_path / folder / "x86_64-linux" / "ascend_toolkit_install.info"
        path.parent.mkdir(parents=True)
        path.write_text(f"version={version}\n")
    own = str(tmp_path / "own")
    assert read_cann({"ASCEND_HOME_PATH": own}, tmp_path) == "8.1.RC1"
    assert read_cann({"ASCEND_TOOLKIT_HOME": own}, tmp_path) == "8.1.RC1"
    assert read_cann({"ASCEND_HOME_PATH": str(tmp_path / "gone")}, tmp_path) == "8.0.0"
    assert read_cann({}, tmp_path / "elsewhere") is None
