"""Right lines of solutions: what a model has learnt long before whole answers are right."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional

from tools.corpus.check_lines import accepted_lines
from tools.corpus.grammar import parse
from tools.corpus.worked.styles import Style, work_out
from tools.scoring.prediction_rows import Prediction
from tools.scoring.stated_number import answer_part


def score_lines(
    rows: Iterable[Prediction], styles: Mapping[str, Style]
) -> Optional[Dict[str, Any]]:
    """Return {"share", "right", "count", "by_kind": {kind: {"share", "right", "count"}}}.

    styles   by kind, as the corpus was worked out; without one, the source's own solution.

    right    lines of the answer that hold after those before them (`check_lines.accepted_lines`).
    count    the larger of the lines written and those of our own solution.

    Both are summed over the rows, share is from 0 to 1. Rows whose problem cannot be parsed or
    worked out (English) are left out; None where that leaves none.
    """
    by_kind: Dict[str, List[int]] = {}
    for row in rows:
        answer = answer_part(row.prediction, row.prompt).strip()
        try:
            problem = parse(row.problem)
            style = styles.get(problem.kind, Style())
            own = work_out(problem, style).count("\n") + 1
            accepted = accepted_lines(row.problem, answer, style)
        except ValueError:  # NoFit, or a value of thousands of digits
            continue
        counts = by_kind.setdefault(row.kind, [0, 0])
        counts[0] += sum(accepted)
        counts[1] += max(len(accepted), own)
    if not by_kind:
        return None
    total = [sum(counts) for counts in zip(*by_kind.values())]
    return {**_share(*total), "by_kind": {kind: _share(*by_kind[kind]) for kind in sorted(by_kind)}}


def _share(right: int, count: int) -> Dict[str, Any]:
    return {"share": right / count, "right": right, "count": count}
