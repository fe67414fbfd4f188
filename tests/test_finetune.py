"""`python -m tools.finetune`: usage, one line for bad input, what is handed on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.files.errors import CheckFailed
from tools.finetune import main
from tools.training import launch
from tools.training.workers import ALONE, Hosts

NAMES = ("config", "model", "base", "records", "output")


def run(folder, *arguments):
    fixed = [part for name in NAMES for part in (f"--{name}", str(folder / name))]
    return CliRunner().invoke(main, [*fixed, *arguments])


def test_what_is_handed_on(tmp_path, monkeypatch):
    calls = []

    def fake(*arguments):
        calls.append(arguments)
        return {"steps": 10, "checkpoints": [5, 10]}

    monkeypatch.setattr(launch, "finetune", fake)
    result = run(tmp_path, "--checkpoints", "2")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'output'}: 10 steps, checkpoints at [5, 10]\n"
    run(tmp_path)
    paths = tuple(tmp_path / name for name in NAMES)
    hosts = ("--nodes", "2", "--node-rank", "1", "--master-addr", "a", "--master-port", "8118")
    run(tmp_path, "--resume", "no", *hosts)
    for bfloat16 in (True, False):
        resolved = tmp_path / "training.json"
        resolved.write_text(json.dumps({"bfloat16_matmul": bfloat16}))
        run(tmp_path, "--training", str(resolved))
    run(tmp_path, "--init", str(tmp_path))
    assert calls == [
        (*paths, 2, ALONE, True, False, None),
        (*paths, 5, ALONE, True, False, None),
        (*paths, 5, Hosts(2, 1, "a", 8118), False, False, None),
        (*paths, 5, ALONE, True, True, None),
        (*paths, 5, ALONE, True, False, None),
        (*paths, 5, ALONE, True, False, tmp_path),
    ]


@pytest.mark.parametrize("number", ["0", "-1", "five", "1.5"])
def test_checkpoints_are_one_or_more(tmp_path, number):
    result = run(tmp_path, "--checkpoints", number)
    assert result.exit_code == 2 and "Usage:" in result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_path_is_needed(tmp_path, name):
    given = [part for other in NAMES if other != name for part in (f"--{other}", "x")]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 2 and f"--{name}" in result.stderr


def test_bad_input_is_one_line(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == 2 and result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1 and "model" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_fails_is_exit_code_1(tmp_path, monkeypatch):
    def fail(*_):
        raise CheckFailed("worker_0 failed: x", None, "the whole logs are in y")

    monkeypatch.setattr(launch, "finetune", fail)
    result = run(tmp_path)
    assert result.exit_code == 1
    assert result.stderr == "error: worker_0 failed: x; the whole logs are in y\n"


def test_the_makefile_calls_it_so():
    text = (Path(__file__).resolve().parents[1] / "Makefile").read_text(encoding="utf-8")
    command = text.partition("$(call stage,finetune,finetune ")[2].partition("\n\n")[0]
    assert all(f"--{name} " in command for name in NAMES)
