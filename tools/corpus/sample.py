"""Problems drawn in the source's slots, the same on every machine for the same seed.

Every choice goes through one random.Random per kind, seeded with a text, and no order depends on
a set or a hash. Drawing more of a kind leaves the first ones as they were.
"""

from __future__ import annotations

import itertools
import random
from decimal import Decimal
from fractions import Fraction
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from tools.corpus.grammar import Problem, group_text
from tools.corpus.kinds import CHINESE
from tools.files.errors import UserError


def _cents(low: int, high: int, rng: random.Random) -> Decimal:
    return Decimal(rng.randint(low, high)).scaleb(-2)


def _operands(rng: random.Random) -> Tuple:
    return _cents(-1_000_000, 1_000_000, rng), _cents(-1_000_000, 1_000_000, rng)


def _divide(rng: random.Random) -> Tuple:
    while True:
        a, b = _operands(rng)
        if b:
            return a, b


def _power(rng: random.Random) -> Tuple:
    while True:
        base, exponent = _cents(-100_000, 100_000, rng), rng.randint(0, 5)
        if base or exponent:
            return base, exponent


def _equation(rng: random.Random) -> Tuple:
    a = rng.randint(1, 100)
    return (a if rng.randint(0, 1) else -a), rng.randint(-100, 100)


def _up_to_100(rng: random.Random) -> Tuple:
    return rng.randint(1, 100), rng.randint(1, 100)


def _fraction(rng: random.Random) -> Tuple:
    numerator = rng.randint(1, 9)
    return numerator, rng.randint(numerator + 1, 10)


_SLOTS: Dict[str, Callable[[random.Random], Tuple]] = {
    "add": _operands,
    "subtract": _operands,
    "multiply": _operands,
    "divide": _divide,
    "power": _power,
    "root": lambda rng: (_cents(0, 1_000_000, rng),),
    "equation": _equation,
    "function": lambda rng: (_cents(10, 1000, rng), rng.randint(1, 100), rng.randint(1, 99)),
    "mean": lambda rng: tuple(rng.randint(1, 100) for _ in range(rng.randint(3, 10))),
    "area": _up_to_100,
    "discount": _up_to_100,
    "sales": _up_to_100,
    "mass": lambda rng: (rng.randint(1, 10), rng.randint(1, 10)),
    "fraction": _fraction,
}


def _square(limit: int) -> List[Tuple[int, int]]:
    return list(itertools.product(range(1, limit + 1), repeat=2))


# What `_SLOTS` draws from, the least and the largest of each number.
_CENTS = (-10_000, 10_000)
_BOUNDS: Dict[str, Tuple[Tuple[Union[int, Fraction], int], ...]] = {
    "add": (_CENTS, _CENTS),
    "subtract": (_CENTS, _CENTS),
    "multiply": (_CENTS, _CENTS),
    "divide": (_CENTS, _CENTS),
    "power": ((-1000, 1000), (0, 5)),
    "root": ((0, 10_000),),
    "equation": ((-100, 100), (-100, 100)),
    "function": ((Fraction(1, 10), 10), (1, 100), (1, 99)),
    "mean": ((1, 100),) * 10,
    "area": ((1, 100), (1, 100)),
    "discount": ((1, 100), (1, 100)),
    "sales": ((1, 100), (1, 100)),
    "mass": ((1, 10), (1, 10)),
    "fraction": ((1, 9), (2, 10)),
}


def in_slots(problem: Problem) -> bool:
    """Return whether the source's slots have a problem of these values, however it is printed."""
    kind, numbers = problem
    bounds = _BOUNDS[kind]
    if len(numbers) > len(bounds) or (kind == "mean" and len(numbers) < 3):
        return False
    if kind == "fraction" and numbers[0] >= numbers[1]:
        return False
    return all(
        low <= Fraction(number) <= high and Fraction(number) * 100 % 1 == 0
        for number, (low, high) in zip(numbers, bounds)
    )


# Kinds whose whole space is small enough to be listed and shuffled. The sizes agree with the
# unique counts of the contest's file: 45 fractions, 100 masses, 40 080 of 40 200 equations.
_SPACES: Dict[str, Callable[[], List[Tuple[int, int]]]] = {
    "equation": lambda: [(a, b) for a in range(-100, 101) if a for b in range(-100, 101)],
    "area": lambda: _square(100),
    "discount": lambda: _square(100),
    "sales": lambda: _square(100),
    "mass": lambda: _square(10),
    "fraction": lambda: [(n, d) for d in range(2, 11) for n in range(1, d)],
}

