"""What chance allows between an accuracy that is claimed and one that is measured anew.

Both are shares of problems that were drawn, so both are uncertain. The difference of two shares
is held against Newcombe's interval (1998, Statistics in Medicine 17, 873-890, method 10), which is
made of Wilson's and is right for few problems too. Kinds of problem are drawn independently of
one another: the allowance of their weighted mean is the root of the sum of squares (Zou and
Donner, 2008, Statistics in Medicine 27, 1693-1702).
"""

from __future__ import annotations

import math
from typing import Dict, NamedTuple

from tools.scoring.arithmetic import wilson

# 99.9 %, two-sided: fourteen kinds are looked at, and an honest package should pass.
Z = 3.2905267314919255
LEVEL = "99.9 %"


class Share(NamedTuple):
    """`correct` of `count`, count from 1 on."""

    correct: int
    count: int

    @property
    def value(self) -> float:
        return self.correct / self.count


class Pair(NamedTuple):
    """A claimed accuracy, the one measured, and how far below the claim chance may put it."""

    claim: float
    measured: float
    allowed: float


def pair_of(claim: Share, measured: Share) -> Pair:
    """Return two shares of independent draws as a pair."""
    low, _ = wilson(*claim, Z)
    _, high = wilson(*measured, Z)
    allowed = math.hypot(claim.value - low, high - measured.value)
    return Pair(claim.value, measured.value, allowed)


def weighted(claims: Dict[str, Share], measured: Dict[str, Share]) -> Pair:
    """Return the mean over kinds, weighted as in `measured`, which `claims` has all of."""
    total = sum(share.count for share in measured.values())
    parts = [
        (share.count / total, pair_of(claims[kind], share)) for kind, share in measured.items()
    ]
    return Pair(
        sum(weight * pair.claim for weight, pair in parts),
        sum(weight * pair.measured for weight, pair in parts),
        math.hypot(*(weight * pair.allowed for weight, pair in parts)),
    )
