"""tools.schema as a command, and tools.check's --live, which reads the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import check, schema
from tools.packaging.configs import snapshot
from tools.packaging.configs.schema import SCHEMAS

TAKEN = {
    "mindformers": "9.9",
    "mindspore": "9.9",
    "run_modes": ["finetune"],
    "used": {"mindformers.Trainer": {"": ["args"]}},
    "sections": {"": {"seed": ["int", 1], "run_mode": ["str"]}},
    "types": {
        kind: {} for kind in ("callback", "config", "dataset", "models", "optimizer", "trainer")
    },
}
ROOT = Path(__file__).resolve().parents[1]


def test_it_writes_what_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {
        **TAKEN,
        "types": {**TAKEN["types"], "lr": {"A": ["m.A", {"x": ["int"]}], "B": ["m.B", {}]}},
    }
    monkeypatch.setattr(snapshot, "take_snapshot", lambda source=None: taken)
    path = tmp_path / "a.json"
    result = CliRunner().invoke(schema.main, ["--output", str(path)])
    assert (result.exit_code, result.output) == (0, f"{path}: 2 classes\n")
    assert json.loads(path.read_text("utf-8")) == taken
    # A class a line.
    assert '   "A": ["m.A", {"x": ["int"]}],\n   "B": ["m.B", {}]\n' in path.read_text("utf-8")


def test_the_committed_file_has_this_form() -> None:
    for path in SCHEMAS.glob("*.json"):
        text = path.read_text("utf-8")
        assert snapshot.snapshot_text(json.loads(text)) == text


def test_live_binds_to_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(ROOT / "configs/tiny/finetune.yaml")
    monkeypatch.setattr(snapshot, "take_snapshot", lambda source=None: TAKEN)
    result = CliRunner().invoke(check.main, ["configs", "--live", path])
    assert result.exit_code == 1
    assert "trainer is unknown to MindFormers 9.9" in result.stderr
    assert CliRunner().invoke(check.main, ["configs", path]).exit_code == 0


def test_without_mindformers_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "find_spec", lambda name: None)
    for command, words in (
        (schema.main, ["--output", "a.json"]),
        (check.main, ["configs", "--live", "configs"]),
    ):
        result = CliRunner().invoke(command, words)
        assert result.exit_code == 2
        assert result.stderr == "error: MindFormers is not installed; take the committed schema\n"
