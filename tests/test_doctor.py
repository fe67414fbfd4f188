"""`python -m tools.doctor`: both verdicts of every check, the options and the exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.doctor import (
    FAULT,
    OK,
    WARNING,
    judge_artifacts,
    judge_cann,
    judge_cards,
    judge_cores,
    judge_disk,
    judge_home,
    judge_memory,
    judge_python,
    main,
)
from tools.files.artifact import Artifact
from tools.files.machine import Card, Memory
from tools.settings.profile import CONFIGS, read_profile

GB = 10**9
SMALL = read_profile(CONFIGS / "tiny" / "profile.yaml").needs
LARGE = read_profile(CONFIGS / "llama3-8b" / "profile.yaml").needs


def run(*options: str):
    return CliRunner().invoke(main, options)


def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def test_this_machine_can_run_the_tiny_profile(tmp_path, monkeypatch):
    own_home(tmp_path, monkeypatch)
    done = run("--profile", "tiny", "--run", str(tmp_path / "run"))
    assert (done.exit_code, done.stderr) == (0, ""), done.stdout
    *lines, last = done.stdout.splitlines()
    assert last == "make all PROFILE=tiny can start"
    assert {line.split()[1] for line in lines} == {"python", "cores", "memory", "disk", "home"}
    assert str(tmp_path / "run") in done.stdout and not (tmp_path / "run").exists()


def test_a_warning_is_told_and_no_fault(tmp_path, monkeypatch):
    monkeypatch.delenv("HOME")
    done = run("--profile", "tiny", "--run", str(tmp_path))
    assert done.exit_code == 0 and "warning  home      HOME is not set" in done.stdout


def test_a_machine_without_cards_fails_the_contests_profile():
    done = run("--profile", "llama3-8b", "--cards", "100", "--json")
    assert done.exit_code == 1
    content = json.loads(done.stdout)
    lines = {line["check"]: line for line in content["checks"]}
    assert content["passes"] is False and content["profile"] == "llama3-8b"
    assert lines["cards"]["verdict"] == FAULT and "100 of 32.0 GB" in lines["cards"]["needed"]
    assert lines["memory"]["needed"] == "3.8 TB"  # 25 times that of four workers
    assert {"artefacts", "cann"} <= {*lines}


@pytest.mark.parametrize(
    "options, text",
    [
        (["--profile", "huge"], "error: PROFILE: no such profile 'huge'; choose one of: "),
        (["--cards", "0"], "--cards"),
        (["--unknown"], "--unknown"),
    ],
)
def test_bad_input_is_exit_code_2(options, text):
    done = run(*options)
    assert done.exit_code == 2 and text in done.stderr


@pytest.mark.parametrize(
    "needs, version, verdict",
    [
        *((SMALL, (3, minor), OK) for minor in (9, 10, 11)),
        (SMALL, (3, 8), FAULT),
        (SMALL, (3, 12), FAULT),
        (LARGE, (3, 9), OK),
        (LARGE, (3, 11), FAULT),
    ],
)
def test_python(needs, version, verdict):
    line = judge_python(needs, version)
    newest = "3.11" if needs is SMALL else "3.9"
    assert line.verdict == verdict and line.needed == needs.python
    assert line.remedy.endswith(f"/python{newest}" if verdict == FAULT else "")


@pytest.mark.parametrize("cores, verdict", [(2.0, OK), (64.0, OK), (1.5, WARNING)])
def test_cores(cores, verdict):
    line = judge_cores(SMALL, cores)
    assert (line.verdict, line.found, line.needed) == (verdict, f"{cores:g}", "2")
    assert bool(line.remedy) == (verdict != OK)


@pytest.mark.parametrize(
    "total, available, limited, verdict, remedy",
    [
        (16, 12, False, OK, ""),
        (9, 8, True, OK, ""),
        (16, 7.9, False, FAULT, "end other programs, or use a machine with more"),
        (7.9, 7.9, False, FAULT, "use a machine with more"),
        (4, 4, True, FAULT, "raise the container's limit"),
        (16, 4, True, FAULT, "end other programs, or raise the container's limit"),
    ],
)
def test_memory(total, available, limited, verdict, remedy):
    line = judge_memory(8 * GB, Memory(round(total * GB), round(available * GB), limited))
    assert (line.verdict, line.needed, line.remedy) == (verdict, "8.0 GB", remedy)
    assert ("container's limit" in line.found) == limited


def test_disk(tmp_path):
    run_folder, material = tmp_path / "runs" / "r", tmp_path / "material"
    (line,) = judge_disk({run_folder: GB / 1000, material: 0})
    assert line.verdict == OK and f"{run_folder}, {material}" in line.found
    assert line.needed == "1.0 MB beside the 0 B there"
    (line,) = judge_disk({run_folder: 1e18, material: 1e18})
    assert line.verdict == FAULT and line.remedy.startswith("free ")


def test_what_stands_there_need_not_be_written(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(os.urandom(2 << 20))
    os.link(tmp_path / "model.ckpt", tmp_path / "again.ckpt")
    (line,) = judge_disk({tmp_path: 3 << 20})
    needed, _, held = line.needed.partition(" beside the ")
    assert needed in ("1.0 MB", "1.1 MB") and held in ("2.1 MB there", "2.2 MB there")


def test_disks_are_judged_apart(tmp_path):
    """A run linked to a disk of its own."""
    if Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system")
    (tmp_path / "runs").symlink_to("/dev/shm")
    first, second = judge_disk({tmp_path / "runs" / "r": 0, tmp_path: 1e18})
    assert (first.verdict, second.verdict) == (OK, FAULT)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "runs").write_text("a file stands in the way")
    (line,) = judge_disk({tmp_path / "runs": 0})
    assert line.verdict == FAULT and "cannot be written to" in line.found


def test_home(tmp_path):
    assert judge_home(str(tmp_path)).verdict == OK
    for home, what in (
        (None, "is not set"),
        ("", "is not set"),
        (str(tmp_path / "h"), "not there"),
    ):
        line = judge_home(home)
        assert line.verdict == WARNING and what in line.found and "export HOME=" in line.remedy
    (tmp_path / ".cache").write_text("a file stands in the way")
    assert "cannot be written to" in judge_home(str(tmp_path)).found


def test_a_home_of_another_user(tmp_path):
    home = Path("/")
    if home.stat().st_uid == os.geteuid():
        home = tmp_path
        os.chown(home, 12345, -1)
    line = judge_home(str(home))
    assert line.verdict == WARNING and "belongs to another user" in line.found


def test_artifacts(tmp_path):
    items = [Artifact("a", "a.txt", "none", bytes=4), Artifact("b", "b.txt", "none")]

    def verdicts():
        return [(line.verdict, line.found.rpartition("txt ")[2]) for line in found()]

    def found():
        return [*judge_artifacts(items, tmp_path)]

    assert verdicts() == [(OK, "is still to be fetched")] * 2
    (tmp_path / "a.txt").write_text("four")
    (tmp_path / "b.txt").write_text("of a size that is not known beforehand")
    assert verdicts() == [(OK, "is there")] * 2
    (tmp_path / "a.txt").write_text("three")
    assert verdicts()[0] == (FAULT, "has not the right size")
    assert found()[0].remedy == f"remove it and {tmp_path}/fetched.json"


@pytest.mark.parametrize(
    "cann, verdict", [("8.0.RC1", OK), ("8.0.rc1", OK), ("8.2.RC1", WARNING), (None, FAULT)]
)
def test_cann(cann, verdict):
    assert judge_cann(LARGE, cann).verdict == verdict


GOOD = Card("910B1", "OK", 3 * GB, 65 * GB)
ILL, TINY, BUSY = (
    GOOD._replace(health="Alarm"),
    GOOD._replace(total=GB),
    GOOD._replace(used=GB * 60),
)


@pytest.mark.parametrize(
    "cards, verdict, text",
    [
        ([GOOD] * 4, OK, "4 (910B1 of 65.0 GB), 4 healthy"),
        ([GOOD._replace(health="Warning")] * 4, OK, ""),
        ([GOOD._replace(total=32_768_000_000)] * 4, OK, ""),
        ([GOOD] * 3, FAULT, "CARDS=3, or a machine"),
        ([*[GOOD] * 3, ILL], FAULT, "3 healthy and large enough"),
        ([TINY] * 4, FAULT, "0 healthy and large enough; needs 4 of 32.0 GB; a machine with more"),
        ([], FAULT, "npu-smi lists no card"),
        ([*[GOOD] * 3, BUSY], WARNING, "1 in use"),
        ([*[GOOD] * 4, BUSY], OK, ""),  # four others are free
    ],
)
def test_cards(cards, verdict, text):
    line = judge_cards(LARGE, 4, cards, "npu-smi lists no card")
    assert line.verdict == verdict and text in str(line)
