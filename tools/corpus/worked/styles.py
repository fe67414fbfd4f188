"""The styles of solution, and a problem worked out in one of them.

source       the contest's own solution text, not rounded.
answer       the answer line alone.
direct       signs set right, then the result in one step.
schoolbook   digit by digit as on paper: split products with a running sum, long division, …
columns      single digits in columns, the least significant first, each from a few beside it.

All but `source` end in the same line, `#### NUMBER`, as the solutions of GSM8K do
(arXiv 2110.14168). docs/worked-solutions.md says what every line means.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from tools.corpus.grammar import OPERATORS, Problem, Rounding
from tools.corpus.kinds import CHINESE, ENGLISH
from tools.corpus.render import solution_text
from tools.corpus.solve import canonical
from tools.corpus.worked import operations, powers, words
from tools.corpus.worked.columns import COLUMNS, column_lines
from tools.corpus.worked.direct import direct, function_value
from tools.corpus.worked.numbers import as_decimal, places_of, rounded, terminates
from tools.files.errors import UserError

ANSWER_LINE = "#### {}"
STYLES: Dict[str, Tuple[str, ...]] = {
    kind: ("source", "answer", "direct", "schoolbook", *(["columns"] if kind in COLUMNS else []))
    for kind in CHINESE
}
STYLES[ENGLISH] = ("source", "answer", "direct")
# Kinds whose answers are not rounded.
_UNROUNDED = ("fraction", ENGLISH)


class Style(NamedTuple):
    """How the problems of a kind are worked out, and to how many places their answers.

    separator   of `columns`: stands between digits of different columns, for vocabularies that
                join digits into one token.
    """

    name: str = "source"
    rounding: Rounding = Rounding()
    separator: str = ""


def read_styles(choices: Mapping[str, Mapping[str, Any]], where: object) -> Dict[str, Style]:
    """Check styles by kind, {"style", "decimals", "significant"[, "separator"]}, and return them.

    A style that computes its answer needs to know how far; `source` is never rounded, a fraction
    and an English answer neither, and `columns` is rounded to decimals. Raises UserError, naming
    `where`, for an unknown kind or style, for a rounding that is missing or given twice, and
    for a separator that is more than one space.
    """
    styles = {}
    for kind, choice in choices.items():
        name, rounding = choice["style"], Rounding(choice["decimals"], choice["significant"])
        given = sum(part is not None for part in rounding)
        if kind not in STYLES:
            raise UserError(f"unknown kind {kind[:40]!r}", where, f"known: {', '.join(STYLES)}")
        if name not in STYLES[kind]:
            there = ", ".join(STYLES[kind])
            raise UserError(f"no style {name[:40]!r} for {kind}", where, f"there are {there}")
        if given > 1:
            raise UserError(f"{kind} has decimals and significant", where, "state one of them")
        if not given and name != "source" and kind not in _UNROUNDED:
            what = f"{kind} does not say how far its answer is rounded"
            raise UserError(what, where, "state decimals or significant")
        if name == "columns" and rounding.significant is not None:
            raise UserError(f"columns of {kind} need decimals", where, "state decimals")
        separator = choice.get("separator") or ""
        if separator not in ("", " "):
            raise UserError(f"the separator is {separator[:20]!r}", where, "state ' ' or none")
        styles[kind] = Style(name, rounding, separator if name == "columns" else "")
    return styles


def style_fields(style: Style) -> Dict[str, Any]:
    """Give a style as `read_styles` takes it."""
    separator = {"separator": style.separator} if style.separator else {}
    return {"style": style.name, **style.rounding._asdict(), **separator}


def work_out(problem: Problem, style: Style) -> str:
    """Give the solution text of a Chinese problem. Raises ValueError for a style it lacks.

    Powers of more than 150 digits are stated directly in every style.
    """
    kind = problem.kind
    if style.name not in STYLES[kind]:
        raise ValueError(f"no style {style.name} for {kind}")
    if style.name == "source":
        return solution_text(problem)
    answer, value = _answer(problem, style.rounding)
    if style.name == "answer":
        lines: List[str] = []
    elif style.name == "columns":
        lines = column_lines(problem, style.rounding.decimals or 0, style.separator)
    elif style.name == "direct" or _too_long(problem):
        lines = direct(problem, value or Fraction(0), style.rounding)
    else:
        lines = _steps(problem, style.rounding)
    return "\n".join([*lines, ANSWER_LINE.format(answer)])


def work_out_english(solution: str, answer: str, style: Style) -> str:
    """Give the solution text of an English problem: its prose with the answer line, or that alone.

    answer   the row's answer: a number, or the LaTeX of its box.
    """
    if style.name == "source":
        return solution
    line = ANSWER_LINE.format(answer)
    return line if style.name == "answer" else f"{solution.strip()}\n{line}"


def answer_text(problem: Problem, rounding: Rounding) -> str:
    """Give the number of the answer line: the exact value, rounded; no zeros that carry nothing."""
    return _answer(problem, rounding)[0]


def exact_value(problem: Problem) -> Optional[Fraction]:
    """Give the exact value; None for roots (mostly irrational) and functions (far too long)."""
    numbers = problem.numbers
    if problem.kind in ("root", "function"):
        return None
    first, *rest = [Fraction(number) for number in numbers]
    if problem.kind == "power":
        return first ** int(numbers[1])
    if problem.kind == "mean":
        return Fraction(sum(int(number) for number in numbers), len(numbers))
    second = rest[0]
    return {
        "add": lambda: first + second,
        "subtract": lambda: first - second,
        "multiply": lambda: first * second,
        "divide": lambda: first / second,
        "equation": lambda: -second / first,
        "area": lambda: first * second,
        "mass": lambda: first * second,
        "discount": lambda: (first - second) / first * 100,
        "sales": lambda: first + first * second / 100,
        "fraction": lambda: first / second,
    }[problem.kind]()


def _too_long(problem: Problem) -> bool:
    """Whether a power has more digits than anybody would multiply out; the source's have 30."""
    if problem.kind != "power":
        return False
    base, exponent = problem.numbers
    return len(Decimal(base).as_tuple().digits) * int(exponent) > 150


