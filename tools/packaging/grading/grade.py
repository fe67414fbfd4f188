"""One package graded: opened, refused or unpacked, measured as deep as asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import yaml

from tools.files.errors import CheckFailed, UserError
from tools.files.hashing import content_of
from tools.packaging import layout
from tools.packaging.contents import Contents, open_contents
from tools.packaging.grading import figures, report_lines, training, weights
from tools.packaging.grading.again import reproduce_rows
from tools.packaging.grading.answers import Sources, again_rows, question_rows, reading_file
from tools.packaging.grading.rows import Row, compare, failed
from tools.packaging.grading.unpack import Package, open_package, unpack
from tools.packaging.grading.verdict import Verdict, write_verdict
from tools.packaging.inspection import check_contents
from tools.packaging.provenance import commit_of, machine, versions
from tools.records.reading import read_questions
from tools.scoring.rows import read_references
from tools.settings.contest import Contest, read_contest

DEPTHS = ("verify", "score", "reproduce")
# What hostile content may bring about in code that takes it apart, beside what is foreseen.
_UNUSABLE = (
    FileNotFoundError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    yaml.YAMLError,
)


class Request(NamedTuple):
    """What is graded, how deep, and with what of the grader's own.

    archive   a zip, or a package as a folder
    output    folder of verdict.json and verdict.html; OUTPUT/work is used meanwhile
    weights   merged weights, where the package only links them
    base      checkpoint of the base model: then merging and the gate are measured too
    """

    archive: Path
    output: Path
    depth: str = "verify"
    weights: Optional[Path] = None
    base: Optional[Path] = None
    sources: Sources = Sources()


def grade(request: Request) -> Verdict:
    """Grade a package, write the verdict into `request.output` and return it.

    A hostile package is refused before anything of it is written to the disk. Raises UserError
    where `request.archive` is neither a folder nor a zip, and where the disk is too small.
    """
    work = request.output / "work"
    _check_own(request)
    with open_contents(request.archive) as contents:
        grading = _Grading(request, contents)
        if contents.faults:
            grading.refuse()
        else:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            try:
                grading.measure(work)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        verdict = grading.verdict()
    write_verdict(verdict, request.output)
    return verdict


def seed_of(package: Path) -> int:
    """The seed of a grader's problems, where none is given: nobody knows it before the zip is
    made, and the same zip meets the same problems."""
    return 1 + int(content_of(package).sha256[:8], 16) if package.is_file() else 1


def _check_own(request: Request) -> None:
    """UserError where the grader's own files cannot be used: no package is to blame for that."""
    sources = request.sources
    named = (request.weights, request.base, sources.test_set, sources.squad, sources.records)
    for path in named:
        if path is not None and not path.is_file():
            raise UserError("no such file", path, "check the path")
    if sources.test_set is not None:
        read_references(sources.test_set)
    if sources.squad is not None:
        list(read_questions(sources.squad))


