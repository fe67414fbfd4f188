"""The contest's score, eligibility and rank, and what a little more of something is worth."""

from __future__ import annotations

from typing import Any, Dict, Optional

from tools.files.errors import UserError
from tools.settings.contest import Contest, ReadingScore


def denominator_of(rules: Contest, total: Optional[int]) -> int:
    """Return what trained parameters are divided by.

    That is the prescribed number for the contest's model (its exact count, or None), and the count
    itself for any other.
    """
    return rules.denominator if total in (None, rules.model_parameters) else total


def low_parameter_ratio(trained: int, denominator: int) -> float:
    """trained / denominator. Raises UserError unless 0 <= trained <= denominator > 0."""
    if denominator <= 0 or not 0 <= trained <= denominator:
        what = f"{trained} trained parameters of {denominator}"
        raise UserError(what, None, "give the trained ones, then all of them")
    return trained / denominator


def contest_score(accuracy: float, ratio: float, rules: Contest) -> float:
    """Return (1 - ratio) * ratio_weight + accuracy * accuracy_weight, accuracy from 0 to 1."""
    weights = rules.score
    return (1 - ratio) * weights.ratio_weight + accuracy * weights.accuracy_weight


def is_eligible(f1: float, em: float, minimum: ReadingScore) -> bool:
    """Whether F1 and EM, in percent, both reach the minimum."""
    return f1 >= minimum.f1 and em >= minimum.em


def rank_of(score: float, rules: Contest) -> int:
    """Return the place on the published leaderboard; an equal score shares the place."""
    return 1 + sum(entry.score > score for entry in rules.leaderboard)


def entry(
    accuracy: float, ratio: float, eligible: Optional[bool], rules: Contest
) -> Dict[str, Any]:
    """Return the "contest" part of scores.json: {"eligible", "score", "rank"}.

    `eligible` None means that reading was not measured against a base model; the rank is then
    the one that the score would have. An entry that is not eligible has no rank.
    """
    score = contest_score(accuracy, ratio, rules)
    rank = None if eligible is False else rank_of(score, rules)
    return {"eligible": eligible, "score": score, "rank": rank}


def worth(accuracy: float, ratio: float, rules: Contest) -> Dict[str, Any]:
    """What more would bring.

    Returns {"point": score of one more percentage point of accuracy, "doubling": score of
    twice the trained parameters (negative), "next": None or {"rank", "team", "score",
    "accuracy"}}, where `accuracy` (0 to 1) would draw level with the next team above at the
    same ratio; it is None where not even 1 would.
    """
    score = contest_score(accuracy, ratio, rules)
    above = [other for other in rules.leaderboard if other.score > score]
    following = None
    if above:
        needed = accuracy + (above[-1].score - score) / rules.score.accuracy_weight
        following = {
            "rank": rank_of(above[-1].score, rules),
            "team": above[-1].team,
            "score": above[-1].score,
            "accuracy": needed if needed <= 1 else None,
        }
    return {
        "point": rules.score.accuracy_weight / 100,
        "doubling": contest_score(accuracy, 2 * ratio, rules) - score,
        "next": following,
    }
