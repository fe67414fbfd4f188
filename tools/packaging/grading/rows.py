"""The lines of a verdict: a claim, what was measured, their difference, and what is allowed."""

from __future__ import annotations

import itertools
import math
from typing import Any, Dict, Iterable, Iterator, NamedTuple, Optional, Tuple


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
    # MindFormers 1.x prints whole millions.
    "millions": Allowed(0, "whole millions, as MindFormers prints them"),
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
    kind: str = "same",
    allowed: Optional[float] = None,
    note: str = "",
) -> Row:
    """A line on two figures; words, None, True and False must be the same.

    kind     of ALLOWED.
    allowed  another difference than that kind's, where its size depends on what is measured.
    note     what was found, in words, in the place of the reason.
    """
    limit = ALLOWED[kind].difference if allowed is None else allowed
    why = note or (ALLOWED[kind].why if limit else "")
    if not (_is_number(claim) and _is_number(measured)):
        same = type(claim) is type(measured) and claim == measured
        return Row(group, what, claim, measured, None, None, same, note)
    difference = measured - claim
    # A NaN is never within anything.
    passed = abs(difference) <= limit
    return Row(group, what, claim, measured, difference, limit, passed, why)


def failed(group: str, what: str, found: str) -> Row:
    """A line on something that could not be measured, or is not as it must be."""
    return Row(group, what, None, None, None, None, False, found)


def count_of(group: str, what: str, found: Iterable[str], note: str = "") -> Row:
    """A line on faults, none of which may be there; the first of them are told, else `note`."""
    faults = list(found)
    more = f" and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
    return compare(group, what, 0, len(faults), note="; ".join(faults[:_TOLD]) + more or note)


def flat(value: Any, most: int = 100_000) -> Dict[str, Any]:
    """{"a.b.0": leaf} of nested objects and lists.

    Raises ValueError above `most` leaves: YAML's aliases can make billions of a few lines.
    """
    found = dict(itertools.islice(_leaves(value, ""), most + 1))
    if len(found) > most:
        raise ValueError(f"more than {most} values")
    return found


def _leaves(value: Any, path: str) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, dict):
        items: Iterable[Tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield path, value
        return
    for key, child in items:
        yield from _leaves(child, f"{path}.{key}" if path else str(key))


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and (isinstance(value, int) or math.isfinite(value))
    )
