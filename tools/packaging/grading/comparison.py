"""The lines of a verdict: a claim, what was measured, their difference, and what is allowed."""

from __future__ import annotations

import math
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Pattern, Tuple


class Allowed(NamedTuple):
    """How far claim and measurement may be apart, and why."""

    difference: float
    why: str


# The differences that are allowed, by the kind of figure. What the size of a test set allows is
# computed where it is drawn (tools/packaging/grading/sampling.py).
ALLOWED: Dict[str, Allowed] = {
    "same": Allowed(0, "counted or copied, not measured"),
    "score": Allowed(1e-6, "the same sums; another jieba or NumPy may move the last digits"),
    # Half a unit of the sixth decimal, as MindFormers prints it, and a float32 mean of workers.
    "loss": Allowed(5e-6, "six printed decimals, and a mean over workers in float32"),
    # Greedy decoding takes another turn where two tokens are nearly equal. 5 % is our judgement
    # for bfloat16 on another device; the same machine gives the same answers.
    "answers": Allowed(0.05, "of the answers, at least one: rounding differs between devices"),
    "reading": Allowed(1.0, "points, at least one question: rounding differs between devices"),
    # Two trainings of the same data in the same order; the same machine gives the same numbers.
    "retrained loss": Allowed(0.02, "float32 sums in another order on another device"),
    "retrained adapter": Allowed(0.1, "of its norm: rounding is amplified step by step"),
    # Rounding the operands of every LoRA layer to bfloat16 moved single losses of 80 steps by up to
    # 0.083, and the adapter by 0.11 of its norm; a longer training has longer to drift.
    "retrained loss, other precision": Allowed(0.3, "one of the two multiplied in bfloat16"),
    "retrained adapter, other precision": Allowed(
        0.5, "of its norm: one of the two multiplied in bfloat16"
    ),
}

# Of many faults of one kind so many are told.
_TOLD = 3
_ABSENT = object()


class Row(NamedTuple):
    """One line.

    group       what it is about, a file of the package for the most part
    claim       what the package says; `measured` what was found
    difference  measured - claim, None where they are no numbers
    allowed     the largest difference that passes, None where both must be the same
    why         the reason for what is allowed, or what exactly was found
    """

    group: str
    what: str
    claim: Any
    measured: Any
    difference: Optional[float]
    allowed: Optional[float]
    passed: bool
    why: str


def compare(
    group: str,
    what: str,
    claim: Any,
    measured: Any,
    kind: str = "",
    allowed: Optional[float] = None,
    note: str = "",
) -> Row:
    """Return a line on two figures; words, None, True and False must be the same.

    kind     of ALLOWED; without one a number with a point is a score, any other the same.
    allowed  another difference than that kind's, where its size depends on what is measured.
    note     what was found, in words, in the place of the reason.
    """
    if not (_is_number(claim) and _is_number(measured)):
        same = type(claim) is type(measured) and claim == measured
        return Row(group, what, claim, measured, None, None, same, note)
    rule = ALLOWED[kind or ("score" if isinstance(measured, float) else "same")]
    limit = rule.difference if allowed is None else allowed
    why = note or (rule.why if limit else "")
    difference = measured - claim
    return Row(group, what, claim, measured, difference, limit, abs(difference) <= limit, why)


def failed(group: str, what: str, found: str) -> Row:
    """Return a line on something that could not be measured, or is not as it must be."""
    return Row(group, what, None, None, None, None, False, found)


def count_of(group: str, what: str, found: Iterable[str], note: str = "") -> Row:
    """Return a line on faults, none of which may be there: the first are told, else `note`."""
    faults = list(found)
    more = f" and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
    return compare(group, what, 0, len(faults), note="; ".join(faults[:_TOLD]) + more or note)


def document_rows(
    file: str, claim: Any, measured: Any, headlines: Optional[Pattern[str]] = None
) -> Iterator[Row]:
    """Yield lines on a JSON document beside the one that was made again.

    headlines   figures, as "math.accuracy", that have a line of their own.
    """
    claims, figures = flat(claim), flat(measured)
    for what, value in figures.items() if headlines else ():
        if headlines.fullmatch(what):
            yield compare(file, what, claims.get(what), value)
    differing = (
        f"{what} is claimed as {claims.get(what)!r:.40}, not {figures.get(what)!r:.40}"
        for what in unlike(claims, figures)
    )
    yield count_of(file, f"those of its {len(figures)} figures that differ", differing)


def unlike(claims: Dict[str, Any], figures: Dict[str, Any], kind: str = "") -> List[str]:
    """Return the keys whose values differ, see `compare`, or that one of the two lacks."""
    keys = [*figures, *sorted(claims.keys() - figures.keys())]
    both = ((claims.get(key, _ABSENT), figures.get(key, _ABSENT)) for key in keys)
    return [key for key, pair in zip(keys, both) if not compare("", "", *pair, kind).passed]


def flat(value: Any) -> Dict[str, Any]:
    """Return {"a.b.0": leaf} of nested objects and lists."""
    return dict(_leaves(value, ""))


def _leaves(value: Any, path: str) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        yield path, value
        return
    for key, child in value.items():
        yield from _leaves(child, f"{path}.{key}" if path else str(key))


def _is_number(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and (isinstance(value, int) or math.isfinite(value))
