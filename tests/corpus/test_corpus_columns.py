"""The style `columns`: solutions by hand, the writer's at random and at edges, faults in them."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.check_lines import accepted_lines, check_solution
from tools.corpus.grammar import Problem, Rounding, parse
from tools.corpus.render import problem_text
from tools.corpus.sample import generate
from tools.corpus.worked.styles import STYLES, Style, work_out
from tools.files.parallel import ordered_map

KINDS = [kind for kind in STYLES if "columns" in STYLES[kind]]


def columns(decimals: int = 2, separator: str = "") -> Style:
    return Style("columns", Rounding(decimals), separator)


# Problem, decimals, solution; then the arithmetic that its lines come from, written on its own.
GOLDENS = {
    "a carry through all columns": (
        *("计算 999.99 + 0.01 等于多少？", 2),
        "+099999+000001>+\n9+1+0=10\n9+0+1=10\n9+0+1=10\n9+0+1=10\n9+0+1=10\n0+0+1=1\n#### 1000",
        [99999 + 1 == 100000],
    ),
    "a difference, the second larger": (
        *("计算 45.30 - 1234.56 等于多少？", 2),
        "+004530-123456<-\n6-0-0=6\n5-3-0=2\n4-5-0=9\n3-4-1=8\n2-0-1=1\n1-0-0=1\n#### -1189.26",
        [123456 - 4530 == 118926, 14 - 5 == 9, 13 - 4 - 1 == 8],
    ),
    "two negative numbers": (
        *("计算 -8.5 - 12.75 等于多少？", 1),
        "-000850-001275<+\n5+0+0=5\n7+5+0=12\n2+8+1=11\n1+0+1=2\n0+0+0=0\n0+0+0=0\n#### -21.3",
        [850 + 1275 == 2125],
    ),
    "nothing remains": (
        *("计算 -5.00 - -5.00 等于多少？", 2),
        "-000500+000500=-\n0-0-0=0\n0-0-0=0\n5-5-0=0\n0-0-0=0\n0-0-0=0\n0-0-0=0\n#### 0",
        [500 - 500 == 0],
    ),
    "a negative zero": (
        *("计算 -0.00 - 1.5 等于多少？", 2),
        "+000000-000150<-\n0-0-0=0\n5-0-0=5\n1-0-0=1\n0-0-0=0\n0-0-0=0\n0-0-0=0\n#### -1.5",
        [0 - 150 == -150],
    ),
    "product": (
        *("计算 12.34 * -5.6 等于多少？", 4),
        "-1234*56\n6:424442318802212241106670\n5:420002315912210791105560\n#### -69.104",
        [1234 * 6 == 7404, 1234 * 5 + 740 == 6910, 1234 * 56 == 69104],
    ),
    "product, the second is longer": (
        *("计算 0.05 * 10.50 等于多少？", 2),
        "1050*5\n5:000000525552000020105550\n#### 0.53",
        [1050 * 5 == 5250, 525 == 1050 // 2],
    ),
    "quotient": (
        *("计算 7.00 / 0.12 等于多少？", 2),
        "700/12\n5:21000011057210\n8:21604421080201\n.3:20604411034100\n3:20604411034100\n3:20604411034100\n"
        "#### 58.33",
        [70 - 5 * 12 == 10, 100 - 8 * 12 == 4, 40 - 3 * 12 == 4],
    ),
    "quotient, shorter than its divisor": (
        *("计算 -0.1 / 2.5 等于多少？", 2),
        "-1/25\n0:50011102000000\n.0:50000002001110\n4:52000022080201\n#### -0.04",
        [100 - 4 * 25 == 0],
    ),
    "equation, a divisor of one digit": (
        *("解方程 -8x + 3 = 0", 2),
        "x=3/8\n3:0,0,3\n.30:3,24,6\n60:7,56,4\n40:5,40,0\n#### 0.38",
        [30 - 3 * 8 == 6, 60 - 7 * 8 == 4, 40 - 5 * 8 == 0],
    ),
    "equation, even at once": (
        *("解方程 10x + 100 = 0", 2),
        "x=-100/10\n10:1,10,0\n0:0,0,0\n#### -10",
        [10 * 10 == 100],
    ),
    "mean": (
        *("求以下数据的平均值：[20, -12, 0, 7]", 2),
        "20-12=8,+0=8,+7=51\n15/4\n1:0,0,1\n15:3,12,3\n.30:7,28,2\n20:5,20,0\n#### 3.75",
        [15 - 3 * 4 == 3, 30 - 7 * 4 == 2, 20 - 5 * 4 == 0],
    ),
    "mean, the first is negative": (
        *("求以下数据的平均值：[-57, -80]", 2),
        "-57-80=-731\n-137/2\n1:0,0,1\n13:6,12,1\n17:8,16,1\n.10:5,10,0\n#### -68.5",
        [-57 - 80 == -137, 13 - 6 * 2 == 1, 17 - 8 * 2 == 1],
    ),
    "mean of one": ("求以下数据的平均值：[-7]", 2, "-7/1\n7:7,7,0\n#### -7", [7 == 7 * 1]),
    "mean, the sum is zero": (
        *("求以下数据的平均值：[5, -5]", 2),
        "5-5=0\n#### 0",
        [5 - 5 == 0],
    ),
    "area": (
        *("一个长方形的长为 99 厘米，宽为 98 厘米，请计算其面积。", 2),
        "99*98\n8:972227972297\n9:981009981879\n#### 9702",
        [99 * 8 == 792, 99 * 9 + 79 == 970, 99 * 98 == 9702],
    ),
    "sales": (
        *("去年销售额为 12 万元，今年销售额增加了 77%，请计算今年的销售额。", 2),
        "177*12\n2:714441714451102230\n1:707221707011101120\n#### 21.24",
        [177 * 2 == 354, 177 + 35 == 212, 177 * 12 == 2124],
    ),
    "discount": (
        *("商品原价为 16 元，打折后的价格为 90 元，请计算打折的折扣比例。", 2),
        "16-90=-47\n-7400/16\n4:62440021047310\n6:63604441060401\n2:61208821024200\n.5:63000031058300\n"
        "#### -462.5",
        [16 - 90 == -74, 74 - 64 == 10, 100 - 96 == 4, 40 - 32 == 8, 80 - 80 == 0],
    ),
    "root": (
        *("计算 12.5 的平方根？", 1),
        "12.50\n3:30923310001100\n.5:52505536305523\n3:309011100000917215432\n#### 3.5",
        [12 - 3 * 3 == 3, 350 - 65 * 5 == 25, 2500 - 703 * 3 == 391, 353**2 < 125000 < 354**2],
    ),
    "root, even": (
        *("计算 4.00 的平方根？", 2),
        "04.00\n2:20440000000000\n.0:00000004000000\n#### 2",
        [2 * 2 == 4],
    ),
    "power": (
        *("计算 -1.50 的 3 次方？", 2),
        "150*150\n0:000000500000100000\n5:000000525552105570\n1:000550505221101120\n-22500*150\n"
        "0:000000000000500000200000200000\n5:000000000000525552210021210011\n"
        "1:000000000550505770202330202330\n#### -3.38",
        [150 * 150 == 22500, 22500 * 150 == 3375000],
    ),
    "power of minus one": (
        *("计算 -0.01 的 3 次方？", 6),
        "1*1\n1:101110\n-1*1\n1:101110\n#### -0.000001",
        [1 * 1 == 1],
    ),
    "mass": (
        *("某物体的密度为 10 克/立方厘米，体积为 3 立方厘米，请计算该物体的质量。", 2),
        "10*3=30\n#### 30",
        [10 * 3 == 30],
    ),
    "fraction": ("将分数 12/18 进行简化。", 2, "12/18:6\n#### 2/3", [12 == 2 * 6, 18 == 3 * 6]),
    **{
        f"nothing to work out: {text}": (text, 2, f"#### {answer}", [])
        for text, answer in [
            ("计算 7 * 0.00 等于多少？", 0),
            ("计算 0.00 / -3 等于多少？", 0),
            ("计算 0.00 的平方根？", 0),
            ("计算 0.00 的 3 次方？", 0),
            ("计算 -7.50 的 0 次方？", 1),
            ("计算 -7.50 的 1 次方？", -7.5),
            ("计算 2 的 6 次方？", 64),
            ("计算 999.99 的 3 次方？", "999970000.3"),
            ("解方程 -3x + 0 = 0", 0),
            ("商品原价为 9 元，打折后的价格为 9 元，请计算打折的折扣比例。", 0),
            ("求以下数据的平均值：[0]", 0),
        ]
    },
}


@pytest.mark.parametrize("name", GOLDENS)
def test_by_hand(name: str) -> None:
    problem, decimals, solution, arithmetic = GOLDENS[name]
    assert all(arithmetic)
    assert check_solution(problem, solution, columns(decimals)) == []
    assert all(accepted_lines(problem, solution, columns(decimals)))
    answer = solution.split("\n")[-1]
    assert bool(check_solution(problem, answer, columns(decimals))) == (answer != solution)
    assert check_solution(problem, f"{solution}0", columns(decimals))


# Where the writer does not write what docs/worked-solutions.md says; remove what it has learnt.
@pytest.mark.parametrize("name", GOLDENS)
def test_the_writer_writes_the_same(name: str) -> None:
    problem, decimals, solution, _ = GOLDENS[name]
    assert work_out(parse(problem), columns(decimals)) == solution


_DECIMALS = [
    *(
        "0.00",
        "-0.00",
        "0.01",
        "-0.01",
        "0.5",
        "1",
        "-1.00",
        "10.00",
        "-100",
        "9999.99",
        "-9999.99",
    ),
    *("0.05", "99.95", "1000.0", "-2000.00", "5000.05", "12.50", "0.99", "-0.10", "7", "-9", "0.3"),
]
_WHOLE = [0, 1, 2, 5, 8, 9, 10, 11, 50, 99, 100, 1000]


def edge(kind: str, rng: random.Random) -> Problem:
    """A problem that the source's slots hold seldom or never."""
    pick, whole = (lambda: Decimal(rng.choice(_DECIMALS))), (lambda: rng.choice(_WHOLE))
    sign = rng.choice((1, -1))
    first = pick()
    second = rng.choice((pick(), sign * first, Decimal("10000") - abs(first)))
    square = Decimal(rng.randint(0, 100)) / rng.choice((1, 10))
    numbers = {
        "add": lambda: (first, second),
        "subtract": lambda: (first, second),
        "multiply": lambda: (first, second),
        "divide": lambda: (first, second or sign * Decimal(rng.choice((1, 10, 100, "0.01")))),
        "power": lambda: (first if abs(first) > Decimal("0.01") else Decimal(3), rng.randint(0, 5)),
        "root": lambda: (rng.choice((abs(first), square * square)),),
        "equation": lambda: (sign * (whole() or 3), rng.choice((1, -1)) * whole()),
        "mean": lambda: (
            whole(),
            *(rng.choice((1, -1)) * whole() for _ in range(rng.randint(0, 11))),
        ),
        "area": lambda: (whole(), whole()),
        "discount": lambda: (whole() or 7, whole()),
        "sales": lambda: (whole(), whole()),
        "mass": lambda: (whole(), whole()),
        "fraction": lambda: (whole(), whole() or 12),
    }[kind]()
    return Problem(kind, numbers)


