"""Recomputes each line of a worked solution: docs/worked-solutions.md says what a line may be.

Nothing here is shared with what writes the solutions. The text may come from anywhere: lengths,
depths and the work that it causes are bounded.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Dict, List, NamedTuple, Optional, Set

from tools.corpus import blocks, english, grammar
from tools.corpus.exact import (
    NUMBER,
    Meter,
    Unverified,
    Value,
    answer_text,
    is_rounded,
    kept_places,
    literal,
    number,
    problem_value,
    same,
)
from tools.corpus.expressions import (
    Expression,
    evaluate,
    own_expressions,
    spelled,
    split_chain,
    verify_links,
)
from tools.corpus.grammar import Problem
from tools.corpus.rounding import Rounding

_LABELS = {
    "平均值": "mean",
    "面积": "area",
    "折扣比例": "discount",
    "今年销售额": "sales",
    "质量": "mass",
    "x": "equation",
    "y": "function",
    "最大公约数": "fraction",
}
_FORMULA = re.compile(f"({'|'.join(_LABELS)}) ([=≈] .+)")
_EQUATION = re.compile(rf"(-?)({NUMBER})?x(?: ([-+]) (-?{NUMBER}))? = (.+)")
_EUCLID = re.compile(r"([0-9]+) = ([0-9]+) \* ([0-9]+) \+ ([0-9]+)")
_POWER_OF_X = re.compile(rf"(?:x\^([1-9][0-9]{{0,3}})|y)：(-?{NUMBER}) \* (-?{NUMBER}) ([=≈]) (.+)")
_POWER = re.compile(rf"(?:{NUMBER}|\(-?{NUMBER}\))\^[0-9]+")
_NUMBERS = re.compile(NUMBER)
_ZEROS_IN_FRONT = re.compile("0[0-9]")

_MOST_CHARACTERS = 200_000
_MOST_FAULTS = 50


def check_solution(
    problem: str, solution: str, rounding: Rounding, *, answer: Optional[str] = None
) -> List[str]:
    r"""Verify every line of a solution; give the faults as `line N: reason`, none if it holds.

    Of an English problem's solution the prose is not verified, only that its last line is the
    contents of its last \boxed{}, as a number where it is one, and that this is `answer` where
    one is given. The answer of a Chinese problem is computed, `answer` is not looked at.
    """
    lines = solution.split("\n")
    if len(solution) > _MOST_CHARACTERS:
        return [f"line {len(lines)}: more than {_MOST_CHARACTERS} characters are not checked"]
    faults = [
        _fault(at, "an answer stands only in the last line")
        for at, line in enumerate(lines[:-1], 1)
        if line.startswith("####")
    ]
    if english.is_english(problem):
        return faults + _check_english(lines, answer)
    try:
        parsed = grammar.parse(problem)
    except grammar.NoFit as error:
        return [_fault(1, f"the problem cannot be read: {error}")]
    check = _Check(parsed, lines, rounding)
    check.run()
    return sorted(faults + check.faults, key=lambda fault: int(fault[5 : fault.index(":")]))


def _fault(at: int, reason: str) -> str:
    return f"line {at}: {reason}"


def _check_english(lines: List[str], answer: Optional[str]) -> List[str]:
    if not lines[-1].startswith("#### "):
        return [_fault(len(lines), "the last line must be #### and the answer")]
    box = english.boxed("\n".join(lines[:-1]))
    if box is None:
        return [_fault(len(lines), "nothing is boxed in the solution")]
    stated = lines[-1][5:]
    expected = english.numeric(box) or " ".join(box.split())
    if stated != expected:
        return [_fault(len(lines), f"the answer must be {expected}, which is boxed")]
    if answer is not None and stated != answer:
        return [_fault(len(lines), f"the answer must be {answer}")]
    return []


def _digits(text: str) -> str:
    """Give a number's digits without point and zeros around: one text for all its tenfolds."""
    return text.partition("E")[0].replace(".", "").strip("0")


class _Euclid(NamedTuple):
    divisor: int
    rest: int


