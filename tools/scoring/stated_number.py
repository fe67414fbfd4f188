"""Find the number that an answer states.

The rules, in order: the echoed prompt is taken off; inside the last \\boxed{} if there is one,
else in the whole answer, the *last* number counts. Percent signs and units do not change it:
in the contest's problems the unit is part of the question.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple, Optional, Union

from tools.corpus.english import boxed, numeric
from tools.corpus.grammar import MINUS_SIGNS
from tools.corpus.rows import unframed

# Hostile text must not cost memory: 1e999999999 is no answer to any problem (the largest
# right one has about 100 digits).
_MOST_DIGITS = 400

_WIDE = str.maketrans("０１２３４５６７８９．％＋／＊Ｅｅ（）", "0123456789.%+/*Ee()")
_WIDE.update(str.maketrans(MINUS_SIGNS))
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED = re.compile("(?<=[0-9])[ \t]?([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_WIDE_COMMA = re.compile("(?<=[０-９])，(?=[０-９]{3}(?![０-９]))")
_LATEX_THOUSANDS = re.compile(r"\{,\}|,\\!|\\!,")
_FRACTION = re.compile(
    r"(?:(?P<whole>[0-9]{1,20})\s*)?\\[dtc]?frac\s*"
    r"(?:\{\s*(?P<minus>-?)\s*(?P<top>[0-9]+)\s*\}|(?P<top1>[0-9]))\s*"
    r"(?:\{\s*(?P<bottom>[0-9]+)\s*\}|(?P<bottom1>[0-9]))"
)
# The 2 of cm^2 and of 厘米2 is no answer.
_UNIT_POWER = re.compile(r"(?:(?<![A-Za-z])[cdkm]?m|米)(\}?)(?:\^\{?)?[23]\}?(?![0-9.])")
_NEGATIVE_WORD = re.compile(r"负\s*(?=[0-9.])")

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9.])\.[0-9]+"
_TIMES = r"[ \t]?(?:[×✕xX*·⋅∙]|\\times|\\cdot|乘以?)[ \t]?"
_TO_THE = r"[ \t]?(?:\^|\*\*|的(?=[-+]?[0-9]+次))[ \t]?[({]?"
_NUMBER = re.compile(
    rf"(?P<sign>-[ \t]*)?(?P<digits>{_DIGITS})"
    r"(?:[eE](?P<e>[-+]?[0-9]+)"
    rf"|{_TIMES}10{_TO_THE}(?P<power>[-+]?[0-9]+)[)}}]?"
    rf"|{_TO_THE}(?P<raised>[-+]?[0-9]+)[)}}]?"
    r"|/(?P<bottom>-?[0-9]+)(?![0-9./]))?"
)
# The exponent of what is no power of ten.
_EXPONENT = re.compile(r"(?:\^|\*\*)[ \t]?[({]?$")
# \text{42}, \mathbf{-3.5}; x = , t \approx .
_WRAPPED = re.compile(
    r"\\(?:text|mbox|textrm|textbf|mathrm|mathbf|mathit|mathsf|boldsymbol|bm)"
    r"\{\s*([-+]?[0-9.,/]+)\s*(?:[A-Za-z]{1,4}|[\u4e00-\u9fff]{1,4})?\s*\}"
)
_LEFT_SIDE = re.compile(r"\s*[A-Za-z]\s*(?:=|≈|:|：|\\approx|\\simeq|\\doteq)\s*")
# A minus before a space is a sign only where nothing can stand to its left.
_SIGN_AFTER = frozenset("=≈:：({[,，是为$")


class Number(NamedTuple):
    """A written number.

    decimals   digits after the point as written, of the mantissa where there is an exponent;
               None for a fraction, which has no end of decimals.
    exponent   of E-notation, else None.
    """

    value: Fraction
    decimals: Optional[int]
    exponent: Optional[int]


def answer_part(text: str, prompt: str) -> str:
    """Take the echoed prompt off `text`; spaces may differ, since a tokenizer may change them.

    The organisers' outputs echo the problem without the frame round it, so the problem alone
    is tried too. Text that echoes nothing is given back as it is.
    """
    for echoed in (prompt, unframed(prompt)):
        end = _end_of_echo(text, echoed)
        if end:
            return text[end:]
    return text


def find_number(text: str) -> Optional[Number]:
    """Return the number that `text` (without echoed prompt) states, or None.

    A box that holds a formula (a root, a power of a letter) states none, and neither does a line
    that ends in a power of something other than ten.
    """
    content = boxed(text)
    if content is not None:
        whole = boxed_number(content)
        if whole or "\\" in content or len(_NUMBER.findall(_plain(content))) > 1:
            return whole
        text = content
    # From the end, since a worked solution holds dozens of numbers before the one that counts.
    for line in reversed(text.splitlines()):
        line = _plain(line)
        last = None
        for found in _NUMBER.finditer(line):
            last = found
        if last:
            is_exponent = _EXPONENT.search(line, 0, last.start())
            return None if is_exponent else _number(last, line)
    return None


def power_of_ten(exponent: int) -> Union[int, Fraction]:
    """10 ** exponent, exactly; an integer where it can be, which is much faster."""
    return 10**exponent if exponent >= 0 else Fraction(1, 10**-exponent)


def boxed_number(content: str) -> Optional[Number]:
    """Return the number that a boxed text is; None if it holds more than one number.

    Units, LaTeX ornaments, fonts and one letter with a relation before the number are no part.
    """
    content = _WRAPPED.sub(r"\1", _plain_digits(content).replace("$", ""))
    content = content[left.end() :] if (left := _LEFT_SIDE.match(content)) else content
    whole = _NUMBER.fullmatch(content.strip())
    if not whole:
        # The canonical form drops trailing zeros, hence only where the text is not plain.
        content = numeric(content) or ""
        whole = _NUMBER.fullmatch(content)
    return _number(whole, whole[0]) if whole else None


def _end_of_echo(text: str, prompt: str) -> int:
    """Where the echo of `prompt` ends in `text`; 0 if it is not there."""
    position = 0
    for char in prompt:
        if char.isspace():
            continue
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text) or text[position] != char:
            return 0
        position += 1
    return position


def _plain_digits(text: str) -> str:
    text = _WIDE_COMMA.sub(",", text).translate(_WIDE)
    return _RAISED.sub(lambda found: f"^{found[1].translate(_SUPERSCRIPTS)}", text)


def _plain(text: str) -> str:
    text = _plain_digits(text)
    if "\\" in text or "{" in text:
        text = _FRACTION.sub(_slashed, _LATEX_THOUSANDS.sub(",", text))
    return _NEGATIVE_WORD.sub("-", _UNIT_POWER.sub(r"\1 ", text))


def _slashed(found: re.Match) -> str:
    """LaTeX's fraction as a/b, a mixed number as one fraction."""
    top, bottom = found["top"] or found["top1"], found["bottom"] or found["bottom1"]
    if found["whole"] and max(len(found["whole"]), len(top), len(bottom)) <= _MOST_DIGITS:
        top = str(int(found["whole"]) * int(bottom) + int(top))
    return f"{found['minus'] or ''}{top}/{bottom}"


