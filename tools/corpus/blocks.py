"""Verifies the digit work of worked solutions: products, quotients, roots.

Each step of a block follows from its header alone, so it is compared with what must stand there.
The products of a power and of a function's powers depend on the lines before: they have a state.
"""

from __future__ import annotations

import math
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

from tools.corpus.exact import (
    NUMBER,
    Meter,
    Unverified,
    Value,
    check_zeros,
    is_rounded,
    literal,
    number,
    same,
    shortest,
)
from tools.corpus.grammar import Problem

_N = r"[0-9]+(?:\.[0-9]+)?"
_HEADER = re.compile(rf"({_N}) ([*/]) ({_N})|√({_N})")
_PRODUCT = re.compile(rf"({_N}) \* ({_N}) = ({_N})")
_SUM = re.compile(rf"({_N}) \+ ({_N}) = ({_N})")
_POWER_OF_X = re.compile(rf"(?:x\^([1-9][0-9]{{0,3}})|y)：(-?{NUMBER}) \* (-?{NUMBER}) ([=≈]) (.+)")
_EUCLID = re.compile(r"[0-9]+ = [0-9]+ \* [0-9]+ \+ [0-9]+")
_POWER = re.compile(rf"(?:({_N})|\(-({_N})\))\^([0-9]{{1,4}}) = ({_N} \* {_N})")
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

    decimals   of a quotient or root that has a remainder, the decimals that were found.
    found      the decimals that were found in any quotient or root.
    """

    decimals: Optional[int] = None
    found: Optional[int] = None


def operands(header: str) -> Tuple[str, ...]:
    """Give the numbers of a header; raise Unverified where it is not an operation."""
    match = _HEADER.fullmatch(header)
    if match is None:
        raise Unverified("a block is about one product, quotient or root of numbers without a sign")
    numbers = tuple(group for group in (match.group(1), *match.groups()[2:]) if group)
    if max(map(len, numbers)) > _LONGEST:
        raise Unverified(f"a number of more than {_LONGEST} characters")
    return numbers


def body(header: str, lines: Lines) -> Body:
    """Verify the lines below `header：` as far as the conclusion, which is not taken."""
    first, sign, second, radicand = _HEADER.fullmatch(header).groups()
    if sign == "*":
        return _product(first, second, lines)
    if sign == "/":
        return _quotient(header, first, second, lines)
    return _root(header, radicand, lines)


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
        if match is None or match.group(2) != part or match.group(1) != other:
            raise Unverified(f"here must stand {other} * {part} = …")
        check_zeros(match.group(3))
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
        check_zeros(f"{match.group(1)} + {match.group(2)}")
        check_zeros(match.group(3))
        total += value
        if _scaled(match.group(3), scale) != total:
            raise Unverified(f"{match.group(3)} is not {total_text} + {value_text}")
        total_text = match.group(3)
    return Body()


def _quotient(header: str, first: str, second: str, lines: Lines) -> Body:
    if "." in header:
        raise Unverified("only whole numbers are divided digit by digit")
    divisor = int(second)
    if not divisor:
        raise Unverified("it divides by zero")
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
            return Body(decimals if rest else None, decimals)
        if spent and not rest:
            return Body(None, decimals)
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
            return Body(found if rest or left else None, found)
        if used >= len(pairs) and not rest:
            return Body(None, found)


def is_euclid(line: str) -> bool:
    """Tell whether a line has the form of a step of Euclid's algorithm."""
    return _EUCLID.fullmatch(line) is not None


def common_divisor(numbers: Tuple[int, ...], lines: Lines) -> None:
    """Verify the reduction of a fraction from its first line on, which may be 最大公约数 itself."""
    large, small = max(numbers), min(numbers)
    if is_euclid(lines.peek()):
        while small:
            times, rest = divmod(large, small)
            lines.expect(f"{large} = {small} * {times} + {rest}")
            large, small = small, rest
    divisor = math.gcd(*numbers)
    lines.expect(f"最大公约数 = {divisor}")
    for part in numbers:
        lines.expect(f"{part} / {divisor} = {part // divisor}")


