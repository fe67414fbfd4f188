"""Exact values, and what it means to round one, to cut one off and to state it as an answer.

A part of the checker of worked solutions: it shares no arithmetic with what solves or writes
them. Values are pairs of integers that are never reduced, since a comparison needs no reduction.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import NamedTuple

from tools.corpus.grammar import Problem, Rounding

NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:E[+-][0-9]+)?"  # without a sign
_ZEROS_IN_FRONT = re.compile(r"(?<![0-9.])0[0-9]")
_ALIGNED = re.compile(r"-?([0-9]+)(?:\.[0-9]+)? [-+] -?([0-9]+)(?:\.[0-9]+)?")
_SIGNED = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:E([+-][1-9][0-9]{0,4}))?")

# The largest exact values are those of functions: 24 digits, taken to the power of 999.
_MOST_DIGITS = 1000
_MOST_EXPONENT = 12_000
_MOST_BITS = 200_000


class Unverified(ValueError):
    """A statement that is false, has no known form or would take too much work; str() says why."""


class Value(NamedTuple):
    """top / bottom, bottom positive; with `root` the square root of that, which is irrational."""

    top: int
    bottom: int
    root: bool = False


class Meter:
    """Bounds the work that one solution may cause, in bits of the integers that are handled."""

    def __init__(self, bits: int = 10_000_000) -> None:
        self.left = bits

    def spend(self, bits: int) -> None:
        """Raise Unverified where a single result of `bits`, or the sum so far, is too large."""
        self.left -= bits
        if bits > _MOST_BITS:
            raise Unverified("it needs numbers that are too large to compute with")
        if self.left < 0:
            raise Unverified("the solution takes too much work to check")


class Literal(NamedTuple):
    """A number as it is printed: digits * 10^-places, `shown` digits from the first non-zero on."""

    negative: bool
    digits: int
    places: int
    shown: int
    exponent: bool


def literal(text: str) -> Literal:
    """Read `12`, `-3.50` or `4.1973E+83`; raise Unverified where the text is none of those."""
    match = _SIGNED.fullmatch(text)
    if match is None:
        raise Unverified(f"{_short(text)} is not a number")
    sign, whole, part, power = match.groups()
    if len(text) > _MOST_DIGITS:
        raise Unverified(f"a number of more than {_MOST_DIGITS} characters")
    digits, places = whole, 0
    if part is not None:
        digits, places = whole + part, len(part)
    if power is not None:
        places -= int(power)
        if len(whole) != 1 or whole == "0" or abs(places) > _MOST_EXPONENT:
            raise Unverified(f"{_short(text)} is not a number that may stand here")
    shown = len(digits.lstrip("0"))
    return Literal(sign == "-", int(digits), places, shown, power is not None)


def number(text: str) -> Value:
    """Give the value of a printed number."""
    negative, digits, places, _, _ = literal(text)
    if negative:
        digits = -digits
    return Value(digits, 10**places) if places >= 0 else Value(digits * 10**-places, 1)


def check_zeros(text: str) -> None:
    """Raise Unverified where zeros stand in front of a number, other than to align two digits.

    `9122.29 + 0975.43` is aligned, `09122.29 + 00975.43` and `0975.43` alone are not.
    """
    if not _ZEROS_IN_FRONT.search(text):
        return
    aligned = _ALIGNED.fullmatch(text)
    if aligned:
        one, other = aligned.groups()
        if len(one) == len(other) and not one[0] == other[0] == "0":
            return
    raise Unverified("zeros in front may only align the digits of two numbers")


def shortest(text: str) -> str:
    """Print a number without sign and idle zeros."""
    if "E" in text:
        return text.lstrip("-")
    whole, _, part = text.lstrip("-").partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def tenfolds(text: str) -> str:
    """Print a number's digits without point and zeros around: one text for all its tenfolds."""
    return text.partition("E")[0].replace(".", "").strip("0")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def printed(reason: str) -> str:
    """Give a reason for one line of a terminal: of bounded length, without control characters."""
    if len(reason) > 200:
        reason = f"{reason[:120]} … {reason[-70:]}"
    return "".join([char if char.isprintable() else "?" for char in reason])


def same(a: Value, b: Value) -> bool:
    """Tell whether two values are equal."""
    return a.root == b.root and a.top * b.bottom == b.top * a.bottom


def square_root(value: Value) -> Value:
    """Give the root of a value that is not negative, rational where it is."""
    square = value.top * value.bottom
    side = math.isqrt(square)
    return Value(side, value.bottom) if side * side == square else Value(*value[:2], root=True)


def _floor(value: Value, places: int, times: int = 1) -> int:
    """Give the whole part of times * |value| * 10^places."""
    top, bottom, root = value
    top = abs(top) * (times * times if root else times)
    shift = 10 ** ((2 if root else 1) * abs(places))
    whole = top * shift // bottom if places >= 0 else top // (bottom * shift)
    return math.isqrt(whole) if root else whole


