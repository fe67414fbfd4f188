"""The figures of every model, computed again from its packaged answers."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any, Dict, Iterator, List, NamedTuple

from tools.corpus.grammar import NoFit, parse
from tools.corpus.kinds import ENGLISH
from tools.corpus.solve import canonical, solve
from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.packaging import layout
from tools.packaging.grading.rows import Row, compare, count_of, flat
from tools.packaging.grading.unpack import Package
from tools.records.prompts import PROBLEM_FRAMES, render_prompt
from tools.scoring.choose import best_index, row_of
from tools.scoring.contest import is_eligible
from tools.scoring.logs import log_lines
from tools.scoring.rows import Prediction, read_predictions
from tools.scoring.scores import score_run, squad_answers
from tools.settings.contest import Contest
from tools.settings.resolve import read_resolved

# What is measured on the test problems has a line of its own for each of these.
_HEADLINES = re.compile(
    r"squad\.(f1|em|count|official\.(f1|em))|math\.(accuracy|count|unanswered|split)"
    r"|math\.lines\.(share|right|count)"
    r"|math\.(judges|by_kind)\..+\.accuracy|parameters\.\w+|contest\.(eligible|score|rank)"
)


class Counts(NamedTuple):
    """Parameters, counted."""

    trained: int
    total: int
    denominator: int


def measure(package: Package, counts: Counts) -> Dict[str, Dict[str, Any]]:
    """Score the packaged answers of every model; name, see layout.scored_files -> scores.json.

    The results are written into `package.run`, where a run has them. Raises UserError where
    answers are missing or not of their form.
    """
    run = package.run
    numbers = run / "parameters"
    write_json(numbers / "baseline.json", {**counts._asdict(), "trained": 0})
    write_json(numbers / "tuned.json", counts._asdict())
    measured: Dict[str, Dict[str, Any]] = {}
    places = layout.places(package.best, package.checkpoints)
    for name in (layout.BASE, *map(str, package.checkpoints), layout.CHOSEN):
        scores, problems = layout.scored_files(name)[:2]
        reading = layout.scored_files(package.best if name == layout.CHOSEN else name)[2]
        measured[name] = score_run(
            run / places[reading],
            run / places[problems],
            numbers / ("baseline.json" if name == layout.BASE else "tuned.json"),
            run / places[scores],
            None if name == layout.BASE else run / places[layout.scored_files(layout.BASE)[0]],
            styles=run / "config" / "corpus.json",
        )
    return measured


def score_rows(package: Package, measured: Dict[str, Dict[str, Any]]) -> Iterator[Row]:
    """Every figure of scores/*.json beside the one computed from the answers."""
    for name, scores in measured.items():
        file = layout.scored_files(name)[0]
        claims = flat(read_resolved(package.folder / file, []))
        figures = flat(scores)
        if name in (layout.BASE, layout.CHOSEN):
            for what, value in figures.items():
                if _HEADLINES.fullmatch(what):
                    yield compare(file, what, claims.get(what), value, _kind(value))
        yield count_of(
            file,
            f"those of its {len(figures)} figures that differ",
            (
                f"{what} is claimed as {claims.get(what)!r:.40}, not {figures.get(what)!r:.40}"
                for what in {**figures, **claims}
                if what not in claims
                or what not in figures
                or not compare("", "", claims[what], figures[what], _kind(figures[what])).passed
            ),
        )


def choice_rows(
    package: Package, measured: Dict[str, Dict[str, Any]], rules: Contest
) -> Iterator[Row]:
    """Whether the best checkpoint was handed in, by the validation problems as measured."""
    order = [measured[str(number)] for number in package.checkpoints]
    best = package.checkpoints[best_index(order)]
    yield compare(layout.BEST, "checkpoint", package.best, best, note="the best of the measured")
    yield compare(layout.BEST, "checkpoints that were scored", len(order), rules.checkpoints)
    claims = read_resolved(package.folder / layout.BEST, ["checkpoints"])
    steps = _steps(package)
    wanted = [
        row_of(number, steps.get(number), measured[str(number)]) for number in package.checkpoints
    ]
    claimed = claims["checkpoints"] if isinstance(claims["checkpoints"], list) else []
    chosen = wanted[package.checkpoints.index(package.best)]
    yield count_of(
        layout.BEST,
        "figures of the chosen one that differ",
        (key for key, value in chosen.items() if not _agree(claims.get(key), value)),
    )
    pairs = zip_longest(claimed, wanted, fillvalue={})
    yield count_of(
        layout.BEST,
        "checkpoints whose line differs",
        (
            f"checkpoint {(right or {}).get('checkpoint', index)}"
            for index, (said, right) in enumerate(pairs, 1)
            if not _agree(said, right)
        ),
    )
    after = measured[str(package.best)]
    counts = after["parameters"]
    if counts["total"] == rules.model_parameters and after["squad"]["count"] == (
        rules.squad.questions
    ):
        # On the contest's own model the published minimum holds, whatever the team's baseline.
        reached = is_eligible(after["squad"]["f1"], after["squad"]["em"], rules.squad.minimum)
        yield compare(
            layout.BEST, "eligible by the published minimum", claims.get("eligible"), reached
        )


def answer_rows(package: Package, name: str) -> Iterator[Row]:
    """Whether prompts and references of a model's answers are those of our own code.

    A reference is computed from its problem: one that was changed to fit an answer is found.
    """
    frame = frame_of(package)
    arithmetic, *reading = layout.scored_files(name)[1:]
    rows = read_predictions(package.folder / arithmetic)
    yield count_of(arithmetic, "prompts not as training has them", _other_prompts(rows, frame))
    english = sum(row.kind == ENGLISH for row in rows)
    left_out = f"{english} English problems, which no program solves, left out" if english else ""
    yield count_of(
        arithmetic, "references that are not the answer", _wrong_references(rows), left_out
    )
    if name in (layout.BASE, str(package.best)):
        log = layout.SQUAD_LOGS["baseline" if name == layout.BASE else "best"]
        wanted = log_lines(squad_answers(package.folder / reading[0]))
        text = (package.folder / log).read_text("utf-8", errors="replace")
        lines = text.split("\n")[:-1]
        pairs = zip_longest(lines, (line for text in wanted for line in text.split("\n")))
        differing = (f"line {n}" for n, (ours, right) in enumerate(pairs, 1) if ours != right)
        yield count_of(log, f"lines that do not follow from {reading[0]}", differing)


def split_rows(package: Package) -> Iterator[Row]:
    """Whether all models were asked the same problems, and none that one of them was chosen by."""

    def asked(name: object) -> Dict[str, str]:
        rows = read_predictions(package.folder / layout.scored_files(name)[1])
        return {row.problem: row.reference for row in rows}

    test, valid = asked(layout.CHOSEN), asked(package.best)
    for name in (layout.BASE, *package.checkpoints):
        others = asked(name).items() ^ (test if name == layout.BASE else valid).items()
        told = (f"{problem!r:.60}" for problem, _ in sorted(others))
        yield count_of(layout.scored_files(name)[1], "problems that not all were asked", told)
    both = (f"{problem!r:.60}" for problem in sorted(test.keys() & valid.keys()))
    yield count_of(layout.scored_files(layout.CHOSEN)[1], "problems that it was chosen by", both)


def frame_of(package: Package) -> str:
    """The frame around arithmetic problems that the package says it trained with."""
    path = package.folder / "configs/records.json"
    frame = read_resolved(path, ["prompt"])["prompt"]
    if frame not in PROBLEM_FRAMES:
        known = ", ".join(PROBLEM_FRAMES)
        raise UserError(f"prompt {frame!r:.40} is none of {known}", "configs/records.json")
    return frame


def _other_prompts(rows: List[Prediction], frame: str) -> Iterator[str]:
    for row in rows:
        try:
            same = render_prompt(frame, row.problem) == row.prompt
        except UserError:
            same = False
        if not same:
            yield f"{row.id!r:.40}"


def _wrong_references(rows: List[Prediction]) -> Iterator[str]:
    for row in rows:
        if row.kind == ENGLISH:
            continue
        try:
            parsed = parse(row.problem)
            right = canonical(solve(parsed))
        except (NoFit, ArithmeticError):
            yield f"{row.id!r:.40} is no problem of ours"
            continue
        if parsed.kind != row.kind:
            yield f"{row.id!r:.40} is of kind {parsed.kind}, not {row.kind}"
        elif row.reference != right:
            yield f"{row.id!r:.40} has {row.reference!r:.40} for {right}"


def _steps(package: Package) -> Dict[int, Any]:
    steps = read_resolved(package.folder / layout.STEPS, ["steps"])["steps"]
    return dict(enumerate(steps, 1)) if isinstance(steps, list) else {}


def _agree(claim: Any, measured: Any) -> bool:
    claims, figures = flat(claim), flat(measured)
    return claims.keys() == figures.keys() and all(
        compare("", "", claims[key], value, _kind(value)).passed for key, value in figures.items()
    )


def _kind(value: Any) -> str:
    return "score" if isinstance(value, float) else "same"
