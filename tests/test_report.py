"""tools.report as a command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import report
from tools.packaging import report as writing


def test_the_verdict_is_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tools.packaging import sentences

    monkeypatch.setattr(writing, "write_report", lambda run, output: (run, output))
    monkeypatch.setattr(sentences, "opening", lambda facts: f"opening of {facts[0].name}")
    monkeypatch.setattr(sentences, "verdict", lambda facts: [f"verdict of {facts[0].name}"])
    result = CliRunner().invoke(
        report.main, ["--run", str(tmp_path / "r"), "--output", str(tmp_path)]
    )
    assert result.exit_code == 0
    assert result.output.splitlines()[:2] == ["opening of r", "verdict of r"]


def test_no_run_is_one_line(tmp_path: Path) -> None:
    run = tmp_path / "none"
    command = ["--run", str(run), "--output", str(tmp_path / "o")]
    result = CliRunner().invoke(report.main, command)
    assert result.exit_code == 2
    assert result.output == f"error: {run}: no such run; choose RUN, or make one: make all\n"
    assert not (tmp_path / "o").exists()
