"""The report's tables of scores, in both languages, each with the files that it is read from."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from tools.packaging import layout
from tools.packaging.facts import Facts
from tools.packaging.sentences import kept_share
from tools.packaging.texts import Text, label, say


class Table(NamedTuple):
    """A table without a form yet; the first cell of a row names the row.

    head, rows  cells: Text, or what is the same in both languages; None is shown as a dash.
    sources     paths in the submission.
    numbers     whether all columns but the first hold numbers.
    """

    caption: Text
    head: List[Text]
    rows: List[List[Any]]
    sources: Tuple[str, ...]
    numbers: bool = True


def score_tables(facts: Facts) -> Dict[str, Table]:
    """Name -> table of what was measured of the model."""
    tables = (reading, kinds, judges, checkpoints, parameters)
    return {table.__name__: table(facts) for table in tables}


def columns(*names: str) -> List[Text]:
    """A table's head."""
    return [say(f"columns.{name}") for name in names]


def sources_of_scores(facts: Facts) -> Tuple[str, str]:
    """Where the scores of the base model and of the best checkpoint stand."""
    base, best = (layout.scored_files(name)[0] for name in (layout.BASE, layout.CHOSEN))
    return base, best


def percent(share: float) -> str:
    """A share from 0 to 1 in percent, without the sign."""
    return f"{100 * share:.2f}"


def interval(share: Dict[str, Any]) -> Text:
    """The 95 % interval of an accuracy, in percent."""
    low, high = share["interval"]
    return say("cells.interval", low=100 * low, high=100 * high)


def reading(facts: Facts) -> Table:
    """SQuAD in full, by the contest's metric and the official one."""
    rows: List[List[Any]] = []
    for name, scores in (
        (say("cells.base"), facts.before),
        (say("cells.best", number=facts.best), facts.after),
    ):
        squad = scores["squad"]
        official = squad.get("official") or {}
        marks = [f"{squad['f1']:.4f}", f"{squad['em']:.4f}", squad["count"]]
        rows.append([name, *marks, *(_decimals(official.get(key)) for key in ("f1", "em"))])
    least = [f"{facts.minimum.f1:.4f}", f"{facts.minimum.em:.4f}"]
    rows.append([say("cells.keep", share=kept_share(facts)), *least, None, None, None])
    head = columns("model", "f1", "em", "questions", "official_f1", "official_em")
    return Table(say("captions.reading"), head, rows, sources_of_scores(facts))


def kinds(facts: Facts) -> Table:
    """Accuracy of every kind of problem, and the share of right lines."""
    sides = (facts.before["math"], facts.after["math"])
    rows = [[say("cells.all_kinds"), *(c for math in sides for c in (*_share(math), _lines(math)))]]
    for kind in facts.kinds:
        shares = ((*_share(math["by_kind"].get(kind)), _lines(math, kind)) for math in sides)
        rows.append([label("kinds", kind), *(cell for share in shares for cell in share)])
    head = columns("kind", *_SHARES[:3], "lines", *_SHARES[3:], "lines")
    return Table(say("captions.kinds"), head, rows, sources_of_scores(facts))


def judges(facts: Facts) -> Table:
    """Accuracy by every judge, and how many answers hold no number."""
    before, after = facts.before["math"], facts.after["math"]
    rows: List[List[Any]] = []
    for name, share in after["judges"].items():
        judge = label("judges", name)
        judge = say("cells.counts", judge=judge) if name == after["judge"] else judge
        rows.append([judge, *_share(before["judges"].get(name)), *_share(share)])
    unanswered = [None, None, before["unanswered"], None, None, after["unanswered"]]
    rows.append([say("cells.no_number"), *unanswered])
    head = columns("judge", *_SHARES)
    return Table(say("captions.judges"), head, rows, sources_of_scores(facts))


def checkpoints(facts: Facts) -> Table:
    """The scores of every checkpoint on the validation problems, the best one marked."""
    rows = []
    for item in facts.checkpoints:
        squad, math, contest = (item.scores[key] for key in ("squad", "math", "contest"))
        best = item.number == facts.best
        rows.append(
            [
                say("cells.best_short", number=item.number) if best else item.number,
                item.step,
                f"{squad['f1']:.2f}",
                f"{squad['em']:.2f}",
                percent(math["accuracy"]),
                interval(math),
                _lines(math),
                say("cells." + {True: "yes", False: "no"}.get(contest["eligible"], "unknown")),
                f"{contest['score']:.6f}",
            ]
        )
    names = ("f1", "em", "accuracy", "interval", "lines", "eligible", "score")
    head = columns("checkpoint", "step", *names)
    files = (layout.SCORES.format(name=item.number) for item in facts.checkpoints)
    return Table(say("captions.checkpoints"), head, rows, (layout.STEPS, *files))


def parameters(facts: Facts) -> Table:
    """Trained and all parameters, and their ratio."""
    counts, ratio = facts.parameters, facts.after["parameters"]["ratio"]
    prescribed = counts["denominator"] == facts.rules.denominator
    rows = [
        [say("cells.trained"), f"{counts['trained']:,}"],
        [say("cells.total"), f"{counts['total']:,}"],
        [say("cells.prescribed" if prescribed else "cells.own"), f"{counts['denominator']:,}"],
        [say("cells.ratio"), f"{ratio:.9f}"],
    ]
    files = (layout.PARAMETERS, sources_of_scores(facts)[1])
    return Table(say("captions.parameters"), columns("item", "count"), rows, files)


_SHARES = ("before_percent", "interval", "right", "after_percent", "interval", "right")


def _share(share: Optional[Dict[str, Any]]) -> List[Any]:
    if share is None:
        return [None, None, None]
    right = say("cells.of", correct=share["correct"], count=share["count"])
    return [percent(share["accuracy"]), interval(share), right]


def right_lines(math: Dict[str, Any], kind: Optional[str] = None) -> Optional[float]:
    """The share of right lines in percent, of all kinds or of one; None where it is not known."""
    lines = math.get("lines")
    found = lines if kind is None or lines is None else lines["by_kind"].get(kind)
    return 100 * found["share"] if found else None


def _lines(math: Dict[str, Any], kind: Optional[str] = None) -> Optional[str]:
    share = right_lines(math, kind)
    return None if share is None else f"{share:.2f}"


def _decimals(value: Optional[float]) -> Optional[str]:
    return None if value is None else f"{value:.4f}"
