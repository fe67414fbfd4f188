"""The task of each phase, arithmetic or choice questions, and what judges its answers."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Optional, Sequence

from tools.corpus.kinds import is_choice
from tools.corpus.worked.styles import Style
from tools.files.errors import UserError
from tools.scoring import arithmetic, choices
from tools.scoring.arithmetic import Verdict, score_verdicts
from tools.scoring.right_lines import score_lines
from tools.scoring.rows import Prediction
from tools.settings.contest import Contest

ARITHMETIC, CHOICES = "arithmetic", "choices"


def task_of(kinds: Iterable[str]) -> str:
    """The task that rows of these kinds belong to; UserError where they belong to both."""
    found = {CHOICES if is_choice(kind) else ARITHMETIC for kind in kinds}
    if len(found) > 1:
        what = "holds choice questions and other problems, which no phase asks together"
        raise UserError(what, None, "keep them in files of their own")
    return found.pop() if found else ARITHMETIC


def judge(row: Prediction, rules: Contest) -> Verdict:
    """Give every judge's verdict on one answer, those of its kind's task."""
    if is_choice(row.kind):
        return choices.judge_choice(row)
    return arithmetic.judge(row, rules.arithmetic)


def counting_judge(task: str, rules: Contest) -> str:
    """The judge whose word counts for the score."""
    return rules.choices.judge if task == CHOICES else rules.arithmetic.judge


def score_answers(
    rows: Sequence[Prediction], rules: Contest, styles: Optional[Mapping[str, Style]] = None
) -> Dict[str, Any]:
    """Return the "math" part of scores.json, see score_verdicts, of whichever task the rows are.

    styles   of the solutions that were trained on, by kind: with them "lines" is there too, see
             score_lines, unless no row has any.

    Raises UserError without any row, and where tasks are mixed.
    """
    task = task_of(row.kind for row in rows)
    names = choices.JUDGES if task == CHOICES else arithmetic.JUDGES
    verdicts = [judge(row, rules) for row in rows]
    scores = score_verdicts(verdicts, counting_judge(task, rules), names)
    lines = None if styles is None else score_lines(rows, styles)
    return {**scores, "lines": lines} if lines else scores
