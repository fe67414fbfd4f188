"""Least significant digit first: a line a column, the carry its last term.

After the scratchpads of arXiv 2307.03381 (digits apart, last place first, the carry written out)
and the layout of arXiv 2311.14737 (digits apart, operands padded to one length): the digit to be
written depends only on the digits of its column and the last line's carry.
"""

from __future__ import annotations

from decimal import Decimal
from typing import List, Tuple

from tools.corpus.worked.numbers import EXACT, decimals, plain


def _reversed_digits(value: Decimal, places: int) -> List[int]:
    whole = int(value.scaleb(places, EXACT))
    return [int(figure) for figure in reversed(str(whole))]


def _apart(figures: List[int]) -> str:
    return " ".join(map(str, figures))


def _block(
    expression: str, upper: List[int], sign: str, lower: List[int], body: List[str], out: List[int]
) -> List[str]:
    header = f"{expression}：{_apart(upper)} {sign} {_apart(lower)}"
    return [header, *body, f"{_apart(out)}：{expression} = "]


def add_columns(a: Decimal, b: Decimal) -> Tuple[List[str], Decimal]:
    """Add two numbers that are not negative; the lines and the sum."""
    upper, lower = _padded(a, b)
    body, out, carry = [], [], 0
    for x, y in zip(upper, lower):
        total = x + y + carry
        body.append(f"{x} + {y} + {carry} = {total}")
        carry, figure = divmod(total, 10)
        out.append(figure)
    if carry:
        out.append(carry)
    result = EXACT.add(a, b)
    lines = _block(f"{plain(a)} + {plain(b)}", upper, "+", lower, body, out)
    return [*lines[:-1], lines[-1] + plain(result)], result


def subtract_columns(a: Decimal, b: Decimal) -> Tuple[List[str], Decimal]:
    """Subtract b from a, 0 <= b <= a; the lines and the difference."""
    upper, lower = _padded(a, b)
    body, out, borrowed = [], [], 0
    for x, y in zip(upper, lower):
        top = x + 10 if x < y + borrowed else x
        out.append(top - y - borrowed)
        body.append(f"{top} - {y} - {borrowed} = {out[-1]}")
        borrowed = int(top >= 10)
    result = EXACT.subtract(a, b)
    lines = _block(f"{plain(a)} - {plain(b)}", upper, "-", lower, body, out)
    return [*lines[:-1], lines[-1] + plain(result)], result


def multiply_columns(a: Decimal, b: Decimal) -> Tuple[List[str], Decimal]:
    """Multiply two numbers that are not negative; the lines and the product."""
    upper = _reversed_digits(a, decimals(a))
    lower = _reversed_digits(b, decimals(b))
    body, out, carry = [], [], 0
    for column in range(len(upper) + len(lower) - 1):
        first = max(0, column - len(lower) + 1)
        pairs = [(upper[i], lower[column - i]) for i in range(first, min(column + 1, len(upper)))]
        total = sum(x * y for x, y in pairs) + carry
        terms = [f"{x} * {y}" for x, y in pairs]
        body.append(f"{' + '.join([*terms, str(carry)])} = {total}")
        carry, figure = divmod(total, 10)
        out.append(figure)
    out.extend(int(figure) for figure in reversed(str(carry)) if carry)
    result = EXACT.multiply(a, b)
    lines = _block(f"{plain(a)} * {plain(b)}", upper, "*", lower, body, out)
    return [*lines[:-1], lines[-1] + plain(result)], result


def _padded(a: Decimal, b: Decimal) -> Tuple[List[int], List[int]]:
    places = max(decimals(a), decimals(b))
    upper, lower = _reversed_digits(a, places), _reversed_digits(b, places)
    length = max(len(upper), len(lower))
    return [(row + [0] * length)[:length] for row in (upper, lower)]  # type: ignore[return-value]
