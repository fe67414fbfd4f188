"""A composed YAML file: values as the loader has them, lines as an editor has them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from packaging_run import write

from tools.packaging.configs.document import NotYaml, compose, is_count, read

TEXT = """\
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


def test_values_and_lines() -> None:
    document = compose(TEXT)
    assert document.value("list", 0, "size") == 1.5
    assert document.line("list", 0, "size") == 10
    assert document.value("list", 1) == [1, "2", None]
    assert document.line("list", 1) == 11
    assert document.names("list", 0) == ["name", "size"]
    assert document.value("none", default="x") == "x"
    # Of a path that ends early, the line of what is there.
    assert [document.line(*path) for path in [("none",), ("one", "z"), ("list", 9)]] == [1, 3, 8]
    assert not document.has("list", 9)
    assert document.has("one", "b")


def test_merges_are_the_loaders() -> None:
    document, loaded = compose(TEXT), yaml.safe_load(TEXT)
    for name in ("one", "two"):
        assert document.section(name) == loaded[name]


@given(
    st.dictionaries(
        st.text("abc_", min_size=1),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
        min_size=1,
    )
)
def test_a_section_is_the_loaders(tree: dict) -> None:
    assert compose(yaml.safe_dump({"x": tree})).section("x") == tree


@pytest.mark.parametrize(
    ("text", "line"), [("a: [", 1), ("a: 1\n\tb: 2", 2), ("[" * 5000, None), ("a: *b", 1)]
)
def test_what_is_no_yaml(text: str, line: object) -> None:
    with pytest.raises(NotYaml, match="not valid YAML") as caught:
        compose(text)
    assert caught.value.line == line


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = compose(text)
    except NotYaml:
        return
    assert document.line("a", 0, "b") >= 1
    assert isinstance(document.names(), list)


def test_files(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.json", {"a": [1]}))[1].value("a") == [1]
    with pytest.raises(NotYaml, match="not UTF-8"):
        read(write(tmp_path / "a.yaml", b"\xff"))
    with pytest.raises(NotYaml, match="larger than"):
        read(write(tmp_path / "a.yaml", b"a" * ((1 << 20) + 1)))


def test_counts() -> None:
    assert [is_count(value) for value in (1, 0, -1, True, 1.0, "1", None)] == [True] + 6 * [False]
