"""Worked solutions: their answers against an independent rounding, their lines against goldens."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction

import pytest

from tools.corpus.grammar import Problem, Rounding, parse
from tools.corpus.kinds import CHINESE, ENGLISH
from tools.corpus.render import problem_text
from tools.corpus.rows import Row, make_row
from tools.corpus.sample import generate
from tools.corpus.worked.restate import restate, restate_lines
from tools.corpus.worked.styles import STYLES, Style, answer_text, read_styles, work_out
from tools.files.errors import UserError

WORKED = [(kind, name) for kind in CHINESE for name in STYLES[kind] if name != "source"]


def exactly(problem: Problem, rounding: Rounding) -> Decimal:
    """The rounded value by decimal arithmetic of 800 digits: another way than the code's own."""
    n = [Decimal(number) for number in problem.numbers]
    with localcontext(Context(prec=800, rounding=ROUND_HALF_UP)):
        value = {
            "add": lambda: n[0] + n[1],
            "subtract": lambda: n[0] - n[1],
            "multiply": lambda: n[0] * n[1],
            "divide": lambda: n[0] / n[1],
            "power": lambda: n[0] ** int(n[1]) if n[1] else Decimal(1),
            "root": lambda: n[0].sqrt(),
            "equation": lambda: -n[1] / n[0],
            "function": lambda: n[1] * n[0] ** int(n[2]),
            "mean": lambda: sum(n) / len(n),
            "area": lambda: n[0] * n[1],
            "discount": lambda: (n[0] - n[1]) / n[0] * 100,
            "sales": lambda: n[0] + n[0] * n[1] / 100,
            "mass": lambda: n[0] * n[1],
        }[problem.kind]()
        if rounding.significant is not None:
            return +value.normalize(Context(prec=rounding.significant, rounding=ROUND_HALF_UP))
        return value.quantize(Decimal(1).scaleb(-(rounding.decimals or 0)))


@pytest.mark.parametrize("kind", [kind for kind in CHINESE if kind != "fraction"])
def test_the_answer_line_is_the_exact_value_rounded(kind):
    rng = random.Random(kind)
    for _ in range(150):
        problem = generate(kind, rng)
        for rounding in (Rounding(2), Rounding(5), Rounding(0), Rounding(None, 6)):
            answer = answer_text(problem, rounding)
            assert Decimal(answer) == exactly(problem, rounding), (problem, rounding)
            assert not answer.startswith("-0") or Decimal(answer)
            assert "." not in answer or answer[-1] != "0" or "E" in answer


def test_half_is_rounded_away_from_zero():
    assert answer_text(parse("计算 0.05 * 0.50 等于多少？"), Rounding(2)) == "0.03"
    assert answer_text(parse("计算 -0.05 * 0.50 等于多少？"), Rounding(2)) == "-0.03"
    assert answer_text(parse("计算 -0.05 * 0.05 等于多少？"), Rounding(2)) == "0"
    assert answer_text(parse("计算 9.996 * 1 等于多少？"), Rounding(None, 3)) == "10"


@pytest.mark.parametrize(("kind", "name"), WORKED)
def test_every_style_of_every_kind_ends_in_the_answer_line(kind, name):
    rng = random.Random(f"{kind}/{name}")
    for _ in range(20):
        problem = generate(kind, rng)
        rounding = Rounding(None, 6) if kind == "function" else Rounding(3)
        *lines, last = work_out(problem, Style(name, rounding)).split("\n")
        assert last == f"#### {answer_text(problem, rounding)}"
        assert not lines if name == "answer" else lines or name == "columns"
        assert all(line.strip() == line and line for line in lines)
        assert not any("####" in line for line in lines)


