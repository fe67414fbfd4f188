"""The verdict on a package: a table for people, a JSON, and an HTML page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from tools.files.atomic import write_json, write_text
from tools.packaging.grading.comparison import Row
from tools.packaging.provenance import ROOT
from tools.packaging.template import fill
from tools.scoring.score_tables import table

TEMPLATE = ROOT / "submission" / "verdict.html.j2"
JSON_FILE, PAGE = "verdict.json", "verdict.html"
_LONGEST_CELL, _LONGEST_NAME, _LONGEST_TEXT = 24, 80, 400


class Verdict(NamedTuple):
    """What was found.

    archive   name and, of a zip, sha256 of what was graded
    refused   hostile: nothing of it was unpacked
    depth     how far it was measured: verify, score or reproduce
    notes     what was not measured, and what a reader has to know
    grader    commit, versions and machine of who measured
    """

    archive: Dict[str, Any]
    team: Optional[str]
    refused: bool
    depth: str
    rows: List[Row]
    notes: List[str]
    grader: Dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every claim was found as it is made."""
        return bool(self.rows) and all(row.passed for row in self.rows)

    def to_dict(self) -> Dict[str, Any]:
        """Return the content of verdict.json."""
        rows = [{key: _kept(value) for key, value in row._asdict().items()} for row in self.rows]
        return {"passed": self.passed, **self._asdict(), "rows": rows}


def write_verdict(verdict: Verdict, folder: Path) -> None:
    """Write verdict.html and, last, verdict.json into `folder`."""
    write_text(folder / PAGE, render(verdict))
    write_json(folder / JSON_FILE, verdict.to_dict())


def render(verdict: Verdict) -> str:
    """Return the page; all that comes from the package is escaped."""
    values = {
        "verdict": verdict,
        "groups": _groups(verdict),
        "headline": headline(verdict),
        "longest": 8 * _LONGEST_CELL,
        "shown": shown,
    }
    return fill(TEMPLATE, values, autoescape=True, finalize=lambda value: value)


def describe(verdict: Verdict) -> str:
    """Return the table as text, what failed below it, and one line that says it all."""
    cells = [["claim", "says", "measured", "difference", "allowed", ""]]
    for group, rows in _groups(verdict).items():
        cells.append([shown(group, _LONGEST_NAME), *[""] * 5])
        for row in rows:
            figures = (shown(value) for value in row[2:6])
            mark = "" if row.passed else "NO"
            cells.append([f"  {shown(row.what, _LONGEST_NAME)}", *figures, mark])
    reasons = [
        f"NO  {shown(row.group)}: {shown(row.what, _LONGEST_NAME)}: {shown(row.why, _LONGEST_TEXT)}"
        for row in verdict.rows
        if not row.passed and row.why
    ]
    notes = (shown(note, _LONGEST_TEXT) for note in verdict.notes)
    return "\n".join([table(cells), *reasons, *notes, headline(verdict)])


def _groups(verdict: Verdict) -> Dict[str, List[Row]]:
    groups: Dict[str, List[Row]] = {}
    for row in verdict.rows:
        groups.setdefault(row.group, []).append(row)
    return groups


def headline(verdict: Verdict) -> str:
    """Return passed or not, and in how much."""
    name = shown(verdict.archive["name"], _LONGEST_NAME)
    failures, count = sum(not row.passed for row in verdict.rows), len(verdict.rows)
    if verdict.refused:
        return f"{name}: refused and not unpacked: {failures} fault{'' if failures == 1 else 's'}"
    if verdict.passed:
        return f"{name}: all {count} claims hold, by {verdict.depth}"
    return f"{name}: {failures} of {count} claims do not hold, by {verdict.depth}"


def shown(value: Any, longest: int = _LONGEST_CELL) -> str:
    """Return a value in one line of printable characters: no terminal's escape, no turned text."""
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    text = f"{value:.9g}" if isinstance(value, float) else str(value)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _kept(value: Any) -> Any:
    """Return what JSON has a word for; anything else, NaN and long texts too, as it is shown."""
    finite = isinstance(value, (int, float)) and math.isfinite(value)
    return value if value is None or finite else shown(value, _LONGEST_TEXT)
