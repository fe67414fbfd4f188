"""Written strings: the same as Python reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.scoring.literals import read_string, read_strings


@given(st.lists(st.text(max_size=20)))
def test_inverse_of_repr(values):
    text = repr(values)
    assert read_strings(text + " tail") == (values, len(text) + 1)
    assert read_strings(ascii(values))[0] == values


@pytest.mark.parametrize(
    "text, value",
    [(r"'\0\x41\101\n\\\'\q'", "\0AA\n\\'\\q"), ("'a\nb'", "a\nb"), ("'a\\\nb'", "ab")],
)
def test_escapes(text, value):
    assert read_string(text)[0] == value


@pytest.mark.parametrize("text", ["", "[", "['a'", "['a' 'b']", "[1]", "('a')", "['\\U99999999']"])
def test_anything_else(text):
    with pytest.raises(ValueError):
        read_strings(text)
