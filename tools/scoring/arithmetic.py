"""Arithmetic accuracy by several judges, since the contest's own is not public.

exact       the values are equal.
rounded     equal after both are rounded to the fewer decimals given, never below a minimum.
tolerance   equal within an absolute or a relative difference.
prefix      the written digits of the shorter begin the longer: a result cut off, not rounded.

A reference in E-notation is compared by its mantissa: what is said of decimals then holds for
those of the mantissa, at the reference's exponent. In `rounded` and `prefix` zero equals nothing
but zero: where a result vanishes by rounding, no digit of it was shown to be right.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from tools.corpus.english import boxed
from tools.corpus.kinds import ENGLISH
from tools.corpus.worked.styles import ANSWER_LINE
from tools.files.errors import UserError
from tools.scoring.prediction_rows import Prediction
from tools.scoring.stated_number import Number, answer_part, boxed_number, find_number, power_of_ten
from tools.settings.contest import ArithmeticRules

JUDGES = ("exact", "rounded", "tolerance", "prefix")

# The 97.5 % quantile of the normal distribution: two-sided 95 %.
_Z = 1.959963984540054


class Verdict(NamedTuple):
    """One answer judged: the number found in it, the one wanted, and each judge's word."""

    id: str
    kind: str
    found: Optional[Number]
    wanted: Union[Number, str]
    right: Dict[str, bool]


def is_exact(found: Number, wanted: Number) -> bool:
    """Whether the values are equal."""
    return found.value == wanted.value


def is_rounded(found: Number, wanted: Number, minimum_decimals: int) -> bool:
    """Whether both, rounded to the fewer decimals given (at least the minimum), are equal.

    A half may go up or to the even digit: both are in use.
    """
    if found.value == wanted.value or (found.decimals is None and wanted.decimals is None):
        return found.value == wanted.value
    ours, right = _at_common_decimals(found, wanted, minimum_decimals)
    if round(ours) == round(right):
        return round(right) != 0
    return _half_away(ours) == _half_away(right) != 0


def is_within(found: Number, wanted: Number, absolute: float, relative: float) -> bool:
    """Whether |found - wanted| is at most `absolute`, or at most `relative` * |wanted|."""
    allowed = max(Fraction(absolute), Fraction(relative) * abs(wanted.value))
    return abs(found.value - wanted.value) <= allowed


def is_prefix(found: Number, wanted: Number, minimum_decimals: int) -> bool:
    """Whether both, cut off at the fewer decimals given (at least the minimum), are equal."""
    if found.value == wanted.value or (found.decimals is None and wanted.decimals is None):
        return found.value == wanted.value
    ours, right = _at_common_decimals(found, wanted, minimum_decimals)
    return (ours < 0) == (right < 0) and math.trunc(ours) == math.trunc(right) != 0


def judge(row: Prediction, rules: ArithmeticRules) -> Verdict:
    """Give every judge's verdict on one answer.

    A reference without a number in it (some English problems) must be met in its text, by
    all judges alike.
    """
    answer = answer_part(row.prediction, row.prompt)
    wanted = parse_reference(row.reference, row.kind)
    if isinstance(wanted, str):
        same = _text_of(answer) == wanted
        return Verdict(row.id, row.kind, None, wanted, dict.fromkeys(JUDGES, same))
    found = find_number(answer)
    if found is None:
        return Verdict(row.id, row.kind, None, wanted, dict.fromkeys(JUDGES, False))
    right = {
        "exact": is_exact(found, wanted),
        "rounded": is_rounded(found, wanted, rules.minimum_decimals),
        "tolerance": is_within(found, wanted, rules.absolute_tolerance, rules.relative_tolerance),
        "prefix": is_prefix(found, wanted, rules.minimum_decimals),
    }
    return Verdict(row.id, row.kind, found, wanted, right)


