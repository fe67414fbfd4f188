"""Problems in words, equations and fractions: the formula, then the operations it comes down to."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import List, Tuple

from tools.corpus.worked.numbers import ending, plain
from tools.corpus.worked.operations import (
    Worked,
    add,
    multiply,
    signed_quotient,
    signed_sum,
)


def equation(a: int, b: int, places: int) -> Worked:
    """Solve ax + b = 0: the constant to the right, then a division."""
    text = f"{-b} / {a}"
    value = Fraction(-b, a)
    lines = [f"{a}x + {b} = 0", f"{a}x = {-b}"]
    if abs(a) == 1 or not b:
        return Worked([*lines, f"x = {text} = {plain(Decimal(int(value)))}"], value)
    quotient = signed_quotient(text, Decimal(-b), Decimal(a), places)
    lines.append(f"x = {text}")
    closing = [f"x {ending(value, places)}"]
    return Worked([*lines, *quotient.lines, *closing], value)


def mean(values: Tuple[int, ...], places: int) -> Worked:
    """Add up one after the other, then divide by their number."""
    count = len(values)
    lines = [f"平均值 = ({' + '.join(map(str, values))}) / {count}"]
    total = values[0]
    for value in values[1:]:
        lines.append(f"{total} + {value} = {total + value}")
        total += value
    text = f"{total} / {count}"
    quotient = signed_quotient(text, Decimal(total), Decimal(count), places)
    return Worked([*lines, *quotient.lines], Fraction(total, count))


def product(label: str, a: int, b: int) -> Worked:
    """Multiply two numbers that are not negative, as an area or a mass."""
    lines, value = multiply(Decimal(a), Decimal(b))
    return Worked([f"{label} = {a} * {b}", *lines], Fraction(value))


def discount(price: int, reduced: int, places: int) -> Worked:
    """Work out the reduction in percent: the difference, times 100, over the price."""
    difference = signed_sum(f"{price} - {reduced}", Decimal(price), "-", Decimal(reduced))
    less = int(difference.value)
    value = Fraction(less * 100, price)
    text = f"{less * 100} / {price}"
    lines = [
        f"折扣比例 = ({price} - {reduced}) / {price} * 100",
        *difference.lines,
        f"折扣比例 = {less} / {price} * 100 = {text}",
    ]
    quotient = signed_quotient(text, Decimal(less * 100), Decimal(price), places)
    return Worked([*lines, *quotient.lines], value)


def sales(before: int, percent: int) -> Worked:
    """Work out last year's sales and the growth on them, then their sum."""
    lines, grown = multiply(Decimal(before), Decimal(percent))
    growth = grown.scaleb(-2)
    more, total = add(Decimal(before), growth)
    head = f"今年销售额 = {before} + {before} * {percent} / 100"
    step = f"{plain(grown)} / 100 = {plain(growth)}"
    return Worked([head, *lines, step, *more], Fraction(total))


def fraction(numerator: int, denominator: int) -> List[str]:
    """Reduce a fraction by Euclid's algorithm, from both numbers, not both 0."""
    lines, large, small = [], max(numerator, denominator), min(numerator, denominator)
    while small:
        lines.append(f"{large} = {small} * {large // small} + {large % small}")
        large, small = small, large % small
    divisor = math.gcd(numerator, denominator)
    return [
        *lines,
        f"最大公约数 = {divisor}",
        f"{numerator} / {divisor} = {numerator // divisor}",
        f"{denominator} / {divisor} = {denominator // divisor}",
    ]
