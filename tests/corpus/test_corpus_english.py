"""The boxed answers of English problems. The LaTeX is our own, in the forms such sets use."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.english import boxed, identity_text, is_english, numeric


@pytest.mark.parametrize(
    ("solution", "contents"),
    [
        (r"So the sum is $\boxed{12}$.", "12"),
        (r"Hence $x = \boxed{\frac{1}{\sqrt{2}}}$ as claimed.", r"\frac{1}{\sqrt{2}}"),
        (r"$\boxed{\{1, 2\}}$", r"\{1, 2\}"),
        (r"First $\boxed{1}$, at last $\boxed{ 2 }$.", "2"),
        (r"$\fbox{7}$", "7"),
        (r"$\boxed 5$", "5"),
        (r"$\boxed\frac12$", r"\frac"),
        (r"no box", None),
        (r"$\boxed{12", None),
        (r"$\boxed{1}$ and $\boxed{", None),
        (r"\boxed", None),
        ("", None),
    ],
)
def test_boxed(solution, contents):
    assert boxed(solution) == contents


@given(
    st.recursive(
        st.text("ab1 ", max_size=4), lambda inner: st.builds("{{{}}}x{{{}}}".format, inner, inner)
    )
)
def test_boxed_keeps_what_is_nested(contents):
    assert boxed(rf"so $\boxed{{{contents}}}$ and {{more}}") == contents.strip()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", "12"),
        ("-3.50", "-3.5"),
        (".25", "0.25"),
        ("+4", "4"),
        ("007", "7"),
        ("-0", "0"),
        ("5.", "5"),
        (r"\frac{6}{8}", "3/4"),
        (r"-\dfrac{1}{3}", "-1/3"),
        (r"\frac{-1}{3}", "-1/3"),
        (r"\frac12", "1/2"),
        (r"\frac{10}2", "5"),
        (r"3\frac{1}{2}", "7/2"),
        (r"-1\tfrac14", "-5/4"),
        ("14/4", "7/2"),
        ("1,234,567", "1234567"),
        (r"1{,}250\text{ cm}", "1250"),
        (r"10{,}000", "10000"),
        (r"36\text{ cm}^2", "36"),
        (r"\$18.90", "18.9"),
        (r"50\%", "50"),
        (r"90^\circ", "90"),
        (r"45^{\circ}", "45"),
        (r"\sqrt{16}", "4"),
        (r"\sqrt9", "3"),
        ("1" * 40, "1" * 40),
        (r"\sqrt{2}", None),
        (r"2\sqrt{4}", None),
        (r"\pi", None),
        ("(1,2)", None),
        ("5, 120", None),  # a list, not thousands
        ("1,2", None),
        ("x+1", None),
        ("1011_2", None),
        (r"\frac{1}{0}", None),
        ("1/0", None),
        (r"\text{Evelyn}", None),
        (r"\frac{x}{2}", None),
        ("", None),
        ("1e5", None),
        ("9" * 10_000, None),
    ],
)
def test_numeric(text, number):
    assert numeric(text) == number


@given(st.fractions(max_denominator=10**6))
def test_numeric_reads_every_fraction(value):
    sign = "-" if value < 0 else ""
    text = rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    assert Fraction(numeric(text)) == value


@given(st.text(max_size=50))
def test_no_text_breaks_it(text):
    value, inside = numeric(text), boxed("\\boxed" + text)
    assert value is None or isinstance(Fraction(value), Fraction)
    assert inside is None or inside in text


def test_which_texts_are_english():
    assert is_english("Find $x$ — “quickly”.")
    assert not is_english("Find 面积.")
    assert identity_text("Find  X\n now") == identity_text("find x now ")
