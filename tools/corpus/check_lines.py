"""Recomputes each line of a worked solution: docs/worked-solutions.md says what a line may be.

What recomputes a line (`check_columns`, `check_schoolbook` and what they import) shares nothing
with what writes it. The text may come from anywhere: lengths, depths and work are bounded.
"""

from __future__ import annotations

from typing import List, Optional, Set, Tuple

from tools.corpus import english, grammar
from tools.corpus.check_columns import verify_columns
from tools.corpus.check_schoolbook import MOST_FAULTS, Check
from tools.corpus.exact import Unverified, answer_line, printed
from tools.corpus.grammar import Problem
from tools.corpus.worked.styles import Style, work_out

_MOST_CHARACTERS = 200_000


def check_solution(
    problem: str, solution: str, style: Style, *, answer: Optional[str] = None
) -> List[str]:
    r"""Return the faults of a solution as `line N: reason`, none if every line of it holds.

    A solution in `columns` must have that style; `answer`, `direct` and `schoolbook` are one
    language. Of an English problem's solution the prose is not verified, only that its last line
    is the contents of its last \boxed{}, as a number where it is one, and that this is `answer`
    where one is given. The answer of a Chinese problem is computed, `answer` is not looked at.
    """
    lines = solution.split("\n")
    if len(solution) > _MOST_CHARACTERS:
        return [f"line {len(lines)}: more than {_MOST_CHARACTERS} characters are not checked"]
    if english.is_english(problem):
        reason = _fault_of_english(lines, answer)
        faults = [*_early_answers(lines), *([(len(lines), reason)] if reason else [])]
    else:
        try:
            faults = _verify(grammar.parse(problem), lines, style)[1]
        except grammar.NoFit as error:
            return [f"line 1: the problem cannot be read: {error}"]
    return [f"line {at}: {printed(reason)}" for at, reason in sorted(faults)]


def accepted_lines(problem: str, solution: str, style: Style) -> List[bool]:
    """Return for each line of a solution whether it holds after those before it.

    In the styles `source` and `answer` a line holds where our own solution has the same at that
    place. In the others a line that was not verified does not hold: behind one that cannot be
    read, and in the rest of a block after a fault. Raises NoFit where the problem cannot be read,
    as an English one.
    """
    lines = solution.split("\n")
    parsed = grammar.parse(problem)
    if len(solution) > _MOST_CHARACTERS:
        return [False] * len(lines)
    if style.name in ("source", "answer"):
        own = work_out(parsed, style).split("\n")
        return [[line] == own[at : at + 1] for at, line in enumerate(lines)]
    held = _verify(parsed, lines, style)[0]
    return [at in held for at in range(1, len(lines) + 1)]


def _verify(
    problem: Problem, lines: List[str], style: Style
) -> Tuple[Set[int], List[Tuple[int, str]]]:
    """Give the numbers of the lines that hold, and the faults as (line, reason)."""
    if style.name != "columns":
        check = Check(problem, lines, style.rounding)
        check.run()
        return check.held, [*_early_answers(lines), *check.faults]
    try:
        answer = answer_line(problem, style.rounding)
    except Unverified as error:
        return set(), [(len(lines), str(error))]
    found = verify_columns(problem, lines, answer, style.rounding.decimals or 0)
    faults = [(at, reason) for at, reason in enumerate(found.reasons, 1) if reason]
    if found.missing:
        faults.append((len(lines), f"behind it must stand {found.missing}"))
    return {at for at, reason in enumerate(found.reasons, 1) if reason == ""}, faults[:MOST_FAULTS]


def _early_answers(lines: List[str]) -> List[Tuple[int, str]]:
    reason = "an answer stands only in the last line"
    return [(at, reason) for at, line in enumerate(lines[:-1], 1) if line.startswith("####")]


def _fault_of_english(lines: List[str], answer: Optional[str]) -> Optional[str]:
    if not lines[-1].startswith("#### "):
        return "the last line must be #### and the answer"
    stated = lines[-1][5:]
    if len(lines) > 1 or answer is None:
        box = english.boxed("\n".join(lines[:-1]))
        if box is None:
            return "nothing is boxed in the solution"
        expected = english.numeric(box) or " ".join(box.split())
        if stated != expected:
            return f"the answer must be {expected}, which is boxed"
    if answer is not None and stated != answer:
        return f"the answer must be {answer}"
    return None
