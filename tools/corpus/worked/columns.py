"""Arithmetic in columns of single digits, the least significant first.

Every digit that is written follows from at most four others, which stand beside it or at a constant
distance, so that a small model can learn each step from a few hundred examples (arXiv 2307.03381).
docs/worked-solutions.md says what each line means. Operands are whole numbers of the smallest
decimal place, hundredths in the contest's slots; the point comes back in the answer line.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Callable, Dict, Iterable, Iterator, List, Tuple

from tools.corpus.grammar import Problem

# A power of 3 or more is worked out where its products have at most so many cells of six digits:
# its solution then stays under 250 tokens of one digit each.
_MOST_CELLS = 32
# Quotients of divisors up to this one need no columns: each digit is looked up, D being below 100.
_SHORT_DIVISOR = 10
# Operands of sums have so many digits at least: of the contest's, the zeros in front of one then
# hardly ever depend on the other.
_LEAST_WIDTH = 6

Joined = Callable[[Iterable[str]], str]


def column_lines(problem: Problem, places: int, separator: str = "") -> List[str]:
    """Return the lines of work of a problem, none where there is nothing to work out.

    places     decimals of the answer; quotients and roots get one more, to round by
    separator  stands between digits that belong to different columns, for vocabularies that
               join digits into one token
    """
    return COLUMNS[problem.kind](problem.numbers, places, separator.join)


def _sum(numbers: Tuple, negate_second: bool, apart: Joined) -> List[str]:
    first, second = _whole_numbers(*numbers)
    signs = "-" if first < 0 else "+", "-+"[(second < 0) == negate_second]
    width = max(_LEAST_WIDTH, len(str(abs(first))), len(str(abs(second))))
    upper, lower = f"{abs(first):0{width}}", f"{abs(second):0{width}}"
    relation = "<" if upper < lower else ">" if upper > lower else "="
    sign, carry = "+" if signs[0] == signs[1] else "-", 0
    lines = [f"{signs[0]}{apart(upper)}{signs[1]}{apart(lower)}{relation}{sign}"]
    if relation == "<":
        upper, lower = lower, upper
    for x, y in zip(map(int, upper[::-1]), map(int, lower[::-1])):
        total = x + y + carry if sign == "+" else x - y - carry
        shown = total if sign == "+" else total % 10
        lines.append(f"{x}{sign}{y}{sign}{carry}={shown}")
        carry = abs(total // 10)
    return lines


def _product(first: int, second: int, apart: Joined, sign: str = "") -> List[str]:
    """Return header and rows of cells.

    A cell is digit, its product with the row's in two digits, ones of that and the digit above,
    ones of that and the carry of the cell before, and the carry: two digits are added at a time.
    """
    upper, lower = str(first), str(second)
    if len(upper) < len(lower):
        upper, lower = lower, upper
    lines, above = [f"{sign}{apart(upper)}*{apart(lower)}"], [0] * (len(upper) + 1)
    for y in map(int, lower[::-1]):
        cells, row, carry = [], [], 0
        for x, over in zip(map(int, upper[::-1]), above[1:]):
            carry, digit = divmod(x * y + over + carry, 10)
            cells += [x, *divmod(x * y, 10), (x * y + over) % 10, digit, carry]
            row.append(digit)
        lines.append(f"{y}:{apart(map(str, cells))}")
        above = [*row, carry]
    return lines


def _subtraction(factor: int, times: int, minuend: int, width: int) -> Iterator[str]:
    """Yield the digits of the cells in which times * factor is taken from the minuend.

    A cell is digit of the factor, its product with `times` in two digits, digit of the minuend,
    that less the product's ones, that less the borrow of the cell before, and borrow (0 to 9). The
    last `width` digits are written: no others remain.
    """
    borrow = 0
    for x, over in zip(f"{factor:0{width}}"[::-1], f"{minuend:0{width}}"[::-1]):
        product = int(x) * times
        less = (int(over) - product) % 10
        digit = (less - borrow) % 10
        borrow = (product + borrow + digit - int(over)) // 10
        yield from (x, *f"{product:02}", over, str(less), str(digit), str(borrow))


def _quotient(dividend: int, divisor: int, places: int, apart: Joined) -> List[str]:
    """Return a line for each digit of the quotient; `.` begins the decimals."""
    digits, width = str(dividend), len(str(divisor))
    whole = max(1, len(digits) - width + 1)
    used = len(digits) - whole + 1
    current, lines = int(digits[:used]), []
    for step in range(whole + places + 1):
        if step:
            if used >= len(digits) and not current and step >= whole:
                break
            following = digits[used] if step < whole else "0"
            current, used = current * 10 + int(following), used + 1
        q, rest = divmod(current, divisor)
        point = "." if step == whole else ""
        if divisor <= _SHORT_DIVISOR:
            lines.append(f"{point}{current}:{q},{q * divisor},{rest}")
        else:
            lines.append(f"{point}{q}:{apart(_subtraction(divisor, q, current, width))}")
        current = rest
    return lines


def _fraction_of(top: int, bottom: int, places: int, apart: Joined, label: str = "") -> List[str]:
    """Return the header of a quotient and its lines; none where it is zero."""
    sign = "-" if (top < 0) != (bottom < 0) else ""
    top, bottom = abs(top), abs(bottom)
    header = f"{label}{sign}{apart(str(top))}/{apart(str(bottom))}"
    return [header, *_quotient(top, bottom, places, apart)] if top else []


def _multiply(numbers: Tuple, places: int, apart: Joined) -> List[str]:
    first, second = (int(number.scaleb(_places(number))) for number in numbers)
    if not first or not second:
        return []
    return _product(abs(first), abs(second), apart, "-" if (first < 0) != (second < 0) else "")


def _power(numbers: Tuple, places: int, apart: Joined) -> List[str]:
    base, exponent = numbers
    size = abs(int(base.scaleb(_places(base))))
    results = [size**step for step in range(1, exponent)]
    cells = sum(len(str(result)) * len(str(size)) for result in results)
    if not size or not 2 <= exponent <= 5 or (exponent > 2 and cells > _MOST_CELLS):
        return []
    lines = []
    for step, result in enumerate(results, 2):
        sign = "-" if step == exponent and base < 0 and exponent % 2 else ""
        lines += _product(result, size, apart, sign)
    return lines


def _root(numbers: Tuple, places: int, apart: Joined) -> List[str]:
    (radicand,) = numbers
    if not radicand:
        return []
    whole, _, part = f"{radicand:f}".partition(".")
    whole = whole.rjust(len(whole) + len(whole) % 2, "0")
    part = part.ljust(len(part) + len(part) % 2, "0")
    pairs = [(whole + part)[at : at + 2] for at in range(0, len(whole + part), 2)]
    before = len(whole) // 2
    shown = [apart(pair) for pair in pairs]
    lines = [",".join(shown[:before]) + ("." if part else "") + ",".join(shown[before:])]
    root = rest = 0
    for step in range(before + places + 1):
        if step >= max(before, len(pairs)) and not rest:
            break
        current = rest * 100 + int(pairs[step] if step < len(pairs) else 0)
        q = next(q for q in range(9, -1, -1) if (20 * root + q) * q <= current)
        width = len(str(20 * root + 18))  # of what remains at most
        point = "." if step == before else ""
        lines.append(f"{point}{q}:{apart(_subtraction(20 * root + q, q, current, width))}")
        root, rest = 10 * root + q, current - (20 * root + q) * q
    return lines


def _mean(numbers: Tuple, places: int, apart: Joined) -> List[str]:
    total, *others = numbers
    text, between = f"{'-' * (total < 0)}{apart(str(abs(total)))}", ""
    for number in others:
        total += number
        sign = "-" if number < 0 else "+"
        text += f"{between}{sign}{apart(str(abs(number)))}={_last_first(total, apart)}"
        between = ","
    quotient = _fraction_of(total, len(numbers), places, apart)
    return [text, *quotient] if others else quotient


def _discount(numbers: Tuple, places: int, apart: Joined) -> List[str]:
    price, reduced = numbers
    difference = price - reduced
    if not difference:
        return []
    text = f"{apart(str(price))}-{apart(str(reduced))}={_last_first(difference, apart)}"
    return [text, *_fraction_of(difference * 100, price, places, apart)]


def _last_first(number: int, apart: Joined) -> str:
    return f"{'-' * (number < 0)}{apart(str(abs(number))[::-1])}"


def _sales(numbers: Tuple, places: int, apart: Joined) -> List[str]:
    sales, growth = numbers
    return _product(100 + growth, sales, apart)


def _whole_numbers(*numbers: Decimal) -> List[int]:
    """Return the numbers in units of the smallest decimal place that any of them has."""
    places = max(map(_places, numbers))
    return [int(number.scaleb(places)) for number in numbers]


def _places(number: Decimal) -> int:
    return max(0, -int(number.as_tuple().exponent))


# The kinds in which there is something to work out.
COLUMNS: Dict[str, Callable[[Tuple, int, Joined], List[str]]] = {
    "add": lambda numbers, _, apart: _sum(numbers, False, apart),
    "subtract": lambda numbers, _, apart: _sum(numbers, True, apart),
    "multiply": _multiply,
    "divide": lambda n, places, apart: _fraction_of(*_whole_numbers(*n), places, apart),
    "power": _power,
    "root": _root,
    "equation": lambda n, places, apart: _fraction_of(-n[1], n[0], places, apart, "x="),
    "mean": _mean,
    "area": lambda n, _, apart: _product(*n, apart),
    "discount": _discount,
    "sales": _sales,
    "mass": lambda n, *_: [f"{n[0]}*{n[1]}={n[0] * n[1]}"],
    "fraction": lambda n, *_: [f"{n[0]}/{n[1]}:{math.gcd(*n)}"],
}
