"""tools.submit as a command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import submit
from tools.files.errors import CheckFailed
from tools.packaging import submission


def command(tmp_path: Path, team: str) -> list:
    return ["--run", str(tmp_path / "r"), "--team", team, "--output", str(tmp_path / "out")]


def test_what_was_made_is_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = submission.Submission(tmp_path / "a", tmp_path / "a.zip", 7, 2_500_000, "ab" * 32)
    monkeypatch.setattr(submission, "build_submission", lambda *args: made)
    result = CliRunner().invoke(submit.main, command(tmp_path, "a"))
    assert result.exit_code == 0
    assert result.output == f"{tmp_path}/a.zip: 7 files, 2.5 MB, sha256 {'ab' * 32}\n"


def test_bad_names_and_refused_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    result = CliRunner().invoke(submit.main, command(tmp_path, "../a"))
    assert result.exit_code == 2
    assert result.output.startswith("error: TEAM: '../a' cannot name a submission; use letters")
    assert list(tmp_path.iterdir()) == []

    def refuse(*args: object) -> None:
        raise CheckFailed("the package would be refused")

    monkeypatch.setattr(submission, "build_submission", refuse)
    assert CliRunner().invoke(submit.main, command(tmp_path, "a")).exit_code == 1
