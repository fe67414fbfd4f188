"""Whether all models were asked what they had to be: our problems, prompts and references."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, Optional

from tools.corpus.grammar import NoFit, parse
from tools.corpus.kinds import ENGLISH
from tools.corpus.solve import canonical, solve
from tools.files.errors import UserError
from tools.packaging import layout
from tools.packaging.grading.comparison import Row, count_of, unlike
from tools.packaging.grading.unpack import Package
from tools.packaging.provenance import ROOT
from tools.records.prompts import render_prompt
from tools.records.reading import read_questions
from tools.scoring.prediction_rows import Prediction, read_predictions
from tools.settings.resolve import read_resolved

EMBEDDED = ROOT / "material" / "embedded" / "reading.json"
_NOT_OURS = "prompts or references that are not ours"


def frame_of(package: Package) -> str:
    """Return the prompt template that the package says it trained with."""
    return read_resolved(package.folder / "configs/records.json", ["prompt"])["prompt"]


def problem_rows(package: Package, name: str) -> Iterator[Row]:
    """Yield whether the problems that a model answered are asked and answered as by our own code.

    A reference is computed from its problem: one that was changed to fit an answer is found.
    """
    file, frame = layout.scored_files(name)[1], frame_of(package)
    rows = read_predictions(package.folder / file)
    english = sum(row.kind == ENGLISH for row in rows)
    left_out = f"answers of {english} English problems, which no program solves, left out"
    found = (f"{row.id!r:.40}: {fault}" for row in rows if (fault := _fault(row, frame)))
    yield count_of(file, _NOT_OURS, found, left_out if english else "")


def _fault(row: Prediction, frame: str) -> Optional[str]:
    try:
        if render_prompt(frame, row.problem) != row.prompt:
            return "asked in other words"
        if row.kind == ENGLISH:
            return None
        problem = parse(row.problem)
        right = canonical(solve(problem))
    except (UserError, NoFit, ArithmeticError):
        return "no problem of ours"
    same = (row.kind, row.reference) == (problem.kind, right)
    return None if same else f"{row.kind} {row.reference!r:.40}, not {problem.kind} {right!r:.40}"


def split_rows(package: Package) -> Iterator[Row]:
    """Yield whether all models were asked the same, and nothing that one of them was chosen by."""

    def asked(name: object) -> Dict[str, str]:
        rows = read_predictions(package.folder / layout.scored_files(name)[1])
        return {row.problem: row.reference for row in rows}

    test, valid = asked(layout.CHOSEN), asked(package.best)
    for name in (layout.BASE, *package.checkpoints):
        others = unlike(asked(name), test if name == layout.BASE else valid)
        told = (f"{problem!r:.60}" for problem in others)
        yield count_of(layout.scored_files(name)[1], "problems that not all were asked", told)
    both = (f"{problem!r:.60}" for problem in sorted(test.keys() & valid.keys()))
    yield count_of(layout.scored_files(layout.CHOSEN)[1], "problems that it was chosen by", both)


def reading_file(package: Package, given: Optional[Path]) -> Optional[Path]:
    """Return the reading questions, `given` or the profile's; None where they are not fetched."""
    artifacts = read_resolved(package.folder / layout.PROFILE, ["artifacts"])["artifacts"]
    if given is not None:
        return given
    if "squad-dev" not in artifacts:
        return EMBEDDED
    return next(iter(sorted(ROOT.glob("material/*/dev-v1.1.json"))), None)


def question_rows(package: Package, source: Path) -> Iterator[Row]:
    """Yield whether reading answers are to our questions, in our prompts, with our references."""
    limit = read_resolved(package.folder / "configs/prompts.json", ["limit"])["limit"]
    wanted = {
        item.id: (
            render_prompt("squad", item.passage, item.question),
            (*dict.fromkeys(item.answers),),
        )
        for item in read_questions(source, limit)
    }
    for name in (layout.BASE, *package.checkpoints):
        file = layout.scored_files(name)[2]
        rows = read_predictions(package.folder / file)
        found = {row.id: (row.prompt, row.references) for row in rows}
        yield count_of(
            file, f"questions, {_NOT_OURS}", (f"{x!r:.40}" for x in unlike(found, wanted))
        )