class Products:
    """The products that a power is worked out by: each must follow from the last one's result.

    `wanted` is the product that the next statement must work out, if any.
    """

    def __init__(self, problem: Problem) -> None:
        base, self.exponent = problem.numbers
        self.base = self.last = shortest(f"{base:f}")
        # Without the form (-0.5)^3 before, the first product must be about the problem's base.
        self.may_begin = base >= 0 or self.exponent % 2 == 0
        self.reached = 1
        self.wanted = ""

    def announce(self, line: str) -> bool:
        """Take `0.5^3 = 0.25 * 0.5`; give False for a line of another form."""
        match = _POWER.fullmatch(line)
        if match is None or (match.group(1) or match.group(2)) != self.base:
            return False
        product = f"{self.last} * {self.base}"
        if int(match.group(3)) != self.reached + 1 or match.group(4) != product:
            raise Unverified(f"here must stand {self.base}^{self.reached + 1} = {product}")
        self.reached += 1
        self.wanted = product
        return True

    def work_out(self, expression: str, result: str) -> None:
        """Take the result of the statement after, which must be about the product."""
        if expression != self.wanted:
            what = f"{self.wanted} must be worked out" if self.wanted else "must stand a power"
            raise Unverified(f"here {what}")
        self.last, self.wanted = result, ""

    def end(self) -> None:
        """Raise Unverified where products are missing."""
        if self.wanted or 1 < self.reached < self.exponent:
            raise Unverified(f"the products end before {self.base}^{self.exponent}")


class PowersOfX:
    """The lines `x^4：57.6081 * 57.6081 ≈ 3318.69` of a function of a high power, and its last."""

    def __init__(self, problem: Problem) -> None:
        x, self.coefficient, self.highest = problem.numbers
        self.powers: Dict[int, Value] = {1: Value(*x.as_integer_ratio())}
        self.finished = False  # the last line, y：…, has been seen

    def verify(self, line: str, meter: Meter) -> Optional[str]:
        """Verify a line, and give its result as printed; None where it has another form."""
        match = _POWER_OF_X.fullmatch(line)
        if match is None:
            return None
        label, a, b, link, product = match.groups()
        left, right, shown = number(a), number(b), literal(product)
        check_zeros(f"{a} * {b}")
        check_zeros(product)
        if label is None:
            self._check_last(left, right, a, b)
        else:
            self._check_factors(int(label), left, right, f"{a} and {b}")
        exact = Value(left.top * right.top, left.bottom * right.bottom)
        meter.spend(4 * (exact.top.bit_length() + exact.bottom.bit_length() + abs(shown.places)))
        if link == "=" and not same(exact, number(product)):
            raise Unverified(f"{product} is not {a} * {b}")
        if link == "≈" and not is_rounded(exact, shown, significant=True):
            raise Unverified(f"{product} is not {a} * {b}, rounded")
        if label is None:
            self.finished = True
        else:
            self.powers[int(label)] = number(product)
        return product

    def _check_factors(self, k: int, left: Value, right: Value, text: str) -> None:
        powers = self.powers
        if k in powers:
            raise Unverified(f"x^{k} has been worked out before")
        if not any(
            k - i in powers and same(left, power) and same(right, powers[k - i])
            for i, power in powers.items()
        ):
            raise Unverified(f"{text} stand at no two exponents that add up to {k}")

    def _check_last(self, left: Value, right: Value, a: str, b: str) -> None:
        if not same(left, Value(self.coefficient, 1)):
            raise Unverified(f"{a} is not the function's {self.coefficient}")
        if self.highest not in self.powers or not same(right, self.powers[self.highest]):
            raise Unverified(f"{b} stands at no x^{self.highest} before")
