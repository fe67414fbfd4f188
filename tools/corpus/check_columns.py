"""Verifies solutions of the style `columns`: docs/worked-solutions.md says what each line must be.

The plan of a solution is a generator: it yields the line that must stand next, is sent the line
that was written, and goes on from what that says, right or wrong. Nothing here is shared with
what writes solutions, nor with the checker of the other styles.
"""

from __future__ import annotations

import itertools
import math
import re
from decimal import Decimal
from typing import Callable, Dict, Generator, List, Match, NamedTuple, Optional, Tuple

from tools.corpus.exact import Unverified
from tools.corpus.grammar import Number, Problem

_LONGEST = 1000  # characters of a line that is wrong and still read; right ones have some 400
_MOST_CELLS = 32  # of the products of a power from 3 on
_TIMES, _LESS = "((?:[0-9]{6})+)", "((?:[0-9]{7})+)"
_SUMS = r"-?[0-9]{1,30}(?:[+-][0-9]{1,30}=-?[0-9]{1,30},)*[+-][0-9]{1,30}"
_PAIRS = r"[0-9]{2}(?:,[0-9]{2})*(?:\.[0-9]{2}(?:,[0-9]{2})*)?"
_BETWEEN_DIGITS = re.compile("(?<=[0-9])(?=[0-9])")


class Line(NamedTuple):
    """The line that must stand next; `apart`: its digits are all of different columns."""

    text: str
    apart: bool = False


class Verdicts(NamedTuple):
    """What was found in the lines of a solution.

    reasons   one a line: empty where the line holds, else what is wrong with it; None where it
              was not looked at, since the lines before it do not say what must stand there.
    missing   the line that must stand behind the last one, if any.
    """

    reasons: List[Optional[str]]
    missing: Optional[str] = None


Plan = Generator[Line, str, None]
Numbers = Tuple[Number, ...]


def verify_columns(problem: Problem, lines: List[str], answer: str, decimals: int) -> Verdicts:
    """Verify each line of a solution, given what those before it say.

    answer     the problem's answer line.
    decimals   how many the answer keeps.
    """
    plan = _whole_plan(problem, answer, decimals)
    due = next(plan)
    spaced: Optional[bool] = None  # known from the first line on that has digits to keep apart
    reasons: List[Optional[str]] = []
    for line in lines:
        apart = _BETWEEN_DIGITS.sub(" ", due.text) if due.apart else due.text
        if spaced is None and apart != due.text:
            spaced = " " in line
        wanted = apart if spaced else due.text
        told = (
            f"the answer must be {wanted[5:]}" if wanted == answer else f"here must stand {wanted}"
        )
        reasons.append("" if line == wanted else told)
        try:
            if reasons[-1] and len(line) > _LONGEST:
                raise Unverified("it is too long")
            due = plan.send(line.replace(" ", ""))
        except StopIteration:
            break
        except Unverified as error:
            reasons[-1] += f"; {error}, and what follows was not checked"
            break
    else:
        return Verdicts(reasons, due.text)
    if len(reasons) < len(lines) and not reasons[-1]:
        reasons.append("nothing may stand after the answer")
    return Verdicts([*reasons, *[None] * (len(lines) - len(reasons))])


def _whole_plan(problem: Problem, answer: str, decimals: int) -> Plan:
    if problem.kind in _PLANS:
        yield from _PLANS[problem.kind](problem.numbers, decimals)
    yield Line(answer)


def _read(pattern: str, line: str) -> Match[str]:
    match = re.fullmatch(pattern, line)
    if match is None:
        raise Unverified("it cannot be read")
    return match


def _places(number: Decimal) -> int:
    return max(0, -number.as_tuple().exponent)


def _whole(number: Decimal, places: int) -> int:
    """Give |number| * 10^places, a whole number."""
    top, bottom = number.as_integer_ratio()
    return abs(top) * 10**places // bottom


def _minus(negative: bool) -> str:
    return "-" if negative else ""


# Sums and differences


def _sum(numbers: Numbers, second_changes: bool) -> Plan:
    line = yield Line(_operands(numbers, second_changes), apart=True)
    form = "[+-]([0-9]+)[+-]([0-9]+)([<>=])([+-])"
    one, other, order, sign = _read(form, line).groups()
    if len(one) != len(other):
        raise Unverified("its operands are not of one length")
    upper, lower = (other, one) if order == "<" else (one, other)
    carry = 0  # or borrow
    for a, b in zip(upper[::-1], lower[::-1]):
        if sign == "+":
            line = yield Line(f"{a}+{b}+{carry}={int(a) + int(b) + carry}")
        else:
            line = yield Line(f"{a}-{b}-{carry}={(int(a) - int(b) - carry) % 10}")
        parts = _read(r"([0-9])([+-])([0-9])\2([0-9])=([0-9]{1,2})", line)
        a, operator, b, c, result = parts.groups()
        carry = int(result) // 10 if operator == "+" else int(int(a) < int(b) + int(c))


