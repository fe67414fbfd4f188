"""artifacts.lock: read, written, damaged."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.files.pins import Pin, read_pins, write_pin

PIN = Pin("train.json", 3, "a" * 64, "https://host/train.json", "2026-11-24")


def test_round_trip_sorted_and_readable(tmp_path):
    path = tmp_path / "artifacts.lock"
    assert read_pins(path) == {}
    write_pin(path, "b", PIN)
    write_pin(path, "a", PIN)
    other = Pin("train.json", 4, "b" * 64, "a folder", "2026-11-25")
    write_pin(path, "b", other)
    assert read_pins(path) == {"a": PIN, "b": other}
    content = json.loads(path.read_text())
    assert list(content["artifacts"]) == ["a", "b"] and "commit it" in content["about"]
    # A value a line, so that a change shows as what it is.
    assert path.read_text().count("\n") >= 14
    assert [entry.name for entry in tmp_path.iterdir()] == ["artifacts.lock"]


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "A" * 64},
        {"sha256": "a" * 63},
        {"sha256": None},
        {"bytes": -1},
        {"bytes": "3"},
        {"bytes": True},
        {"file": "../train.json"},
        {"file": ""},
        {"file": 3},
        {"more": 1},
    ],
)
def test_a_line_that_is_none(tmp_path, change):
    path = tmp_path / "artifacts.lock"
    path.write_text(json.dumps({"artifacts": {"a": {**asdict(PIN), **change}}}))
    with pytest.raises(UserError, match="not as `make fetch` writes it") as fault:
        read_pins(path)
    assert str(fault.value).startswith(str(path)) and "\n" not in str(fault.value)
    with pytest.raises(UserError):
        write_pin(path, "b", PIN)


@given(st.one_of(st.binary(max_size=60), st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["artifacts", "a", "file", "bytes"]), inner, max_size=3),
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_anything_else_is_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "artifacts.lock"
    path.write_bytes(content)
    try:
        assert read_pins(path) == {}
    except UserError as fault:
        assert "version control" in str(fault)


def test_fetches_at_once_lose_no_pin(tmp_path):
    path = tmp_path / "artifacts.lock"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: write_pin(path, f"a{n}", PIN), range(40)))
    assert len(read_pins(path)) == 40