# Worked by hand, then compared.
GOLDENS = [
    (
        *("计算 9004.56 * 29.80 等于多少？", "schoolbook", Rounding(4)),
        """9004.56 * 29.80 = 9004.56 * 29.8
9004.56 * 29.8：
9004.56 * 20 = 180091.2
9004.56 * 9 = 81041.04
180091.2 + 081041.04 = 261132.24
9004.56 * 0.8 = 7203.648
261132.24 + 007203.648 = 268335.888
9004.56 * 29.8 = 268335.888
#### 268335.888""",
    ),
    (
        *("计算 -45.30 + 1234.56 等于多少？", "schoolbook", Rounding(2)),
        """-45.30 + 1234.56 = 1234.56 - 45.3
1234.56 - 0045.3 = 1189.26
#### 1189.26""",
    ),
    (
        *("计算 -7.50 / 0.20 等于多少？", "schoolbook", Rounding(2)),
        """-7.50 / 0.20 = -(7.5 / 0.2) = -(75 / 2)
75 / 2：
7 = 2 * 3 + 1
15 = 2 * 7 + 1
10 = 2 * 5 + 0
75 / 2 = 37.5
-7.50 / 0.20 = -37.5
#### -37.5""",
    ),
    (
        *("计算 152.3 的平方根？", "schoolbook", Rounding(1)),
        """√152.3：
1 = 1 * 1 + 0
52 = 22 * 2 + 8
830 = 243 * 3 + 101
10100 = 2464 * 4 + 244
√152.3 = 12.34… ≈ 12.3
#### 12.3""",
    ),
    (
        *("计算 -1.50 的 3 次方？", "schoolbook", Rounding(2)),
        """(-1.5)^3 = -(1.5^3)
1.5^2 = 1.5 * 1.5
1.5 * 1.5：
1.5 * 1 = 1.5
1.5 * 0.5 = 0.75
1.5 + 0.75 = 2.25
1.5 * 1.5 = 2.25
1.5^3 = 2.25 * 1.5
2.25 * 1.5：
2.25 * 1 = 2.25
2.25 * 0.5 = 1.125
2.25 + 1.125 = 3.375
2.25 * 1.5 = 3.375
(-1.5)^3 = -3.375 ≈ -3.38
#### -3.38""",
    ),
    (
        *("解方程 -39x + 20 = 0", "schoolbook", Rounding(3)),
        """-39x + 20 = 0
-39x = -20
x = -20 / -39
-20 / -39 = 20 / 39
20 / 39：
20 = 39 * 0 + 20
200 = 39 * 5 + 5
50 = 39 * 1 + 11
110 = 39 * 2 + 32
320 = 39 * 8 + 8
20 / 39 = 0.5128… ≈ 0.513
x ≈ 0.513
#### 0.513""",
    ),
    (
        *("将分数 6/10 进行简化。", "schoolbook", Rounding()),
        """10 = 6 * 1 + 4
6 = 4 * 1 + 2
4 = 2 * 2 + 0
最大公约数 = 2
6 / 2 = 3
10 / 2 = 5
#### 3/5""",
    ),
    (
        *(
            "去年销售额为 12 万元，今年销售额增加了 77%，请计算今年的销售额。",
            "direct",
            Rounding(2),
        ),
        "今年销售额 = 12 + 12 * 77 / 100 = 12 + 9.24 = 21.24\n#### 21.24",
    ),
]


@pytest.mark.parametrize(("text", "style", "rounding", "expected"), GOLDENS)
def test_worked_by_hand(text, style, rounding, expected):
    assert work_out(parse(text), Style(style, rounding)) == expected


def test_styles_are_checked():
    def choice(style="direct", decimals=None, significant=None):
        return {"style": style, "decimals": decimals, "significant": significant}

    assert read_styles({"add": choice(decimals=2)}, "x") == {"add": Style("direct", Rounding(2))}
    assert read_styles({"fraction": choice(), ENGLISH: choice("answer")}, "x")
    for bad in (
        {"sum": choice(decimals=2)},
        {"add": choice("reverse", 2)},
        {"function": choice("columns", 2)},
        {ENGLISH: choice("schoolbook", 2)},
        {"add": choice()},
        {"add": choice("direct", 2, 3)},
    ):
        with pytest.raises(UserError, match=r"^here: "):
            read_styles(bad, "here")


def test_rows_are_restated_and_copies_get_ids_of_their_own():
    row = make_row(parse("计算 1.50 + 2.25 等于多少？"), "add-1")
    styles = {"add": Style("direct", Rounding(2)), ENGLISH: Style("direct")}
    assert restate(row, {}) is row
    assert restate(row, styles) == row._replace(solution="1.50 + 2.25 = 3.75\n#### 3.75")
    prose = Row("english-1", ENGLISH, "What?", "It is $\\boxed{\\frac12}$.\n", "1/2")
    assert restate(prose, styles).solution == "It is $\\boxed{\\frac12}$.\n#### 1/2"
    lines = restate_lines([(row.to_line(), 1), (row.to_line(), 2)], {})
    assert lines == [row.to_line(), row._replace(id="add-1#2").to_line()]


def test_exact_values_of_any_size_are_worked_out():
    for text in (
        "计算 123456789012.12 * -999999999999.99 等于多少？",
        "计算 0.000000000001 / 99999999999 等于多少？",
        "计算 999999999999.999 的 99 次方？",
        "计算 0.000000000004 的平方根？",
    ):
        problem = parse(text)
        for name in STYLES[problem.kind][1:]:
            assert work_out(problem, Style(name, Rounding(4))).count("####") == 1
    assert Fraction(answer_text(parse("计算 4 的平方根？"), Rounding(3))) == 2
    assert problem_text(parse("计算 4 的平方根？")) == "计算 4 的平方根？"