class _Grading:
    """The lines of one verdict, as they come."""

    def __init__(self, request: Request, contents: Contents) -> None:
        self.request, self.contents = request, contents
        self.rows: List[Row] = []
        self.notes: List[str] = list(contents.notes)

    def refuse(self) -> None:
        """A line for each fault that forbids to unpack."""
        self.rows = [
            failed("the package", "can be unpacked", what) for what in self.contents.faults
        ]

    def measure(self, work: Path) -> None:
        """All lines, of the depth that was asked for."""
        faults = check_contents(self.contents)
        self.rows += [failed("the package", "is as its rules say", fault) for fault in faults]
        if not faults:
            self.rows.append(compare("the package", "faults of layout, manifest, configs", 0, 0))
        folder = work / "package"
        try:
            unpack(self.contents, folder)
        except CheckFailed as error:  # any other is the grader's disk
            self.rows.append(failed("the package", "can be unpacked", str(error)))
            return
        package = self._value(
            "the package", lambda: open_package(folder, work / "run", self.request.weights)
        )
        if package is not None:
            self._measure(package, work)

    def _measure(self, package: Package, work: Path) -> None:
        rules = read_contest()
        base = self.request.base
        if base is None:
            base = self._seeded(package, work)
        if base is None:
            self.notes.append(
                "The base model is not at hand (--base): that the weights are base "
                "and adapter, merged, was not measured."
            )
        self._take(layout.BEST, lambda: [weights.weights_row(package)])
        self._take(layout.ADAPTER, lambda: weights.shape_rows(package, base))
        counts = self._value(layout.PARAMETERS, lambda: weights.count_all(package, rules))
        if counts is None:
            return
        self._take(layout.PARAMETERS, lambda: weights.parameter_rows(package, counts))
        self._take("training", lambda: training.step_rows(package, rules))
        given = self._value(layout.RECORDS, lambda: training.given_records(package))
        begun = self._value(layout.RUN, lambda: training.first_adapter(package))
        self.notes += [note for note in (given, begun) if note]
        self._take(layout.LOSSES, lambda: training.loss_rows(package, counts.trained))
        measured = self._value("predictions", lambda: figures.measure(package, counts))
        if measured is None:
            return
        self._take("scores", lambda: figures.score_rows(package, measured))
        self._take(layout.BEST, lambda: figures.choice_rows(package, measured, rules))
        self._take("predictions", lambda: figures.split_rows(package))
        for name in measured:
            answers = layout.scored_files(name)[1]
            self._take(answers, lambda name=name: figures.answer_rows(package, name))
        self._take(layout.REPORT, lambda: report_lines.report_rows(package, base))
        self._questions(package, work)
        self._deeper(package, measured, rules, base, work)

    def _seeded(self, package: Package, work: Path) -> Optional[Path]:
        try:
            return weights.seeded_base(package, work / "base")
        except (UserError, *_UNUSABLE):
            return None  # configs/model.json is at fault, which shape_rows says

    def _questions(self, package: Package, work: Path) -> None:
        try:
            source = reading_file(package, self.request.sources)
        except (UserError, *_UNUSABLE) as error:
            if self.request.depth != DEPTHS[0] and getattr(error, "where", "") == "--squad":
                raise
            self.notes.append(f"The reading questions were not compared: {error}.")
            return
        self._take("predictions", lambda: question_rows(package, source, work))

    def _deeper(
        self,
        package: Package,
        measured: Dict[str, Dict[str, Any]],
        rules: Contest,
        base: Optional[Path],
        work: Path,
    ) -> None:
        depth = DEPTHS.index(self.request.depth)
        if depth >= 1:
            arguments = (package, measured, rules, self.request.sources, base, work / "score")
            self._take("answers", lambda: again_rows(*arguments))
        if depth >= 2:
            self._take(
                "the run made again",
                lambda: reproduce_rows(
                    package,
                    self.contents,
                    measured,
                    work / "reproduce",
                    self.request.sources.records,
                ),
            )

    def _take(self, group: str, rows: Any) -> None:
        """Add the lines that `rows()` yields; one that it cannot make is a line that fails."""
        try:
            for row in rows():
                self.rows.append(row)
        except (UserError, *_UNUSABLE) as error:
            self.rows.append(failed(group, "can be measured", self._told(error)))

    def _value(self, group: str, make: Any) -> Any:
        try:
            return make()
        except (UserError, *_UNUSABLE) as error:
            self.rows.append(failed(group, "can be measured", self._told(error)))
            return None

    def _told(self, error: BaseException) -> str:
        """An error in one line, without our folders; one that was not foreseen with its kind."""
        foreseen = isinstance(error, UserError)
        text = str(error) if foreseen else f"{type(error).__name__}: {error}"
        for folder in ("package", "run"):
            text = text.replace(f"{self.request.output / 'work' / folder}/", "")
        return text

    def verdict(self) -> Verdict:
        archive = self.request.archive
        content = content_of(archive) if archive.is_file() else None
        return Verdict(
            archive={"name": archive.name, **(vars(content) if content else {"sha256": None})},
            team=self.contents.team,
            refused=bool(self.contents.faults),
            depth=self.request.depth,
            rows=self.rows,
            notes=self.notes,
            grader={"commit": commit_of(), "versions": versions(), "machine": machine()},
        )
