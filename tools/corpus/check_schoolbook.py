"""Verifies solutions of the styles `direct` and `schoolbook`, which are one language of lines.

Nothing here is shared with what writes the solutions. The work that a text causes is bounded.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import List, Match, Optional, Set, Tuple

from tools.corpus import blocks, grammar
from tools.corpus.exact import (
    NUMBER,
    Meter,
    Unverified,
    Value,
    answer_line,
    answer_text,
    check_zeros,
    kept_places,
    literal,
    number,
    problem_value,
    same,
    shortest,
    tenfolds,
)
from tools.corpus.expressions import (
    Expression,
    evaluate,
    own_expressions,
    read_equation,
    spelled,
    split_chain,
    verify_links,
)
from tools.corpus.grammar import Problem, Rounding

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
_NUMBERS = re.compile(NUMBER)

MOST_FAULTS = 50


class Check:
    """The state between the lines of one solution.

    held       the lines, by their number, that were verified and hold.
    known      all numbers that the problem or an earlier line gives, by their shortest text.
    end        the number that the last statement ends in, empty where that is none: the answer
               must follow from it.
    """

    def __init__(self, problem: Problem, lines: List[str], rounding: Rounding) -> None:
        self.problem, self.rounding = problem, rounding
        self.answered = lines[-1].startswith("####")
        self.all = lines
        self.lines = blocks.Lines(lines[:-1] if self.answered else lines)
        self.meter = Meter()
        self.faults: List[Tuple[int, str]] = []
        self.held: Set[int] = set()
        self.value = problem_value(problem)
        self.own = own_expressions(problem)
        given = [shortest(text) for text in grammar.operands(problem)]
        self.known: Set[str] = set(given)
        self.highest = 0  # the largest exponent that may be used
        self.products: Optional[blocks.Products] = None
        self.powers: Optional[blocks.PowersOfX] = None
        if problem.kind in ("power", "function"):
            self.highest = int(problem.numbers[-1])
        if problem.kind == "power":
            self.products = blocks.Products(problem)
        elif problem.kind == "function":
            self.powers = blocks.PowersOfX(problem)
        elif problem.kind == "mean":
            self.known.add(str(len(given)))
        elif problem.kind in ("discount", "sales"):
            self.known.add("100")
        elif problem.kind == "fraction":
            self.known.add("1")  # 0/7 is 0/1
        self.rearranged = problem.kind != "equation"  # no equation may stand any more
        self.ended: Set[str] = set()  # first sides of chains that ended in a number
        self.end = ""

    def run(self) -> None:
        """Verify all lines: faults, as (line, reason), go to `faults`, other lines to `held`."""
        lines = self.lines
        while lines.taken < len(lines.lines):
            if len(self.faults) >= MOST_FAULTS:
                self.faults.append((lines.taken + 1, "from here on nothing was checked"))
                return
            start = lines.taken
            line = lines.take()
            if line.startswith("####"):
                continue  # reported by the caller
            try:
                self.statement(line, first=start == 0)
                self.held.update(range(start + 1, lines.taken + 1))
            except Unverified as error:
                self.faults.append((lines.taken, str(error)))
                self.held.update(range(start + 1, lines.taken))
                self.pass_over(start, line)
        try:
            self.answer()
            if all(at < len(self.all) for at, _ in self.faults):
                self.held.add(len(self.all))
        except Unverified as error:
            self.faults.append((len(self.all), str(error)))

    def pass_over(self, start: int, line: str) -> None:
        """After a fault, go to the end of its block; what it uses is not reported again."""
        lines = self.lines
        header, colon, _ = line.partition("：")
        if colon and not self.powers:
            for at in range(start + 1, len(lines.lines)):
                if lines.lines[at].startswith(f"{header} = "):
                    lines.taken = at + 1
                    break
        while self.problem.kind == "fraction" and blocks.is_euclid(lines.peek()):
            lines.take()
        for text in lines.lines[start : lines.taken]:
            self.known.update(shortest(n) for n in _NUMBERS.findall(text))
        if self.products:
            self.products.wanted = ""

    def statement(self, line: str, first: bool) -> None:
        if line != line.strip() or not line.isprintable() or not line:
            raise Unverified("the line is empty, or has white space around it")
        if self.powers and self.powers.finished:
            raise Unverified("after y only the answer may stand")
        self.end = ""
        formula = _FORMULA.fullmatch(line)
        if self.problem.kind == "fraction" and (formula or blocks.is_euclid(line)):
            self.lines.taken -= 1
            blocks.common_divisor(self.problem.numbers, self.lines)
            self.end = str(Fraction(*self.problem.numbers))
        elif "x" in line and not formula and not self.powers:
            self.equation(line, first)
        else:
            self.rearranged = True
            self.computation(line, formula, first)

    # The forms of lines

    def computation(self, line: str, formula: Optional[Match[str]], first: bool) -> None:
        if formula:
            self.formula(*formula.groups(), first)
        elif self.powers and "：" in line:
            self.power_of_x(line, first)
        elif "：" in line:
            self.block(line, first)
        else:
            self.chain(line, first)

    def chain(self, line: str, first: bool) -> None:
        left, *links = split_chain(line)
        if not links:
            raise Unverified("it states nothing that can be computed")
        side = evaluate(left, self.meter)
        sides = [side, *verify_links(side.value, left, links, self.meter)]
        if side.plain:
            # Such lines are the steps of divisions and roots.
            raise Unverified("a step without the header of its block, or nothing to compute")
        if self.products:
            self.power(line, sides, first)
        elif first:
            self.check_first(left)
        self.check_known(side)
        self.learn(sides)
        if self.end:
            self.ended.add(left)
        elif left in self.ended:
            raise Unverified(f"{left} has been worked out before")

    def power(self, line: str, sides: List[Expression], first: bool) -> None:
        products = self.products
        if not {text for side in sides for text in side.exponents} <= set(sides[0].exponents):
            raise Unverified("the exponent has changed")
        if products.wanted:
            products.work_out(sides[0].text, sides[1].text)
        elif first and not (products.announce(line) and products.may_begin):
            self.check_first(sides[0].text)
        elif not first:
            products.announce(line)

    def formula(self, label: str, rest: str, first: bool) -> None:
        if _LABELS[label] != self.problem.kind:
            raise Unverified(f"{label} is not what the problem asks for")
        sides = verify_links(self.value, label, split_chain(f" {rest}")[1:], self.meter)
        if first:
            self.check_first_formula(label, sides[0])
        self.check_known(sides[0])
        self.learn(sides)

    def equation(self, line: str, first: bool) -> None:
        if self.rearranged:
            raise Unverified("an equation stands before all that works x out, and in no other kind")
        a, b, c, numbers, side = read_equation(line, self.meter)
        own_a, own_b = self.problem.numbers
        if first and (a, b, c) != (own_a, own_b, 0):
            raise Unverified("the solution must begin with the problem's own equation")
        if a * Fraction(-own_b, own_a) + b != c:
            raise Unverified("the problem's solution does not solve this equation")
        for text in numbers:
            self.check_number(text)
        self.learn([side])
        self.end = ""

    def block(self, line: str, first: bool) -> None:
        header, _, rest = line.partition("：")
        operands = blocks.operands(header)
        if rest:
            raise Unverified("nothing may stand behind the colon")
        check_zeros(header)
        if first:
            self.check_first(header)
        for text in operands:
            self.check_number(text)
        body = blocks.body(header, self.lines)
        conclusion = self.lines.take()
        if not conclusion.startswith(f"{header} = "):
            raise Unverified(f"here must stand {header} = …")
        left, *links = split_chain(conclusion)
        value = evaluate(left, self.meter).value
        sides = verify_links(value, left, links, self.meter)
        if not all(side.plain for side in sides):
            raise Unverified("a conclusion gives a number")
        if body.found is not None:
            self.check_places(body, value, sides)
        if self.products:
            self.products.work_out(header, sides[0].text)
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

    def power_of_x(self, line: str, first: bool) -> None:
        if first:
            raise Unverified("the solution must begin with the problem's own expression")
        product = self.powers.verify(line, self.meter)
        if product is None:
            raise Unverified("here must stand x^k：a * b ≈ c, or y：a * b ≈ c")
        self.end = product

    # What goes between the lines

    def check_first(self, left: str) -> None:
        if spelled(left) not in self.own:
            form = f", {self.own[0]}" if self.own else ""
            raise Unverified(f"the solution must begin with the problem's own expression{form}")

    def check_first_formula(self, label: str, side: Expression) -> None:
        """Verify that the first line has the problem's numbers, in the problem's order."""
        if self.own:
            self.check_first(side.text)
        elif label != "x":
            rest = iter([shortest(text) for text in side.numbers])
            given = [shortest(text) for text in grammar.operands(self.problem)]
            if not all(text in rest for text in given):
                raise Unverified(f"{label} must begin with {' and '.join(given)}, in this order")

    def check_known(self, side: Expression) -> None:
        for text in side.numbers:
            self.check_number(text)
        for text in side.exponents:
            if int(text) > self.highest:
                self.check_number(text)

    def check_number(self, text: str) -> None:
        if shortest(text) not in self.known:
            raise Unverified(f"it uses {text}, which nothing before it gives")

    def learn(self, sides: List[Expression]) -> None:
        """Take in the sides of a line that holds."""
        if not sides[0].plain and sides[0].value is not None and not sides[0].value.top:
            self.check_zero(sides)
        for side in sides:
            self.known.update([shortest(text) for text in side.numbers])
        last = sides[-1]
        self.end = last.text if last.plain or self.problem.kind == "fraction" else ""

    def check_zero(self, sides: List[Expression]) -> None:
        """Verify the numbers of a chain that comes to zero.

        0 / 59 is 0 as 0 / 99 is, so that each number after the first side must be known, or a
        tenfold of what is, or what a part of the sides before comes to.
        """
        known = {tenfolds(text) for text in self.known}
        parts = list(sides[0].parts)
        for side in sides[1:]:
            for text in side.numbers:
                value = number(text)
                if tenfolds(text) not in known and not any(
                    same(Value(abs(part.top), *part[1:]), value) for part in parts
                ):
                    raise Unverified(f"it uses {text}, which nothing before it gives")
            parts += side.parts

    def answer(self) -> None:
        if not self.answered or not self.all[-1].startswith("#### "):
            raise Unverified("the last line must be #### and the answer")
        expected = answer_line(self.problem, self.rounding)[5:]
        if self.all[-1][5:] != expected:
            raise Unverified(f"the answer must be {expected}")
        if self.faults or len(self.all) == 1:
            return
        if self.products:
            self.products.end()
        if self.powers and not self.powers.finished:
            if len(self.powers.powers) > 1:
                raise Unverified("the powers of x end before y")
            if len(self.all) == 2:
                return  # the answer follows the formula at once
        if not self.leads_to(expected):
            raise Unverified(f"the line before does not give {expected}")

    def leads_to(self, expected: str) -> bool:
        """Tell whether the last statement ends in the answer, before it was rounded or after."""
        if self.problem.kind == "fraction":
            top, _, bottom = expected.partition("/")
            return self.end in (expected, f"{top} / {bottom or 1}")
        if not self.end or (self.problem.kind == "equation" and self.all[-2][:2] != "x "):
            return False
        value = number(self.end.rstrip("…"))
        self.meter.spend(4 * (value.top.bit_length() + value.bottom.bit_length()))
        return answer_text(value, self.rounding) == expected
