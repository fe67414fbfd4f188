"""tools.configs as a command."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from tools import configs
from tools.settings.contest_files import contest_files
from tools.settings.profile import CONFIGS


def test_it_writes_the_files_and_says_which(tmp_path: Path) -> None:
    output = tmp_path / "contest"
    result = CliRunner().invoke(configs.main, ["--output", str(output)])
    made = contest_files("llama3-8b")
    assert (result.exit_code, result.output) == (0, f"{output}: {', '.join(made)}\n")
    assert {path.name: path.read_text("utf-8") for path in output.iterdir()} == made


def test_errors_are_one_line(tmp_path: Path) -> None:
    for profile, text in (
        ("tiny", f"error: {CONFIGS / 'tiny/profile.yaml'}: trains on the CPU; "),
        ("huge", "error: PROFILE: no such profile 'huge'; choose one of: "),
    ):
        result = CliRunner().invoke(
            configs.main, ["--profile", profile, "--output", str(tmp_path / "made")]
        )
        assert result.exit_code == 2
        assert result.output.startswith(text) and result.output.count("\n") <= 1
    assert not (tmp_path / "made").exists()
