"""Pythons asked from outside: this one, others that are faked, others that are none."""

from __future__ import annotations

import json
import sys
from importlib import metadata, util

import pytest

from tools.machine.interpreters import (
    Interpreter,
    ask_interpreter,
    find_programs,
    make_version,
    run_quietly,
)


@pytest.mark.skipif(not util.find_spec("mindspore"), reason="MindSpore is not installed")
def test_this_interpreter():
    found = ask_interpreter(sys.executable, ("ssl", "no_such_module"))
    assert found.version == sys.version_info[:3] and found.missing == ("no_such_module",)
    assert found.packages["mindspore"] == metadata.version("mindspore")
    assert found.packages["mindformers"] == metadata.version("mindformers")
    # The pair of the lock is one that MindFormers itself names.
    assert found.packages["mindspore"] in found.supported[found.packages["mindformers"]]
    assert {"1.6.0", "1.7.0", "1.8.0", "1.9.0"} <= {*found.supported}


def test_file_names_and_output_under_another_locale(monkeypatch):
    for name, value in (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    assert ask_interpreter(sys.executable).encodings == ("ascii", "ascii")
    monkeypatch.setenv("PYTHONUTF8", "1")
    assert ask_interpreter(sys.executable).encodings == ("utf-8", "utf-8")


def test_an_interpreter_without_packages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mindformers").mkdir()  # a folder of this name is no package with a map
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "lzma.py").write_text("raise ImportError('liblzma is not there')\n")
    found = ask_interpreter(sys.executable, ("lzma", "ssl"))
    assert found.missing == ("lzma",) and found.version == sys.version_info[:3]


@pytest.mark.parametrize(
    "text, version",
    [('__version__ = "1.1"\nimport no_such_module\n', "1.1"), ("", "of unknown version")],
)
def test_mindformers_as_a_source_tree(tmp_path, text, version):
    """As the organisers give it away: nothing is installed, and nothing of it is run."""
    (tmp_path / "mindformers").mkdir()
    (tmp_path / "mindformers" / "__init__.py").write_text(text)
    python = tmp_path / "python"
    lines = ["#!/bin/sh", f"export PYTHONPATH='{tmp_path}'", f"exec '{sys.executable}' -S \"$@\""]
    python.write_text("\n".join(lines) + "\n")
    python.chmod(0o755)
    assert ask_interpreter(str(python)).packages == {"mindformers": version}


@pytest.mark.parametrize(
    "lines",
    [
        "exit 1",
        "echo 3.11",
        "echo '{}'",
        "echo '[]'",
        'echo \'{"version": 3, "missing": [], "packages": {}, "supported": {}, "encodings": []}\'',
        "printf '\\377'",
    ],
)
def test_a_program_that_is_no_python(program, lines):
    command = program(lines)
    assert ask_interpreter(command) == Interpreter(command)


def test_what_a_faked_python_says_is_taken(program):
    said = {
        "version": [3, 9, 18],
        "missing": ["venv"],
        "packages": {"mindspore": "2.3.0rc2"},
        "supported": {"1.2.0": ["2.3.0"]},
        "encodings": ["utf-8", "gbk"],
    }
    command = program(f"echo '{json.dumps(said)}'")
    wanted = ((3, 9, 18), ("venv",), {"mindspore": "2.3.0rc2"}, {"1.2.0": ("2.3.0",)})
    assert ask_interpreter(command) == Interpreter(command, *wanted, ("utf-8", "gbk"))


@pytest.mark.parametrize("command", ["no-such-python", "/", "", "\0"])
def test_no_such_interpreter(command):
    assert ask_interpreter(command).version is None


def test_programs(tmp_path, monkeypatch, program):
    assert find_programs(["sh", "no-such-program"])["no-such-program"] is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_programs(["make", program("")]) == {"make": None, program(""): program("")}


@pytest.mark.parametrize(
    "lines, version",
    [
        ("echo 'GNU Make 4.3\nBuilt for x86_64'", (4, 3)),
        ("echo 'GNU Make 4.2.1'", (4, 2)),
        ("echo 'GNU Make 3.81'", (3, 81)),
        ("echo 'bmake 2023'", None),
        ("echo 'GNU Make'", None),
        ("echo 'GNU Make four.one'", None),
        ("exit 2", None),
    ],
)
def test_make(program, lines, version):
    assert make_version(program(lines)) == version


def test_output_is_taken_errors_are_not(program):
    assert run_quietly([program("echo out; echo err >&2")]) == "out\n"
    assert run_quietly([program("echo out; exit 1")]) is None
