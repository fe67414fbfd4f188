"""scores.json: everything that was measured of one model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from tools.corpus.verify import recorded_styles
from tools.files.atomic import write_json, write_text
from tools.files.errors import CheckFailed, UserError
from tools.scoring import contest_score as contest_scoring
from tools.scoring.arithmetic import Verdict, judge, score_verdicts
from tools.scoring.logs import read_log, write_log
from tools.scoring.npy import read_predictions_file
from tools.scoring.prediction_rows import Prediction, join, read_predictions, read_references
from tools.scoring.right_lines import score_lines
from tools.scoring.squad import Answer, first_line, score_squad
from tools.settings.contest import Contest, ReadingScore, read_contest
from tools.settings.resolve import read_resolved

PathLike = Union[str, Path]
HELD_OUT = ("valid", "test")
# Beside a scores.json: every answer with each judge's verdict.
JUDGED = "judged.jsonl"
# Of parameters.json.
_COUNTS = ("trained", "total", "denominator")

# A log prints its floats in full, so that nothing but another jieba could move a digit.
_SAME = 1e-6


def squad_from_predictions(path: PathLike, log: Optional[PathLike] = None) -> Dict[str, Any]:
    """Score our prediction rows; write them as an evaluation log too if `log` is named.

    "cut" is the number of answers that ended in their first line at the limit of new tokens, which
    is all that is scored; absent where there is none.
    """
    rows = read_predictions(path)
    answers = [Answer(first_line(row.prediction), row.references) for row in rows]
    scores = score_squad(answers)
    cut = sum(row.cut and "\n" not in row.prediction.lstrip() for row in rows)
    scores.update({"cut": cut} if cut else {})
    if log is not None:
        write_log(log, answers)
    return scores


def squad_from_log(path: PathLike) -> Dict[str, Any]:
    """Score an evaluation log from its pairs; "reported" is what its last line claims, or None.

    Raises CheckFailed where the claim differs from what the pairs give.
    """
    log = read_log(path)
    scores = {**score_squad(log.answers), "reported": log.reported}
    claim = log.reported
    if claim and any(abs(claim[key] - scores[key]) > _SAME for key in ("f1", "em", "count")):
        what = (
            f"its last line claims F1 {claim['f1']}, EM {claim['em']} of {claim['count']}, "
            f"its pairs give F1 {scores['f1']}, EM {scores['em']} of {scores['count']}"
        )
        raise CheckFailed(what, path, "use the log as the evaluation wrote it")
    return scores


def math_rows(
    predictions: Optional[PathLike] = None,
    npy: Optional[PathLike] = None,
    references: Optional[PathLike] = None,
) -> List[Prediction]:
    """Read our prediction rows, or the organisers' file `npy` (.npy, .txt) with `references`."""
    if predictions is not None:
        return read_predictions(predictions)
    return join(read_predictions_file(npy), read_references(references), npy)


def math_verdicts(rows: Sequence[Prediction]) -> List[Verdict]:
    """Return every judge's verdict on each row."""
    rules = read_contest()
    return [judge(row, rules.arithmetic) for row in rows]


def math_from_rows(
    rows: Sequence[Prediction],
    styles: Optional[PathLike] = None,
    verdicts: Optional[Sequence[Verdict]] = None,
) -> Dict[str, Any]:
    """Return the "math" part of scores.json, see score_verdicts.

    "cut" is the number of answers that ended at the limit of new tokens; absent where there is
    none.

    styles     a corpus.json that says how the solutions were worked out: with it "lines" is there
               too, see score_lines, unless no row has any.
    verdicts   of math_verdicts, where the rows are judged already.

    Raises UserError without any row.
    """
    verdicts = math_verdicts(rows) if verdicts is None else verdicts
    scores = score_verdicts(verdicts, read_contest().arithmetic.judge)
    cut = sum(row.cut for row in rows)
    scores.update({"cut": cut} if cut else {})
    lines = None if styles is None else score_lines(rows, recorded_styles(Path(styles)))
    return {**scores, "lines": lines} if lines else scores


def _write_judged(path: Path, rows: Sequence[Prediction], verdicts: Sequence[Verdict]) -> None:
    fields = ("id", "kind", "problem", "prediction", "reference")
    judged = (
        {**{name: getattr(row, name) for name in fields}, "right": verdict.right}
        for row, verdict in zip(rows, verdicts)
    )
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in judged))