def faults(job: tuple[str, int, int]) -> list[str]:
    """Work out `count` problems of a kind, a quarter at the edges; what the checker finds."""
    kind, start, count = job
    rng = random.Random(f"columns/{kind}/{start}")
    found = []
    for number in range(count):
        problem = edge(kind, rng) if number % 4 == 0 else generate(kind, rng)
        style = columns(rng.choice((0, 1, 2, 2, 3, 4)), rng.choice(("", " ")))
        text = work_out(problem, style)
        wrong = check_solution(problem_text(problem), text, style)
        if wrong or not all(accepted_lines(problem_text(problem), text, style)):
            found.append(f"{problem_text(problem)} {style}\n{text}\n{wrong}")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_some_hundred_solutions(kind):
    assert not faults((kind, 0, 400))[:2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_thousand_solutions(kind):
    jobs = [(kind, start, 1000) for start in range(0, 20_000, 1000)]
    assert not [fault for found in ordered_map(faults, jobs) for fault in found][:2]


def changed(text: str, at: int, new: str) -> str:
    return f"{text[:at]}{new}{text[at + 1 :]}"


@pytest.mark.parametrize("separator", ["", " "])
@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_character_is_found(kind, separator):
    rng = random.Random(f"{kind}{separator}")
    style = columns(2, separator)
    for draw in (generate, generate, edge):
        problem = draw(kind, rng)
        question, text = problem_text(problem), work_out(problem, style)
        other_spelling = work_out(problem, columns(2, " " if not separator else ""))
        thoroughly = rng.sample(range(len(text)), min(12, len(text)))
        for at, char in enumerate(text):
            others = "0123456789" if char.isdigit() else "+-<>=*/:,. #x\n"
            others = [other for other in ("", *others) if other != char]
            for other in others if at in thoroughly else rng.sample(others, 1):
                wrong = changed(text, at, other)
                if wrong != other_spelling:
                    assert check_solution(question, wrong, style), wrong


@pytest.mark.parametrize("kind", KINDS)
def test_lines_left_out_doubled_and_in_each_other_s_place(kind):
    rng = random.Random(f"{kind}/lines")
    for number in range(8):
        problem = edge(kind, rng) if number % 4 == 0 else generate(kind, rng)
        question, text = problem_text(problem), work_out(problem, columns())
        lines = text.split("\n")
        for at, line in enumerate(lines):
            left_out = [*lines[:at], *lines[at + 1 :]]
            doubled = [*lines[: at + 1], line, *lines[at + 1 :]]
            other = rng.randrange(len(lines))
            swapped = list(lines)
            swapped[at], swapped[other] = lines[other], line
            for wrong in (left_out, doubled, swapped):
                if wrong != lines:
                    assert check_solution(question, "\n".join(wrong), columns()), wrong


@given(
    st.sampled_from(KINDS), st.integers(0, 10**9), st.text("0123456789+-*/=<>:,.#x \n"), st.data()
)
def test_only_the_two_spellings_are_solutions(kind, seed, put_in, data):
    problem = generate(kind, random.Random(seed))
    plain, spaced = (work_out(problem, columns(2, separator)) for separator in ("", " "))
    text = data.draw(st.sampled_from((plain, spaced)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    text = text[:start] + put_in + text[end:]
    holds = not check_solution(problem_text(problem), text, columns())
    assert holds == (text in (plain, spaced))
    accepted = accepted_lines(problem_text(problem), text, columns())
    assert len(accepted) == text.count("\n") + 1
    assert all(accepted) or not holds


DIFFERENCE = "计算 45.30 - 1234.56 等于多少？"
COLUMNS = "+004530-123456<-\n6-0-0=6\n5-3-0=2\n4-5-0=9\n3-4-1=8\n2-0-1=1\n1-0-0=1\n#### -1189.26"


@pytest.mark.parametrize("separator", ["", " "])
def test_a_solution_may_have_the_space_or_not_whatever_the_recipe_says(separator):
    for kind in KINDS:
        problem = generate(kind, random.Random(kind))
        texts = [work_out(problem, columns(2, other)) for other in ("", " ")]
        for text in texts:
            assert not check_solution(problem_text(problem), text, columns(2, separator))
        mixed = [
            "\n".join([*texts[0].split("\n")[:at], *texts[1].split("\n")[at:]])
            for at in range(texts[0].count("\n"))
        ]
        for text in set(mixed) - set(texts):
            assert check_solution(problem_text(problem), text, columns(2, separator)), text


def test_the_fault_names_the_line_and_what_must_stand_there():
    def found(old, new):
        return check_solution(DIFFERENCE, COLUMNS.replace(old, new), columns())

    assert found("4-5-0=9", "4-5-0=8") == ["line 4: here must stand 4-5-0=9"]
    assert found("-1189.26", "-1189.25") == ["line 8: the answer must be -1189.26"]
    assert found("\n#### -1189.26", "") == ["line 7: behind it must stand #### -1189.26"]
    assert found("9\n3-4", "9\nso\n3-4") == [
        "line 5: here must stand 3-4-1=8; it cannot be read, and what follows was not checked"
    ]
    assert found(".26", ".26\nso") == ["line 9: nothing may stand after the answer"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        "1" * 199_000,
        "+" + "1" * 400 + "+" + "2" * 400 + "<+\n" + "2+1+0=3\n" * 20_000,
        "9" * 400 + "*" + "9" * 400 + "\n" + ("9:" + "9981" * 400 + "\n") * 100,
        "9" * 900 + "/11\n" + "9:111111111111\n" * 12_000,
        "9" * 900 + "/7\n" + "9" * 900 + ":9,7\n" * 12_000,
        "x=" + "9" * 480 + "/" + "9" * 480 + "\n" + ("9:" + "9" * 1924 + "\n") * 100,
        "99" + ",99" * 300 + "\n" + "9:99999999\n" * 12_000,
        "1" + ",+1=2" * 30_000,
        "1+" + "1" * 190_000 + "=2",
        "#### " + "9" * 199_000,
        "\n" * 199_000,
        " " * 199_000,
        "+1+1=+\n٣+1+0=2\n²+1+0=2",
        "\x00\ud800",
    ],
)
def test_hostile_text(kind, text):
    problem = problem_text(generate(kind, random.Random(kind)))
    found = check_solution(problem, text, columns())
    assert found and all(fault.isprintable() and len(fault) < 250 for fault in found)
    assert not all(accepted_lines(problem, text, columns()))
