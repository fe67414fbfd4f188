"""Settings files: every fault at its line, and what YAML can do beyond data is not done."""

from __future__ import annotations

from typing import List, Optional

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tools.files.errors import UserError
from tools.settings.lines import LARGEST_FILE, Settings, parse_yaml, read_settings


def doubled(entry):
    """Each line stands for twice what the last does: 2^60 values, were they written out."""
    return "\n".join(f"a{n + 1}: &a{n + 1} {entry.format(n)}" for n in range(60))


class Inner(Settings):
    size: int = Field(gt=0)
    name: str = "x"


class Outer(Settings):
    first: Inner
    items: List[Inner]
    note: Optional[str] = None


GOOD = "first:\n  size: 1\nitems:\n  - size: 2\n    name: b\n  - {size: 3}\n"


@pytest.fixture
def read(tmp_path):
    path = tmp_path / "x.yaml"

    def call(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return read_settings(path, Outer)

    return call


def fault(read, text):
    with pytest.raises(UserError) as caught:
        read(text)
    path, _, line = str(caught.value.where).rpartition(":")
    assert path.endswith("x.yaml") and caught.value.exit_code == 2
    return int(line), caught.value.what


def test_a_valid_file(read):
    found = read(GOOD)
    assert (found.first.size, [item.size for item in found.items]) == (1, [2, 3])
    assert read("\ufeff" + GOOD) == found  # as some editors save it


@pytest.mark.parametrize(
    "old, new, line, key",
    [
        ("  size: 1", "  size: 0", 2, "first.size"),
        ("  size: 1", "  size: one", 2, "first.size"),
        ("  - size: 2", "  - size: []", 4, "items.0.size"),
        ("    name: b", "    names: b", 5, "items.0.names"),
        ("{size: 3}", "{size: -3}", 6, "items.1.size"),
        ("{size: 3}", "{name: c}", 6, "items.1.size"),
        ("items:", "item:", 3, "item"),
        ("  size: 1\n", "", 1, "first"),
    ],
)
def test_the_line_and_the_key(read, old, new, line, key):
    assert GOOD.count(old) == 1
    found, what = fault(read, GOOD.replace(old, new))
    assert found == line and what.startswith(f"{key}: ")


def test_all_faults_at_once_in_the_order_of_the_file(read):
    line, what = fault(read, "items:\n  - size: 0\n  - size: 0\nnote: 3\nmore: 4\n")
    assert line == 2
    keys = [part.split(": ")[0] for part in what.split("; ")]
    assert keys == ["items.0.size", "items.1.size", "note", "more", "first"]


@pytest.mark.parametrize(
    "text, line, what",
    [
        ("first: {size: 1\n", 2, "not valid YAML"),
        ("first:\n  size: 1\n bad: 2\n", 3, "not valid YAML"),
        ("first: &a {size: 1}\nnote: 3\nfirst: *a\nnote: 4\n", 3, "a key stands twice: 'first' in"),
        ("first: !!python/name:os.system\n", 1, "not valid YAML"),
        ("", 1, "file: input should be"),
        ("- 1\n", 1, "file: input should be"),
    ],
)
def test_what_is_not_read(read, text, line, what):
    found, told = fault(read, text)
    assert found == line and told.startswith(what)


def test_other_content(read):
    for content, what in [
        (b"\xff\xfe", "not UTF-8 text"),
        (b"#" * (LARGEST_FILE + 1), "larger than"),
        (b"first: \x07\n", "not valid YAML"),
    ]:
        with pytest.raises(UserError, match=what):
            read(content)


MERGED = """\
base: &base {a: 1, b: 2}
other: {b: 3, c: 4}
one:
  <<: *base
  a: 5
two:
  <<: [*base, {b: 6, d: 7}]
list:
  - name: x
    size: 1.5
  - [1, "2", null]
"""


def test_values_and_lines():
    content = parse_yaml(MERGED, "x.yaml")
    assert content.get("list", 0, "size") == 1.5
    assert content.line("list", 0, "size") == 10
    assert content.get("list", 1) == [1, "2", None]
    assert content.line("list", 1) == 11
    assert content.get("list", 9) is content.get("list", "name") is content.get("none") is None
    # Of a path that ends early, the line of what is there.
    assert [content.line(*path) for path in [("none",), ("other", "z"), ("list", 9)]] == [1, 2, 8]


def test_merges_are_the_loaders():
    content = parse_yaml(MERGED, "x.yaml")
    assert content.value == yaml.safe_load(MERGED)
    # What is overwritten has the line of what overwrites it, what is merged in its own.
    assert content.line("one", "a") == 5
    assert content.line("one", "b") == content.line("two", "b") == 1


@pytest.mark.parametrize(
    "text, line, what",
    [
        ("a: &a [*a]", 1, "an alias stands inside of"),
        ("x: 1\na: &a\n  <<: *a\n", 2, "an alias stands inside of"),
        ("a0: &a0 [x]\n" + doubled("[*a{0}, *a{0}]"), 14, "more than 20000 values"),
        ("a0: &a0 {k: x}\n" + doubled("{{<<: [*a{0}, *a{0}]}}"), 13, "more than 20000 values"),
        ("[" * 5000, None, "nested too deeply"),
        ("a: 2024-99-99", None, "not valid YAML"),
        ("a: !!timestamp x", None, "not valid YAML"),
        ("? [a, b]\n: c", 1, "unhashable key"),
    ],
)
def test_hostile_files(text, line, what):
    with pytest.raises(UserError, match=what) as caught:
        parse_yaml(text, "x.yaml")
    assert caught.value.where == ("x.yaml" if line is None else f"x.yaml:{line}")


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        content = parse_yaml(text, "x.yaml")
    except UserError:
        return
    assert content.value == yaml.safe_load(text) or content.value != content.value
    assert content.line("a", 0, "b") >= 1
