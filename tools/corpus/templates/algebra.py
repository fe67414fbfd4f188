"""Competition problems of algebra: equations, polynomials, matrices, complex numbers."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Tuple

from tools.corpus.templates.common import (
    Template,
    Written,
    box,
    matrix,
    radical,
    signed,
    signed_sum,
    square_root,
    tex,
)


def linear_system(rng: random.Random) -> Written:
    x, y = signed(rng, 12, 1), signed(rng, 12, 1)
    while True:
        a, b, c, d = [signed(rng, 9) for _ in range(4)]
        if a * d != b * c:
            break
    first = f"{signed_sum((a, 'x'), (b, 'y'))} = {a * x + b * y}"
    second = f"{signed_sum((c, 'x'), (d, 'y'))} = {c * x + d * y}"
    problem = f"If ${first}$ and ${second}$, what is the value of $x + y$?"
    solution = (
        f"Eliminating $y$ gives $x = {x}$, and putting that into the first equation gives "
        f"$y = {y}$. Therefore $x + y$ is {box(x + y)}."
    )
    return problem, solution


def reciprocal_roots(rng: random.Random) -> Written:
    a, b, c = rng.randint(2, 12), signed(rng, 30), signed(rng, 30)
    problem = (
        "Find the sum of the reciprocals of the solutions of "
        f"${signed_sum((a, 'x^2'), (b, 'x'), (c, ''))} = 0$."
    )
    solution = (
        rf"Let $r$ and $s$ be the solutions. By Vieta, $r + s = {tex(Fraction(-b, a))}$ and "
        rf"$rs = {tex(Fraction(c, a))}$, so \[\frac{{1}}{{r}} + \frac{{1}}{{s}} = "
        rf"\frac{{r + s}}{{rs}} = \boxed{{{tex(Fraction(-b, c))}}}.\]"
    )
    return problem, solution


def composition(rng: random.Random) -> Written:
    a, b, c, k = signed(rng, 9), signed(rng, 20), signed(rng, 20), signed(rng, 9)
    inner = k * k + c
    problem = (
        f"Let $f(x) = {signed_sum((a, 'x'), (b, ''))}$ and "
        f"$g(x) = {signed_sum((1, 'x^2'), (c, ''))}$. Compute $f(g({k}))$."
    )
    solution = (
        f"We have $g({k}) = {inner}$, and so $f(g({k})) = f({inner}) = "
        rf"\boxed{{{a * inner + b}}}$."
    )
    return problem, solution


def inverse_function(rng: random.Random) -> Written:
    a, b = rng.randint(2, 40), signed(rng, 40)
    problem = f"If $f(x) = {signed_sum((a, 'x'), (b, ''))}$, find $f^{{-1}}(x)$ in terms of $x$."
    top = signed_sum((1, "x"), (-b, ""))
    solution = (
        f"Solving $y = {signed_sum((a, 'x'), (b, ''))}$ for $x$ and exchanging the letters, we "
        rf"find $f^{{-1}}(x) = \boxed{{\frac{{{top}}}{{{a}}}}}$."
    )
    return problem, solution


def expand(rng: random.Random) -> Written:
    a, b, c, d = [rng.randint(2, 9), signed(rng, 12), rng.randint(2, 9), signed(rng, 12)]
    problem = (
        f"Expand the product $({signed_sum((a, 'x'), (b, ''))})({signed_sum((c, 'x'), (d, ''))})$."
    )
    answer = signed_sum((a * c, "x^2"), (a * d + b * c, "x"), (b * d, ""))
    solution = (
        f"The middle terms are ${a * d}x$ and ${b * c}x$ and together ${a * d + b * c}x$; "
        f"the product is {box(answer)}."
    )
    return problem, solution


def factor(rng: random.Random) -> Written:
    r, s = sorted((signed(rng, 25, 1), signed(rng, 25, 1)))
    problem = f"Factor ${signed_sum((1, 'x^2'), (-r - s, 'x'), (r * s, ''))}$ completely."
    left, right = [signed_sum((1, "x"), (-root, "")) for root in (r, s)]
    answer = f"({left})^2" if r == s else f"({left})({right})"
    solution = (
        f"Two numbers with the product ${r * s}$ and the sum ${-r - s}$ are ${-r}$ and ${-s}$. "
        f"Hence the expression is {box(answer)}."
    )
    return problem, solution


def absolute_interval(rng: random.Random) -> Written:
    a, b, closed = signed(rng, 40), rng.randint(2, 40), rng.random() < 0.5
    sign = r"\le" if closed else "<"
    problem = (
        rf"For which real $x$ is $|{signed_sum((1, 'x'), (-a, ''))}| {sign} {b}$? "
        "Express your answer in interval notation."
    )
    low, high = a - b, a + b
    answer = f"[{low}, {high}]" if closed else f"({low}, {high})"
    solution = (
        f"The distance of $x$ from ${a}$ is bounded by ${b}$, that is, "
        rf"${low} {sign} x {sign} {high}$. In interval notation: {box(answer)}."
    )
    return problem, solution


def two_solutions(rng: random.Random) -> Written:
    a, b = signed(rng, 45), rng.randint(2, 45)
    problem = (
        rf"Find all real numbers $x$ for which $({signed_sum((1, 'x'), (-a, ''))})^2 = {b * b}$. "
        "Enter them from the least to the greatest, separated by a comma."
    )
    solution = (
        rf"Taking roots, ${signed_sum((1, 'x'), (-a, ''))} = \pm {b}$, so that $x$ is one of "
        f"{box(f'{a - b}, {a + b}')}."
    )
    return problem, solution


def larger_root(rng: random.Random) -> Written:
    while True:
        a, b, c = rng.randint(2, 9), 2 * signed(rng, 9, 1) + 1, signed(rng, 15)
        disc = b * b - 4 * a * c
        # An odd b and a discriminant without square factors leave nothing to cancel.
        if abs(b) > 1 and disc > 1 and square_root(disc)[0] == 1:
            break
    problem = (
        f"What is the larger solution of ${signed_sum((a, 'x^2'), (b, 'x'), (c, ''))} = 0$? "
        "Give it in simplest radical form."
    )
    answer = rf"\frac{{{-b}+\sqrt{{{disc}}}}}{{{2 * a}}}"
    solution = (
        rf"The discriminant is $({b})^2 - 4 \cdot {a} \cdot ({c}) = {disc}$, which has no square "
        f"factor. By the quadratic formula, the larger solution is {box(answer)}."
    )
    return problem, solution


def logarithm(rng: random.Random) -> Written:
    b, m, n = rng.choice((2, 3, 5, 6, 7, 10, 11, 13)), rng.randint(2, 5), rng.randint(2, 7)
    sign = rng.choice((-1, 1))
    argument = str(b**n) if sign > 0 else rf"\frac{{1}}{{{b**n}}}"
    problem = rf"Evaluate $\log_{{{b**m}}} {argument}$."
    answer = Fraction(sign * n, m)
    solution = (
        rf"Since ${b**m} = {b}^{m}$ and ${argument} = {b}^{{{sign * n}}}$, the logarithm is "
        f"the quotient of the exponents, {box(answer)}."
    )
    return problem, solution


def complex_product(rng: random.Random) -> Written:
    a, b, c, d = [signed(rng, 12) for _ in range(4)]
    problem = (
        f"Compute $({signed_sum((a, ''), (b, 'i'))})({signed_sum((c, ''), (d, 'i'))})$, where "
        "$i^2 = -1$. Express your answer in the form $p+qi$."
    )
    answer = signed_sum((a * c - b * d, ""), (a * d + b * c, "i"))
    solution = (
        f"The real part is ${a * c} - ({b * d})$ and the imaginary part "
        f"${a * d} + ({b * c})$, which gives {box(answer)}."
    )
    return problem, solution


def determinant(rng: random.Random) -> Written:
    a, b, c, d = [signed(rng, 20) for _ in range(4)]
    problem = f"Find the determinant of the matrix ${matrix(((a, b), (c, d)))}$."
    solution = rf"The determinant is $({a})({d}) - ({b})({c}) = \boxed{{{a * d - b * c}}}$."
    return problem, solution


def matrix_product(rng: random.Random) -> Written:
    a, b, c, d, e, f, g, h = [signed(rng, 9) for _ in range(8)]
    left, right = matrix(((a, b), (c, d))), matrix(((e, f), (g, h)))
    product = ((a * e + b * g, a * f + b * h), (c * e + d * g, c * f + d * h))
    solution = f"Multiplying rows by columns, the product is {box(matrix(product))}."
    return f"Compute ${left} {right}$.", solution


def rationalise(rng: random.Random) -> Written:
    while True:
        a, b = rng.randint(2, 60), rng.randint(2, 60)
        if square_root(b)[0] == 1:
            break
    problem = rf"Rationalize the denominator of $\frac{{{a}}}{{\sqrt{{{b}}}}}$ and simplify."
    value = Fraction(a, b)
    top = radical(value.numerator, b)
    answer = top if value.denominator == 1 else rf"\frac{{{top}}}{{{value.denominator}}}"
    solution = (
        rf"Multiplying both parts by $\sqrt{{{b}}}$ gives $\frac{{{a}\sqrt{{{b}}}}}{{{b}}}$, "
        f"in lowest terms {box(answer)}."
    )
    return problem, solution


TEMPLATES: Tuple[Template, ...] = (
    linear_system,
    reciprocal_roots,
    composition,
    inverse_function,
    expand,
    factor,
    absolute_interval,
    two_solutions,
    larger_root,
    logarithm,
    complex_product,
    determinant,
    matrix_product,
    rationalise,
)
