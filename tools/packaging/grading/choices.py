"""Choice questions in a package: whether questions and right letters are those of the sets."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List, Optional

from tools.corpus.choice_files import read_choices
from tools.corpus.choices import ChoiceEntry, check_choice, solution_text
from tools.corpus.rows import Row
from tools.packaging import layout
from tools.packaging.grading.unpack import Package
from tools.packaging.provenance import ROOT
from tools.scoring.rows import Prediction
from tools.settings.resolve import read_resolved

EMBEDDED = ROOT / "material" / "embedded" / "choices"
# The artefact whose profile trains and asks what was fetched, and the files that it brings.
_FETCHED = "mmlu"
_FILES = ("data.tar", "cmmlu_v1_0_1.zip")


def known_answers(package: Package) -> Optional[Dict[str, str]]:
    """Problem -> letter of all questions that the package's profile reads.

    None where these were to be fetched and are not at hand: no program knows the letters then.
    """
    profile = read_resolved(package.folder / layout.PROFILE, ["artifacts"])
    sources: List[Path] = [EMBEDDED]
    if _FETCHED in (profile["artifacts"] or []):
        found = [sorted(ROOT.glob(f"material/*/{name}"))[:1] for name in _FILES]
        if not all(found):
            return None
        sources = [path for paths in found for path in paths]
    entries = (entry for entry in read_choices(sources) if isinstance(entry, ChoiceEntry))
    return {entry.row.problem: entry.row.answer for entry in entries}


def choice_fault(row: Prediction, known: Optional[Dict[str, str]]) -> Optional[str]:
    """What is wrong with a row's question or reference; None if nothing."""
    stated = Row(row.id, row.kind, row.problem, solution_text(row.reference), row.reference)
    fault = check_choice(stated)
    if fault or known is None:
        return fault
    letter = known.get(stated.problem)
    if letter is None:
        return "the question is in none of the files that the profile reads"
    return None if letter == row.reference else f"has {row.reference} for {letter}"


def left_out(rows: List[Prediction], known: Optional[Dict[str, str]]) -> Iterator[str]:
    """What the grader is told of letters that could not be held against anything."""
    if rows and known is None:
        yield f"of {len(rows)} choice questions the form alone: their files are not at hand"
