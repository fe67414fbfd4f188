"""What every script shares: exit codes, one line for bad input, --debug, --config, examples."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tools.cli import Command, Group, config_option
from tools.files.errors import CheckFailed, UserError

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(
    path.stem
    for path in (ROOT / "tools").glob("*.py")
    if "def main(" in path.read_text(encoding="utf-8")
)
FAULTS = {
    "user": UserError("the fault", "file:3", "do this"),
    "check": CheckFailed("the answer is no"),
    "os": FileNotFoundError(2, "No such file or directory", "x.ckpt"),
    "hostile": UserError("HTTP status 500 (\x1b[31mno)\r)", "a\nb", "不行"),
    "bug": ZeroDivisionError("a bug of ours"),
}


@click.command(cls=Command, epilog="Example:\n\n  python -m tools.one ok --config x.json\n")
@click.argument("fault")
@click.option("--size", type=int, default=1)
@click.option("--text", multiple=True)
@config_option
def one(fault, size, text):
    """One."""
    if fault in FAULTS:
        raise FAULTS[fault]
    click.echo(f"{size} {list(text)}")


@click.group(cls=Group)
def many():
    """Many."""


@many.command(epilog="Example:\n\n  python -m tools.many sub user\n")
@click.argument("fault")
@config_option
@click.option("--size", type=int, default=1)
def sub(fault, size):
    """Sub."""
    if fault in FAULTS:
        raise FAULTS[fault]
    click.echo(size)


def call(command, *arguments):
    return CliRunner().invoke(command, arguments)


@pytest.mark.parametrize("command, before", [(one, ()), (many, ("sub",))])
@pytest.mark.parametrize(
    "fault, code, line",
    [
        ("user", 2, "error: file:3: the fault; do this\n"),
        ("check", 1, "error: the answer is no\n"),
        ("os", 2, "error: x.ckpt: no such file or directory; check the path\n"),
        ("hostile", 2, "error: a\\nb: HTTP status 500 (\\x1b[31mno)\\r); 不行\n"),
    ],
)
def test_one_line_and_its_exit_code(command, before, fault, code, line):
    result = call(command, *before, fault)
    assert (result.exit_code, result.stderr, result.stdout) == (code, line, "")


@pytest.mark.parametrize(
    "command, arguments",
    [(one, "user --debug"), (many, "sub user --debug"), (many, "--debug sub user")],
)
def test_debug_lets_the_error_through(command, arguments):
    assert call(command, *arguments.split()).exception is FAULTS["user"]


def test_a_bug_is_not_hidden():
    assert call(one, "bug").exception is FAULTS["bug"]


@pytest.mark.parametrize("arguments", [(), ("ok", "more"), ("ok", "--unknown"), ("ok", "--size=x")])
def test_usage(arguments):
    result = call(one, *arguments)
    assert result.exit_code == 2 and "Usage:" in result.stderr and "Traceback" not in result.stderr


def test_a_group_without_a_command_is_bad_usage():
    result = call(many)
    assert result.exit_code == 2 and "Commands:" in result.stderr and result.stdout == ""


def test_config_gives_what_is_not_given(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"size": 5, "text": ["a=1", "b=2"], "unread": {}}))
    assert call(one, "ok").stdout == "1 []\n"
    assert call(one, "ok", "--config", str(path)).stdout == "5 ['a=1', 'b=2']\n"
    # Wherever it stands, what is given wins.
    given = call(one, "--size", "7", "--text", "c", "ok", "--config", str(path))
    assert given.stdout == "7 ['c']\n"
    assert call(many, "sub", "ok", "--config", str(path)).stdout == "5\n"
    path.write_text(json.dumps({"size": None}))
    assert call(one, "ok", "--config", str(path)).exit_code == 0


@pytest.mark.parametrize(
    "content, fault",
    [
        (None, "no such file"),
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8 text; save it as UTF-8"),
        (b"[" * 100000, "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b'{"size": "many"}', "'many' is not a valid integer"),
    ],
)
def test_configs_that_are_none(tmp_path, content, fault):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    for command, before in [(one, ()), (many, ("sub",))]:
        result = call(command, *before, "ok", "--config", str(path))
        assert result.exit_code == 2 and fault in result.stderr
        assert isinstance(result.exception, SystemExit)


def test_a_folder_for_a_config(tmp_path):
    for command, before in [(one, ()), (many, ("sub",))]:
        result = call(command, *before, "ok", "--config", str(tmp_path))
        assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
        assert "name a file, not a folder" in result.stderr


def test_the_epilog_keeps_its_lines():
    text = call(one, "--help").stdout
    assert "Example:\n" in text and "\n  python -m tools.one ok --config x.json\n" in text
    assert "--debug" in text and call(one, "-h").stdout == text


def commands(command, path=()):
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_of_this_kind_and_has_an_example(name):
    main = importlib.import_module(f"tools.{name}").main
    for path, command in commands(main):
        assert isinstance(command, (Command, Group)), path
        text = CliRunner().invoke(main, [*path, "--help"]).stdout
        assert "Example:" in text and f"python -m tools.{name}" in text, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)


def test_help_loads_nothing_heavy():
    """All scripts in one process: none of what takes seconds, or even tenths, to import."""
    code = (
        "import importlib, sys\n"
        f"for name in {SCRIPTS}: importlib.import_module('tools.' + name)\n"
        "print({'numpy', 'mindspore', 'mindformers', 'gguf', 'tokenizers', 'jieba', 'pydantic', "
        "'yaml', 'rich'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
