"""What make says before there is an environment: help, and a Python that is not the lock's."""

from __future__ import annotations

import shutil
import subprocess
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
    assert {"setup", "fetch", "convert", "finetune", "all", "submit", "test", "lint"} <= listed
    assert "grade" in listed


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


def test_grading_needs_a_zip_and_takes_its_variables(empty: Path) -> None:
    (empty / ".venv").mkdir()
    (empty / ".venv" / "installed").touch()
    done = make(empty, "grade")
    assert done.returncode == 2
    assert "error: SUBMISSION: name the zip: make grade SUBMISSION=team.zip" in done.stderr
    done = make(empty, "-n", "grade", "SUBMISSION=my team.zip", "DEPTH=score", "GRADE=--seed 3")
    assert ".venv/bin/python -m tools.grade 'my team.zip' --depth 'score' --seed 3" in done.stdout
