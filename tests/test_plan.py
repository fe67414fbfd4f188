"""`python -m tools.plan` and `make plan`: options and exit codes."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.plan import main

ROOT = Path(__file__).resolve().parents[1]
CARDS = ("--profile", "llama3-8b", "--budget", "full", "--cards", "4", "--hbm", "32")
BASELINE = ("--model-parallel", "4", "--batch", "64", "--recompute", "full")


def run(*words: str):
    return CliRunner().invoke(main, list(words))


def test_a_run_that_fits_is_exit_code_0() -> None:
    done = run(*CARDS, *BASELINE, "--accuracy", "64%")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "score at 64.0 % accuracy: 0.747873, rank 3" in done.stdout
    assert "3,407,872" in done.stdout


def test_a_run_that_does_not_fit_is_exit_code_1_and_one_line() -> None:
    done = run(*CARDS, "--recompute", "none", "--batch", "16")
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: HBM: training needs 42.6 GiB, 26.0 may be used")
    assert "the largest term is activations, 18.8 GiB; recompute fully" in line
    # The plan is printed all the same.
    assert "DOES NOT FIT" in done.stdout


@pytest.mark.parametrize(
    "words, text",
    [
        (("--profile", "huge"), "error: PROFILE: no such profile 'huge'"),
        (("--recipe", "none"), "error: RECIPE: no such recipe 'none'"),
        (("--accuracy", "101"), "101 is not between 0 and 100 %"),
        (("--hbm", "0"), "--hbm"),
        (("--recompute", "some"), "--recompute"),
        ((*CARDS, "--model-parallel", "3"), "model_parallel 3 does not divide 4 cards"),
        (("--budget", "night", "--recipe", "plain"), "error: --rows: how many training rows"),
    ],
)
def test_bad_input(words: tuple[str, ...], text: str) -> None:
    done = run(*words)
    assert done.exit_code == 2 and text in done.stderr


def test_make_plan_passes_its_variables_on() -> None:
    # -o: whether there is an environment does not matter to a dry run of make.
    words = ["-n", "-o", ".venv/installed", "plan", "PROFILE=llama3-8b", "CARDS=4", "HBM=32"]
    more = ["ACCURACY=0.6", "PLAN=--rank 16"]
    done = subprocess.run(["make", *words, *more], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert shlex.split(done.stdout) == shlex.split(
        ".venv/bin/python -m tools.plan --profile llama3-8b --budget quick "
        "--cards 4 --hbm 32 --accuracy 0.6 --rank 16"
    )
