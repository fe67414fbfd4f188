"""Short solutions: the signs set right, then the result in one step.

What most entries of the contest trained on: no intermediate digits, the result rounded.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import List

from tools.corpus.grammar import OPERATORS, Problem, Rounding
from tools.corpus.worked.numbers import ending, places_of, plain, rounded
from tools.corpus.worked.operations import power_text
from tools.corpus.worked.powers import root_value


def direct(problem: Problem, value: Fraction, rounding: Rounding) -> List[str]:
    """State the problem's expression, its form without signs, and the result."""
    numbers = problem.numbers
    if problem.kind == "root":
        return [_root(Decimal(numbers[0]), rounding)]
    if problem.kind == "function":
        x, coefficient, exponent = numbers
        return [f"y = {coefficient} * {power_text(Decimal(x), int(exponent))}"]
    end = ending(value, places_of(value, rounding))
    if problem.kind in OPERATORS:
        return [
            f"{_signs(OPERATORS[problem.kind], Decimal(numbers[0]), Decimal(numbers[1]))} {end}"
        ]
    if problem.kind == "power":
        return [f"{_power(Decimal(numbers[0]), int(numbers[1]))} {end}"]
    if problem.kind == "mean":
        total = sum(int(number) for number in numbers)
        terms = " + ".join(map(str, numbers))
        return [f"平均值 = ({terms}) / {len(numbers)} = {total} / {len(numbers)} {end}"]
    a, b = numbers
    if problem.kind == "equation":
        return [f"{a}x + {b} = 0", f"{a}x = {-int(b)}", f"x = {-int(b)} / {a} {end}"]
    if problem.kind == "fraction":
        divisor = Fraction(int(a), int(b))
        return [f"{a} / {b} = {divisor.numerator} / {divisor.denominator}"]
    if problem.kind == "discount":
        less = int(a) - int(b)
        return [f"折扣比例 = ({a} - {b}) / {a} * 100 = {less} / {a} * 100 {end}"]
    if problem.kind == "sales":
        growth = plain(Decimal(int(a) * int(b)).scaleb(-2))
        return [f"今年销售额 = {a} + {a} * {b} / 100 = {a} + {growth} {end}"]
    label = {"area": "面积", "mass": "质量"}[problem.kind]
    return [f"{label} = {a} * {b} {end}"]


def _root(radicand: Decimal, rounding: Rounding) -> str:
    value = root_value(radicand, rounding)
    sign = "=" if value * value == radicand else "≈"
    return f"√{plain(radicand)} {sign} {plain(value) if sign == '=' else f'{value:f}'}"


def _signs(sign: str, a: Decimal, b: Decimal) -> str:
    text = f"{a:f} {sign} {b:f}"
    large, small = abs(a), abs(b)
    if sign in "*/":
        form = f"{large:f} {sign} {small:f}"
        form = f"-({form})" if (a < 0) != (b < 0) and a and b else form
    else:
        other = b if sign == "+" else -b
        if (a < 0) == (other < 0):
            form = f"{large:f} + {small:f}"
            form = f"-({form})" if a < 0 else form
        elif other < 0:
            form = f"{large:f} - {small:f}"
        else:
            form = f"{small:f} - {large:f}"
    return text if form == text else f"{text} = {form}"


def _power(base: Decimal, exponent: int) -> str:
    text = power_text(base, exponent)
    if base >= 0 or not exponent:
        return text
    size = power_text(-base, exponent)
    return f"{text} = {f'-({size})' if exponent % 2 else size}"


def function_value(problem: Problem, rounding: Rounding) -> Decimal:
    """Give a function's value, rounded."""
    x, coefficient, exponent = problem.numbers
    return rounded(int(coefficient) * Fraction(x) ** int(exponent), rounding)
