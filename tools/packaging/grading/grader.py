"""One package graded: opened, refused or unpacked, measured as deep as asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable, List

import yaml

from tools.files.errors import CheckFailed, UserError
from tools.files.hashing import content_of
from tools.packaging import layout
from tools.packaging.contents import Contents, open_contents
from tools.packaging.grading import asked, remade, training_check, weights_check
from tools.packaging.grading.again import reproduce_rows
from tools.packaging.grading.answers import Request, again_rows
from tools.packaging.grading.comparison import Row, compare, failed
from tools.packaging.grading.unpack import Package, open_package, unpack
from tools.packaging.grading.verdict import Verdict, write_verdict
from tools.packaging.inspection import check_contents
from tools.packaging.provenance import commit_of, machine, versions
from tools.records.reading import read_questions
from tools.scoring.prediction_rows import read_references
from tools.settings.contest import read_contest

DEPTHS = ("verify", "score", "reproduce")
# What hostile content may bring about in code that takes it apart, beside what is foreseen.
_UNUSABLE = (FileNotFoundError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
UNUSABLE = (UserError, RecursionError, yaml.YAMLError, *_UNUSABLE)
_NO_BASE = (
    "The base model is not at hand (--base): that the weights are base and adapter, merged, was "
    "not measured."
)
_NO_QUESTIONS = (
    "The questions are those of dev-v1.1.json, which is not at hand (--squad FILE, or make fetch "
    "PROFILE=llama3-8b): that those of the package are ours was not measured."
)


def grade(request: Request) -> Verdict:
    """Grade a package, write the verdict into `request.output` and return it.

    A hostile package is refused before anything of it is written to the disk. Raises UserError
    where `request.archive` is neither a folder nor a zip, where the grader's own questions cannot
    be read, and where the disk is too small.
    """
    if request.test_set is not None:
        read_references(request.test_set)
    if request.squad is not None:
        list(read_questions(request.squad))
    archive, work = request.archive, request.output / "work"
    with open_contents(archive) as contents:
        grading = _Grading(request, contents)
        shutil.rmtree(work, ignore_errors=True)
        try:
            grading.measure(work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        content = vars(content_of(archive)) if archive.is_file() else {"sha256": None}
        verdict = Verdict(
            archive={"name": archive.name, **content},
            team=contents.team,
            refused=bool(contents.faults),
            depth=request.depth,
            rows=grading.rows,
            notes=grading.notes,
            grader={"commit": commit_of(), "versions": versions(), "machine": machine()},
        )
    write_verdict(verdict, request.output)
    return verdict


def seed_of(package: Path) -> int:
    """Return the seed of a grader's problems, where none is given.

    Nobody knows it before the zip is made, and the same zip meets the same problems.
    """
    return 1 + int(content_of(package).sha256[:8], 16) if package.is_file() else 1


class _Grading:
    """The lines of one verdict, as they come."""

    def __init__(self, request: Request, contents: Contents) -> None:
        self.request, self.contents = request, contents
        self.rows: List[Row] = []
        self.notes: List[str] = list(contents.notes)

    def measure(self, work: Path) -> None:
        """Add all lines, of the depth that was asked for; of a hostile package its faults."""
        group, can_be = "the package", "can be unpacked"
        if self.contents.faults:
            self.rows = [failed(group, can_be, fault) for fault in self.contents.faults]
            return
        faults = check_contents(self.contents)
        self.rows = [failed(group, "is as its rules say", fault) for fault in faults]
        if not faults:
            self.rows = [compare(group, "faults of layout, manifest, configs", 0, 0)]
        folder = work / "package"
        try:
            unpack(self.contents, folder)
        except CheckFailed as error:  # any other is the grader's disk
            self.rows.append(failed(group, can_be, str(error)))
            return
        package = self._value(group, open_package, folder, work / "run", self.request.weights)
        if package is not None:
            self._measure(package, work)

    def _measure(self, package: Package, work: Path) -> None:
        rules, request = read_contest(), self.request
        base = request.base
        if base is None:
            base = self._value(layout.MODEL, weights_check.seeded_base, package, work / "base")
        self.notes += [_NO_BASE] if base is None else []
        self._take(layout.ADAPTER, weights_check.shape_rows, package, base)
        self._take("training", training_check.step_rows, package, rules)
        self.notes += self._value("training", lambda: list(training_check.notes(package))) or []
        counts = self._value(layout.PARAMETERS, weights_check.count_all, package, rules)
        if counts is None:
            return
        self._take(layout.LOSSES, training_check.loss_rows, package, counts["trained"])
        found = self._value("predictions", remade.remake, package, counts)
        if found is None:
            return
        self._take("scores", remade.claim_rows, package, found, rules)
        self._take("predictions", asked.split_rows, package)
        for name in (layout.BASE, *package.checkpoints, layout.CHOSEN):
            self._take(layout.scored_files(name)[1], asked.problem_rows, package, name)
        questions = self._value(layout.PROFILE, asked.reading_file, package, request.squad)
        if questions is None:
            self.notes.append(_NO_QUESTIONS)
        else:
            self._take("predictions", asked.question_rows, package, questions)
        self._take("logs/squad", remade.log_rows, package)
        self._take(layout.REPORT, remade.report_rows, package, base)
        if request.depth != "verify":
            self._take("answers", again_rows, package, found, rules, request, base, work / "score")
        if request.depth == "reproduce":
            group, folder = "the run made again", work / "reproduce"
            self._take(group, reproduce_rows, package, found, folder, request.records)

    def _take(self, group: str, make: Callable[..., Any], *arguments: Any) -> None:
        """Add the lines that `make` yields; one that it cannot make is a line that fails."""

        def add() -> None:
            for row in make(*arguments):
                self.rows.append(row)

        self._value(group, add)

    def _value(self, group: str, make: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `make` returns, None and a line that fails where it cannot."""
        try:
            return make(*arguments)
        except UNUSABLE as error:
            # In one line, without our folders; what was not foreseen with its kind.
            text = (
                str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            )
            for folder in ("package", "run"):
                text = text.replace(f"{self.request.output / 'work' / folder}/", "")
            self.rows.append(failed(group, "can be measured", text))
            return None
