"""The files of a package that follow from others, made again: scores, logs, report."""

from __future__ import annotations

import re
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from tools.files.atomic import write_json
from tools.files.hashing import content_of
from tools.packaging import layout
from tools.packaging.facts import Hash, gather
from tools.packaging.grading.comparison import Row, compare, count_of, document_rows
from tools.packaging.grading.unpack import Package
from tools.packaging.page import TEMPLATES, render_markdown, render_page
from tools.scoring.choose import score_checkpoints
from tools.scoring.contest_score import is_eligible
from tools.scoring.scores import score_run, squad_from_predictions
from tools.settings.contest import Contest
from tools.settings.resolve import read_resolved

# Figures that have a line of their own: of parameters.json and best.json, and of what is measured
# on the test problems.
_HEADLINES = re.compile(
    r"trained|total|denominator|checkpoint|model_sha256"
    r"|squad\.(f1|em|count|official\.(f1|em))|math\.(accuracy|count|unanswered|split)"
    r"|math\.lines\.(share|right|count)"
    r"|math\.(judges|by_kind)\..+\.accuracy|parameters\.\w+|contest\.(eligible|score|rank)"
)
BASE, CHOSEN = (layout.scored_files(name)[0] for name in (layout.BASE, layout.CHOSEN))


def remake(package: Package, counts: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return what the packaged answers make of scores/*.json and training/parameters.json, by name.

    counts   parameters, see weights_check.count_all

    The scores are written into `package.run`, where a run has them. Raises UserError where answers
    are missing or not of their form.
    """
    run, places = package.run, layout.places(package.best, package.checkpoints)
    before, after, best = (run / f"remade/{name}.json" for name in ("baseline", "tuned", "best"))
    write_json(before, {**counts, "trained": 0})
    write_json(after, counts)
    base, styles = run / places[BASE], run / "config/corpus.json"
    rows = run / "baseline/squad.jsonl", run / "baseline/test.jsonl"
    score_run(*rows, before, base, styles=styles)
    steps = run / places[layout.STEPS]
    score_checkpoints(run / "evaluate", after, base, steps, best, styles=styles)
    rows = run / f"evaluate/{package.best}/squad.jsonl", run / "evaluate/test.jsonl"
    score_run(*rows, after, run / places[CHOSEN], base, styles)
    names = (layout.BASE, *package.checkpoints, layout.CHOSEN)
    files = [layout.scored_files(name)[0] for name in names]
    found = {file: read_resolved(run / places[file], []) for file in files}
    if package.weights is None:
        sha256 = read_resolved(package.folder / layout.LINK, ["sha256"])["sha256"]
    else:
        sha256 = content_of(package.weights).sha256
    chosen = {**read_resolved(best, []), "model_sha256": sha256}
    return {layout.PARAMETERS: counts, **found, layout.BEST: chosen}


def claim_rows(
    package: Package, remade: Dict[str, Dict[str, Any]], rules: Contest
) -> Iterator[Row]:
    """Yield every figure that is claimed beside the one that was made again."""
    for file, measured in remade.items():
        headlines = file in (layout.PARAMETERS, layout.BEST, BASE, CHOSEN)
        claims = read_resolved(package.folder / file, [])
        yield from document_rows(file, claims, measured, _HEADLINES if headlines else None)
    after = remade[layout.scored_files(package.best)[0]]
    reading, total = after["squad"], after["parameters"]["total"]
    if total == rules.model_parameters and reading["count"] == rules.squad.questions:
        # On the contest's own model the published minimum holds, whatever the team's baseline.
        reached = is_eligible(reading["f1"], reading["em"], rules.squad.minimum)
        what = "eligible by the published minimum"
        yield compare(layout.BEST, what, remade[layout.BEST]["eligible"], reached)


def log_rows(package: Package) -> Iterator[Row]:
    """Yield the logs of the reading answers beside those that are written of them again."""
    for name, model in (("baseline", layout.BASE), ("best", package.best)):
        file, answers = layout.SQUAD_LOGS[name], layout.scored_files(model)[2]
        again = package.run / f"remade/{name}.log"
        squad_from_predictions(package.folder / answers, again)
        texts = (_text(path).split("\n") for path in (package.folder / file, again))
        pairs = enumerate(zip_longest(*texts), 1)
        differing = (f"line {number}" for number, (said, right) in pairs if said != right)
        yield count_of(file, f"lines that do not follow from {answers}", differing)


def report_rows(package: Package, base: Optional[Path]) -> Iterator[Row]:
    """Yield whether the report says of the run what was measured of it.

    The report is made again from `package.run`, in which scores were measured. Of report.md each
    line with a figure must stand in the team's: quotes, table rows, lists and answers; what a team
    has written between them is its own. The page is compared as a whole.

    base   checkpoint of the base weights, whose hash the report names, if it is at hand
    """
    facts = gather(package.run)
    told = read_resolved(package.folder / layout.HASHES, ["hashes"])["hashes"]
    claims = {item["name"]: item["sha256"] for item in told}
    # Of files that are not in the package the report names the hashes that it claims.
    found = {**claims, **{item.name: item.sha256 for item in facts.hashes}}
    if base is not None:
        found["base"] = content_of(base).sha256
    yield from document_rows(layout.HASHES, claims, found)
    facts = facts._replace(hashes=[Hash(**item) for item in told])
    lines = _text(package.folder / layout.REPORT).split("\n")
    left, missing = Counter(lines), []
    for line in _with_figures(render_markdown(facts)):
        left[line] -= 1
        missing += [line] if left[line] < 0 else []
    told = (f"{line[:120]!r}, the report has {_nearest(line, lines)[:120]!r}" for line in missing)
    yield count_of(layout.REPORT, "lines with figures that are not as measured", told)
    method = package.folder / layout.METHOD
    wanted = render_page(facts, _text(method) if method.is_file() else "")
    same = _text(package.folder / layout.REPORT_PAGE) == wanted
    what = "the page that is made of the measured figures"
    yield compare(layout.REPORT_PAGE, what, True, same, note="" if same else _why(package))


def _why(package: Package) -> str:
    """Return whether another page comes from another template: of versions, not of figures."""
    files = {f"source/submission/{path.name}": path for path in sorted(TEMPLATES.glob("report.*"))}
    listed = package.manifest.files
    others = [
        path.name
        for name, path in files.items()
        if name in listed and listed[name].sha256 != content_of(path).sha256
    ]
    if others:
        return f"made with other templates than ours: {', '.join(others)}"
    return "made with our templates, of other figures"


def _with_figures(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        if line.startswith(("> ", "| ", "- ", "    ")) and re.search(r"\d", line):
            yield line


def _nearest(line: str, lines: List[str]) -> str:
    """Return the line that begins alike: the same row with another figure."""
    head = re.split(r"(?<!\\)[|\d]", line.lstrip("|- "))[0].strip()
    alike = (other for other in lines if head and other.lstrip("|- ").startswith(head))
    return next(alike, "nothing alike")


def _text(path: Path) -> str:
    return path.read_text("utf-8-sig", errors="replace")
