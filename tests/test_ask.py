"""`python -m tools.ask`: one problem, problems line by line, and what is refused."""

from __future__ import annotations

import codecs
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from byte_model import make_model
from click.testing import CliRunner

from tools.ask import main

ROOT = Path(__file__).resolve().parents[1]
SUM = "计算 1.50 + 2.25 等于多少？"
STYLE = {"style": "direct", "decimals": 2, "significant": None, "separator": ""}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run: base/, merged/7/, and config/ as far as asking reads it."""
    run = tmp_path_factory.mktemp("run")
    for seed, name in enumerate(("base", "merged/7")):
        make_model(run / name, seed)
    for name, told in {
        "corpus": {"weights": {"add": 1}, "exponents": None, "styles": {"add": STYLE}},
        "evaluation": {
            "device": "CPU",
            "min_new_tokens": 3,
            "max_new_tokens": ["squad=4", "valid=6", "test=6"],
        },
        "records": {"prompt": "none"},
    }.items():
        (run / "config").mkdir(exist_ok=True)
        (run / "config" / f"{name}.json").write_text(json.dumps(told))
    return run


def command(run: Path, *words: str) -> list[str]:
    return ["--model", str(run / "merged" / "7"), "--base", str(run / "base"), *words]


def ask(run: Path, *words: str, given: Any = None) -> Any:
    return CliRunner().invoke(main, command(run, *words), input=given)


def test_one_problem(run_folder: Path) -> None:
    done = ask(run_folder, "--json", f" {SUM} ")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["problem"], told["kind"], told["exact"], told["note"]) == (
        SUM,
        "add",
        "3.75",
        None,
    )
    # Random weights of different seeds: 64 tokens of the base model, 6 of the other at most.
    texts = {
        side: "\n".join(line["text"] for line in told[side]["lines"])
        for side in told
        if side in ("base", "model")
    }
    assert texts["base"] != texts["model"] and told["base"]["right"] is False
    assert all(line["holds"] is False for line in told["model"]["lines"] if line["text"].strip())
    plain = ask(run_folder, SUM)
    assert plain.exit_code == 0 and plain.stdout.startswith(f"{SUM}\n\nbase model: wrong\n")
    assert "\ntrained model: wrong\n  ✗ " in plain.stdout
    assert plain.stdout.endswith("\nexact answer: 3.75\n\n")


def test_line_by_line(run_folder: Path) -> None:
    lines = [SUM, "", "  ", "什么是重力？", "a</s>b", "x" * 100_000, "\udcff", SUM]
    given = codecs.BOM_UTF8 + "\n".join(lines).encode("utf-8", "surrogateescape")
    done = ask(run_folder, "--json", given=given)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["problem"] for one in told] == [SUM, "什么是重力？", SUM]
    assert told[0] == told[2]
    assert told[1]["kind"] is None and told[1]["note"] == "not marked: it fits no kind of problem"
    assert [line["holds"] for line in told[1]["model"]["lines"]] == [None] * len(
        told[1]["model"]["lines"]
    )
    refused = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in refused] == ["line 5", "line 6", "line 7"]
    assert "control token </s>" in refused[0] and "100000 characters" in refused[1]
    assert done.exit_code == 2
    # The graphs are compiled once a model.
    assert done.stderr.count("compiling") == 2


def test_nothing_to_read_is_nothing_to_do(run_folder: Path) -> None:
    done = ask(run_folder, given="\n \n")
    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize(
    "problem, said",
    [
        ("", "the problem is empty; write one: 计算"),
        (" \t", "the problem is empty"),
        ("x" * 100_000, "has 100000 characters, 10000 are read; shorten it"),
        (
            "x" * 9000,
            "its 9000 tokens and the answer take 9064 positions; shorten it: the model has 8192",
        ),
        ("1 + 1</s>", "holds the control token </s>; take it out"),
        ("1 + 1<|im_end|>", "holds the control token <|im_end|>"),
        ("1 + \udcff", "is not UTF-8; write it in UTF-8"),
    ],
)
def test_a_problem_that_is_refused(run_folder: Path, problem: str, said: str) -> None:
    done = ask(run_folder, "--", problem)
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.startswith(f"error: Q: {said}") and done.stderr.count("\n") == 1


def test_a_run_that_is_not_whole(run_folder: Path, tmp_path: Path) -> None:
    done = ask(run_folder, "--trained", str(tmp_path), SUM)
    assert done.exit_code == 2 and "corpus.json" in done.stderr
    (tmp_path / "corpus.json").write_text('{"styles": {}}')
    done = ask(run_folder, "--trained", str(tmp_path), SUM)
    assert done.exit_code == 2 and "corpus.json: lacks weights, exponents" in done.stderr


def test_a_published_adapter_has_its_prompt_in_run_json(run_folder: Path, tmp_path: Path) -> None:
    for name in ("corpus", "evaluation"):
        (tmp_path / f"{name}.json").write_text((run_folder / "config" / f"{name}.json").read_text())
    (tmp_path / "run.json").write_text('{"prompt": "alpaca"}')
    done = ask(run_folder, "--trained", str(tmp_path), "--json", SUM)
    assert done.exit_code == 0, done.output
    # In another frame the model says something else.
    assert done.stdout != ask(run_folder, "--json", SUM).stdout


def test_a_terminal_is_prompted_and_sees_two_columns(run_folder: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "tools.ask", *command(run_folder)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    done = subprocess.Popen(
        words, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    os.write(ours, f"<|im_end|>\n{SUM}\n\x04".encode())
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # the other side is closed
        pass
    text = seen.decode("utf-8", "replace")
    assert done.wait() == 0, text
    assert text.count("? ") >= 3 and "error: line 1: holds the control token" in text
    title = next(line for line in text.splitlines() if "base model: wrong" in line)
    assert "trained model: wrong" in title and "exact answer: 3.75" in text
