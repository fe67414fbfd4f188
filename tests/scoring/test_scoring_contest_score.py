"""The contest's score: the published leaderboard, eligibility, rank, what more is worth."""

from __future__ import annotations

import pytest

from tools.files.errors import UserError
from tools.scoring import contest_score as contest
from tools.settings.contest import read_contest

RULES = read_contest()


@pytest.mark.parametrize("place, entry", list(enumerate(RULES.leaderboard, 1)))
def test_published_scores(place, entry):
    score = contest.contest_score(entry.accuracy / 100, entry.ratio, RULES)
    # The teams' ratios are rounded to six digits or nine decimals.
    assert score == pytest.approx(entry.score, abs=1e-9)
    assert contest.rank_of(entry.score, RULES) == place


def test_published_ratio_of_rank_8_on_wq_and_wv():
    ratio = contest.low_parameter_ratio(3_407_872, RULES.denominator)
    assert ratio == pytest.approx(0.000424393, abs=5e-10)


def test_denominator():
    assert contest.denominator_of(RULES, None) == 8_030_000_000
    assert contest.denominator_of(RULES, 8_030_261_248) == 8_030_000_000
    assert contest.denominator_of(RULES, 134_515_008) == 134_515_008


@pytest.mark.parametrize("trained, denominator", [(-1, 10), (11, 10), (0, 0)])
def test_impossible_counts(trained, denominator):
    with pytest.raises(UserError):
        contest.low_parameter_ratio(trained, denominator)


@pytest.mark.parametrize(
    "f1, em, eligible",
    [
        (53.88321397598089, 39.75326560232221, True),
        (53.88321397598088, 39.75326560232221, False),
        (53.88321397598089, 39.75326560232220, False),
        (59.9, 39.0, False),
        (100, 100, True),
    ],
)
def test_eligibility(f1, em, eligible):
    assert contest.is_eligible(f1, em, RULES.squad.minimum) is eligible


def test_rank():
    assert contest.rank_of(1.0, RULES) == 1
    assert contest.rank_of(0.0, RULES) == 21


def test_entry():
    assert contest.entry(0.64, 0.000424393, True, RULES)["rank"] == 3
    assert contest.entry(0.64, 0.000424393, None, RULES)["rank"] == 3
    assert contest.entry(0.64, 0.000424393, False, RULES)["rank"] is None


def test_worth():
    worth = contest.worth(0.64, 0.000424393, RULES)
    assert worth["point"] == pytest.approx(0.007)
    assert worth["doubling"] == pytest.approx(-0.3 * 0.000424393)
    following = worth["next"]
    assert (following["rank"], following["score"]) == (2, 0.793620729)
    reached = contest.contest_score(following["accuracy"], 0.000424393, RULES)
    assert reached == pytest.approx(following["score"])
    assert contest.worth(1, 0, RULES)["next"] is None
    assert contest.worth(0.99, 1, RULES)["next"]["accuracy"] is None
