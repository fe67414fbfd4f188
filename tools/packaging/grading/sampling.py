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
    """Two shares of independent draws."""
    low, _ = wilson(*claim, Z)
    _, high = wilson(*measured, Z)
    allowed = math.hypot(claim.value - low, high - measured.value)
    return Pair(claim.value, measured.value, allowed)


def weighted(claims: Dict[str, Share], measured: Dict[str, Share]) -> Pair:
    """All kinds that both have, weighted as in `measured`: the claim is what that mix would give.

    Raises ValueError where they have no kind in common.
    """
    kinds = sorted(claims.keys() & measured.keys())
    total = sum(measured[kind].count for kind in kinds)
    if not total:
        raise ValueError("no kind in common")
    pairs = {kind: pair_of(claims[kind], measured[kind]) for kind in kinds}
    weights = {kind: measured[kind].count / total for kind in kinds}
    return Pair(
        sum(weights[kind] * pairs[kind].claim for kind in kinds),
        sum(weights[kind] * pairs[kind].measured for kind in kinds),
        math.sqrt(sum((weights[kind] * pairs[kind].allowed) ** 2 for kind in kinds)),
    )