def _number(found: re.Match, text: str) -> Optional[Number]:
    digits = found["digits"].replace(",", "")
    bottom, power = found["bottom"], found["e"] or found["power"] or found["raised"]
    if found["raised"]:
        if digits != "10":
            return None
        digits = "1"
    if max(len(digits), len(bottom or "")) > _MOST_DIGITS or len(power or "") > 4:
        return None
    whole, _, decimals = digits.partition(".")
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    exponent = int(power) if power else None
    if found["sign"] and _is_sign(found, text):
        value = -value
    if bottom:
        return Number(value / int(bottom), None, None) if int(bottom) and not decimals else None
    if exponent is not None:
        if abs(exponent) > _MOST_DIGITS:
            return None
        value *= power_of_ten(exponent)
    return Number(value, len(decimals), exponent)


def _is_sign(found: re.Match, text: str) -> bool:
    """Whether the minus of `found` is a sign and not an operator or a bullet."""
    start = found.start()
    spaced = len(found["sign"]) > 1
    left = text[:start].rstrip(" \t")[-1:]
    if spaced:
        return left in _SIGN_AFTER and left != ""
    if left.isdigit() or (left and left in ")]}%"):
        return False
    # `x-5` subtracts, `is -5` does not.
    return not (len(left) and left == text[start - 1] and left.isascii() and left.isalpha())
