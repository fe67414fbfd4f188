"""Forms of worked solution that were compared with the style `columns` and did not win."""

from __future__ import annotations

from typing import Callable, Dict, List

from tools.corpus.grammar import Problem, Rounding
from tools.corpus.worked.styles import ANSWER_LINE, Style, answer_text, work_out


def _styled(style: Style) -> Callable[[Problem], str]:
    return lambda problem: work_out(problem, style)


def _sum_in(form: Callable[..., List[str]]) -> Callable[[Problem], str]:
    def solution(problem: Problem) -> str:
        first, second = (int(number.scaleb(2)) for number in problem.numbers)
        signs = "-" if first < 0 else "+", "-+"[(second < 0) == (problem.kind == "subtract")]
        lines = form(abs(first), abs(second), *signs)
        return "\n".join([*lines, ANSWER_LINE.format(answer_text(problem, Rounding(2)))])

    return solution


def _columns(upper: str, lower: str, sign: str, column: str) -> List[str]:
    lines, carry = [], 0
    for x, y in zip(map(int, upper[::-1]), map(int, lower[::-1])):
        total = x + y + carry if sign == "+" else x - y - carry
        after, digit = abs(total // 10), total % 10
        ten = x + 10 * after if sign == "-" else x
        shown = total if sign == "+" else digit
        lines.append(
            column.format(x=x, y=y, s=sign, c=carry, t=shown, ten=ten, after=after, d=digit)
        )
        carry = after
    return lines


def _trial(a: int, b: int, first: str, second: str) -> List[str]:
    """Signs; whole parts compared before a subtraction; the larger first, with its point."""
    lines, sign = [f"{first},{second}"], "+" if first == second else "-"
    if sign == "-":
        x, y = a // 100, b // 100
        lines.append(f"{x}{'<' if x < y else '>' if x > y else '='}{y}")
    large, small, lead = (a, b, first) if a >= b else (b, a, second)
    texts = [f"{number // 100}.{number % 100:02}" for number in (large, small)]
    width = len(str(large))
    column = _columns(f"{large}", f"{small:0{width}}", sign, "{ten}{s}{y}{s}{c}={t}")
    return [*lines, f"{lead}({texts[0]}{sign}{texts[1]})", *column]


def _padded(a: int, b: int) -> List[str]:
    width = max(len(str(a)), len(str(b)))
    return [f"{a:0{width}}", f"{b:0{width}}"]


def _roles(a: int, b: int, first: str, second: str) -> List[str]:
    """Both operands padded in the order given, then which is larger; no carry is restated."""
    upper, lower = _padded(a, b)
    relation = "<" if a < b else ">" if a > b else "="
    large, small = (upper, lower) if a >= b else (lower, upper)
    sign = "+" if first == second else "-"
    column = _columns(large, small, sign, "{x}{s}{y}={after}{d}")
    return [f"{first}{upper}{second}{lower}{relation}", *column]


def _signs_first(a: int, b: int, first: str, second: str) -> List[str]:
    """Both signs before both operands, and no word of the operation; else as `columns`."""
    upper, lower = _padded(a, b)
    relation = "<" if a < b else ">" if a > b else "="
    large, small = (upper, lower) if a >= b else (lower, upper)
    column = _columns(large, small, "+" if first == second else "-", "{x}{s}{y}{s}{c}={t}")
    return [f"{first}{second}{upper},{lower}{relation}", *column]


def _relation_first(a: int, b: int, first: str, second: str) -> List[str]:
    """The digits compared with the relation between them; then both operands, larger first."""
    upper, lower = _padded(a, b)
    at = next((i for i in range(len(upper)) if upper[i] != lower[i]), len(upper) - 1)
    relation = "<" if a < b else ">" if a > b else "="
    head = f"{first}{upper[at]}{relation}{second}{lower[at]}"
    if a < b:
        upper, lower, first, second = lower, upper, second, first
    column = _columns(upper, lower, "+" if first == second else "-", "{x}{s}{y}{s}{c}={t}")
    return [head, f"{first}{upper}{second}{lower}", *column]


def form_of(name: str, decimals: int) -> Callable[[Problem], str]:
    """Return what writes a problem's solution in the form or style of this name."""
    sums: Dict[str, Callable[..., List[str]]] = {
        "trial": _trial,
        "roles": _roles,
        "signs-first": _signs_first,
        "relation-first": _relation_first,
    }
    return _sum_in(sums[name]) if name in sums else _styled(Style(name, Rounding(decimals)))
