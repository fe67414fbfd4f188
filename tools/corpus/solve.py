"""The answer of a problem, in the arithmetic by which the source computed it.

What "exact" means depends on the kind, since an answer is right when it equals the number that
the contest's file states:

add, subtract, multiply, power, divide, root, function
    decimal arithmetic of 28 significant digits, ties to even (Python's default context). The
    slots keep sums, products and powers below 28 digits, so those are exact as they stand;
    quotients, roots and function values are rounded at the 28th.
equation, mean, discount, sales
    IEEE double precision, printed with the fewest digits that give the double back.
area, mass
    integers.
fraction
    the reduced fraction.

The order of the floating-point operations decides the last digit. (price - reduced) / price * 100
is settled by a quoted row (51 and 28 give 45.09803921568628, where 1 - 28/51 would end in 7). For
sales the known rows fit both a + a*p/100, which is used, and a * (1 + p/100).
"""

from __future__ import annotations

from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction
from typing import Callable, Dict, Tuple, Union

from tools.corpus.grammar import Problem

Value = Union[Decimal, float, int, Fraction]

# A context of our own: a caller that changes the thread's precision changes no answer.
SOURCE = Context(
    prec=28,
    rounding=ROUND_HALF_EVEN,
    Emin=-999999,
    Emax=999999,
    traps=[DivisionByZero, InvalidOperation, Overflow],
)


def _function(numbers: Tuple) -> Decimal:
    x, coefficient, exponent = numbers
    return SOURCE.multiply(coefficient, SOURCE.power(x, exponent))


_SOLVERS: Dict[str, Callable[[Tuple], Value]] = {
    "add": lambda n: SOURCE.add(n[0], n[1]),
    "subtract": lambda n: SOURCE.subtract(n[0], n[1]),
    "multiply": lambda n: SOURCE.multiply(n[0], n[1]),
    "divide": lambda n: SOURCE.divide(n[0], n[1]),
    "power": lambda n: SOURCE.power(n[0], n[1]),
    "root": lambda n: SOURCE.sqrt(n[0]),
    # With b = 0 and a negative this is -0.0, as in the source.
    "equation": lambda n: -n[1] / n[0],
    "function": _function,
    "mean": lambda n: sum(n) / len(n),
    "area": lambda n: n[0] * n[1],
    "discount": lambda n: (n[0] - n[1]) / n[0] * 100,
    "sales": lambda n: n[0] + n[0] * n[1] / 100,
    "mass": lambda n: n[0] * n[1],
    "fraction": lambda n: Fraction(n[0], n[1]),
}


def solve(problem: Problem) -> Value:
    """Give the value as the source has it: Decimal, float, int or Fraction by kind."""
    return _SOLVERS[problem.kind](problem.numbers)


def number_text(value: Value) -> str:
    """Print a value in the source's number format: 1835.05, -15.0, 2.85E+85, 5/6."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return repr(value) if isinstance(value, float) else str(value)


def canonical(value: Value) -> str:
    """Print a value as an `answer`: one text for each value, none of the digits lost.

    Decimals lose trailing zeros and the sign of zero; the exponent form stays only from 1E+28
    up and below 1E-7, where plain digits would be mostly zeros. Fractions are reduced, and
    whole ones are integers.
    """
    if isinstance(value, (Fraction, int)):
        return str(value)
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number:
        return "0"
    if -7 <= number.adjusted() < 28:
        text = f"{number:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    sign, digits, exponent = number.as_tuple()
    while len(digits) > 1 and digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    return str(Decimal((sign, digits, exponent)))


def answer(problem: Problem) -> str:
    """Give the exact answer as a decimal or fraction string, for the `answer` of a row."""
    return canonical(solve(problem))
