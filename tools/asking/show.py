"""Two answers side by side: in colour on a terminal, as plain text elsewhere."""

from __future__ import annotations

import os
from typing import Any, List, Optional, TextIO

from tools.asking.marks import Asked, Line, Marked
from tools.files.errors import visible

_SIGNS = {True: "✓", False: "✗", None: " "}
_COLOURS = {True: "green", False: "red", None: "default"}
_WORDS = {True: "right", False: "wrong", None: ""}


def show(asked: Asked, stream: TextIO) -> None:
    """Write a problem and both answers to `stream`: two columns on a terminal, else plain text."""
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        _draw(asked, stream)
    else:
        stream.write(as_text(asked))
    stream.flush()


def as_text(asked: Asked) -> str:
    """Return a problem, both answers one below the other, and what is exact, an empty line last."""
    parts = [visible(asked.problem)]
    for name, side in (("base model", asked.base), ("trained model", asked.model)):
        parts += ["", _title(name, side), *(f"  {_row(line)}".rstrip() for line in side.lines)]
        parts += [f"  {_cut()}"] if side.cut else []
    return "\n".join([*parts, "", *_below(asked), "", ""])


def _title(name: str, side: Marked) -> str:
    word = _WORDS[side.right]
    return f"{name}: {word}" if word else name


def _row(line: Line) -> str:
    return f"{_SIGNS[line.holds]} {visible(line.text)}"


def _cut() -> str:
    return "  … (stopped here: as long as an answer may be)"


def _below(asked: Asked) -> List[str]:
    exact = [f"exact answer: {asked.exact}"] if asked.exact is not None else []
    return [*exact, *([asked.note] if asked.note else [])]


def _draw(asked: Asked, stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(expand=True)
    table.add_column(ratio=1)
    table.add_column(ratio=1)
    table.add_row(_panel("base model", asked.base), _panel("trained model", asked.model))
    console = Console(file=stream, highlight=False)
    console.print(table)
    for text in _below(asked):
        console.print(Text(text, style="bold" if text.startswith("exact") else "yellow"))


def _panel(name: str, side: Marked) -> Any:
    from rich.panel import Panel
    from rich.text import Text

    text = Text()
    for number, line in enumerate(side.lines):
        text.append("\n" if number else "")
        text.append(_row(line), style=_COLOURS[line.holds])
    if side.cut:
        text.append(f"\n{_cut()}", style="dim")
    border: Optional[str] = _COLOURS[side.right]
    return Panel(text, title=Text(_title(name, side)), border_style=border or "none")
