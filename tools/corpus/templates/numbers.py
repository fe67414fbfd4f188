"""Competition problems of sequences and numbers: series, remainders, divisors, digits."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Tuple

from tools.corpus.templates.common import Template, Written, box, decimal_text, grouped, tex


def arithmetic_series(rng: random.Random) -> Written:
    a, d, n = rng.randint(2, 50), rng.randint(2, 15), rng.randint(8, 60)
    last = a + (n - 1) * d
    problem = (
        rf"Find the sum of the arithmetic series ${a} + {a + d} + {a + 2 * d} + \dots + {last}$."
    )
    total = n * (a + last) // 2
    solution = (
        rf"There are ${n}$ terms with the mean $\frac{{{a} + {last}}}{{2}}$. Their sum is "
        f"{box(grouped(total))}."
    )
    return problem, solution


def consecutive(rng: random.Random) -> Written:
    count, first = rng.choice((3, 5, 7, 9)), rng.randint(5, 900)
    problem = (
        f"The sum of {count} consecutive integers is {count * (2 * first + count - 1) // 2}. "
        "What is the greatest of them?"
    )
    middle, half = first + count // 2, count // 2
    solution = (
        f"The middle one is the mean, ${middle}$. The greatest is ${half}$ more, "
        f"{box(middle + half)}."
    )
    return problem, solution


def geometric_series(rng: random.Random) -> Written:
    a, q = rng.randint(2, 40), rng.randint(3, 25)
    p = rng.randint(2, q - 1)
    ratio = Fraction(p, q) * rng.choice((-1, 1))
    problem = (
        f"What is the sum of the infinite geometric series with the first term ${a}$ and the "
        f"common ratio ${tex(ratio)}$?"
    )
    total = a / (1 - ratio)
    solution = (
        rf"The formula $\frac{{a}}{{1 - r}}$ gives $\frac{{{a}}}{{{tex(1 - ratio)}}} = "
        rf"\boxed{{{tex(total)}}}$."
    )
    return problem, solution


def power_remainder(rng: random.Random) -> Written:
    m, a, n = rng.randint(5, 60), rng.randint(2, 60), rng.randint(5, 400)
    problem = f"What is the remainder when ${a}^{{{n}}}$ is divided by ${m}$?"
    half = pow(a, n // 2, m)
    solution = (
        rf"By repeated squaring, ${a}^{{{n // 2}}} \equiv {half} \pmod{{{m}}}$. Squaring this"
        f"{f' and multiplying by ${a}$' if n % 2 else ''} leaves the remainder "
        f"{box(pow(a, n, m))}."
    )
    return problem, solution


def modular_inverse(rng: random.Random) -> Written:
    while True:
        m, a = rng.randint(10, 120), rng.randint(3, 119)
        if a < m and math.gcd(a, m) == 1:
            break
    problem = (
        rf"Find the integer $n$ with $0 \le n < {m}$ that satisfies "
        rf"${a}n \equiv 1 \pmod{{{m}}}$."
    )
    inverse = pow(a, -1, m)
    solution = (
        rf"We have ${a} \cdot {inverse} = {a * inverse} = {a * inverse // m} \cdot {m} + 1$. "
        f"The integer is {box(inverse)}."
    )
    return problem, solution


def factorial_zeros(rng: random.Random) -> Written:
    n = rng.randint(30, 2500)
    problem = f"In how many zeros does the decimal expansion of ${n}!$ end?"
    counts, power = [], 5
    while power <= n:
        counts.append(n // power)
        power *= 5
    solution = (
        rf"Factors of $2$ abound, so we count those of $5$: ${' + '.join(map(str, counts))} = "
        rf"\boxed{{{sum(counts)}}}$."
    )
    return problem, solution


def common_multiple(rng: random.Random) -> Written:
    common = rng.randint(2, 30)
    a = common * rng.randint(2, 30)
    b = a + common * rng.randint(1, 30)
    divisor = math.gcd(a, b)
    problem = f"What is the least common multiple of ${a}$ and ${b}$?"
    solution = (
        rf"Their greatest common divisor is ${divisor}$, so the least common multiple is "
        rf"$\frac{{{a} \cdot {b}}}{{{divisor}}}$, that is, "
        f"{box(grouped(a * b // divisor))}."
    )
    return problem, solution


def divisor_count(rng: random.Random) -> Written:
    n = rng.randint(24, 3000)
    problem = f"How many positive divisors does ${n}$ have?"
    exponents, rest, prime = [], n, 2
    while rest > 1:
        exponent = 0
        while rest % prime == 0:
            rest, exponent = rest // prime, exponent + 1
        if exponent:
            exponents.append((prime, exponent))
        prime += 1
    factors = r" \cdot ".join(f"{p}^{{{e}}}" if e > 1 else str(p) for p, e in exponents)
    count = 1
    for _, exponent in exponents:
        count *= exponent + 1
    solution = (
        f"As ${n} = {factors}$, a divisor is fixed by the exponents of its primes, for which "
        f"there are {box(count)} choices."
    )
    return problem, solution


def base_digits(rng: random.Random) -> Written:
    base, n = rng.randint(2, 9), rng.randint(30, 3000)
    problem = f"Write the number ${n}$ in base ${base}$."
    digits, rest = "", n
    while rest:
        rest, digit = divmod(rest, base)
        digits = str(digit) + digits
    solution = (
        f"Dividing by ${base}$ again and again and reading the remainders upwards, we get "
        f"{box(f'{digits}_{{{base}}}')}."
    )
    return problem, solution


def ending_decimal(rng: random.Random) -> Written:
    bottom = rng.choice((8, 16, 20, 25, 32, 40, 50, 64, 80, 125, 160, 200))
    top = rng.randint(3, 3 * bottom)
    while math.gcd(top, bottom) > 1:
        top += 1
    value = Fraction(top, bottom)
    places = len(decimal_text(value).partition(".")[2])
    problem = rf"Express $\frac{{{top}}}{{{bottom}}}$ as a decimal."
    solution = (
        f"Extending the denominator to $10^{places}$ makes the numerator "
        f"${value * 10**places}$, hence the decimal is {box(decimal_text(value))}."
    )
    return problem, solution


def repeating_decimal(rng: random.Random) -> Written:
    places = rng.choice((2, 3))
    digits = rng.randint(1, 10**places - 2)
    period = f"{digits:0{places}}"
    problem = (
        rf"Express the repeating decimal $0.\overline{{{period}}}$ as a common fraction in "
        "lowest terms."
    )
    nines = 10**places - 1
    solution = (
        rf"If $x$ is the number, then ${10**places}x - x = {digits}$, so that "
        rf"$x = \frac{{{digits}}}{{{nines}}}$, in lowest terms {box(Fraction(digits, nines))}."
    )
    return problem, solution


def mixed_number(rng: random.Random) -> Written:
    while True:
        a, b, c, d = [rng.randint(2, 30) for _ in range(4)]
        value = Fraction(a, b) + Fraction(c, d)
        if value > 1 and value.denominator > 1:
            break
    problem = rf"Write $\frac{{{a}}}{{{b}}} + \frac{{{c}}}{{{d}}}$ as a mixed number."
    whole = int(value)
    solution = (
        rf"Over a common denominator the sum is ${tex(value)}$, or "
        f"{box(str(whole) + tex(value - whole))}."
    )
    return problem, solution


TEMPLATES: Tuple[Template, ...] = (
    arithmetic_series,
    consecutive,
    geometric_series,
    power_remainder,
    modular_inverse,
    factorial_zeros,
    common_multiple,
    divisor_count,
    base_digits,
    ending_decimal,
    repeating_decimal,
    mixed_number,
)