def contest_entry(
    accuracy: float,
    trained: int,
    total: Optional[int] = None,
    f1: Optional[float] = None,
    em: Optional[float] = None,
) -> Dict[str, Any]:
    """Return {"eligible", "score", "rank", "accuracy", "ratio", "worth"} of one result.

    `accuracy` from 0 to 1; `f1` and `em` in percent, held against the contest's own minimum;
    without both of them "eligible" is None.
    """
    rules = read_contest()
    denominator = contest_scoring.denominator_of(rules, total)
    ratio = contest_scoring.low_parameter_ratio(trained, denominator)
    eligible = None
    if f1 is not None and em is not None:
        eligible = contest_scoring.is_eligible(f1, em, rules.squad.minimum)
    return {
        **contest_scoring.entry(accuracy, ratio, eligible, rules),
        "accuracy": accuracy,
        "ratio": ratio,
        "worth": contest_scoring.worth(accuracy, ratio, rules),
    }


def assemble(
    squad: Dict[str, Any],
    math: Dict[str, Any],
    trained: int,
    total: int,
    denominator: int,
    minimum: Optional[ReadingScore] = None,
    rules: Optional[Contest] = None,
) -> Dict[str, Any]:
    """Put the parts of scores.json together: {"squad", "math", "parameters", "contest"}.

    `minimum` is the F1 and EM that an eligible model reaches; None leaves "eligible" open.
    """
    rules = rules or read_contest()
    ratio = contest_scoring.low_parameter_ratio(trained, denominator)
    eligible = minimum and contest_scoring.is_eligible(squad["f1"], squad["em"], minimum)
    return {
        "squad": squad,
        "math": math,
        "parameters": {"trained": trained, "total": total, "ratio": ratio},
        "contest": contest_scoring.entry(math["accuracy"], ratio, eligible, rules),
    }


def score_run(
    squad: PathLike,
    math: PathLike,
    parameters: PathLike,
    output: PathLike,
    baseline: Optional[PathLike] = None,
    styles: Optional[PathLike] = None,
) -> Dict[str, Any]:
    """Score a model's prediction rows and write scores.json, whole or not at all.

    Beside it stands judged.jsonl: {"id", "kind", "problem", "prediction", "reference", "right":
    {judge: bool}} of every answer to a problem.
    `math` holds answers to problems. Of a file valid.jsonl or test.jsonl, "math" has "split", its
    name, too; with `styles`, see math_from_rows, "lines". `parameters` holds {"trained", "total",
    "denominator"}.
    `baseline` is the scores.json of the base model on the same questions, of whose F1 and EM the
    contest's share must be kept. Without it the contest's own minimum holds for the contest's own
    model on all of its questions, and "eligible" stays null for any other.
    """
    rules = read_contest()
    told = read_resolved(Path(parameters), _COUNTS)
    counts = {key: told[key] for key in _COUNTS}
    reading = squad_from_predictions(squad)
    minimum = None
    if baseline is not None:
        minimum = minimum_of(baseline, reading["count"], rules)
    elif counts["denominator"] == rules.denominator and reading["count"] == rules.squad.questions:
        minimum = rules.squad.minimum
    rows = read_predictions(math)
    verdicts = math_verdicts(rows)
    answers = math_from_rows(rows, styles, verdicts)
    split = Path(math).stem
    if split in HELD_OUT:
        answers["split"] = split
    scores = assemble(reading, answers, **counts, minimum=minimum, rules=rules)
    _write_judged(Path(output).with_name(JUDGED), rows, verdicts)
    write_json(output, scores)
    return scores


def minimum_of(path: PathLike, count: int, rules: Optional[Contest] = None) -> ReadingScore:
    """F1 and EM, in percent, that an eligible model reaches: a share of the base model's.

    path    scores.json of the base model; UserError unless it is over `count` questions.
    """
    reading = read_resolved(Path(path), ["squad"])["squad"]
    if reading.get("count") != count:
        what = f"made from {reading.get('count')} questions, the model answered {count}"
        raise UserError(what, path, "evaluate both on the same questions")
    base = ReadingScore(f1=reading["f1"], em=reading["em"])
    return (rules or read_contest()).squad.share_of(base)
