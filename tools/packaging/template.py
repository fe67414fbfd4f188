"""Jinja templates of submission/ filled in, and text made into Markdown that says the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Sequence

from tools.files.errors import UserError

_INLINE = re.compile(r"([\\`*_{}\[\]|~$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# What begins a heading, a list, a rule or an underline, at the beginning of a line.
_BLOCK = re.compile(r"^(?:([#+=-])(?=\s|$|\1)|(\d+)([.)])(?=\s|$))")
_BREAK = re.compile(r"\s*[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*")


class Markdown(str):
    """Text that is Markdown already; all else is escaped where it is put into a report."""


def fill(
    path: Path, values: Dict[str, Any], autoescape: bool, finalize: Callable[[Any], Any]
) -> str:
    """Render the template at `path`; `finalize` is applied to every value that it shows.

    Raises UserError with file:line for a template that cannot be used, a name that `values`
    lacks among the reasons.
    """
    from jinja2 import Environment, StrictUndefined, TemplateError

    environment = Environment(
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.from_string(path.read_text(encoding="utf-8")).render(values)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f"{path}:{line}" if line else str(path)
        raise UserError(f"the template cannot be used, {error}", where, "correct it") from error


def escape(value: Any, limit: int = 1000) -> Markdown:
    """Return any value as one line of Markdown that shows it literally.

    Line breaks are shown as ↵, other control characters as their escapes; text longer than
    `limit` characters is cut, which is shown. None gives an en dash.
    """
    if isinstance(value, Markdown):
        return value
    text = "–" if value is None else str(value)
    if len(text) > limit:
        text = text[:limit] + " …"
    text = _BREAK.sub(" ↵ ", text)
    text = re.sub(r"[^\S\t]", " ", text)  # Chinese text has wide spaces
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    # Runs of spaces and those at the ends mean nothing in a cell, or make a block of code.
    text = re.sub(r" +", " ", text).strip()
    text = _INLINE.sub(r"\\\1", text)
    text = re.sub("[&<>]", lambda match: _ENTITIES[match[0]], text)
    text = _BLOCK.sub(lambda match: f"{match[2] or ''}\\{match[3] or match[1]}", text)
    # Some renderers make a link of a bare address.
    return Markdown(text.replace("://", "\\://"))


def row(*cells: Any) -> Markdown:
    """Return a row of a Markdown table."""
    return Markdown(f"| {' | '.join(map(escape, cells))} |")


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], numbers: bool = True) -> Markdown:
    """Return a Markdown table; columns behind the first stand to the right if they are numbers."""
    align = " --: |" if numbers else " :-- |"
    lines = [row(*head), "| :-- |" + align * (len(head) - 1), *(row(*cells) for cells in rows)]
    return Markdown("\n".join(lines))


def code(text: str) -> Markdown:
    """Return a text of several lines as a block that shows it as it is, whatever it holds."""
    shown = ("".join(c if c.isprintable() else ascii(c)[1:-1] for c in x) for x in text.split("\n"))
    return Markdown("\n".join(f"    {line}" for line in shown))
