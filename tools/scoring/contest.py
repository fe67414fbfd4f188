"""The contest's score, eligibility and rank, and what a little more of something is worth."""

from __future__ import annotations

from typing import Any, Dict, Optional

from tools.files.errors import UserError
from tools.settings.contest import Contest, Phase, ReadingScore


def phase_of(rules: Contest, number: int) -> Phase:
    """The rules of phase `number`; UserError if the contest has no such phase."""
    if number not in rules.phases:
        known = ", ".join(str(phase) for phase in sorted(rules.phases))
        raise UserError(f"there is no phase {number}", "--phase", f"choose one of {known}")
    return rules.phases[number]


def denominator_of(rules: Contest, total: Optional[int], phase: Optional[Phase] = None) -> int:
    """What trained parameters are divided by: the prescribed number for a model of the contest's
    (where its exact count is given, or none: then that of `phase`), the count itself for any
    other model."""
    if total is None:
        return (phase and phase.denominator) or rules.denominator
    return rules.prescribed(total) or total


def published_minimum(rules: Contest, phase: Phase) -> Optional[ReadingScore]:
    """The F1 and EM that the organisers have published for the phase's model; None where none."""
    return rules.squad.minimum if phase.model_parameters is None else None


def low_parameter_ratio(trained: int, denominator: int) -> float:
    """trained / denominator. Raises UserError unless 0 <= trained <= denominator > 0."""
    if denominator <= 0 or not 0 <= trained <= denominator:
        what = f"{trained} trained parameters of {denominator}"
        raise UserError(what, None, "give the trained ones, then all of them")
    return trained / denominator


def contest_score(accuracy: float, ratio: float, phase: Phase) -> float:
    """(1 - factor * ratio) * ratio_weight + accuracy * accuracy_weight, accuracy from 0 to 1."""
    return (1 - phase.ratio_factor * ratio) * phase.ratio_weight + accuracy * phase.accuracy_weight


def is_eligible(f1: float, em: float, minimum: ReadingScore) -> bool:
    """Whether F1 and EM, in percent, both reach the minimum."""
    return f1 >= minimum.f1 and em >= minimum.em


def rank_of(score: float, phase: Phase) -> Optional[int]:
    """The place on the published leaderboard; None where none was published.

    An equal score shares the place.
    """
    if not phase.leaderboard:
        return None
    return 1 + sum(entry.score > score for entry in phase.leaderboard)


def entry(
    accuracy: float, ratio: float, eligible: Optional[bool], number: int, phase: Phase
) -> Any:
    """The "contest" part of scores.json: {"phase", "eligible", "score", "rank"}.

    `eligible` None means that reading was not measured against a base model; the rank is then
    the one that the score would have. An entry that is not eligible has no rank.
    """
    score = contest_score(accuracy, ratio, phase)
    rank = None if eligible is False else rank_of(score, phase)
    return {"phase": number, "eligible": eligible, "score": score, "rank": rank}


def worth(accuracy: float, ratio: float, phase: Phase) -> Dict[str, Any]:
    """What more would bring.

    Returns {"point": score of one more percentage point of accuracy, "doubling": score of
    twice the trained parameters (negative), "next": None or {"rank", "team", "score",
    "accuracy"}}, where `accuracy` (0 to 1) would draw level with the next team above at the
    same ratio; it is None where not even 1 would.
    """
    score = contest_score(accuracy, ratio, phase)
    above = [other for other in phase.leaderboard if other.score > score]
    following = None
    if above:
        needed = accuracy + (above[-1].score - score) / phase.accuracy_weight
        following = {
            "rank": rank_of(above[-1].score, phase),
            "team": above[-1].team,
            "score": above[-1].score,
            "accuracy": needed if needed <= 1 else None,
        }
    return {
        "point": phase.accuracy_weight / 100,
        "doubling": contest_score(accuracy, 2 * ratio, phase) - score,
        "next": following,
    }
