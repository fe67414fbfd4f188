"""From the text of a Chinese problem to its kind and exact numbers.

The patterns are the source's own sentences, with any white space between the words and with
full-width or half-width marks; a few other ways of asking the same are taken too, so that the
same question in other words is known as the same problem.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Callable, Dict, List, NamedTuple, Optional, Pattern, Tuple, Union

Number = Union[int, Decimal]


class Rounding(NamedTuple):
    """To how many places an answer is rounded, half away from zero; None: it is not."""

    decimals: Optional[int] = None
    significant: Optional[int] = None


class Problem(NamedTuple):
    """A kind and its numbers, in the order in which the sentence names them.

    add, subtract, multiply, divide  (a, b)                        two decimals
    power                            (base, exponent)              decimal, integer
    root                             (radicand,)                   decimal
    equation                         (a, b) of ax + b = 0          integers, a not 0
    function                         (x, coefficient, exponent)    decimal, two integers
    mean                             the values                    integers, at least one
    area                             (length, width)               integers
    discount                         (price, reduced price)        integers, price not 0
    sales                            (last year's, growth in %)    integers
    mass                             (density, volume)             integers
    fraction                         (numerator, denominator)      integers, denominator not 0

    A Decimal keeps its trailing zeros, so that the problem can be printed as it was; equality
    is by value, so 5.5 + 1 and 5.50 + 1.0 are the same problem.
    """

    kind: str
    numbers: Tuple[Number, ...]


class NoFit(ValueError):
    """A text that is no problem of the 14 kinds, or one without an answer; str() says why."""


OPERATORS: Dict[str, str] = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
_BY_OPERATOR = {sign: kind for kind, sign in OPERATORS.items()}

# [0-9], not \d, which takes the digits of every script. Lengths are bounded since the text may
# come from anywhere and a number of a million digits would take minutes.
_NATURAL = r"(0|[1-9][0-9]{0,11})"
_INTEGER = r"(0|-?[1-9][0-9]{0,11})"
_EXPONENT = r"(0|[1-9][0-9]{0,2})"
_DECIMAL = r"(-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,12})?)"
_VALUE = "(?:0|-?[1-9][0-9]{0,11})"
_VALUES = rf"\[\s*({_VALUE}(?:\s*[,，]\s*{_VALUE})*)\s*\]"


def _pattern(*parts: str) -> Pattern[str]:
    """Compile the parts with any white space between them and an optional closing mark."""
    return re.compile(r"\s*".join((*parts, "[。.？?]?")))


def _calculate(groups: Tuple[Optional[str], ...]) -> Problem:
    first, sign, second, exponent = groups
    a = Decimal(first or "")
    if sign and second:
        b = Decimal(second)
        if sign == "/" and not b:
            raise NoFit("it divides by zero")
        return Problem(_BY_OPERATOR[sign], (a, b))
    if exponent:
        if not a and exponent == "0":
            raise NoFit("zero to the power of zero has no value")
        return Problem("power", (a, int(exponent)))
    if a < 0:
        raise NoFit("the root of a negative number is not real")
    return Problem("root", (a,))


def _equation(groups: Tuple[str, ...]) -> Problem:
    a, sign, b = groups
    if a == "0":
        raise NoFit("an equation without x has no single solution")
    return Problem("equation", (int(a), -int(b) if sign == "-" else int(b)))


def _function(groups: Tuple[str, ...]) -> Problem:
    x, coefficient, exponent = Decimal(groups[0]), int(groups[1]), int(groups[2])
    if not x and not exponent:
        raise NoFit("zero to the power of zero has no value")
    return Problem("function", (x, coefficient, exponent))


def _mean(groups: Tuple[str, ...]) -> Problem:
    return Problem("mean", tuple(int(value) for value in re.split("[,，]", groups[0])))


def _pair(kind: str, divisor: Optional[int] = None) -> Callable[[Tuple[str, ...]], Problem]:
    """Builder of a problem of two integers, of which the one at `divisor` must not be zero."""

    def build(groups: Tuple[str, ...]) -> Problem:
        numbers = (int(groups[0]), int(groups[1]))
        if divisor is not None and not numbers[divisor]:
            raise NoFit("it divides by zero")
        return Problem(kind, numbers)

    return build


# The first character tells the kinds apart, the seven that begin with 计算 share one pattern:
# a row costs one look-up and one match.
_GRAMMAR: Dict[str, Tuple[Pattern[str], Callable[..., Problem]]] = {
    "计": (
        _pattern(
            "计算",
            _DECIMAL,
            rf"(?:([-+*/])\s*{_DECIMAL}\s*(?:等于多少|等于几|是多少|的结果|=)"
            rf"|的\s*{_EXPONENT}\s*次方|的\s*平方根)",
            "(?:是多少|等于多少)?",
        ),
        _calculate,
    ),
    "解": (
        _pattern("解方程", "[：:]?", _INTEGER, r"\*?", "x", r"([-+])", _INTEGER, "=", "0"),
        _equation,
    ),
    "当": (
        _pattern(
            *("当", "x", "=", _DECIMAL, "时", "[，,]?", "求函数", "y", "=", _INTEGER),
            *(r"\*?", "x", r"\^", _EXPONENT, "的值"),
        ),
        _function,
    ),
    "求": (_pattern("求以下数据的平均值", "[：:]?", _VALUES), _mean),
    "一": (
        _pattern(
            *("一个长方形的长为", _NATURAL, "厘米", "[，,]", "宽为", _NATURAL, "厘米", "[，,]"),
            "请?计算其面积",
        ),
        _pair("area"),
    ),
    "商": (
        _pattern(
            *("商品原价为", _NATURAL, "元", "[，,]", "打折后的价格为", _NATURAL, "元", "[，,]"),
            "请?计算打折的折扣比例",
        ),
        _pair("discount", divisor=0),
    ),
    "去": (
        _pattern(
            *("去年销售额为", _NATURAL, "万元", "[，,]", "今年销售额增加了", _NATURAL, "[%％]"),
            *("[，,]", "请?计算今年的销售额"),
        ),
        _pair("sales"),
    ),
    "某": (
        _pattern(
            *("某物体的密度为", _NATURAL, "克", "/", "立方厘米", "[，,]", "体积为", _NATURAL),
            *("立方厘米", "[，,]", "请?计算该物体的质量"),
        ),
        _pair("mass"),
    ),
    "将": (
        _pattern("将分数", _NATURAL, "/", _NATURAL, "进行简化"),
        _pair("fraction", divisor=1),
    ),
}
# Hyphen, non-breaking hyphen, figure dash, en dash, minus sign, small and full-width hyphen-minus:
# what keyboards, word processors and models write for a minus. The em dash is punctuation.
MINUS_SIGNS = dict.fromkeys("‐‑‒–−﹣－", "-")
_SIGNS = str.maketrans({"×": "*", "÷": "/", **MINUS_SIGNS})


_SECOND_LOOK = frozenset((*_GRAMMAR, "请"))
_LONGEST = 10_000


def _match(text: str) -> Optional[Problem]:
    entry = _GRAMMAR.get(text[:1])
    if entry is None:
        return None
    pattern, build = entry
    match = pattern.fullmatch(text)
    return build(match.groups()) if match else None


def parse(text: str) -> Problem:
    """Read the Chinese problem in `text`; raise NoFit with the reason where it is none.

    `render.problem_text` is the inverse: it gives a problem of the source back unchanged.
    """
    # One space at most in one place: several would let the patterns' \s* share them out in
    # many ways, which takes time without bound.
    text = " ".join(text.split())
    problem = _match(text) if len(text) <= _LONGEST else None
    if problem is None and len(text) <= _LONGEST and text[:1] in _SECOND_LOOK:
        # The second look is for other hands' rows: full-width digits, ×, a polite 请 before.
        plain = unicodedata.normalize("NFKC", text).translate(_SIGNS)
        problem = _match(plain[1:].lstrip() if plain[:1] == "请" else plain)
    if problem is None:
        raise NoFit("it fits no kind of problem")
    return problem


def group_text(problem: Problem) -> str:
    """Give one text for all problems that are held out together.

    Those are the problems of one kind with the same operands, in whichever order where order
    does not change the value (add, multiply, area, mass, mean).
    """
    numbers = [_plain(number) for number in problem.numbers]
    if problem.kind in _COMMUTATIVE:
        numbers.sort()
    return f"{problem.kind} {' '.join(numbers)}"


def identity_text(problem: Problem) -> str:
    """Give one text for all ways to print one problem: same kind, same operands, same order."""
    return f"{problem.kind} {' '.join([_plain(number) for number in problem.numbers])}"


_COMMUTATIVE = frozenset(("add", "multiply", "area", "mass", "mean"))


def _plain(number: Number) -> str:
    if isinstance(number, int):
        return str(number)
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def operands(problem: Problem) -> List[str]:
    """Print the numbers of a problem as the source does, trailing zeros kept."""
    return [f"{number:f}" if isinstance(number, Decimal) else str(number) for number in problem[1]]
