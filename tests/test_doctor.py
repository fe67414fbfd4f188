"""`python -m tools.doctor`, with what is installed and with the standard library alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import doctor
from tools.machine.examine import CHECKS, Examination
from tools.machine.verdicts import FAULT, OK, Line

ROOT = Path(__file__).resolve().parents[1]
TINY = ("--profile", "tiny", "--offline", "--python", sys.executable)
# -S leaves site-packages out: what a system's Python has before `make setup`.
WITH, WITHOUT = ("-m", "tools.doctor"), ("-S", "-m", "tools.doctor")


def run(way, *options: str, **settings) -> subprocess.CompletedProcess:
    command = [sys.executable, *way, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **settings)


@pytest.mark.parametrize("way", [WITH, WITHOUT])
def test_this_machine_can_run_the_tiny_profile(tmp_path, way):
    done = run(way, *TINY, "--run", str(tmp_path / "run"))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    *lines, last = done.stdout.splitlines()
    assert last.startswith("make all PROFILE=tiny can start")
    # Two checks are for cards alone; the disks may be several.
    assert len({line.split()[1] for line in lines}) == len(CHECKS) - 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("way", [WITH, WITHOUT])
def test_a_machine_without_cards_fails_the_contests_profile(way):
    done = run(way, "--profile", "llama3-8b", "--offline", "--json")
    assert done.returncode == 1
    content = json.loads(done.stdout)
    verdicts = {line["check"]: line["verdict"] for line in content["checks"]}
    assert content["passes"] is False and verdicts["cards"] == FAULT


@pytest.mark.parametrize("way", [WITH, WITHOUT])
@pytest.mark.parametrize(
    "options, text",
    [
        (
            ["--profile", "huge"],
            "error: PROFILE: no such profile 'huge'; choose one of: llama3-8b",
        ),
        (["--cards", "0"], "error: CARDS: 0 workers cannot train"),
        (["--cards", "two"], "two"),
        (["--stack", "gpu"], "error: STACK: no such stack 'gpu'; choose one of: cpu, ascend"),
        (["--unknown"], "--unknown"),
    ],
)
def test_bad_input_is_one_line(way, options, text):
    done = run(way, *options)
    assert done.returncode == 2 and text in done.stderr and "Traceback" not in done.stderr


def test_both_readers_have_the_same_options():
    texts = [run(way, "--help").stdout for way in (WITH, WITHOUT)]
    for name, settings in doctor._OPTIONS:
        assert all(name in text for text in texts)
        words = settings["help"].split()
        assert all(" ".join(words) in " ".join(text.split()) for text in texts)
    assert all("python -m tools.doctor --profile smollm2-135m\n" in text for text in texts)


def test_the_standard_library_is_enough():
    code = (
        "import sys, tools.machine.examine, tools.doctor; print({'click', 'yaml'} & {*sys.modules})"
    )
    assert run(("-S", "-c", code)).stdout == "set()\n"


@pytest.mark.parametrize("verdict, code", [(OK, 0), (FAULT, 1)])
def test_the_exit_code_is_the_verdict(monkeypatch, verdict, code):
    given = []

    def examine(*arguments):
        given.append(arguments)
        return Examination("p", [Line("disk", verdict, "x")])

    monkeypatch.setattr("tools.machine.examine.examine", examine)
    options = [
        "--profile",
        "p",
        "--run",
        "r",
        "--mirror",
        "m",
        "--cards",
        "3",
        "--python",
        "q",
        "--stack",
        "s",
        "--offline",
    ]
    result = CliRunner().invoke(doctor.main, options)
    assert result.exit_code == code and result.stdout.startswith(f"{verdict} ")
    assert given == [("p", "r", "m", 3, "q", "s", True)]
    CliRunner().invoke(doctor.main, [])
    assert given[1:] == [("smollm2-135m", None, None, None, "python3.11", "cpu", False)]


def test_a_terminal_that_cannot_show_it(monkeypatch):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run(WITH, *TINY, "--run", "/no/队", env=environment)
    assert "\\u961f" in done.stdout and done.stderr == ""
