"""The script: what it resolves and refuses, and the command that it hands the run to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from tools.corpus import recipe_faults
from tools.files.errors import UserError
from tools.files.run_lock import run_lock
from tools.run import main

ROOT = Path(__file__).resolve().parents[1]
NIGHT = ("--profile", "smollm2-135m", "--budget", "night")


def run(*words, code=0):
    """Run the script in a process of its own, since it holds the run as long as that lives."""
    command = [sys.executable, "-m", "tools.run", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_a_recipe_that_the_corpus_cannot_make(tmp_path, monkeypatch):
    def faults(mix, path):
        assert mix.about and path.name == "plain.yaml"
        yield UserError("no style 'cubist' for add", f"{path}:4", "there are others")

    monkeypatch.setattr(recipe_faults, "recipe_faults", faults)
    done = CliRunner().invoke(main, [str(tmp_path / "run"), "--profile", "tiny"])
    assert done.output.endswith("plain.yaml:4: no style 'cubist' for add; there are others\n")
    assert done.exit_code == 2 and list(tmp_path.iterdir()) == []


def test_hours_are_told_before_they_are_spent(tmp_path):
    assert " hours, as measured on 2 cores" in run(tmp_path / "a", *NIGHT).splitlines()[-1]
    # What is as before is not told again.
    assert run(tmp_path / "a", *NIGHT) == ""
    # Not of what will not be trained, of what is done, nor of a minute.
    assert " hours" not in run(tmp_path / "b", *NIGHT, "--untrained")
    (tmp_path / "c" / "finetune").mkdir(parents=True)
    (tmp_path / "c" / "finetune" / "run.json").touch()
    assert " hours" not in run(tmp_path / "c", *NIGHT)
    done = run(tmp_path / "d", "--profile", "tiny")
    assert done.startswith(f"{tmp_path / 'd' / 'config'}: profile.json, ") and " hours" not in done


def test_where_another_training_has_ended(tmp_path):
    words = (tmp_path, "--profile", "tiny")
    run(*words)
    states = tmp_path / "finetune.work" / "states"
    states.mkdir(parents=True)
    (states / "7.ckpt").touch()
    assert "RESUME=no" in run(*words, "--seed", 2, code=2)
    run(*words, "--seed", 2, "--resume", "no")
    (tmp_path / "finetune").mkdir()
    (tmp_path / "finetune" / "run.json").touch()
    done = run(*words, "--seed", 3, "--resume", "no", "--", "touch", tmp_path / "made", code=2)
    assert done == f"error: {tmp_path}: holds a finished training of SEED=2; give RUN=NAME\n"
    assert not (tmp_path / "made").exists()


def test_the_command_gets_the_run_for_itself(tmp_path):
    words = (tmp_path / "run", "--profile", "tiny", "--")
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}]; from tools.files.run_lock import hold; "
    code += f"print(sys.argv[1:]); hold({str(tmp_path / 'run')!r})"
    done = run(*words, sys.executable, "-c", code, "--seed", "a b", code=1)
    assert "['--seed', 'a b']\n" in done and "another command is at work in this folder" in done
    assert run(*words, "bash", "-c", "exit 7", code=7) == ""
    line = run(*words, "no-such-command", code=2)
    assert line.startswith("error: ") and line.count("\n") == 1


def test_a_run_that_is_held_is_left_alone(tmp_path):
    with run_lock(tmp_path):
        done = run(tmp_path, "--profile", "tiny", "--", "touch", tmp_path / "made", code=2)
    assert done.startswith(f"error: {tmp_path}: another command is at work") and "RUN=" in done
    assert done.count("\n") == 1 and [path.name for path in tmp_path.iterdir()] == [".lock"]
