"""What is right in an answer: each line of work, and the number at its end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from tools.asking.models import Answer, Training
from tools.corpus.check_lines import accepted_lines
from tools.corpus.grammar import NoFit, Problem, parse
from tools.corpus.sample import in_slots
from tools.corpus.solve import answer
from tools.corpus.worked.styles import Style
from tools.scoring.arithmetic import judge
from tools.scoring.prediction_rows import Prediction
from tools.scoring.stated_number import answer_part
from tools.settings.contest import read_contest


class Line(NamedTuple):
    """A line of an answer; `holds` is None where nothing is said of it."""

    text: str
    holds: Optional[bool]


class Marked(NamedTuple):
    """An answer by its lines; `right` is the contest's judge's word, None without a reference."""

    lines: List[Line]
    cut: bool
    right: Optional[bool]


class Asked(NamedTuple):
    """A problem with both answers.

    kind    None where it is none of the kinds
    exact   the exact answer, None likewise
    note    why no line is marked; None where they are
    """

    problem: str
    kind: Optional[str]
    exact: Optional[str]
    note: Optional[str]
    base: Marked
    model: Marked

    def as_json(self) -> Dict[str, Any]:
        """Return it as an object of JSON."""
        told = {name: getattr(self, name) for name in ("problem", "kind", "exact", "note")}
        for name in ("base", "model"):
            side: Marked = getattr(self, name)
            lines = [line._asdict() for line in side.lines]
            told[name] = {"right": side.right, "cut": side.cut, "lines": lines}
        return told


def mark(problem: str, answers: Tuple[Answer, Answer], training: Training) -> Asked:
    """Mark the answers of the base and of the trained model to a problem.

    Lines are marked as right lines are counted (`check.accepted_lines`), in the style that was
    taught; of a problem outside of what was taught only the answer is judged, and of a text that
    is no problem nothing.
    """
    try:
        parsed = parse(problem)
    except NoFit as error:
        note = f"not marked: {error}"
        base, model = (_marked(problem, one, None, None, None) for one in answers)
        return Asked(problem, None, None, note, base, model)
    exact = answer(parsed)
    note = _untaught(parsed, training)
    style = None if note else training.styles.get(parsed.kind, Style())
    base, model = (_marked(problem, one, parsed.kind, exact, style) for one in answers)
    return Asked(problem, parsed.kind, exact, note, base, model)


def _untaught(problem: Problem, training: Training) -> Optional[str]:
    if problem.kind not in training.kinds:
        return f"lines not marked: {problem.kind} was not taught"
    if not in_slots(problem):
        return f"lines not marked: no {problem.kind} with such numbers was taught"
    decimals = [number for number in problem.numbers if isinstance(number, Decimal)]
    if any(number.as_tuple().exponent != -2 for number in decimals):
        written = ", ".join(f"{number:.2f}" for number in decimals)
        return f"lines not marked: such numbers were taught with two decimals, as {written}"
    if training.exponents and problem.kind == "power":
        exponent = problem.numbers[1]
        if exponent not in training.exponents:
            return f"lines not marked: no power of {exponent} was taught"
    return None


def _marked(
    problem: str,
    written: Answer,
    kind: Optional[str],
    exact: Optional[str],
    style: Optional[Style],
) -> Marked:
    text = answer_part(written.text, problem).strip()
    lines = text.split("\n")
    held: List[Optional[bool]] = [None] * len(lines)
    if style is not None:
        accepted = accepted_lines(problem, text, style)
        held = [holds if line.strip() else None for line, holds in zip(lines, accepted)]
    right = None
    if kind is not None and exact is not None:
        row = Prediction("Q", kind, problem, written.text, exact, (exact,), problem)
        rules = read_contest().arithmetic
        right = judge(row, rules).right[rules.judge]
    return Marked([Line(*line) for line in zip(lines, held)], written.cut, right)
