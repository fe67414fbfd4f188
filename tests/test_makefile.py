"""What make says before there is an environment: help, and a Python that is not the lock's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def make(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """What the Makefile reads, as in a clone in which nothing has been made."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for folder in ("requirements", "configs", "material/embedded"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "submission").mkdir()
    shutil.copy(ROOT / "submission" / "report.md.j2", tmp_path / "submission")
    return tmp_path


def test_help_is_the_default_and_lists_every_target_of_the_pipeline(empty: Path) -> None:
    done = make(empty)
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert {
        "setup",
        "doctor",
        "fetch",
        "convert",
        "finetune",
        "all",
        "submit",
        "grade",
        "test",
        "lint",
    } <= listed


def test_the_version_check_refuses_every_other_version(empty: Path) -> None:
    text = (empty / "Makefile").read_text()
    assert "v == (3, 11)" in text
    changed = text.replace("v == (3, 11)", "v == (2, 7)")
    (empty / "Makefile").write_text(changed)
    done = make(empty, "setup")
    assert done.returncode == 2
    assert "error: Python 3." in done.stderr
    assert "PYTHON_SYSTEM=/path/to/python3.11" in done.stderr
    assert not (empty / ".venv").exists()


def test_a_python_that_is_not_there_is_one_clear_line(empty: Path) -> None:
    done = make(empty, "setup", "PYTHON_SYSTEM=no-such-python")
    assert done.returncode == 2
    assert "error: no-such-python is not on this machine; install Python 3.11" in done.stderr


def test_a_dry_run_in_an_empty_clone_makes_nothing(empty: Path) -> None:
    before = sorted(path.name for path in empty.iterdir())
    done = make(empty, "-n", "all")
    assert done.returncode == 0
    assert "tools.finetune" in done.stdout
    assert sorted(path.name for path in empty.iterdir()) == before


def test_given_records_take_the_place_of_our_own(empty: Path) -> None:
    (empty / "x.mindrecord").touch()
    ours, given = (
        make(empty, "-n", "convert", *words) for words in ((), ("RECORDS=x.mindrecord",))
    )
    assert ours.returncode == given.returncode == 0
    assert "convert records" in ours.stdout and "given-records" not in ours.stdout
    assert "convert records" not in given.stdout
    assert "given-records" in given.stdout and "--input 'x.mindrecord'" in given.stdout
    # What is held out is made all the same.
    assert "convert math" in given.stdout and "convert prompts" in given.stdout


def test_grading_needs_a_zip_and_takes_its_variables(empty: Path) -> None:
    (empty / ".venv").mkdir()
    (empty / ".venv" / "installed").touch()
    done = make(empty, "grade")
    assert done.returncode == 2
    assert "error: SUBMISSION: name the zip: make grade SUBMISSION=team.zip" in done.stderr
    done = make(empty, "-n", "grade", "SUBMISSION=my team.zip", "DEPTH=score", "GRADE=--seed 3")
    assert ".venv/bin/python -m tools.grade 'my team.zip' --depth 'score' --seed 3" in done.stdout


@pytest.fixture
def doctored(empty: Path, tmp_path_factory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same with what `make doctor` runs, and a folder for an index: no network plays a part."""
    index = tmp_path_factory.mktemp("simple")
    (index / "mindspore").mkdir()
    monkeypatch.setenv("PIP_INDEX_URL", index.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for folder in ("tools/machine", "tools/files"):
        shutil.copytree(ROOT / folder, empty / folder, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("__init__.py", "doctor.py"):
        shutil.copy(ROOT / "tools" / name, empty / "tools")
    return empty


def test_the_doctor_comes_before_any_environment(doctored: Path) -> None:
    """`tools.cli` is not even there: the system's Python and its library are enough."""
    words = (f"PYTHON_SYSTEM={sys.executable}", "PROFILE=tiny", "CARDS=1", "RUN=other")
    done = make(doctored, "doctor", *words, "MIRROR=/no/such/folder")
    lines = done.stdout.splitlines()
    assert done.returncode == 2 and lines[-1].startswith(
        "make all PROFILE=tiny would fail: 1 fault"
    )
    (mirror,) = [line for line in lines if line.startswith("fault")]
    assert "MIRROR=/no/such/folder is neither" in mirror
    assert any("runs/other" in line for line in lines if " disk " in line)
    assert {path.name for path in doctored.iterdir()} == {
        *("Makefile", "requirements", "configs", "material", "submission", "tools")
    }


def test_the_doctor_passes_over_a_python_that_is_broken(doctored: Path) -> None:
    python = doctored / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("no-such-python")
    done = make(doctored, "doctor", "PROFILE=huge", f"PYTHON_SYSTEM={sys.executable}")
    assert "error: PROFILE: no such profile 'huge'" in done.stderr


def test_the_doctor_without_any_python(doctored: Path, tmp_path_factory) -> None:
    """Only what the recipe itself needs is on the path."""
    programs = tmp_path_factory.mktemp("bin")
    for name in ("make", "sed", "echo"):
        (programs / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        ["make", "doctor", "PYTHON_SYSTEM=no-such-python"],
        cwd=doctored,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "error: there is no Python 3.9 or newer on this machine" in done.stderr


def test_probing_takes_its_budget_and_the_adapters_that_are_there(empty: Path) -> None:
    (empty / ".venv").mkdir()
    (empty / ".venv" / "installed").touch()
    plain = make(empty, "-n", "probe", "PROFILE=tiny", "RUN=r")
    assert "tools.convert weights" in plain.stdout  # there is no base yet
    weights = "tools.probe --config runs/r/config/finetune.yaml  --weights runs/r/base/model.ckpt"
    assert weights in plain.stdout and "--adapter" not in plain.stdout
    (empty / "runs" / "r" / "finetune").mkdir(parents=True)
    (empty / "runs" / "r" / "finetune" / "run.json").touch()
    done = make(empty, "-n", "probe", "PROFILE=tiny", "RUN=r", "PARAMETERS=5000")
    assert "--parameters '5000' --weights runs/r/base/model.ckpt" in done.stdout
    assert "--adapter runs/r/finetune/adapters --output runs/r/probe/adapter" in done.stdout