def parse_reference(text: str, kind: str = "unknown") -> Union[Number, str]:
    """The number that a reference states, or its text where that is more than a number.

    A reference is a decimal, a fraction, or a solution that ends in its number; of an English
    problem it is the content of the box, or a solution that has one.
    """
    content = boxed(text)
    if content is None and (kind == ENGLISH or "\\" in text):
        content = text
    number = find_number(text) if content is None else boxed_number(content)
    return _text_of(text) if number is None else number


def wilson(correct: int, count: int, z: float = _Z) -> Tuple[float, float]:
    """The interval of a share `correct / count`, both ends from 0 to 1; 95 % unless `z` differs.

    Wilson (1927), JASA 22, 209-212: unlike the normal one it is right near 0 and 1.
    """
    share = correct / count
    scale = 1 + z * z / count
    middle = (share + z * z / (2 * count)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # At 0 and 1 the ends are exact; the sum above misses them by a rounding.
    low = 0.0 if correct == 0 else max(0.0, middle - half)
    high = 1.0 if correct == count else min(1.0, middle + half)
    return low, high


def score_verdicts(verdicts: Sequence[Verdict], judge_name: str) -> Dict[str, Any]:
    """Count verdicts.

    Returns {"accuracy", "correct", "count", "interval", "unanswered", "judge", "judges":
    {name: share}, "by_kind": {kind: share}}, where share is {"accuracy", "correct", "count",
    "interval"} and accuracies are from 0 to 1; `judge_name`'s count outside of "judges".
    Raises UserError without any verdict.
    """
    if not verdicts:
        raise UserError("no answer to judge", None, "name a file with at least one")
    by_kind: Dict[str, List[bool]] = {}
    for verdict in verdicts:
        by_kind.setdefault(verdict.kind, []).append(verdict.right[judge_name])
    judges = {name: _share([verdict.right[name] for verdict in verdicts]) for name in JUDGES}
    # Of an English problem with a text for an answer no number is looked for.
    unanswered = sum(v.found is None and not isinstance(v.wanted, str) for v in verdicts)
    return {
        **judges[judge_name],
        "unanswered": unanswered,
        "judge": judge_name,
        "judges": judges,
        "by_kind": {kind: _share(by_kind[kind]) for kind in sorted(by_kind)},
    }


def disagreements(verdicts: Iterable[Verdict]) -> List[Verdict]:
    """The verdicts on which not all judges are of one mind."""
    return [verdict for verdict in verdicts if len(set(verdict.right.values())) > 1]


def _share(right: Sequence[bool]) -> Dict[str, Any]:
    correct, count = sum(right), len(right)
    low, high = wilson(correct, count)
    accuracy = correct / count
    return {"accuracy": accuracy, "correct": correct, "count": count, "interval": [low, high]}


def _at_common_decimals(found: Number, wanted: Number, minimum: int) -> Tuple[Fraction, Fraction]:
    """Both values in units of the last decimal that is compared; not both are fractions."""
    shift = wanted.exponent or 0
    # Counted from the point of wanted's mantissa; a fraction has as many as one likes.
    given = [] if wanted.decimals is None else [wanted.decimals]
    if found.decimals is not None:
        given.append(found.decimals - (found.exponent or 0) + shift)
    unit = power_of_ten(max(minimum, min(given)) - shift)
    return found.value * unit, wanted.value * unit


def _half_away(value: Fraction) -> int:
    size = math.floor(abs(value) + Fraction(1, 2))
    return size if value > 0 else -size


def _text_of(answer: str) -> str:
    """An answer that is no number, as text: the boxed part, or else the last line.

    The mark of a worked solution's answer line is none of it.
    """
    content = boxed(answer)
    if content is None:
        lines = [line for line in answer.splitlines() if line.strip()]
        content = lines[-1].strip().removeprefix(ANSWER_LINE.format("")) if lines else ""
    content = re.sub(r"\\left|\\right|\\[,;! ]|[\s$]", "", content)
    return re.sub(r"\\[dt]frac", r"\\frac", content).rstrip(".。")
