"""MindFormers' log of a SQuAD evaluation, read and written.

    pred is: ['Denver Broncos']
    label is: ['Denver Broncos']
    The F1/Em of this example is:  {'F1': 100.0, 'Em': 100.0}
    ...
    F1 score: 59.87023775108988, Em score: 44.17029511369134, total_count: 2067

Newer releases break the line after `is:`. Progress lines may stand anywhere between, or be
glued to these, since two streams share the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from tools.files.atomic import write_text
from tools.files.errors import UserError
from tools.files.text import bounded_lines
from tools.scoring.literals import read_strings
from tools.scoring.prediction_rows import LONGEST_ANSWER
from tools.scoring.squad import Answer, running_scores

# The first of the two words in a line is the log's own: a quoted answer stands behind it.
_PART = re.compile(r"(pred|label) is:\s*(.*)")
_FINAL = re.compile(r"F1 score: (\d+\.?\d*), Em score: (\d+\.?\d*), total_count: (\d+)\s*$")
# How many lines a list of answers may take before it counts as broken.
_MOST_LINES = 200


class EvaluationLog(NamedTuple):
    """The answers of a log, and the scores that its last line claims, if it has one."""

    answers: List[Answer]
    reported: Optional[Dict[str, Any]]


def read_log(path: Union[str, Path]) -> EvaluationLog:
    """Read the pairs and the final line of an evaluation log.

    Raises UserError with file:line where a pair is broken, and where there is none.
    """
    answers: List[Answer] = []
    predictions: Optional[List[str]] = None
    reported: Optional[Dict[str, Any]] = None
    lines = bounded_lines(path, errors="replace")
    for number, line in lines:
        where = f"{path}:{number}"
        part = _PART.search(line)
        if not part:
            final = _FINAL.search(line)
            if final:
                f1, em, count = float(final[1]), float(final[2]), int(final[3])
                reported = {"f1": f1, "em": em, "count": count}
            continue
        texts = _read_list(part[2], lines, where)
        if part[1] == "pred":
            if predictions is not None:
                raise UserError("two `pred is` without a label between", where, _REMEDY)
            predictions = texts
        else:
            if predictions is None or len(predictions) != len(texts):
                raise UserError("a label without its prediction", where, _REMEDY)
            answers += [Answer(ours, (right,)) for ours, right in zip(predictions, texts)]
            predictions = None
    if predictions is not None:
        raise UserError("ends between a prediction and its label", path, _REMEDY)
    if not answers:
        raise UserError("holds no `pred is` / `label is` pair", path, _REMEDY)
    return EvaluationLog(answers, reported)


def log_lines(answers: Sequence[Answer]) -> Iterator[str]:
    """Yield the lines that MindFormers' evaluation prints of `answers`, progress aside."""
    f1_sum: float = 0
    em_sum = count = 0
    for answer, (f1, em, f1_sum, em_sum) in zip(answers, running_scores(answers)):
        count += 1
        yield f"pred is: {[answer.prediction]}"
        yield f"label is: {[answer.references[0]]}"
        scores = {"F1": 100.0 * f1, "Em": 100.0 * em}
        yield f"The F1/Em of this example is:  {scores}"
        if count % 10 == 0:
            yield f"{_totals(f1_sum, em_sum, count)}, current_count: {count}"
    yield f"{_totals(f1_sum, em_sum, count)}, total_count: {count}"


def write_log(path: Union[str, Path], answers: Sequence[Answer]) -> None:
    """Write `answers` as an evaluation log, whole or not at all; read_log gives them back.

    Only the first reference of each is kept, as in MindFormers' own.
    """
    write_text(path, "\n".join(log_lines(answers)) + "\n")


_REMEDY = "name the complete log of an evaluation"


def _totals(f1_sum: float, em_sum: int, count: int) -> str:
    return f"F1 score: {100.0 * f1_sum / count}, Em score: {100.0 * em_sum / count}"


def _read_list(text: str, lines: Iterator[Tuple[int, str]], where: str) -> List[str]:
    """The list that begins in `text` and may go on in the next of `lines`."""
    for _ in range(_MOST_LINES):
        try:
            values, _ = read_strings(text)
        except ValueError:
            _, line = next(lines, (0, None))
            if line is None or len(text) > LONGEST_ANSWER:
                break
            text += "\n" + line
            continue
        if any(len(value) > LONGEST_ANSWER for value in values):
            break
        return values
    raise UserError("not a list of quoted answers", where, _REMEDY)
