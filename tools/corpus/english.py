r"""The answer of an English competition problem: what stands in its \boxed{...}.

`boxed` takes it out; `numeric` says whether it is a rational number and which. Dollar signs,
degrees, percent signs (50\% reads as 50, as graders of such sets do) and units in \text{} are
taken off; \frac in all its spellings, mixed numbers and thousands separators are understood;
the root of a perfect square is a number, any other root is not, since no decimal states it.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Optional

from tools.corpus.solve import canonical

_BOXED = re.compile(r"\\(?:boxed|fbox)\s*")
_TOKEN = re.compile(r"\\[A-Za-z]+|[0-9.,/-]+|[^\s$]")
_CHINESE = re.compile("[\u3400-\u9fff]")


def is_english(text: str) -> bool:
    """Tell whether a problem holds no Chinese character."""
    return _CHINESE.search(text) is None


def identity_text(problem: str) -> str:
    """Give one text for all ways to lay out one English problem: case and white space aside."""
    return "english " + " ".join(problem.casefold().split())


def boxed(solution: str) -> Optional[str]:
    r"""Take out the contents of the last \boxed{...}, braces within it kept; None without one.

    The last, since a solution that boxes more than once ends with its answer. TeX's short form
    without braces, `\boxed 5` or `\boxed\pi`, gives the one token after it.
    """
    boxes = [match.end() for match in _BOXED.finditer(solution)]
    if not boxes:
        return None
    start = boxes[-1]
    if solution[start : start + 1] != "{":
        token = _TOKEN.match(solution, start)
        return token.group() if token else None
    depth, at = 0, start
    while at < len(solution):
        mark = solution[at]
        if mark == "\\":
            at += 1  # \{ and \} are printed braces and do not nest
        elif mark == "{":
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0:
                return solution[start + 1 : at].strip()
        at += 1
    return None


_SPACING = re.compile(r"\\[!,;: ]|\\q?quad|~|\\left|\\right|\\displaystyle|\{,\}")
_UNITS = re.compile(r"(?:\\(?:text|mbox|textrm|mathrm|textbf)\{[^{}]*\}(?:\^\{?[23]\}?)?)+$")
_ORNAMENTS = re.compile(r"\\?\$|\\?%|\^\{?\\circ\}?|\\degree")
_THOUSANDS = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")

# Longer answers are words or formulas, and some patterns above take quadratic time.
_LONGEST = 200
_DIGITS = r"[0-9]{1,40}"
_DECIMAL = re.compile(rf"([-+]?)({_DIGITS}\.?[0-9]{{0,40}}|\.{_DIGITS})")
_SLASH = re.compile(rf"([-+]?)({_DIGITS})/({_DIGITS})")
_FRACTION = re.compile(
    rf"([-+]?)({_DIGITS})?\\[dtc]?frac"
    rf"(?:\{{(-?)({_DIGITS})\}}|([0-9]))(?:\{{({_DIGITS})\}}|([0-9]))"
)
_ROOT = re.compile(rf"([-+]?)\\sqrt(?:\{{({_DIGITS})\}}|([0-9]))")


def numeric(text: str) -> Optional[str]:
    r"""Give a LaTeX answer as a canonical decimal or fraction string; None if it is none.

    \frac{1}{2} gives 1/2, 3\frac12 gives 7/2, 1{,}250\text{ cm} gives 1250, \sqrt{16} gives 4;
    \sqrt{2}, (1,2), x+1 and \text{Evelyn} give None.
    """
    if len(text) > _LONGEST:
        return None
    text = _SPACING.sub("", text)
    text = _ORNAMENTS.sub("", _UNITS.sub("", text.strip()))
    # "5, 120" is a list of two.
    is_list = re.search(r",\s", text) is not None
    text = "".join(text.split()).rstrip(".")
    if _THOUSANDS.fullmatch(text) and not is_list:
        text = text.replace(",", "")
    value = _rational(text)
    if value is None:
        return None
    if _DECIMAL.fullmatch(text):
        whole, _, part = text.lstrip("+-").partition(".")
        part = part.rstrip("0")
        digits = (whole.lstrip("0") or "0") + (f".{part}" if part else "")
        return f"-{digits}" if value < 0 else digits
    return canonical(value)


def _rational(text: str) -> Optional[Fraction]:
    match = _DECIMAL.fullmatch(text)
    if match:
        return _signed(match.group(1), Fraction("0" + match.group(2).rstrip(".")))
    match = _SLASH.fullmatch(text)
    if match and int(match.group(3)):
        return _signed(match.group(1), Fraction(int(match.group(2)), int(match.group(3))))
    match = _FRACTION.fullmatch(text)
    if match:
        sign, whole, inner, top, top_digit, bottom, bottom_digit = match.groups()
        denominator = int(bottom or bottom_digit)
        if not denominator or (whole and inner):
            return None
        part = Fraction(int(top or top_digit), denominator)
        return _signed(sign, _signed(inner or "", part) + int(whole or 0))
    match = _ROOT.fullmatch(text)
    if match:
        square = int(match.group(2) or match.group(3))
        root = math.isqrt(square)
        return _signed(match.group(1), Fraction(root)) if root * root == square else None
    return None


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value
