"""Powers by repeated products, roots digit by digit, functions of high powers by squaring."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import List, Tuple

from tools.corpus.grammar import Rounding
from tools.corpus.worked.numbers import (
    EXACT,
    as_decimal,
    decimals,
    ending,
    leading,
    places_of,
    plain,
    rounded,
    shown,
)
from tools.corpus.worked.operations import Worked, multiply, power_text


def power(base: Decimal, exponent: int, rounding: Rounding) -> Worked:
    """Work out a power of a whole exponent from 0, the base of any sign."""
    value = Fraction(base) ** exponent
    text, size = power_text(base, exponent), base.copy_abs()
    end = ending(value, places_of(value, rounding))
    if exponent < 2 or not base:
        return Worked([f"{text} {end}"], value)
    negative = value < 0
    form = f"-({power_text(size, exponent)})" if negative else power_text(size, exponent)
    lines = [f"{text} = {form}"] if base < 0 else []
    last = size
    for step in range(2, exponent + 1):
        lines.append(f"{power_text(size, step)} = {plain(last)} * {plain(size)}")
        more, last = multiply(last, size)
        lines += more
    exact = plain(last.copy_negate() if negative else last)
    rounds = f" {end}" if end != f"= {exact}" else ""
    return Worked([*lines, f"{text} = {exact}{rounds}"], value)


def root(radicand: Decimal, rounding: Rounding) -> Tuple[List[str], str]:
    """Work out a square root digit by digit; the lines and the rounded root.

    The digits are taken in pairs. With p the root so far and r the remainder, the next digit q is
    the largest with (20 p + q) q <= 100 r + pair.
    """
    expression = f"√{plain(radicand)}"
    shift = decimals(radicand) + decimals(radicand) % 2
    figures = str(int(radicand.scaleb(shift, EXACT)))
    figures = "0" * (len(figures) % 2) + figures
    pairs = [int(figures[at : at + 2]) for at in range(0, len(figures), 2)]
    whole = max(len(pairs) - shift // 2, 0)
    pairs = [0] * max(shift // 2 - len(pairs) + 1, 0) + pairs
    whole = max(whole, 1)
    places = _root_places(radicand, rounding)
    lines, found, rest, after = [f"{expression}："], 0, 0, 0
    while True:
        current = rest * 100 + (pairs.pop(0) if pairs else 0)
        if whole:
            whole -= 1
        else:
            after += 1
        digit = next(q for q in range(9, -1, -1) if (20 * found + q) * q <= current)
        rest = current - (20 * found + digit) * digit
        lines.append(f"{current} = {20 * found + digit} * {digit} + {rest}")
        found = 10 * found + digit
        if not whole and (after == places + 1 or not (rest or any(pairs))):
            break
    cut = Decimal(found).scaleb(-after, EXACT)
    # Half or more: the next digit, here the last one found, is 5 or above.
    near = shown(_rounded_from(found, after, places))
    text = shown(cut) + "…" if rest or any(pairs) else plain(cut)
    lines.append(f"{expression} = {text}" + (f" ≈ {near}" if after > places else ""))
    return lines, near if after > places else text


def root_value(radicand: Decimal, rounding: Rounding) -> Decimal:
    """Give a root rounded half away from zero, exactly."""
    places = _root_places(radicand, rounding)
    scaled = Fraction(radicand) * 100 ** (places + 1)
    return _rounded_from(math.isqrt(scaled.numerator // scaled.denominator), places + 1, places)


def _rounded_from(found: int, after: int, places: int) -> Decimal:
    if after <= places:
        return Decimal(found).scaleb(-after, EXACT)
    scale = 10 ** (after - places)
    return Decimal((2 * found + scale) // (2 * scale)).scaleb(-places, EXACT)


def _root_places(radicand: Decimal, rounding: Rounding) -> int:
    if rounding.significant is None or not radicand:
        return rounding.decimals or 0
    return max(0, rounding.significant - 1 - leading(Fraction(radicand)) // 2)


def function(
    x: Decimal, coefficient: int, exponent: int, rounding: Rounding
) -> Tuple[List[str], Decimal]:
    """Work out coefficient * x ^ exponent by squaring, in numbers of few digits.

    Each product is rounded to some digits more than the answer has; as many more as it takes for
    the answer to be right. Left to right over the exponent's bits: squares, and products with x.
    Returns the lines and the rounded value.
    """
    value = coefficient * Fraction(x) ** exponent
    # The exact value has hundreds of digits; only its rounding is wanted.
    wanted = rounded(value, rounding)
    first = f"y = {coefficient} * {power_text(x, exponent)}"
    if exponent < 2 or not value:
        short = f"{coefficient} * {plain(as_decimal(Fraction(x) ** exponent))}"
        return [f"{first} = {short} {ending(value, places_of(value, rounding))}"], wanted
    kept = rounding.significant or max(1, leading(value) + 1 + (rounding.decimals or 0))
    for guard in range(2, 60):
        lines, result = _squarings(x, coefficient, exponent, kept + guard, kept)
        if rounded(Fraction(result), rounding) == wanted:
            return [first, *lines], wanted
    raise ArithmeticError(f"{first}: no number of digits gives {wanted}")


def _squarings(
    x: Decimal, coefficient: int, exponent: int, digits: int, kept: int
) -> Tuple[List[str], Decimal]:
    lines: List[str] = []
    last, done = x, 1

    def product(label: str, a: Decimal, b: Decimal, width: int) -> Decimal:
        exact = EXACT.multiply(a, b)
        result = rounded(Fraction(exact), Rounding(significant=width))
        sign = "=" if result == exact else "≈"
        written = exact if result == exact else result
        factors = f"{_scientific(a, digits)} * {_scientific(b, digits)}"
        lines.append(f"{label}：{factors} {sign} {_scientific(written, width, sign == '≈')}")
        return result

    for bit in bin(exponent)[3:]:
        last, done = product(f"x^{2 * done}", last, last, digits), 2 * done
        if bit == "1":
            last, done = product(f"x^{done + 1}", last, x, digits), done + 1
    result = product("y", Decimal(coefficient), last, kept)
    return lines, result


def _scientific(value: Decimal, digits: int, padded: bool = False) -> str:
    """Print plainly where that takes no zeros that carry nothing, else as 4.1973E+83."""
    exponent = value.adjusted()
    if value and not -4 <= exponent < digits:
        mantissa = value.scaleb(-exponent, EXACT)
        text = f"{mantissa:f}" if padded else plain(mantissa)
        return f"{text}E{exponent:+d}"
    return shown(value) if padded else plain(value)
