"""The stand-in for train.json: counts to the row, bytes to the seed, every row understood."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.english import boxed, numeric
from tools.corpus.kinds import CHINESE, ENGLISH, UNIQUE, UNIQUE_ENGLISH
from tools.corpus.replica import FULL, QUOTED_ROWS, RAW, Share, occupancy, shares, write_replica
from tools.corpus.rows import Entry, read_source
from tools.files.errors import UserError


def read(path):
    """(rows, different problems) by kind, and how many rows state their solution otherwise."""
    rows, problems, differing = Counter(), {}, 0
    for entry in read_source(path, strict=True):
        assert isinstance(entry, Entry)
        rows[entry.row.kind] += 1
        problems.setdefault(entry.row.kind, set()).add(entry.identity())
        differing += entry.differs
    return rows, {kind: len(found) for kind, found in problems.items()}, differing


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("replica") / "train.json"
    return path, write_replica(path, 8000, seed=3)


def test_the_whole_file_s_counts():
    assert FULL == 809_993 and sum(RAW[kind] for kind in CHINESE) == 800_000
    assert RAW[ENGLISH] == UNIQUE_ENGLISH == 9_993
    assert {kind: share.unique for kind, share in shares().items() if kind != ENGLISH} == UNIQUE
    # contest facts: equations about 241 k, power and root 80 k, word problems 60 k.
    assert round(RAW["equation"] / 1000) == 241
    assert round((RAW["power"] + RAW["root"]) / 1000) == 80
    assert round(sum(RAW[kind] for kind in ("area", "discount", "sales", "mass")) / 1000) == 60


def test_rows_and_problems_are_as_many_as_promised(small):
    path, told = small
    rows, unique, differing = read(path)
    assert {kind: {"rows": rows[kind], "unique": unique[kind]} for kind in rows} == told
    assert sum(rows.values()) == 8000 and not differing
    # The share of duplicates stays: 32.6 % of the Chinese rows there.
    chinese = sum(rows[kind] for kind in CHINESE)
    assert 1 - sum(unique[kind] for kind in CHINESE) / chinese == pytest.approx(0.326, abs=0.01)


def test_english_rows_come_last_and_are_marked(small):
    path, told = small
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    marks = [line.get("source") for line in lines]
    first = 8000 - told[ENGLISH]["rows"]
    assert marks[:first] == [None] * first
    assert set(marks[first:]) == {"template"}
    assert {*lines[0]} == {"problem", "solution"}
    # Kinds are mixed: no long run of one.
    assert len({line["problem"][0] for line in lines[:100]}) > 5


def test_a_seed_gives_the_same_bytes(small, tmp_path):
    path, _ = small
    write_replica(tmp_path / "again.json", 8000, seed=3)
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    write_replica(tmp_path / "other.json", 8000, seed=4)
    assert (tmp_path / "other.json").read_bytes() != path.read_bytes()


@given(st.integers(1, FULL))
def test_shares_add_up(rows):
    found = shares(rows)
    assert sum(share.rows for share in found.values()) == rows
    assert all(1 <= share.unique <= min(share.rows, share.space) for share in found.values())


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 300), st.integers(0, 99))
def test_every_problem_occurs(rows, unique, more, seed):
    unique = min(rows, unique)
    found = occupancy(Share(rows, unique, unique + more), random.Random(seed))
    assert len(found) == rows and set(found) == set(range(unique))


@pytest.mark.parametrize("rows", [0, -1, FULL + 1])
def test_other_numbers_of_rows_are_refused(tmp_path, rows):
    with pytest.raises(UserError, match=f"ask for 1 to {FULL}"):
        write_replica(tmp_path / "x.json", rows)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_whole_file(tmp_path):
    path = tmp_path / "train.json"
    write_replica(path)
    rows, unique, differing = read(path)
    assert rows == RAW and not differing
    assert unique == {**UNIQUE, ENGLISH: UNIQUE_ENGLISH}
    with path.open(encoding="utf-8") as handle:
        lines = list(handle)
    assert sum('"将分数 5/6 进行简化。"' in line for line in lines) == QUOTED_ROWS
    english = [json.loads(line) for line in lines[800_000:]]
    assert len(english) == 9_993 and all(row["source"] == "template" for row in english)
    # Two thirds of the contest's have a number for an answer.
    numbers = sum(numeric(boxed(row["solution"])) is not None for row in english)
    assert 0.6 < numbers / len(english) < 0.75
