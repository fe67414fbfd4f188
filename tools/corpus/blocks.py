"""Verifies the digit work of worked solutions: products, quotients, roots, columns.

Each step of a block follows from its header alone, so it is compared with what must stand there.
"""

from __future__ import annotations

import re
from typing import List, NamedTuple, Optional, Tuple

from tools.corpus.exact import Unverified

_N = r"[0-9]+(?:\.[0-9]+)?"
_HEADER = re.compile(rf"({_N}) ([-+*/]) ({_N})|√({_N})")
_PRODUCT = re.compile(rf"({_N}) \* ({_N}) = ({_N})")
_SUM = re.compile(rf"({_N}) \+ ({_N}) = ({_N})")
_LONGEST = 1000


class Lines:
    """The statements of a solution, and how many of them have been taken."""

    def __init__(self, lines: List[str]) -> None:
        self.lines = lines
        self.taken = 0

    def take(self) -> str:
        """Give the next line; raise Unverified where there is none."""
        self.taken += 1
        if self.taken > len(self.lines):
            raise Unverified("the block before has no conclusion")
        return self.lines[self.taken - 1]

    def peek(self) -> str:
        """Give the next line without taking it, an empty text after the last."""
        return self.lines[self.taken] if self.taken < len(self.lines) else ""

    def expect(self, text: str) -> None:
        """Take the next line; raise Unverified where it is not this text."""
        if self.take() != text:
            raise Unverified(f"here must stand {text}")


class Body(NamedTuple):
    """What the body of a block leaves for its conclusion, which is the next line.

    prefix     what stands before the expression: the digits of columns.
    decimals   of a quotient or root that has a remainder, the decimals that were found.
    found      the decimals that were found in any quotient or root.
    """

    prefix: str = ""
    decimals: Optional[int] = None
    found: Optional[int] = None


def operands(header: str) -> Tuple[str, ...]:
    """Give the numbers of a header; raise Unverified where it is not an operation."""
    match = _HEADER.fullmatch(header)
    if match is None:
        raise Unverified("a block is about one operation on numbers without a sign")
    numbers = tuple(group for group in (match.group(1), *match.groups()[2:]) if group)
    if max(map(len, numbers)) > _LONGEST:
        raise Unverified(f"a number of more than {_LONGEST} characters")
    return numbers


def body(header: str, digits: str, lines: Lines) -> Body:
    """Verify the lines below `header：digits` as far as the conclusion, which is not taken."""
    first, sign, second, radicand = _HEADER.fullmatch(header).groups()
    if digits:
        if sign not in ("+", "-", "*"):
            raise Unverified("only sums, differences and products are worked in columns")
        return _columns(first, sign, second, digits, lines)
    if sign == "*":
        return _product(first, second, lines)
    if sign == "/":
        return _quotient(header, first, second, lines)
    if radicand:
        return _root(header, radicand, lines)
    raise Unverified("the digits of the two numbers are missing")


def _scaled(text: str, places: int) -> int:
    """Give the number times 10^places; -1, which no number here is, where that is not whole."""
    whole, _, part = text.partition(".")
    if len(text) > 3 * _LONGEST:
        raise Unverified("a number of too many digits")
    if len(part) > places:
        if part[places:].strip("0"):
            return -1
        part = part[:places]
    return int(whole + part) * 10 ** (places - len(part))


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _non_zero(text: str) -> int:
    return len(text) - text.count("0") - text.count(".")


def _product(first: str, second: str, lines: Lines) -> Body:
    other, split = (second, first) if _non_zero(first) < _non_zero(second) else (first, second)
    if not _non_zero(split):
        raise Unverified("a product with zero has nothing to split")
    places = _decimals(split)
    scale = _decimals(other) + places
    factor = _scaled(other, _decimals(other))
    digits = split.replace(".", "")
    total = None
    for at, digit in enumerate(digits):
        if digit == "0":
            continue
        place = len(digits) - 1 - at  # counted from the last digit, decimals included
        if place >= places:
            part = digit + "0" * (place - places)
        else:
            part = f"0.{'0' * (places - place - 1)}{digit}"
        value = factor * int(digit) * 10**place
        match = _PRODUCT.fullmatch(lines.take())
        if match is None or match.group(2) != part or not _equal(match.group(1), other):
            raise Unverified(f"here must stand {other} * {part} = …")
        if _scaled(match.group(3), scale) != value:
            raise Unverified(f"{match.group(3)} is not {other} * {part}")
        if total is None:
            total, total_text = value, match.group(3)
            continue
        value_text = match.group(3)
        match = _SUM.fullmatch(lines.take())
        if match is None:
            raise Unverified(f"here must stand {total_text} + {value_text} = …")
        if _scaled(match.group(1), scale) != total or _scaled(match.group(2), scale) != value:
            raise Unverified(f"here must stand {total_text} + {value_text} = …")
        total += value
        if _scaled(match.group(3), scale) != total:
            raise Unverified(f"{match.group(3)} is not {total_text} + {value_text}")
        total_text = match.group(3)
    return Body()


def _equal(text: str, other: str) -> bool:
    places = _decimals(other)
    return text == other or _scaled(text, places) == _scaled(other, places)


