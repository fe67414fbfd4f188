"""The picture of two answers: plain where it is piped, two columns on a terminal."""

from __future__ import annotations

import io

import pytest

from tools.asking.marks import Asked, Line, Marked
from tools.asking.show import show

BASE = Marked([Line("1111", False), Line("", None)], cut=True, right=False)
MODEL = Marked([Line("2+3=5", True), Line("#### 5\x1b[31m", True)], cut=False, right=True)
ASKED = Asked("计算 2 + 3 等于多少？", "add", "5", None, BASE, MODEL)
UNKNOWN = Marked([Line("Gravity is [bold]1", None)], cut=False, right=None)
NOTE = "not marked: it fits no kind of problem"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(asked: Asked, stream: io.StringIO) -> str:
    show(asked, stream)
    return stream.getvalue()


def test_plain() -> None:
    assert (
        shown(ASKED, io.StringIO())
        == """计算 2 + 3 等于多少？

base model: wrong
  ✗ 1111

    … (stopped here: as long as an answer may be)

trained model: right
  ✓ 2+3=5
  ✓ #### 5\\x1b[31m

exact answer: 5

"""
    )


def test_plain_without_marks() -> None:
    text = shown(Asked("What?", None, None, NOTE, UNKNOWN, UNKNOWN), io.StringIO())
    assert "base model\n    Gravity is [bold]1\n" in text and text.endswith(f"\n{NOTE}\n\n")
    assert "exact" not in text


def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = shown(ASKED, Terminal())
    row = next(line for line in text.splitlines() if "✗ 1111" in line)
    assert "✓ 2+3=5" in row and "\x1b[31m✗ 1111" in row and "\x1b[32m✓ 2+3=5" in row
    assert "base model: wrong" in text and "trained model: right" in text
    assert "exact answer: 5" in text and "\\x1b[31m" in text
    # What a model writes is no markup.
    assert "[bold]1" in shown(Asked("What?", None, None, NOTE, UNKNOWN, UNKNOWN), Terminal())


def test_a_dumb_terminal_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert shown(ASKED, Terminal()) == shown(ASKED, io.StringIO())