def _operands(numbers: Numbers, second_changes: bool) -> str:
    """Give the first line of a sum or difference."""
    places = max(map(_places, numbers))
    one, other = (str(_whole(number, places)) for number in numbers)
    length = max(6, len(one), len(other))
    one, other = one.rjust(length, "0"), other.rjust(length, "0")
    first = "-" if numbers[0] < 0 else "+"
    second = "-" if (numbers[1] < 0) != second_changes else "+"
    order = "=" if one == other else ">" if one > other else "<"
    return f"{first}{one}{second}{other}{order}{'+' if first == second else '-'}"


# Products


def _product(sign: str, first: int, second: int) -> Generator[Line, str, int]:
    """Plan a product; it returns the result that the rows give."""
    one, other = str(first), str(second)
    if len(one) < len(other):
        one, other = other, one
    line = yield Line(f"{sign}{one}*{other}", apart=True)
    one, other = _read(r"-?([0-9]+)\*([0-9]+)", line).groups()
    above, result = "0" * len(one), ""
    for factor in other[::-1]:
        line = yield Line(f"{factor}:{_row(one, factor, above)}", apart=True)
        cells = _read(f"[0-9]:{_TIMES}", line).group(1)
        if len(cells) != 6 * len(one):
            raise Unverified("it has not a cell for each digit")
        above = cells[10::6] + cells[-1]
        result += cells[4]
    return int((result + above)[::-1])


def _row(one: str, factor: str, above: str) -> str:
    cells, carry = "", 0
    for x, a in zip(one[::-1], above):
        product = int(x) * int(factor)
        carry, digit = divmod(product + int(a) + carry, 10)
        cells += f"{x}{product:02}{(product + int(a)) % 10}{digit}{carry}"
    return cells


def _multiply(numbers: Numbers, _: int) -> Plan:
    one, other = (_whole(number, _places(number)) for number in numbers)
    if one and other:
        yield from _product(_minus((numbers[0] < 0) != (numbers[1] < 0)), one, other)


def _area(numbers: Numbers, _: int) -> Plan:
    yield from _product("", *numbers)


def _sales(numbers: Numbers, _: int) -> Plan:
    yield from _product("", 100 + numbers[1], numbers[0])


def _power(numbers: Numbers, _: int) -> Plan:
    base, exponent = numbers
    whole = _whole(base, _places(base))
    if not whole or not 2 <= exponent <= 5:
        return
    cells = sum([len(str(whole**k)) for k in range(1, exponent)]) * len(str(whole))
    if exponent > 2 and cells > _MOST_CELLS:
        return
    result = whole
    for k in range(2, exponent + 1):
        last = k == exponent
        result = yield from _product(_minus(last and base < 0 and k % 2 == 1), result, whole)


# Quotients


