"""Competition problems of geometry, in the plane, in space and with coordinates."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Tuple

from tools.corpus.templates.common import (
    Template,
    Written,
    box,
    decimal_text,
    radical,
    signed,
    square_root,
    tex,
)


def hypotenuse(rng: random.Random) -> Written:
    a, b = rng.randint(2, 60), rng.randint(2, 60)
    problem = (
        f"The legs of a right triangle have the lengths ${a}$ and ${b}$. How long is the "
        "hypotenuse? Express your answer in simplest radical form."
    )
    answer = radical(*square_root(a * a + b * b))
    solution = (
        rf"By the Pythagorean theorem, the length is $\sqrt{{{a}^2 + {b}^2}} = "
        rf"\sqrt{{{a * a + b * b}}} = \boxed{{{answer}}}$."
    )
    return problem, solution


def rectangle(rng: random.Random) -> Written:
    width, more = rng.randint(2, 90), rng.randint(2, 60)
    length = width + more
    problem = (
        f"The length of a rectangle is {more} cm more than its width, and its perimeter is "
        f"{2 * (length + width)} cm. What is its area, in square centimeters?"
    )
    answer = str(length * width) + r"\text{ cm}^2"
    solution = (
        rf"If the width is $w$, then $4w + {2 * more} = {2 * (length + width)}$ and "
        f"$w = {width}$. The area is {box(answer)}."
    )
    return problem, solution


def third_angle(rng: random.Random) -> Written:
    a = rng.randint(11, 120)
    b = rng.randint(11, 170 - a)
    problem = (
        rf"In triangle $ABC$, $\angle A = {a}^\circ$ and $\angle B = {b}^\circ$. "
        r"Find the measure of $\angle C$."
    )
    answer = f"{180 - a - b}" + r"^\circ"
    solution = (
        rf"The angles add up to $180^\circ$, so $\angle C = 180^\circ - {a + b}^\circ$, which "
        f"is {box(answer)}."
    )
    return problem, solution


def tank(rng: random.Random) -> Written:
    a, b, c = [rng.randint(5, 95) for _ in range(3)]
    problem = (
        f"A rectangular tank is {a} cm long, {b} cm wide and {c} cm high. How many liters does "
        "it hold? (A liter is a cube of 10 cm.)"
    )
    answer = decimal_text(Fraction(a * b * c, 1000)) + r"\text{ liters}"
    solution = (
        rf"Its volume is ${a} \cdot {b} \cdot {c} = {a * b * c}$ cubic centimeters; a liter has "
        rf"$1000$ of them, so it holds {box(answer)}."
    )
    return problem, solution


def slope(rng: random.Random) -> Written:
    a, b, c, d = [signed(rng, 25) for _ in range(4)]
    if a == c:
        c += 30
    problem = f"What is the slope of the line through $({a}, {b})$ and $({c}, {d})$?"
    solution = (
        rf"It rises by ${d - b}$ where $x$ grows by ${c - a}$, so that the slope is "
        f"{box(Fraction(d - b, c - a))}."
    )
    return problem, solution


def triangle_area(rng: random.Random) -> Written:
    while True:
        a, b, c, d = [signed(rng, 25) for _ in range(4)]
        if a * d != b * c:
            break
    problem = (
        f"Find the area of the triangle with the vertices $(0, 0)$, $({a}, {b})$ and $({c}, {d})$."
    )
    area = Fraction(abs(a * d - b * c), 2)
    answer = decimal_text(area) if rng.random() < 0.5 else area
    solution = (
        rf"By the shoelace formula, the area is $\frac{{1}}{{2}} |({a})({d}) - ({b})({c})|$, "
        f"which is {box(answer)}."
    )
    return problem, solution


def midpoint(rng: random.Random) -> Written:
    a, b, c, d = [signed(rng, 20) for _ in range(4)]
    problem = (
        f"What is the midpoint of the segment from $({a}, {b})$ to $({c}, {d})$? Express your "
        "answer as an ordered pair."
    )
    x, y = Fraction(a + c, 2), Fraction(b + d, 2)
    answer = rf"\left({tex(x)}, {tex(y)}\right)"
    return problem, f"The midpoint has the mean of each coordinate: {box(answer)}."


def cone_volume(rng: random.Random) -> Written:
    radius, height = rng.randint(2, 40), rng.randint(2, 40)
    problem = (
        f"A cone has a base of radius {radius} and a height of {height}. Find its volume in "
        r"terms of $\pi$."
    )
    volume = Fraction(radius**2 * height, 3)
    top = rf"{volume.numerator}\pi"
    answer = top if volume.denominator == 1 else rf"\frac{{{top}}}{{3}}"
    solution = rf"A third of ${radius}^2\pi \cdot {height}$ is {box(answer)}."
    return problem, solution


TEMPLATES: Tuple[Template, ...] = (
    hypotenuse,
    rectangle,
    third_angle,
    tank,
    slope,
    triangle_area,
    midpoint,
    cone_volume,
)
