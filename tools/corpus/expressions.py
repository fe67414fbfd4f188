"""Reads the expressions and chains of worked solutions, and computes them exactly.

sum      product, or several with + and - between them
product  factor, or several with * and / between them
factor   primary, -primary, or primary ^ whole number
primary  number, √number, or ( sum )
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import List, NamedTuple, Optional, Tuple

from tools.corpus.exact import (
    NUMBER,
    Meter,
    Unverified,
    Value,
    check_zeros,
    is_cut,
    is_rounded,
    literal,
    number,
    same,
    shortest,
    square_root,
)
from tools.corpus.grammar import OPERATORS, Problem, operands

_TOKEN = re.compile(rf"{NUMBER}|[^ ]")
_LINK = re.compile(" ([=≈]) ")
_PLAIN = re.compile(rf"-?{NUMBER}")
_NUMBERS = re.compile(NUMBER)
_SIGNED_IN_BRACKETS = re.compile(rf"\((-?{NUMBER})\)")
_WHOLE = re.compile("[0-9]{1,5}")
# One space on both sides of an operation, none after a sign or within brackets.
_UNEVEN = re.compile(
    r"  |^ | $| [)^]|[(^√] |[0-9)][*/+(√-]|[0-9)] -(?! )|[*/](?! )|(?<!E)[+](?! )|(?:^|[-+*/(] ?)- "
)
_EQUATION = re.compile(rf"(-?)({NUMBER})?x(?: ([-+]) (-?{NUMBER}))? = (.+)")
_DEEPEST = 40


class Expression(NamedTuple):
    """A side of a statement.

    value       what it comes to; None for a decimal that is cut off.
    numbers     the numbers in it as printed, without sign, exponents of powers left out.
    exponents   the exponents of its powers.
    plain       it is one number and nothing else.
    parts       what its operations come to, the last of them to the value.
    """

    text: str
    value: Optional[Value]
    numbers: Tuple[str, ...]
    exponents: Tuple[str, ...]
    plain: bool
    parts: Tuple[Value, ...] = ()


class _Reader:
    def __init__(self, text: str, meter: Meter) -> None:
        self.tokens = [*_TOKEN.findall(text), ""]
        self.at = 0
        self.meter = meter
        self.numbers: List[str] = []
        self.exponents: List[str] = []
        self.parts: List[Value] = []

    def sum(self, depth: int) -> Value:
        value = self.product(depth)
        while self.tokens[self.at] in ("+", "-"):
            sign = self.tokens[self.at]
            self.at += 1
            value = self.combine(sign, value, self.product(depth))
            self.parts.append(value)
        return value

    def product(self, depth: int) -> Value:
        value = self.factor(depth)
        while self.tokens[self.at] in ("*", "/"):
            sign = self.tokens[self.at]
            self.at += 1
            value = self.combine(sign, value, self.factor(depth))
            self.parts.append(value)
        return value

    def factor(self, depth: int) -> Value:
        negative = self.tokens[self.at] == "-"
        if negative:
            self.at += 1
        root = self.tokens[self.at] == "√"
        value = self.primary(depth)
        if self.tokens[self.at] == "^":
            if negative or root:
                raise Unverified("a base with a sign before it needs brackets")
            value = self.power(value)
            self.parts.append(value)
        if negative:
            if value.root:
                raise Unverified("an irrational root may only stand alone")
            return Value(-value.top, value.bottom)
        return value

    def power(self, base: Value) -> Value:
        exponent = self.tokens[self.at + 1]
        self.at += 2
        if not _WHOLE.fullmatch(exponent):
            raise Unverified("an exponent must be a whole number from 0, of five digits at most")
        if base.root:
            raise Unverified("an irrational root may only stand alone")
        if self.tokens[self.at] == "^":
            raise Unverified("a power of a power needs brackets")
        self.exponents.append(exponent)
        times = int(exponent)
        if not times and not base.top:
            raise Unverified("zero to the power of zero has no value")
        self.meter.spend((base.top.bit_length() + base.bottom.bit_length()) * times)
        return Value(base.top**times, base.bottom**times)

    def primary(self, depth: int) -> Value:
        token = self.tokens[self.at]
        self.at += 1
        if "0" <= token[:1] <= "9":
            value = number(token)
            self.numbers.append(token)
            if len(token) > 20 or "E" in token:
                self.meter.spend(value.top.bit_length() + value.bottom.bit_length())
            return value
        if token == "(":
            if depth == _DEEPEST:
                raise Unverified(f"brackets more than {_DEEPEST} deep")
            value = self.sum(depth + 1)
            if self.tokens[self.at] != ")":
                raise Unverified("a bracket is not closed")
            self.at += 1
            return value
        if token == "√":
            below = self.tokens[self.at]
            if not "0" <= below[:1] <= "9":
                raise Unverified("√ must stand before a number")
            radicand = self.primary(depth)
            self.meter.spend(2 * (radicand.top.bit_length() + radicand.bottom.bit_length()))
            return square_root(radicand)
        raise Unverified(f"'{token}' cannot be read" if token else "an expression breaks off")

    def combine(self, sign: str, a: Value, b: Value) -> Value:
        top, bottom, root = a
        other, below, other_root = b
        if root or other_root:
            raise Unverified("an irrational root may only stand alone")
        self.meter.spend(
            top.bit_length() + bottom.bit_length() + other.bit_length() + below.bit_length()
        )
        if sign == "*":
            return Value(top * other, bottom * below)
        if sign == "/":
            if not other:
                raise Unverified("it divides by zero")
            if other < 0:
                top, other = -top, -other
            return Value(top * below, bottom * other)
        if sign == "-":
            other = -other
        if bottom == below:
            return Value(top + other, bottom)
        return Value(top * below + other * bottom, bottom * below)


def evaluate(text: str, meter: Meter) -> Expression:
    """Read and compute an expression; raise Unverified where it is none or takes too much work."""
    reader = _Reader(text, meter)
    value = reader.sum(0)
    if reader.tokens[reader.at]:
        raise Unverified(f"'{reader.tokens[reader.at]}' is out of place")
    if _UNEVEN.search(text):
        raise Unverified("one space must stand on both sides of an operation, and no other space")
    check_zeros(text)
    plain = _PLAIN.fullmatch(text) is not None
    parts = (tuple(reader.numbers), tuple(reader.exponents), plain, tuple(reader.parts))
    return Expression(text, value, *parts)


class Equation(NamedTuple):
    """ax + b = c, the numbers on its left as printed, and its right side."""

    a: Fraction
    b: Fraction
    c: Fraction
    numbers: List[str]
    right: Expression


def read_equation(line: str, meter: Meter) -> Equation:
    """Read `-39x + 20 = 0` or `-39x = -20`; raise Unverified where it is none or has no x."""
    match = _EQUATION.fullmatch(line)
    if match is None:
        raise Unverified("it is no equation of the form ax + b = c")
    sign, times, link, constant, right = match.groups()
    numbers = [text for text in (times, constant) if text]
    for text in numbers:
        check_zeros(text)
    a, b = (Fraction(*number(text)[:2]) for text in (times or "1", constant or "0"))
    a, b = -a if sign else a, -b if link == "-" else b
    side = evaluate(right, meter)
    if not a:
        raise Unverified("an equation without x has no single solution")
    if side.value.root:
        raise Unverified("an irrational root may only stand alone")
    return Equation(a, b, Fraction(*side.value[:2]), numbers, side)


def split_chain(line: str) -> List[str]:
    """Take a chain apart: `A = B ≈ C` gives A, =, B, ≈, C."""
    return _LINK.split(line)


def verify_links(first: Value, name: str, links: List[str], meter: Meter) -> List[Expression]:
    """Verify that `= B ≈ C`, given as =, B, ≈, C, holds for a first side of this exact value.

    Give the sides, in order. Raise Unverified at the first that does not hold.
    """
    sides = []
    for at in range(0, len(links), 2):
        link, text = links[at], links[at + 1]
        cut = text.endswith("…")
        if cut or link == "≈":
            digits = text[:-1] if cut else text
            shown = literal(digits)
            check_zeros(digits)
            meter.spend(
                4 * (first.top.bit_length() + first.bottom.bit_length() + abs(shown.places))
            )
            if cut and (link == "≈" or not is_cut(first, shown)):
                raise Unverified(f"{text} is not {name}, cut off")
            if not cut and not is_rounded(first, shown):
                raise Unverified(f"{text} is not {name}, rounded")
            sides.append(Expression(text, None, (digits.lstrip("-"),), (), True))
            continue
        if at and links[at - 2] == "≈":
            raise Unverified("= stands after ≈")
        side = evaluate(text, meter)
        meter.spend(first.top.bit_length() + first.bottom.bit_length())
        if not same(first, side.value):
            raise Unverified(f"{text} is not {name}")
        sides.append(side)
    return sides


def spelled(text: str) -> str:
    """Give an expression without spaces, idle zeros, and brackets around a single number."""
    text = _NUMBERS.sub(lambda match: shortest(match.group()), text.replace(" ", ""))
    return _SIGNED_IN_BRACKETS.sub(r"\1", text)


def own_expressions(problem: Problem) -> List[str]:
    """Give the spellings of a problem's own expression; none where only a formula states it."""
    kind = problem.kind
    n = operands(problem)
    if kind in OPERATORS:
        own = [f"{n[0]}{OPERATORS[kind]}{n[1]}"]
    elif kind == "power":
        own = [f"({n[0]})^{n[1]}"]
        if problem.numbers[1] % 2 == 0:
            own.append(f"{n[0].lstrip('-')}^{n[1]}")
    elif kind == "mean":
        total = "+".join(n)
        own = [f"({total})/{len(n)}", total]
    else:
        form = {
            "root": "√{}",
            "function": "{1}*({0})^{2}",
            "area": "{}*{}",
            "mass": "{}*{}",
            "fraction": "{}/{}",
        }.get(kind)
        own = [form.format(*n)] if form else []
    return [spelled(text) for text in own]
