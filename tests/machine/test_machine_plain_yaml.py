"""The small reader agrees with PyYAML wherever it reads at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.machine.needs import CONFIGS
from tools.machine.plain_yaml import parse, read_yaml

WHERE = Path("x.yaml")
READ_BEFORE_SETUP = [*sorted(CONFIGS.glob("*/profile.yaml")), CONFIGS / "artifacts.yaml"]


@pytest.mark.parametrize("path", READ_BEFORE_SETUP, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_the_projects_own_files_are_read_alike(path):
    text = path.read_text(encoding="utf-8")
    assert parse(text, path) == yaml.safe_load(text)


def test_with_and_without_pyyaml(tmp_path, monkeypatch):
    path = tmp_path / "x.yaml"
    path.write_text("a: {b: [1, 2.5, x]}\n")
    assert read_yaml(path) == {"a": {"b": [1, 2.5, "x"]}}
    path.write_text("a:\n- block\n")
    assert read_yaml(path) == {"a": ["block"]}
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UserError, match=r"x\.yaml:2: - block cannot be read without PyYAML"):
        read_yaml(path)


@pytest.mark.parametrize("content", [b"a: [1", b"- a", b"\xff", b"a: *b", b"a: !!python/name:x"])
@pytest.mark.parametrize("module", [yaml, None])
def test_files_that_are_none(tmp_path, monkeypatch, content, module):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    monkeypatch.setitem(sys.modules, "yaml", module)
    with pytest.raises(UserError, match=r"x\.yaml"):
        read_yaml(path)


@pytest.mark.parametrize(
    "text, value",
    [
        ("", {}),
        ("a: 1 # one\n\n# all\nb: 'x # y'\n", {"a": 1, "b": "x # y"}),
        (
            "a:\n  b:\n    c: null\n  d: ~\ne: true\n",
            {"a": {"b": {"c": None}, "d": None}, "e": True},
        ),
        ("a:\nb: -3\n", {"a": None, "b": -3}),
        ("a: []\nb: {}\nc: [[1], {d: 2,}]\n", {"a": [], "b": {}, "c": [[1], {"d": 2}]}),
        ("a: 2.3.0rc2\nb: '3.11'\nc: 3.10\n", {"a": "2.3.0rc2", "b": "3.11", "c": 3.1}),
        ("a: https://x.org/y#z\n", {"a": "https://x.org/y#z"}),
    ],
)
def test_what_is_read(text, value):
    assert parse(text, WHERE) == value == (yaml.safe_load(text) or {})


@pytest.mark.parametrize(
    "line",
    [
        *("- a", "b: yes", "b: 010", "b: 1:30", "b: 2024-01-01", "b: 1_000", "b: 1.5e+3", "b: .5"),
        *("b: |", "b: &x 1", "b: *x", "b: !x 1", "b: 'it''s'", 'b: "a\\n"', "b: [1", "b: {c}"),
        *("b: x: y", "? b", "a: 2", " b: 1", "on: 1", "b: [1] 2", "<<: 1", "b: {c: 1 d: 2}", "b:1"),
    ],
)
def test_what_is_refused_is_named_with_its_line(line):
    with pytest.raises(UserError) as caught:
        parse(f"a: 1\n{line}\n", WHERE)
    assert caught.value.where == "x.yaml:2" and "PyYAML" in str(caught.value)


def test_brackets_without_end():
    with pytest.raises(UserError, match=r"x\.yaml:1"):
        parse("a: " + "[" * 100_000, WHERE)


PLAIN = st.sampled_from(
    [
        *("a", "b", "c-d", "1", "0", "-2", "3.5", "null", "~", "true"),
        *("'q'", '"#"', "x.y", "2.3.0rc2", "https://h/p"),
    ]
)
ODD = st.sampled_from(
    [
        *(
            "#",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "::",
            "-",
            "--",
            "?",
            "!",
            "&",
            "*",
            "|",
            ">",
            "%",
            "@",
        ),
        *(
            "`",
            "''",
            "'",
            '"',
            "\\",
            "=",
            "<<",
            "\t",
            "\x07",
            "\xa0",
            "\u2028",
            "\ufeff",
            "é",
            "no",
        ),
        *(
            ".5",
            "1e3",
            "2.3.0",
            "010",
            "0x1f",
            "1:20",
            "1_0",
            "2020-01-01",
            "+1",
            "-.inf",
            "1.5e+3",
        ),
    ]
)
WORDS = st.integers(0, 7).flatmap(lambda n: PLAIN if n else ODD)
FORMS = [
    *("{0}: {1}", "{0}: [{1}, {2}]", "{0}: {{k: {1}, l: {2}}}"),
    *("{0}:", "{0}: {1} {2}", "{0}: {1}{2}", "{0}: {1} #{2}"),
]
LINES = st.tuples(
    st.integers(0, 2), st.sampled_from(FORMS), st.sampled_from("fghijkl"), WORDS, WORDS
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=4, unique_by=lambda line: line[2]))
def test_no_text_is_read_otherwise_than_by_pyyaml(lines):
    text = "".join("  " * depth + form.format(*words) + "\n" for depth, form, *words in lines)
    try:
        value = parse(f"a:\n  b:\n{text}", WHERE)
    except UserError:
        return
    assert value == yaml.safe_load(f"a:\n  b:\n{text}"), text
