"""The report's figures against those that were measured: every line that has one is made again."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Iterator, List, Optional

from tools.files.hashing import content_of
from tools.packaging import layout
from tools.packaging.facts import Facts, Hash, gather
from tools.packaging.grading.rows import Row, compare, count_of
from tools.packaging.grading.unpack import Package
from tools.packaging.page import TEMPLATES, render_markdown, render_page
from tools.settings.resolve import read_resolved

_LARGEST = 16 << 20


def report_rows(package: Package, base: Optional[Path]) -> Iterator[Row]:
    """Whether the report says of the run what was measured of it.

    The report is made again from `package.run`, in which scores were measured. Of report.md each
    line with a figure must stand in the team's: quotes, table rows, lists and answers; what a team
    has written between them is its own. The page is compared as a whole.

    base   checkpoint of the base weights, whose hash the report names, if it is at hand
    """
    for name in (layout.REPORT, layout.REPORT_PAGE, layout.METHOD):
        path = package.folder / name
        if path.is_file() and path.stat().st_size > _LARGEST:
            yield count_of(name, "files that can be read", [f"larger than {_LARGEST} bytes"])
            return
    facts = gather(package.run)
    told = _told(package)
    yield count_of(
        layout.HASHES, "hashes that are not those of the files", _other(facts, told, base)
    )
    facts = facts._replace(hashes=told)
    lines = (package.folder / layout.REPORT).read_text("utf-8", errors="replace").split("\n")
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
    yield _page_row(package, facts)


def _page_row(package: Package, facts: Facts) -> Row:
    method = package.folder / layout.METHOD
    words = method.read_text("utf-8-sig", errors="replace") if method.is_file() else ""
    wanted = render_page(facts, words)
    page = (package.folder / layout.REPORT_PAGE).read_text("utf-8", errors="replace")
    what = "the page that is made of the measured figures"
    note = "" if page == wanted else _why(package)
    return compare(layout.REPORT_PAGE, what, True, page == wanted, note=note)


def _why(package: Package) -> str:
    """Whether another page comes from another template: a matter of versions, not of figures."""
    listed = package.manifest.files
    others = [
        path.name
        for path in sorted(TEMPLATES.iterdir())
        if (entry := listed.get(f"source/submission/{path.name}")) is not None
        and path.is_file()
        and entry.sha256 != content_of(path).sha256
    ]
    if others:
        return f"made with other templates than ours: {', '.join(others)}"
    return "made with our templates, of other figures"


def _told(package: Package) -> List[Hash]:
    """report/hashes.json, as claimed."""
    items = read_resolved(package.folder / layout.HASHES, ["hashes"])["hashes"]
    return [Hash(**{field: item[field] for field in Hash._fields}) for item in items]


def _other(facts: Facts, told: List[Hash], base: Optional[Path]) -> Iterator[str]:
    claims = {item.name: item.sha256 for item in told}
    found = {item.name: item.sha256 for item in facts.hashes}
    if base is not None:
        found["base"] = content_of(base).sha256
    for name, sha256 in found.items():
        if claims.get(name) != sha256:
            yield f"{name} is {sha256}"


def _with_figures(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        if line.startswith(("> ", "| ", "- ", "    ")) and re.search(r"\d", line):
            yield line


def _nearest(line: str, lines: List[str]) -> str:
    """The line that begins alike: the same row with another figure."""
    head = re.split(r"(?<!\\)[|\d]", line.lstrip("|- "))[0].strip()
    alike = [other for other in lines if head and other.lstrip("|- ").startswith(head)]
    return alike[0] if alike else "nothing alike"
