"""Competition problems of counting and probability."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Tuple

from tools.corpus.templates.common import NAMES, Template, Written, box, grouped, tex


def committee(rng: random.Random) -> Written:
    men, women = rng.randint(3, 14), rng.randint(3, 14)
    i, j = rng.randint(2, min(men, 5)), rng.randint(2, min(women, 5))
    problem = (
        f"A club has {men} men and {women} women. In how many ways can it choose a committee of "
        f"{i} men and {j} women?"
    )
    ways = math.comb(men, i) * math.comb(women, j)
    solution = (
        rf"The choices are independent: $\binom{{{men}}}{{{i}}} \cdot \binom{{{women}}}{{{j}}} = "
        rf"{math.comb(men, i)} \cdot {math.comb(women, j)} = \boxed{{{grouped(ways)}}}$."
    )
    return problem, solution


def marbles(rng: random.Random) -> Written:
    red, blue = rng.randint(2, 30), rng.randint(2, 30)
    problem = (
        f"A bag holds {red} red marbles and {blue} blue marbles. Two marbles are drawn at random "
        "without replacement. What is the probability that they have different colors?"
    )
    total = red + blue
    chance = Fraction(2 * red * blue, total * (total - 1))
    solution = (
        rf"Of $\binom{{{total}}}{{2}} = {total * (total - 1) // 2}$ pairs, "
        rf"${red} \cdot {blue} = {red * blue}$ are mixed. The probability is "
        f"{box(chance)}."
    )
    return problem, solution


def dice_sum(rng: random.Random) -> Written:
    sides = rng.randint(4, 40)
    total = rng.randint(3, 2 * sides - 1)
    problem = (
        f"Two fair {sides}-sided dice, numbered from 1 to {sides}, are rolled. What is the "
        f"probability that the sum of the numbers is {total}?"
    )
    ways = min(total - 1, 2 * sides + 1 - total)
    solution = (
        rf"Of the ${sides}^2 = {sides**2}$ rolls, ${ways}$ have the sum ${total}$, which gives "
        f"the probability {box(Fraction(ways, sides**2))}."
    )
    return problem, solution


def coin_heads(rng: random.Random) -> Written:
    name, flips = rng.choice(NAMES), rng.randint(3, 12)
    heads = rng.randint(1, flips - 1)
    problem = (
        f"{name} flips a fair coin {flips} times. What is the probability of exactly {heads} "
        f"head{'s' if heads > 1 else ''}?"
    )
    solution = (
        rf"There are $\binom{{{flips}}}{{{heads}}} = {math.comb(flips, heads)}$ ways among "
        rf"$2^{{{flips}}}$, so \[P = \boxed{{"
        rf"{tex(Fraction(math.comb(flips, heads), 2**flips))}}}.\]"
    )
    return problem, solution


TEMPLATES: Tuple[Template, ...] = (
    committee,
    marbles,
    dice_sum,
    coin_heads,
)