def _quotient(header: str, first: str, second: str, lines: Lines) -> Body:
    if "." in header:
        raise Unverified("only whole numbers are divided digit by digit")
    divisor = int(second)
    if not divisor:
        raise Unverified("it divides by zero")
    if divisor > 9 and lines.peek() == f"{divisor} * 1 = {divisor}":
        for times in range(1, 10):
            lines.expect(f"{divisor} * {times} = {divisor * times}")
    digits = str(int(first))
    used = min(len(str(divisor)), len(digits))
    if int(digits[:used]) < divisor and used < len(digits):
        used += 1
    part, decimals = int(digits[:used]), 0
    conclusion = f"{header} = "
    while True:
        quotient, rest = divmod(part, divisor)
        lines.expect(f"{part} = {divisor} * {quotient} + {rest}")
        spent = used == len(digits)
        if lines.peek().startswith(conclusion):
            if not spent:
                raise _too_early(lines, f"{rest}{digits[used]}")
            return Body("", decimals if rest else None, decimals)
        if spent and not rest:
            return Body("", None, decimals)
        if spent:
            part, decimals = rest * 10, decimals + 1
        else:
            part, used = rest * 10 + int(digits[used]), used + 1


def _too_early(lines: Lines, part: str) -> Unverified:
    lines.take()
    return Unverified(f"the block ends before its digits are spent: {part.lstrip('0')} is next")


def _root(header: str, radicand: str, lines: Lines) -> Body:
    whole, _, part = radicand.partition(".")
    whole = whole.lstrip("0") or "0"
    digits = whole.rjust(len(whole) + len(whole) % 2, "0")
    digits += part.ljust(len(part) + len(part) % 2, "0")
    pairs = [int(digits[at : at + 2]) for at in range(0, len(digits), 2)]
    point = (len(whole) + 1) // 2  # how many pairs stand before the point
    used = 0
    if whole == "0" and len(pairs) > 1 and lines.peek() != "0 = 0 * 0 + 0":
        used = 1  # the pair before the point may be left out where it is zero
    rest = root = 0
    conclusion = f"{header} = "
    while True:
        rest = rest * 100 + (pairs[used] if used < len(pairs) else 0)
        used += 1
        digit = next(q for q in range(9, -1, -1) if (20 * root + q) * q <= rest)
        factor = 20 * root + digit
        part_text = f"{rest} = {factor} * {digit}"
        rest -= factor * digit
        root = 10 * root + digit
        lines.expect(f"{part_text} + {rest}")
        left = any(pairs[used:])
        found = used - point
        if lines.peek().startswith(conclusion):
            if found < 0:
                raise _too_early(lines, f"{rest}{pairs[used]:02}")
            return Body("", found if rest or left else None, found)
        if used >= len(pairs) and not rest:
            return Body("", None, found)


def _reversed_digits(first: str, second: str, sign: str) -> Tuple[str, str]:
    """Give two numbers as digits, last place first; padded as sums and differences need it."""
    if sign != "*":
        places = max(_decimals(first), _decimals(second))
        first += "0" * (places - _decimals(first))
        second += "0" * (places - _decimals(second))
    one, other = (text.replace(".", "").lstrip("0") or "0" for text in (first, second))
    if sign != "*":
        length = max(len(one), len(other))
        one, other = one.rjust(length, "0"), other.rjust(length, "0")
    return one[::-1], other[::-1]


def _columns(first: str, sign: str, second: str, digits: str, lines: Lines) -> Body:
    one, other = _reversed_digits(first, second, sign)
    expected = f"{' '.join(one)} {sign} {' '.join(other)}"
    if digits != expected:
        raise Unverified(f"the digits must be {expected}")
    if sign == "*":
        result = _column_products([int(d) for d in one], [int(d) for d in other], lines)
    elif sign == "+":
        result = _column_sums(one, other, lines)
    else:
        result = _column_differences(one, other, lines)
    return Body(f"{' '.join(result)}：")


def _column_sums(one: str, other: str, lines: Lines) -> str:
    result, carry = "", 0
    for a, b in zip(one, other):
        total = int(a) + int(b) + carry
        lines.expect(f"{a} + {b} + {carry} = {total}")
        carry = total // 10
        result += str(total % 10)
    return result + ("1" if carry else "")


def _column_differences(one: str, other: str, lines: Lines) -> str:
    if one[::-1] < other[::-1]:
        raise Unverified("the first number is smaller than the second")
    result, borrow = "", 0
    for a, b in zip(one, other):
        upper = int(a)
        short = upper - int(b) - borrow < 0
        if short:
            upper += 10
        digit = upper - int(b) - borrow
        lines.expect(f"{upper} - {b} - {borrow} = {digit}")
        borrow = 1 if short else 0
        result += str(digit)
    return result


def _column_products(one: List[int], other: List[int], lines: Lines) -> str:
    result, carry = "", 0
    for k in range(len(one) + len(other) - 1):
        rows = range(max(0, k - len(other) + 1), min(k, len(one) - 1) + 1)
        total = sum([one[i] * other[k - i] for i in rows]) + carry
        terms = " + ".join([f"{one[i]} * {other[k - i]}" for i in rows])
        lines.expect(f"{terms} + {carry} = {total}")
        carry = total // 10
        result += str(total % 10)
    return result + (str(carry)[::-1] if carry else "")