# How many different problems can be drawn. For the kinds that are drawn by rejection it is half
# the space at most, beyond which rejection would take ever longer.
CAPACITY: Dict[str, int] = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "mean"), 10**9),
    "power": 600_000,
    "root": 500_000,
    "function": 4_000_000,
    "equation": 200 * 201,
    "area": 10_000,
    "discount": 10_000,
    "sales": 10_000,
    "mass": 100,
    "fraction": 45,
}


def generate(kind: str, rng: random.Random) -> Problem:
    """Draw one problem of a kind, uniformly in the source's slots."""
    return Problem(kind, _SLOTS[kind](rng))


def draw(
    counts: Mapping[str, int], seed: int, exponents: Optional[Sequence[int]] = None, free: int = 0
) -> List[Problem]:
    """Draw different problems, `counts[kind]` of each kind, kinds in the order of the contest.

    exponents   those of the powers after the first `free` ones; None for all.

    No two of one kind differ only in the order of operands that may be exchanged, as long as
    the kind has enough others: so each can be held out by itself. Raises UserError where a kind
    is unknown or has fewer problems than are asked for.
    """
    problems: List[Problem] = []
    for kind in counts:
        if kind not in CAPACITY:
            raise UserError(f"no problem of kind {kind!r} can be generated", "kinds")
        if not 0 <= counts[kind] <= CAPACITY[kind]:
            raise UserError(
                f"{counts[kind]} problems of kind {kind} are asked for, {CAPACITY[kind]} exist",
                "kinds",
                "ask for fewer rows",
            )
    for kind in CHINESE:
        source = _different(kind, random.Random(f"{seed}/{kind}"))
        if kind == "power" and exponents is not None:
            first = itertools.islice(source, free)
            source = itertools.chain(first, (p for p in source if p.numbers[1] in exponents))
        problems.extend(itertools.islice(source, counts.get(kind, 0)))
    return problems


def _different(kind: str, rng: random.Random) -> Iterator[Problem]:
    seen = set()
    space = _SPACES.get(kind)
    if space is None:
        while True:
            problem = generate(kind, rng)
            group = group_text(problem)
            if group not in seen:
                seen.add(group)
                yield problem
    numbers = space()
    rng.shuffle(numbers)
    turned = []
    for pair in numbers:
        problem = Problem(kind, pair)
        group = group_text(problem)
        if group in seen:
            turned.append(problem)
        else:
            seen.add(group)
            yield problem
    yield from turned


def proportional(
    total: int, weights: Mapping[str, int], capacity: Optional[Mapping[str, int]] = None
) -> Dict[str, int]:
    """Divide `total` over the kinds in proportion to `weights`, by largest remainders.

    No kind gets more than its capacity, what is over goes to the others; every kind of positive
    weight gets at least one where total and capacity allow. Ties go to the earlier kind. Raises
    UserError where the capacities together are below the total.
    """
    weights = {kind: weight for kind, weight in weights.items() if weight > 0}
    most = {kind: total if capacity is None else capacity.get(kind, 0) for kind in weights}
    if total > sum(most.values()):
        raise UserError(
            f"{total} rows are asked for, {sum(most.values())} different problems are left",
            "corpus",
            "ask for fewer rows",
        )
    least = {kind: int(total >= len(weights) and most[kind] > 0) for kind in weights}

    # Pour water: at a level each kind holds level * weight, within its bounds. The exact level
    # at which they hold `total` lies in the segment above the last bound that is not too much.
    def shares(level: Fraction) -> Dict[str, Fraction]:
        return {k: min(Fraction(most[k]), max(level * weights[k], least[k])) for k in weights}

    level = Fraction(0)
    for kind, bound in itertools.product(weights, (least, most)):
        edge = Fraction(bound[kind], weights[kind])
        if edge > level and sum(shares(edge).values()) <= total:
            level = edge
    rising = [k for k in weights if least[k] <= level * weights[k] < most[k]]
    if rising:
        level += (total - sum(shares(level).values())) / sum(weights[k] for k in rising)
    exact = shares(level)
    counts = {kind: int(share) for kind, share in exact.items()}
    by_remainder = sorted(weights, key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: total - sum(counts.values())]:
        counts[kind] += 1
    return counts
