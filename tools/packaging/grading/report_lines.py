"""The report's figures against those that were measured: every line that has one is made again."""

from __future__ import annotations

import re
from collections import Counter
from typing import Iterator, List

from tools.packaging import layout
from tools.packaging.facts import gather
from tools.packaging.grading.rows import Row, compare, count_of
from tools.packaging.grading.unpack import Package
from tools.packaging.markdown import to_html
from tools.packaging.report import render_markdown

# What the run's machine was and how long it took: claims that nothing in a package can confirm.
_TAKEN_AS_TOLD = ("## Environment",)
_LARGEST_REPORT = 16 << 20


def report_rows(package: Package) -> Iterator[Row]:
    """Whether the report says of the run what was measured of it.

    The report is rendered from `package.run`, in which scores were measured, and each of its
    lines with a figure must stand in the team's: table rows and the list at the top. What a team
    has written between them is its own.
    """
    path = package.folder / layout.REPORT
    if path.stat().st_size > _LARGEST_REPORT:
        yield compare(layout.REPORT, "bytes, at most", path.stat().st_size, _LARGEST_REPORT)
        return
    text = path.read_text("utf-8", errors="replace")
    facts = gather(package.run)
    lines = text.split("\n")
    left = Counter(lines)
    missing: List[str] = []
    for line in _with_figures(render_markdown(facts)):
        if left[line]:
            left[line] -= 1
        else:
            missing.append(line)
    yield count_of(
        layout.REPORT,
        "lines with figures that are not as measured",
        (f"{line[:120]!r}, the report has {_nearest(line, lines)[:120]!r}" for line in missing),
    )
    page = (package.folder / layout.REPORT_PAGE).read_text("utf-8", errors="replace")
    same = to_html(text, package.folder / "report").strip() in page
    yield compare(layout.REPORT_PAGE, f"says what {layout.REPORT} says", True, same)


def _with_figures(text: str) -> Iterator[str]:
    heading = ""
    for line in text.split("\n"):
        heading = line if line.startswith("## ") else heading
        listed = line.startswith(("| ", "- ")) and re.search(r"\d", line)
        if listed and heading not in _TAKEN_AS_TOLD:
            yield line


def _nearest(line: str, lines: List[str]) -> str:
    """The line that begins alike: the same row with another figure."""
    head = re.split(r"(?<!\\)[|\d]", line.lstrip("|- "))[0].strip()
    alike = [other for other in lines if head and other.lstrip("|- ").startswith(head)]
    return alike[0] if alike else "nothing alike"
