"""Text into Markdown that says the same and does nothing, and Markdown into one HTML page."""

from __future__ import annotations

import re
from typing import Any, Iterable, Sequence

_INLINE = re.compile(r"([\\`*_{}\[\]|~$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# What begins a heading, a list, a rule or an underline, at the beginning of a line.
_BLOCK = re.compile(r"^(?:([#+=-])(?=\s|$|\1)|(\d+)([.)])(?=\s|$))")
_BREAK = re.compile(r"\s*[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]\s*")


class Markdown(str):
    """Text that is Markdown already; all else is escaped where it is put into a report."""


def escape(value: Any, limit: int = 1000) -> Markdown:
    """Give any value as one line of Markdown that shows it literally.

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


def code(text: str) -> Markdown:
    """Give a text of several lines as a block that shows it as it is, whatever it holds."""
    shown = ("".join(c if c.isprintable() else ascii(c)[1:-1] for c in x) for x in text.split("\n"))
    return Markdown("\n".join(f"    {line}" for line in shown))


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Markdown:
    """A Markdown table, first column to the left, the others to the right."""
    lines = [_row(head), "| :-- |" + " --: |" * (len(head) - 1)]
    return Markdown("\n".join([*lines, *map(_row, rows)]))


def text_table(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Markdown:
    """A Markdown table of texts, all columns to the left."""
    return Markdown("\n".join([_row(head), "| :-- " * len(head) + "|", *map(_row, rows)]))


def to_html(text: str) -> str:
    """Markdown as HTML. HTML in the text stays text, and a picture becomes a link to it."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    # A wide table scrolls by itself; the page around it does not.
    html = parser.render(text).replace("<table>", '<div class="scroll" tabindex="0"><table>')
    return html.replace("</table>", "</table></div>")


def _row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"
