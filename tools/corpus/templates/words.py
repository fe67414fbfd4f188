"""Competition problems told as stories: prices, speeds, work, days."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Tuple

from tools.corpus.templates.common import (
    NAMES,
    Template,
    Written,
    box,
    decimal_text,
    dollars,
    draw_names,
    tex,
    upright,
)

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def price_percent(rng: random.Random) -> Written:
    up, down = rng.randint(2, 95), rng.randint(2, 95)
    name = rng.choice(NAMES)
    problem = (
        rf"{name} raises a price by ${up}\%$ and later lowers the new price by ${down}\%$. "
        "What percent of the original price is the final price?"
    )
    percent = Fraction((100 + up) * (100 - down), 100)
    answer = decimal_text(percent) + r"\%"
    solution = (
        rf"The price is multiplied by $\frac{{{100 + up}}}{{100}} \cdot "
        rf"\frac{{{100 - down}}}{{100}}$, which leaves {box(answer)} of it."
    )
    return problem, solution


def shopping(rng: random.Random) -> Written:
    name = rng.choice(NAMES)
    n, m = rng.randint(2, 20), rng.randint(2, 20)
    pen, book = rng.randint(25, 499), rng.randint(200, 1999)
    problem = (
        rf"A pen costs \${dollars(pen)} and a notebook costs \${dollars(book)}. How many dollars "
        f"does {name} pay for {n} pens and {m} notebooks?"
    )
    answer = r"\$" + dollars(n * pen + m * book)
    solution = (
        rf"The pens cost \${dollars(n * pen)} and the notebooks cost \${dollars(m * book)}, "
        f"together {box(answer)}."
    )
    return problem, solution


def average_speed(rng: random.Random) -> Written:
    name = rng.choice(NAMES)
    there, back, distance = rng.randint(4, 60), rng.randint(4, 60), rng.randint(2, 90)
    problem = (
        f"{name} rides {distance} miles at {there} miles per hour and the same way back at {back} "
        "miles per hour. What is the average speed of the whole ride, in miles per hour?"
    )
    speed = Fraction(2 * there * back, there + back)
    solution = (
        rf"The ride takes $\frac{{{distance}}}{{{there}}} + \frac{{{distance}}}{{{back}}} = "
        rf"{tex(Fraction(distance, there) + Fraction(distance, back))}$ hours for "
        f"{2 * distance} miles. The average speed is {box(speed)}."
    )
    return problem, solution


def work_together(rng: random.Random) -> Written:
    first, second = draw_names(rng, 2)
    a, b = rng.randint(2, 40), rng.randint(2, 40)
    job = rng.choice(("paint a fence", "clear a garden", "sort an archive", "fill a pool"))
    problem = (
        f"{first} can {job} in {a} hours, and {second} needs {b} hours for the same. How many "
        "hours do they need together?"
    )
    hours = Fraction(a * b, a + b)
    solution = (
        rf"In an hour they do $\frac{{1}}{{{a}}} + \frac{{1}}{{{b}}} = {tex(1 / hours)}$ of the "
        f"work, so that they need {box(hours)} hours."
    )
    return problem, solution


def fastest(rng: random.Random) -> Written:
    names = draw_names(rng, 3)
    while True:
        distances = [rng.randint(2, 20) for _ in names]
        # Five to twelve minutes a mile, as people run.
        runs = [(m, rng.randint(5 * m, 12 * m)) for m in distances]
        speeds = [Fraction(m, minutes) for m, minutes in runs]
        if len(set(speeds)) == len(names):
            break
    parts = [
        f"{name} ran {miles} miles in {minutes} minutes"
        for name, (miles, minutes) in zip(names, runs)
    ]
    problem = f"{parts[0]}, {parts[1]}, and {parts[2]}. Who had the greatest average speed?"
    winner = names[speeds.index(max(speeds))]
    listed = ", ".join(f"${tex(speed)}$" for speed in speeds)
    return problem, f"In miles a minute they ran {listed}. The answer is {box(upright(winner))}."


def weekday(rng: random.Random) -> Written:
    start, days = rng.randrange(7), rng.randint(15, 2000)
    problem = f"If today is {_DAYS[start]}, what day of the week will it be {days} days from now?"
    solution = (
        rf"As ${days} = 7 \cdot {days // 7} + {days % 7}$, the day is ${days % 7}$ after "
        f"{_DAYS[start]}: {box(upright(_DAYS[(start + days) % 7]))}."
    )
    return problem, solution


TEMPLATES: Tuple[Template, ...] = (
    price_percent,
    shopping,
    average_speed,
    work_together,
    fastest,
    weekday,
)
