"""The four operations, worked out: sign reasoning first, then numbers that are not negative.

Multiplication splits one factor by places and keeps a running sum, as in Goat (arXiv 2305.14201);
division is long division, a quotient digit a line. Where the split would be longer than the
product itself (one non-zero digit), the product stands alone.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import List, NamedTuple, Tuple

from tools.corpus.worked.numbers import (
    EXACT,
    bracketed,
    cut_to,
    decimals,
    digits,
    ending,
    plain,
    round_to,
    shown,
)


class Worked(NamedTuple):
    """Lines, and the value that they arrive at."""

    lines: List[str]
    value: Fraction


def aligned(a: Decimal, sign: str, b: Decimal) -> str:
    """Print two numbers that are not negative with zeros in front, to the same length.

    Digits of one place then stand at one distance from the point, and tokenizers that take
    digits in groups of three from the left (LLaMA-3's) cut both numbers at the same places.
    """
    texts = [plain(a), plain(b)]
    width = max(len(text.partition(".")[0]) for text in texts)
    first, second = ["0" * (width - len(text.partition(".")[0])) + text for text in texts]
    return f"{first} {sign} {second}"


def add(a: Decimal, b: Decimal) -> Tuple[List[str], Decimal]:
    """Add two numbers that are not negative."""
    total = EXACT.add(a, b)
    return [f"{aligned(a, '+', b)} = {plain(total)}"], total


def subtract(a: Decimal, b: Decimal) -> Tuple[List[str], Decimal]:
    """Subtract b from a, 0 <= b <= a."""
    difference = EXACT.subtract(a, b)
    return [f"{aligned(a, '-', b)} = {plain(difference)}"], difference


def signed_sum(text: str, a: Decimal, sign: str, b: Decimal) -> Worked:
    """Work out `a + b` or `a - b` with numbers of any sign; `text` is how the problem prints it."""
    other = b if sign == "+" else -b
    size_a, size_b = abs(a), abs(b)
    if (a < 0) == (other < 0):
        form, negative = f"{plain(size_a)} + {plain(size_b)}", a < 0
        lines, size = add(size_a, size_b)
    else:
        large, small = max(size_a, size_b), min(size_a, size_b)
        form, negative = f"{plain(large)} - {plain(small)}", (a if size_a >= size_b else other) < 0
        lines, size = subtract(large, small)
    value = size.copy_negate() if negative else size
    form = f"-({form})" if negative else form
    chain = [f"{text} = {form}"] if form != text else []
    closing = [f"{text} = {plain(value)}"] if negative else []
    return Worked([*chain, *lines, *closing], Fraction(value))


def multiply(a: Decimal, b: Decimal) -> Tuple[List[str], Decimal]:
    """Multiply two numbers that are not negative."""
    parts_a, parts_b = digits(a), digits(b)
    product = EXACT.multiply(a, b)
    expression = f"{plain(a)} * {plain(b)}"
    if min(len(parts_a), len(parts_b)) <= 1:
        return [f"{expression} = {plain(product)}"], product
    whole, parts = (b, parts_a) if len(parts_a) < len(parts_b) else (a, parts_b)
    lines, total = [f"{expression}："], Decimal(0)
    for index, (digit, exponent) in enumerate(parts):
        part = Decimal(digit).scaleb(exponent)
        value = EXACT.multiply(whole, part)
        lines.append(f"{plain(whole)} * {plain(part)} = {plain(value)}")
        if index:
            more, total = add(total, value)
            lines += more
        else:
            total = value
    return [*lines, f"{expression} = {plain(product)}"], product


def signed_product(text: str, a: Decimal, b: Decimal) -> Worked:
    """Work out `a * b` with numbers of any sign."""
    lines, size = multiply(abs(a), abs(b))
    form = f"{plain(abs(a))} * {plain(abs(b))}"
    negative = (a < 0) != (b < 0) and bool(size)
    form = f"-({form})" if negative else form
    chain = [f"{text} = {form}"] if form != text else []
    value = size.copy_negate() if negative else size
    closing = [f"{text} = {plain(value)}"] if negative else []
    return Worked([*chain, *lines, *closing], Fraction(value))


def divide(dividend: int, divisor: int, places: int) -> Worked:
    """Divide whole numbers, 0 <= dividend, 0 < divisor, to so many decimals."""
    expression = f"{dividend} / {divisor}"
    value = Fraction(dividend, divisor)
    if not dividend or str(divisor).rstrip("0") == "1":
        return Worked([f"{expression} {ending(value, places)}"], value)
    lines = [f"{expression}："]
    figures, at = str(dividend), 1
    while int(figures[:at]) < divisor and at < len(figures):
        at += 1
    current, after = int(figures[:at]), 0
    while True:
        quotient, rest = divmod(current, divisor)
        lines.append(f"{current} = {divisor} * {quotient} + {rest}")
        if at == len(figures) and (not rest or after == places + 1):
            break
        current = rest * 10 + (int(figures[at]) if at < len(figures) else 0)
        after += at == len(figures)
        at = min(at + 1, len(figures))
    return Worked([*lines, f"{expression} {conclusion(value, places, after, bool(rest))}"], value)


def conclusion(value: Fraction, places: int, computed: int, goes_on: bool) -> str:
    """Say what digit-by-digit work came to, `computed` decimals of it, and round it.

    `= 0.25`, `= 0.03125 ≈ 0.0313`, `= 3.19882… ≈ 3.1988`.
    """
    text = shown(cut_to(value, computed)) + "…" if goes_on else plain(cut_to(value, computed))
    if computed <= places:
        return f"= {text}"
    return f"= {text} ≈ {shown(round_to(value, places))}"


def signed_quotient(text: str, a: Decimal, b: Decimal, places: int) -> Worked:
    """Work out `a / b` with numbers of any sign, b not 0."""
    size_a, size_b = abs(a), abs(b)
    negative = (a < 0) != (b < 0) and bool(a)
    forms = [f"{plain(size_a)} / {plain(size_b)}"]
    shift = max(decimals(size_a), decimals(size_b))
    whole_a, whole_b = (int(size.scaleb(shift, EXACT)) for size in (size_a, size_b))
    if shift:
        forms.append(f"{whole_a} / {whole_b}")
    signed = [f"-({form})" if negative else form for form in forms]
    chain = [form for form in signed if form != text]
    head = [" = ".join([text, *chain])] if chain else []
    size = divide(whole_a, whole_b, places)
    value = -size.value if negative else size.value
    closing = [f"{text} {ending(value, places)}"] if negative else []
    return Worked([*head, *size.lines, *closing], value)


def power_text(base: Decimal, exponent: int) -> str:
    """Print a power, brackets around a negative base."""
    return f"{bracketed(base)}^{exponent}"