class _Check:
    """The state between the lines of one solution.

    known      the digits of all numbers that the problem or an earlier line gives.
    stated     numbers on right-hand sides, of which one must be the answer before it is rounded.
    powers     of the function's x, by exponent, as printed.
    """

    def __init__(self, problem: Problem, lines: List[str], rounding: Rounding) -> None:
        self.problem, self.rounding = problem, rounding
        self.answered = lines[-1].startswith("####")
        self.all = lines
        self.lines = blocks.Lines(lines[:-1] if self.answered else lines)
        self.meter = Meter()
        self.faults: List[str] = []
        self.value = problem_value(problem)
        self.known: Set[str] = {_digits(text.lstrip("-")) for text in grammar.operands(problem)}
        self.known.add("1")  # a power of ten needs no source
        self.highest = 0  # the largest exponent that may be used
        if problem.kind == "mean":
            self.known.add(_digits(str(len(problem.numbers))))
        elif problem.kind in ("power", "function"):
            self.highest = int(problem.numbers[-1])
        self.stated: List[str] = []
        self.powers: Dict[int, Value] = {}
        self.finished = False  # the function's last line, y：…, has been seen
        self.euclid: Optional[_Euclid] = None

    def run(self) -> None:
        """Verify all lines; the faults are in `faults`."""
        lines = self.lines
        while lines.taken < len(lines.lines):
            if len(self.faults) >= _MOST_FAULTS:
                self.faults.append(_fault(lines.taken + 1, "from here on nothing was checked"))
                return
            start = lines.taken
            line = lines.take()
            if line.startswith("####"):
                continue  # reported by the caller
            try:
                self.statement(line, first=start == 0)
            except Unverified as error:
                self.faults.append(_fault(lines.taken, str(error)))
                self.pass_over(start, line)
        self.answer()

    def pass_over(self, start: int, line: str) -> None:
        """After a fault, go to the end of its block; what it uses is not reported again."""
        lines = self.lines
        header, colon, _ = line.partition("：")
        if colon and not _POWER_OF_X.fullmatch(line):
            for at in range(start + 1, len(lines.lines)):
                if f"：{lines.lines[at]}".find(f"：{header} = ") >= 0:
                    lines.taken = at + 1
                    break
        for text in lines.lines[start : lines.taken]:
            self.known.update(_digits(n) for n in _NUMBERS.findall(text))

    def statement(self, line: str, first: bool) -> None:
        if line != line.strip() or not line.isprintable() or not line:
            raise Unverified("the line is empty, or has white space around it")
        if self.finished:
            raise Unverified("after y only the answer may stand")
        euclid = _EUCLID.fullmatch(line) if self.problem.kind == "fraction" else None
        if euclid:
            self.euclid_step(*map(_whole, euclid.groups()))
            return
        if self.euclid and self.euclid.rest:
            rest = self.euclid.rest
            self.euclid = None
            raise Unverified(f"the divisions must go on until nothing is left, not {rest}")
        formula = _FORMULA.fullmatch(line)
        if formula:
            self.formula(*formula.groups())
        elif "：" in line:
            power = _POWER_OF_X.fullmatch(line)
            if power and self.problem.kind == "function":
                if first:
                    raise Unverified("the solution must begin with the problem's own expression")
                self.power_of_x(*power.groups())
            else:
                self.block(line, first)
        elif "x" in line:
            self.equation(line, first)
        else:
            self.chain(line, first)

    # The forms of lines

    def chain(self, line: str, first: bool) -> None:
        left, *links = split_chain(line)
        if not links:
            raise Unverified("it states nothing that can be computed")
        side = evaluate(left, self.meter)
        sides = verify_links(side.value, left, links, self.meter)
        if first:
            self.check_first(left)
        self.check_known(side)
        if _POWER.fullmatch(left):
            # The next power comes from one that was worked out, not from a number that fits.
            for other in sides:
                if not other.plain:
                    self.check_known(other)
        self.learn(sides)

    def formula(self, label: str, rest: str) -> None:
        if _LABELS[label] != self.problem.kind:
            raise Unverified(f"{label} is not what the problem asks for")
        value = self.value
        if label == "最大公约数":
            value = Value(math.gcd(*self.problem.numbers), 1)
        sides = verify_links(value, label, split_chain(f" {rest}")[1:], self.meter)
        self.check_known(sides[0])
        self.learn(sides)

    def equation(self, line: str, first: bool) -> None:
        match = _EQUATION.fullmatch(line)
        if match is None or self.problem.kind != "equation":
            raise Unverified("it is no equation of the form ax + b = c")
        sign, times, link, constant, right = match.groups()
        a = _fraction(times or "1") * (-1 if sign else 1)
        b = _fraction(constant or "0") * (-1 if link == "-" else 1)
        side = evaluate(right, self.meter)
        if not a:
            raise Unverified("an equation without x has no single solution")
        if side.value.root:
            raise Unverified("an irrational root may only stand alone")
        c = Fraction(side.value.top, side.value.bottom)
        own_a, own_b = self.problem.numbers
        if first and (a, b, c) != (own_a, own_b, 0):
            raise Unverified("the solution must begin with the problem's own equation")
        if a * Fraction(-own_b, own_a) + b != c:
            raise Unverified("the problem's solution does not solve this equation")
        for text in (times or "1", (constant or "1").lstrip("-")):
            self.check_digits(text)
        self.learn([side])

    def block(self, line: str, first: bool) -> None:
        header, _, digits = line.partition("：")
        operands = blocks.operands(header)
        if first:
            self.check_first(header)
        for text in operands:
            self.check_digits(text)
        body = blocks.body(header, digits, self.lines)
        conclusion = self.lines.take()
        if not conclusion.startswith(f"{body.prefix}{header} = "):
            raise Unverified(f"here must stand {body.prefix}{header} = …")
        left, *links = split_chain(conclusion[len(body.prefix) :])
        value = evaluate(left, self.meter).value
        sides = verify_links(value, left, links, self.meter)
        if not all(side.plain for side in sides):
            raise Unverified("a conclusion gives a number")
        if body.prefix and _ZEROS_IN_FRONT.match(sides[0].text):
            raise Unverified("the result has zeros in front")
        if body.found is not None:
            self.check_places(body, value, sides)
        self.learn(sides)

    def check_places(self, body: blocks.Body, value: Value, sides: List[Expression]) -> None:
        """Verify where a division or root ends, and that the conclusion states what was found."""
        kept = None
        if same(value, Value(abs(self.value.top), *self.value[1:])):
            rounded = self.rounding.decimals is not None or self.rounding.significant is not None
            kept = kept_places(value, self.rounding) if rounded else None
        if body.decimals is None:
            if kept is not None and body.found > max(kept + 1, 0):
                raise Unverified(f"it must end after {max(kept + 1, 0)} decimals")
            return
        if kept is not None and kept >= 0 and body.decimals != kept + 1:
            raise Unverified(f"it must end after {kept + 1} decimals, not {body.decimals}")
        if len(sides) != 2 or not sides[0].text.endswith("…"):
            raise Unverified("the conclusion must be of the form = 3.19882… ≈ 3.1988")
        cut, shown = literal(sides[0].text[:-1]), literal(sides[1].text)
        if cut.places != body.decimals:
            raise Unverified(f"{body.decimals} decimals were found, not {cut.places}")
        if self.rounding.significant is None and shown.places != body.decimals - 1:
            raise Unverified(f"{sides[1].text} must have one decimal less than what was found")

    def power_of_x(self, exponent: Optional[str], a: str, b: str, link: str, product: str) -> None:
        x, coefficient, highest = self.problem.numbers
        powers = self.powers or {1: Value(*x.as_integer_ratio())}
        left, right = number(a), number(b)
        if exponent is None:
            if not same(left, Value(coefficient, 1)):
                raise Unverified(f"{a} is not the function's {coefficient}")
            if highest not in powers or not same(right, powers[highest]):
                raise Unverified(f"{b} stands at no x^{highest} before")
        else:
            k = int(exponent)
            if k in powers:
                raise Unverified(f"x^{k} has been worked out before")
            if not any(
                k - i in powers and same(left, power) and same(right, powers[k - i])
                for i, power in powers.items()
            ):
                raise Unverified(f"{a} and {b} stand at no two exponents that add up to {k}")
        exact = Value(left.top * right.top, left.bottom * right.bottom)
        shown = literal(product)
        self.meter.spend(
            4 * (exact.top.bit_length() + exact.bottom.bit_length() + abs(shown.places))
        )
        value = number(product)
        if link == "=" and not same(exact, value):
            raise Unverified(f"{product} is not {a} * {b}")
        if link == "≈" and not is_rounded(exact, shown, significant=True):
            raise Unverified(f"{product} is not {a} * {b}, rounded")
        if exponent is None:
            self.finished = True
        else:
            powers[k] = value
            self.powers = powers
        self.known.add(_digits(product.lstrip("-")))
        self.stated.append(product)

    def euclid_step(self, part: int, divisor: int, times: int, rest: int) -> None:
        before = self.euclid
        if before is None:
            small, large = sorted(self.problem.numbers)
            before = _Euclid(large, small)
        if (part, divisor) != before:
            raise Unverified(f"here {before.divisor} must be divided by {before.rest}")
        if not 0 <= rest < divisor:
            raise Unverified(f"the remainder {rest} is not smaller than {divisor}")
        if part != divisor * times + rest:
            raise Unverified(f"{part} is not {divisor} * {times} + {rest}")
        self.euclid = _Euclid(divisor, rest)
        self.known.update(_digits(str(n)) for n in (divisor, times, rest))

    # What goes between the lines

    def check_first(self, left: str) -> None:
        own = own_expressions(self.problem)
        if spelled(left) not in own:
            form = f", {own[0]}" if own else ""
            raise Unverified(f"the solution must begin with the problem's own expression{form}")

    def check_known(self, side: Expression) -> None:
        for text in side.numbers:
            self.check_digits(text)
        for text in side.exponents:
            if int(text) > self.highest:
                self.check_digits(text)

    def check_digits(self, text: str) -> None:
        if _digits(text) not in self.known:
            raise Unverified(f"it uses {text}, which nothing before it gives")

    def learn(self, sides: List[Expression]) -> None:
        for side in sides:
            self.known.update([_digits(text) for text in side.numbers])
            if side.plain:
                self.stated.append(side.text)

    def answer(self) -> None:
        last = len(self.all)
        if not self.answered or not self.all[-1].startswith("#### "):
            self.faults.append(_fault(last, "the last line must be #### and the answer"))
            return
        try:
            self.check_answer(self.all[-1][5:])
        except Unverified as error:
            self.faults.append(_fault(last, str(error)))

    def check_answer(self, stated: str) -> None:
        value = self.value
        if self.problem.kind == "fraction":
            expected = str(Fraction(value.top, value.bottom))
        else:
            expected = answer_text(value, self.rounding)
        if stated != expected:
            raise Unverified(f"the answer must be {expected}")
        if self.faults or len(self.all) == 1:
            return
        if self.euclid and self.euclid.rest:
            raise Unverified("the divisions must go on until nothing is left")
        if self.powers and not self.finished:
            raise Unverified("the powers of x end before y")
        if self.problem.kind == "function" and not self.powers:
            return
        parts = expected.lstrip("-").split("/")
        if all(_digits(part) in self.known for part in parts):
            return
        if not any(self.leads_to(text, expected) for text in reversed(self.stated)):
            raise Unverified(f"no line gives {expected}")

    def leads_to(self, text: str, expected: str) -> bool:
        value = number(text.rstrip("…"))
        self.meter.spend(4 * (value.top.bit_length() + value.bottom.bit_length()))
        return answer_text(value, self.rounding) == expected


def _whole(text: str) -> int:
    if len(text) > 40:
        raise Unverified("a number of more than 40 digits")
    return int(text)


def _fraction(text: str) -> Fraction:
    value = number(text)
    return Fraction(value.top, value.bottom)
