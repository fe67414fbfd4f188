r"""What the templates share: how numbers are drawn and printed in LaTeX, the \boxed{...}."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Callable, Iterable, List, Tuple, Union

from tools.corpus.solve import SOURCE

# A problem and its solution.
Written = Tuple[str, str]
Template = Callable[[random.Random], Written]

NAMES = (
    *("Evelyn", "Carla", "Debra", "Angela", "Briana", "Marcus", "Tomas", "Yuki", "Ines", "Omar"),
    *("Priya", "Felix", "Greta", "Hugo", "Leila", "Nora", "Pavel", "Rosa", "Silas", "Wanda"),
)


def box(answer: Union[str, int, Fraction]) -> str:
    """Print an answer, or the LaTeX of one, in its box and in math mode."""
    return rf"$\boxed{{{tex(answer)}}}$"


def tex(value: Union[str, int, Fraction]) -> str:
    r"""Print a number: -7, \frac{2}{3}; a text stays as it is."""
    if isinstance(value, str):
        return value
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def signed_sum(*terms: Tuple[int, str]) -> str:
    """Print coefficients and symbols as a sum: (6, "x^2"), (-1, "x"), (3, "") is 6x^2-x+3."""
    text = ""
    for number, symbol in terms:
        if number:
            digits = "" if symbol and abs(number) == 1 else str(abs(number))
            text += ("-" if number < 0 else "+" if text else "") + digits + symbol
    return text or "0"


def decimal_text(value: Fraction) -> str:
    """Print a fraction that ends as a decimal, without trailing zeros."""
    text = f"{SOURCE.divide(value.numerator, value.denominator):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def upright(words: str) -> str:
    """Print words within math mode."""
    return rf"\text{{{words}}}"


def dollars(cents: int) -> str:
    """Print an amount of cents in dollars: 1905 is 19.05."""
    return f"{cents // 100}.{cents % 100:02}"


def grouped(number: int) -> str:
    """Print a number with thousands separators as LaTeX spells them: 12{,}600."""
    return f"{number:,}".replace(",", "{,}")


def square_root(number: int) -> Tuple[int, int]:
    """Give the whole factor and the square-free rest of a square root: 72 is 6 times root 2."""
    factor, rest = 1, number
    for d in range(2, math.isqrt(number) + 1):
        while rest % (d * d) == 0:
            factor, rest = factor * d, rest // (d * d)
    return factor, rest


def radical(factor: int, rest: int) -> str:
    """Print what `square_root` gives."""
    if rest == 1:
        return str(factor)
    return ("" if factor == 1 else str(factor)) + rf"\sqrt{{{rest}}}"


def signed(rng: random.Random, most: int, least: int = 2) -> int:
    """Draw a number of least to most, with either sign."""
    return rng.choice((-1, 1)) * rng.randint(least, most)


def draw_names(rng: random.Random, count: int) -> List[str]:
    """Draw different names of people."""
    names = list(NAMES)
    rng.shuffle(names)
    return names[:count]


def matrix(rows: Iterable[Iterable[int]]) -> str:
    """Print a matrix in round brackets."""
    body = r" \\ ".join(" & ".join(map(str, row)) for row in rows)
    return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"