def _rounded(value: Value, places: int) -> int:
    # floor(y + 1/2) is (floor(2y) + 1) // 2, for irrational y too.
    return (_floor(value, places, 2) + 1) // 2


def _magnitude(value: Value) -> int:
    """Give the exponent of the first digit of a value that is not zero: 2 for 345."""
    top, bottom, root = value
    guess = int((top.bit_length() - bottom.bit_length()) * (0.150515 if root else 0.30103))
    while not _floor(value, -guess):
        guess -= 1
    while _floor(value, -guess - 1):
        guess += 1
    return guess


def is_cut(value: Value, cut: Literal) -> bool:
    """Tell whether `cut` holds the first digits of the value, and not all of them."""
    if cut.exponent or cut.negative != (value.top < 0):
        return False
    exact = not value.root and abs(value.top) * 10**cut.places == cut.digits * value.bottom
    return _floor(value, cut.places) == cut.digits and not exact


def is_rounded(value: Value, shown: Literal, significant: bool = False) -> bool:
    """Tell whether `shown` is the value rounded half away from zero to the places it shows.

    Places are decimals; where it has an exponent, or with `significant`, significant digits.
    """
    if shown.negative != (value.top < 0 and shown.digits > 0):
        return False
    if _rounded(value, shown.places) != shown.digits:
        return False
    if not (significant or shown.exponent) or shown.digits != 10 ** (shown.shown - 1):
        return True
    # 10.0 shows three digits, and is right for 9.996, but not for 9.97: that has three itself.
    finer = shown.places + 1
    return _floor(value, shown.places) == shown.digits or (
        _rounded(value, finer) == 10 * shown.digits
    )


def kept_places(value: Value, rounding: Rounding) -> int:
    """Give the decimals that an answer keeps, fewer than none for 12300 of three digits.

    Raise Unverified where the answer is not to be rounded and its decimals never end.
    """
    if rounding.decimals is not None:
        return rounding.decimals
    if rounding.significant is not None:
        return rounding.significant - 1 - _magnitude(value) if value.top else 0
    rest = value.bottom // math.gcd(value.top, value.bottom)
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    fives = 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    if value.root or rest != 1:
        raise Unverified("the answer has no last decimal and no rounding is set")
    return max(twos, fives)


def answer_text(value: Value, rounding: Rounding) -> str:
    """Print the rounded value as an answer: plain digits, an exponent only where zeros would be."""
    places = kept_places(value, rounding)
    whole = _rounded(value, places)
    if not whole:
        return "0"
    if whole.bit_length() > 3 * _MOST_DIGITS:
        raise Unverified("the answer has too many digits to be stated")
    digits = str(whole).rstrip("0")
    first = len(str(whole)) - 1 - places  # the exponent of the first digit
    sign = "-" if value.top < 0 else ""
    if not -7 <= first < 28:
        part = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{part}E{first:+d}"
    if first < 0:
        return f"{sign}0.{'0' * (-first - 1)}{digits}"
    whole_part, part = digits[: first + 1].ljust(first + 1, "0"), digits[first + 1 :]
    return f"{sign}{whole_part}.{part}" if part else f"{sign}{whole_part}"


def answer_line(problem: Problem, rounding: Rounding) -> str:
    """Return the answer line of a problem; raise Unverified where that cannot be stated."""
    value = problem_value(problem)
    if problem.kind == "fraction":
        return f"#### {Fraction(value.top, value.bottom)}"
    return f"#### {answer_text(value, rounding)}"


def problem_value(problem: Problem) -> Value:
    """Give the exact value of a problem."""
    kind = problem.kind
    pairs = [number.as_integer_ratio() for number in problem.numbers]
    if kind == "mean":
        return Value(sum(top for top, _ in pairs), len(pairs))
    (a, below_a), (b, below_b) = pairs[0], pairs[1 if len(pairs) > 1 else 0]
    if kind in ("add", "subtract"):
        b = -b if kind == "subtract" else b
        return Value(a * below_b + b * below_a, below_a * below_b)
    if kind in ("multiply", "area", "mass"):
        return Value(a * b, below_a * below_b)
    if kind in ("divide", "fraction"):
        top, bottom = a * below_b, below_a * b
        return Value(top, bottom) if bottom > 0 else Value(-top, -bottom)
    if kind == "power":
        return Value(a**b, below_a**b)
    if kind == "function":
        exponent = pairs[2][0]
        return Value(b * a**exponent, below_a**exponent)
    if kind == "root":
        return square_root(Value(a, below_a))
    if kind == "equation":
        return Value(-b, a) if a > 0 else Value(b, -a)
    if kind == "discount":
        return Value((a - b) * 100, a)
    return Value(a * (100 + b), 100)  # sales