def _quotient(header: str, decimals: int) -> Plan:
    line = yield Line(header, apart=True)
    dividend, divisor = _read("(?:x=)?-?([0-9]+)/([0-9]+)", line).groups()
    below = int(divisor)
    if not below:
        raise Unverified("it divides by zero")
    length = len(divisor)
    number, digits = int(dividend[:length]), dividend[length:]
    found, point = 0, ""
    while True:
        quotient = min(number // below, 9)  # only behind a wrong line it may be 10 and more
        if below > 10:
            step = _cells(below, quotient, number, length)
            line = yield Line(f"{point}{quotient}:{step}", apart=True)
            rest = _read_cells(line, length)[1]
        else:
            product = quotient * below
            line = yield Line(f"{point}{number}:{quotient},{product},{number - product}")
            rest = int(_read(r"\.?[0-9]+:[0-9]+,[0-9]+,([0-9]+)", line).group(1))
        if not digits and (not rest or found > decimals):
            return
        found += not digits
        point = "." if found == 1 and not digits else ""
        number, digits = 10 * rest + int(digits[:1] or 0), digits[1:]


def _cells(divisor: int, digit: int, number: int, length: int) -> str:
    """Give the cells by which digit * divisor is taken from a number, the last digits first."""
    cells, borrow = "", 0
    for _ in range(length):
        divisor, x = divmod(divisor, 10)
        number, n = divmod(number, 10)
        product = x * digit
        left = (n - product - borrow) % 10
        borrow = (product + borrow + left - n) // 10
        cells += f"{x}{product:02}{n}{(n - product) % 10}{left}{borrow}"
    return cells


def _read_cells(line: str, length: int) -> Tuple[int, int]:
    """Read the digit that a line finds, and what it says remains."""
    digit, cells = _read(rf"\.?([0-9]):{_LESS}", line).groups()
    if len(cells) != 7 * length:
        raise Unverified("it has not a cell for each digit")
    return int(digit), int(cells[5::7][::-1])


def _divide(numbers: Numbers, decimals: int) -> Plan:
    places = max(map(_places, numbers))
    one, other = (_whole(number, places) for number in numbers)
    if one:
        negative = (numbers[0] < 0) != (numbers[1] < 0)
        yield from _quotient(f"{_minus(negative)}{one}/{other}", decimals)


def _equation(numbers: Numbers, decimals: int) -> Plan:
    a, b = numbers
    if b:
        yield from _quotient(f"x={_minus((a < 0) == (b < 0))}{abs(b)}/{abs(a)}", decimals)


def _discount(numbers: Numbers, decimals: int) -> Plan:
    price, reduced = numbers
    if price != reduced:
        line = yield Line(f"{price}-{reduced}={_last_first(price - reduced)}", apart=True)
        difference = _last_sum(line)
        yield from _quotient(f"{_minus(difference < 0)}{abs(difference) * 100}/{price}", decimals)


def _mean(numbers: Numbers, decimals: int) -> Plan:
    total = numbers[0]
    if len(numbers) > 1:
        totals = itertools.accumulate(numbers)
        next(totals)
        terms = [f"{value:+d}={_last_first(so_far)}" for value, so_far in zip(numbers[1:], totals)]
        line = yield Line(f"{numbers[0]}{','.join(terms)}", apart=True)
        total = _last_sum(line)
    if total:
        yield from _quotient(f"{_minus(total < 0)}{abs(total)}/{len(numbers)}", decimals)


def _last_first(number: int) -> str:
    return _minus(number < 0) + str(abs(number))[::-1]


def _last_sum(line: str) -> int:
    """Read the last of the sums in a line, whose digits stand last first."""
    sign, digits = _read(rf"{_SUMS}=(-?)([0-9]{{1,30}})", line).groups()
    return int(sign + digits[::-1])


# The rest


def _root(numbers: Numbers, decimals: int) -> Plan:
    if not numbers[0]:
        return
    whole, _, part = f"{numbers[0]:f}".partition(".")
    whole = whole.rjust(len(whole) + len(whole) % 2, "0")
    part = part.ljust(len(part) + len(part) % 2, "0")
    sides = [re.sub("(..)(?=.)", r"\1,", side) for side in (whole, part) if side]
    line = yield Line(".".join(sides), apart=True)
    before, _, behind = _read(_PAIRS, line).group().partition(".")
    pairs = [*before.split(","), *(behind.split(",") if behind else [])]
    point = before.count(",") + 1
    root = rest = 0
    for at in itertools.count():
        number = 100 * rest + (int(pairs[at]) if at < len(pairs) else 0)
        length = len(str(20 * root + 18))
        digit = next(q for q in range(9, -1, -1) if (20 * root + q) * q <= number)
        step = _cells(20 * root + digit, digit, number, length)
        line = yield Line(f"{'.' if at == point else ''}{digit}:{step}", apart=True)
        digit, rest = _read_cells(line, length)
        root = 10 * root + digit
        if at >= point + decimals or (not rest and at >= len(pairs) - 1):
            return


def _mass(numbers: Numbers, _: int) -> Plan:
    density, volume = numbers
    line = yield Line(f"{density}*{volume}={density * volume}")
    _read(r"[0-9]+\*[0-9]+=[0-9]+", line)


def _fraction(numbers: Numbers, _: int) -> Plan:
    top, bottom = numbers
    line = yield Line(f"{top}/{bottom}:{math.gcd(top, bottom)}")
    _read("[0-9]+/[0-9]+:[0-9]+", line)


_PLANS: Dict[str, Callable[[Numbers, int], Plan]] = {
    "add": lambda numbers, _: _sum(numbers, second_changes=False),
    "subtract": lambda numbers, _: _sum(numbers, second_changes=True),
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "root": _root,
    "equation": _equation,
    "mean": _mean,
    "area": _area,
    "discount": _discount,
    "sales": _sales,
    "mass": _mass,
    "fraction": _fraction,
}