def _answer(problem: Problem, rounding: Rounding) -> Tuple[str, Optional[Fraction]]:
    value = exact_value(problem)
    if problem.kind == "root":
        return canonical(powers.root_value(Decimal(problem.numbers[0]), rounding)), None
    if problem.kind == "function":
        return canonical(function_value(problem, rounding)), None
    assert value is not None
    if problem.kind == "fraction":
        return canonical(value), value
    if rounding == Rounding() and terminates(value):
        return canonical(as_decimal(value)), value
    return canonical(rounded(value, rounding)), value


def _steps(problem: Problem, rounding: Rounding) -> List[str]:
    kind, numbers = problem.kind, problem.numbers
    value = exact_value(problem)
    places = 0 if value is None else max(0, places_of(value, rounding))
    if kind in OPERATORS:
        sign = OPERATORS[kind]
        a, b = Decimal(numbers[0]), Decimal(numbers[1])
        text = f"{a:f} {sign} {b:f}"
        if kind in ("add", "subtract"):
            return operations.signed_sum(text, a, sign, b).lines
        if kind == "multiply":
            return operations.signed_product(text, a, b).lines
        return operations.signed_quotient(text, a, b, places).lines
    if kind == "power":
        return powers.power(Decimal(numbers[0]), int(numbers[1]), rounding).lines
    if kind == "root":
        return powers.root(Decimal(numbers[0]), rounding)[0]
    if kind == "function":
        x, coefficient, exponent = numbers
        return powers.function(Decimal(x), int(coefficient), int(exponent), rounding)[0]
    whole = [int(number) for number in numbers]
    if kind == "mean":
        return words.mean(tuple(whole), places).lines
    if kind == "equation":
        return words.equation(whole[0], whole[1], places).lines
    if kind == "discount":
        return words.discount(whole[0], whole[1], places).lines
    if kind == "sales":
        return words.sales(whole[0], whole[1]).lines
    if kind == "fraction":
        return words.fraction(whole[0], whole[1])
    return words.product({"area": "面积", "mass": "质量"}[kind], *whole).lines
