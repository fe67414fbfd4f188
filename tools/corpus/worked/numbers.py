"""Exact numbers as they are written in worked solutions."""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation
from fractions import Fraction
from typing import List, Tuple

from tools.corpus.grammar import Rounding

# The source's numbers have some 30 digits; the longest that the grammar takes, 24 digits to the
# power of 999, some 24 000. Should a number ever not fit, it is an error.
EXACT = Context(prec=50_000, traps=[Inexact, InvalidOperation, DivisionByZero])


def plain(value: Decimal) -> str:
    """Print without exponent, trailing zeros or a negative zero: 9603.20 gives 9603.2."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def bracketed(value: Decimal) -> str:
    """Print with brackets around a negative number."""
    return f"({plain(value)})" if value < 0 else plain(value)


def decimals(value: Decimal) -> int:
    """Count the decimals of `plain(value)`."""
    return len(plain(value).partition(".")[2])


def digits(value: Decimal) -> List[Tuple[int, int]]:
    """Give the non-zero digits of a non-negative number as (digit, exponent of ten), largest first.

    2050.8 gives [(2, 3), (5, 1), (8, -1)].
    """
    _, figures, exponent = value.as_tuple()
    top = len(figures) - 1 + int(exponent)
    return [(digit, top - place) for place, digit in enumerate(figures) if digit]


def round_to(value: Fraction, places: int) -> Decimal:
    """Round half away from zero to so many decimals (below 0: to tens, hundreds, …)."""
    scaled = abs(value) * Fraction(10) ** places
    count = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(count if value >= 0 else -count).scaleb(-places, EXACT)


def cut_to(value: Fraction, places: int) -> Decimal:
    """Cut a number that is not negative off after so many decimals."""
    scaled = value * 10**places
    return Decimal(scaled.numerator // scaled.denominator).scaleb(-places, EXACT)


def leading(value: Fraction) -> int:
    """Give the exponent of ten of the first significant digit: 1234 gives 3, 1/8 gives -1."""
    value = abs(value)
    guess = len(str(value.numerator)) - len(str(value.denominator))
    return guess if value >= Fraction(10) ** guess else guess - 1


def places_of(value: Fraction, rounding: Rounding) -> int:
    """Give the number of decimals to which `rounding` rounds the value."""
    if rounding.significant is None:
        return rounding.decimals or 0
    return rounding.significant - 1 - (leading(value) if value else 0)


def rounded(value: Fraction, rounding: Rounding) -> Decimal:
    """Round as a recipe says; trailing zeros stay."""
    places = places_of(value, rounding)
    result = round_to(value, places)
    # 9.996 to three significant digits is 10.0, not 10.00.
    if rounding.significant is not None and result and leading(Fraction(result)) > leading(value):
        result = round_to(value, places - 1)
    return result


def shown(value: Decimal) -> str:
    """Print a rounded number with the decimals it has."""
    return f"{value:f}" if value or not str(value).startswith("-") else f"{abs(value):f}"


def terminates(value: Fraction) -> bool:
    """Whether the number is a finite decimal."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def as_decimal(value: Fraction) -> Decimal:
    """Give a finite decimal as Decimal, exactly."""
    return EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))


def ending(value: Fraction, places: int) -> str:
    """Say how a computed value is written: `= 0.25`, or rounded, `≈ 3.1988`."""
    result = round_to(value, places)
    return f"= {plain(result)}" if Fraction(result) == value else f"≈ {shown(result)}"
