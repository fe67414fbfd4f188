"""tools.report as a command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import report
from tools.packaging import page


def test_the_verdict_is_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "write_report", lambda run, output: run.name)
    monkeypatch.setattr(page, "words_of", lambda facts, language: language)
    monkeypatch.setattr(page, "opening", lambda facts, words: f"opening of {facts}, {words}")
    monkeypatch.setattr(page, "verdict", lambda facts, words: [f"verdict of {facts}"])
    result = CliRunner().invoke(
        report.main, ["--run", str(tmp_path / "r"), "--output", str(tmp_path)]
    )
    assert result.exit_code == 0
    assert result.output.splitlines()[:2] == ["opening of r, en", "verdict of r"]


def test_no_run_is_one_line(tmp_path: Path) -> None:
    run = tmp_path / "none"
    command = ["--run", str(run), "--output", str(tmp_path / "o")]
    result = CliRunner().invoke(report.main, command)
    assert result.exit_code == 2
    assert result.output.startswith(f"error: {run}/")
    remedy = "no such file; choose RUN, or make its stages: make evaluate"
    assert result.output.endswith(f": {remedy}\n")
    assert result.output.count("\n") == 1
    assert not (tmp_path / "o").exists()
