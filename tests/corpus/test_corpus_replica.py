"""The stand-in for train.json: its counts, its order, and that our own readers take every row."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus import replica
from tools.corpus.grammar import parse
from tools.corpus.kinds import CHINESE, ENGLISH, KINDS, UNIQUE, UNIQUE_ENGLISH
from tools.corpus.replica import FULL, RAW, SPACE, Share, occupancy, shares, write_replica
from tools.corpus.rows import read_source
from tools.corpus.sample import _SPACES
from tools.files.errors import UserError

QUOTED = "将分数 5/6 进行简化。"


def read(path):
    """Give the entries of a file, each of which must fit a kind and state its solution."""
    for entry in read_source(path, strict=True):
        assert not entry.differs
        yield entry


def counted(path):
    """Give rows and unique problems by kind, and how often the quoted problem stands there."""
    rows, seen, quoted = Counter(), {kind: set() for kind in KINDS}, 0
    for entry in read(path):
        kind = entry.row.kind
        # All English rows are last.
        assert kind == ENGLISH or not rows[ENGLISH]
        rows[kind] += 1
        seen[kind].add(entry.identity())
        quoted += entry.row.problem == QUOTED
    return rows, {kind: len(problems) for kind, problems in seen.items()}, quoted


def test_the_whole_file_is_the_contests():
    assert FULL == 800_000 + 9_993
    assert {kind: share.rows for kind, share in shares().items()} == RAW
    unique = {kind: share.unique for kind, share in shares().items()}
    assert unique == {**UNIQUE, ENGLISH: UNIQUE_ENGLISH}
    assert sum(unique.values()) == 548_942
    assert {k: s.space for k, s in shares().items() if k != ENGLISH} == SPACE


@pytest.mark.parametrize("kind", ["power", "root", "function", "mean", "area", "discount", "sales"])
def test_the_raw_counts_follow_from_the_unique_ones(kind):
    """N (1 - (1 - 1/N)^n) is the expected number of different ones among n draws from N."""
    expected = SPACE[kind] * (1 - (1 - 1 / SPACE[kind]) ** RAW[kind])
    assert expected == pytest.approx(UNIQUE[kind], abs=0.5)


def test_the_spaces_are_what_is_drawn_from():
    assert {k: SPACE[k] for k in _SPACES} == {k: len(space()) for k, space in _SPACES.items()}
    # The chance that two lists of values are the same, length by length.
    assert 1 / SPACE["mean"] == pytest.approx(sum(0.01**n for n in range(3, 11)) / 64)


@given(st.integers(1, FULL))
def test_shares_keep_the_proportions(rows):
    plan = shares(rows)
    assert sum(share.rows for share in plan.values()) == rows
    assert list(plan) == [kind for kind in KINDS if kind in plan]
    for kind, share in plan.items():
        unique, space, count = share.unique, share.space, share.rows
        assert 1 <= unique <= min(count, space)
        if kind == ENGLISH:
            assert unique == space == count
            continue
        assert abs(unique - UNIQUE[kind] * count / RAW[kind]) <= 0.5 or unique == 1
        if rows > 50_000:
            assert abs(count - rows * RAW[kind] / FULL) <= 1


@given(st.data(), st.integers(0, 2**32))
def test_every_problem_occurs_and_no_other(data, seed):
    rows = data.draw(st.integers(1, 200))
    unique = data.draw(st.integers(1, rows))
    space = data.draw(st.integers(unique, 10 * rows))
    labels = occupancy(Share(rows, unique, space), random.Random(seed))
    assert len(labels) == rows
    assert set(labels) == set(range(unique))


def test_repeats_are_spread_as_by_drawing_with_replacement():
    """20000 draws of 100: chi-squared of 99 degrees has mean 99 and standard deviation 14."""
    counts = Counter(occupancy(Share(20_000, 100, 100), random.Random(1)))
    chi_squared = sum((count - 200) ** 2 / 200 for count in counts.values())
    assert 99 - 4 * 14 < chi_squared < 99 + 4 * 14


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("replica") / "train.json"
    return path, write_replica(path, 10_000, seed=3)


def test_a_small_file_has_the_counts_that_are_told(small):
    path, told = small
    rows, unique, _ = counted(path)
    assert told == {kind: {"rows": rows[kind], "unique": unique[kind]} for kind in KINDS}
    assert sum(rows.values()) == 10_000


def test_the_share_of_duplicates_stays(small):
    _, told = small
    for kind in ("equation", "area", "discount", "sales", "power", "root"):
        share = told[kind]["unique"] / told[kind]["rows"]
        assert share == pytest.approx(UNIQUE[kind] / RAW[kind], abs=0.01)
    unique = sum(counts["unique"] for counts in told.values())
    assert unique / 10_000 == pytest.approx(548_942 / FULL, abs=0.002)


def test_the_fields_the_order_and_the_marks(small):
    lines = small[0].read_text("utf-8").split("\n")
    assert lines.pop() == ""
    rows = [json.loads(line) for line in lines]
    chinese, english = rows[:-123], rows[-123:]  # 10 000 * 9 993 / 809 993 is 123.4
    assert all(list(row) == ["problem", "solution"] for row in chinese)
    assert all(list(row) == ["problem", "solution", "source"] for row in english)
    assert {row["source"] for row in english} == {"template"}
    # Non-ASCII as it is, and the kinds mixed from the beginning.
    assert any("计算" in line for line in lines[:100])
    assert len({parse(row["problem"]).kind for row in chinese[:300]}) >= 12


def test_the_seed_and_the_size_decide_alone(small, tmp_path):
    path, told = small
    assert write_replica(tmp_path / "again.json", 10_000, seed=3) == told
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    write_replica(tmp_path / "other.json", 10_000, seed=4)
    assert (tmp_path / "other.json").read_bytes() != path.read_bytes()


@pytest.mark.parametrize("rows", [1, 2, 14, 15, 16, 100, 700])
def test_the_smallest_files(rows, tmp_path):
    told = write_replica(tmp_path / "train.json", rows)
    found, unique, _ = counted(tmp_path / "train.json")
    assert told == {kind: {"rows": found[kind], "unique": unique[kind]} for kind in told}
    assert sum(found.values()) == rows


def test_the_quoted_fraction_is_as_frequent_as_in_the_contest():
    share = shares()["fraction"]
    lines = list(replica._kind_lines("fraction", share, random.Random(2)))
    counts = Counter(json.loads(line)["problem"] for line in lines)
    assert counts[QUOTED] == 480
    assert (len(lines), len(counts)) == (20_000, 45)
    # A tenth of the rows has a tenth of them.
    tenth = Share(2000, 5, 5)
    lines = list(replica._kind_lines("fraction", tenth, random.Random(2)))
    assert sum(QUOTED in line for line in lines) == 48


@pytest.mark.parametrize("rows", [0, -1, FULL + 1])
def test_sizes_it_cannot_have_are_refused(rows, tmp_path):
    with pytest.raises(UserError, match=f"{rows} rows cannot be generated; ask for 1 to 809993"):
        write_replica(tmp_path / "train.json", rows)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_the_old_file_untouched(tmp_path, monkeypatch):
    path = tmp_path / "train.json"
    write_replica(path, 50)
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(replica, "draw_english", full)
    with pytest.raises(OSError, match="No space"):
        write_replica(path, 100)
    assert [p.name for p in tmp_path.iterdir()] == ["train.json"]
    assert path.read_bytes() == before


@pytest.mark.slow
def test_all_rows(tmp_path):
    path = tmp_path / "train.json"
    told = write_replica(path)
    rows, unique, quoted = counted(path)
    assert unique == {**UNIQUE, ENGLISH: UNIQUE_ENGLISH}
    assert sum(rows[kind] for kind in CHINESE) == 800_000
    assert rows[ENGLISH] == UNIQUE_ENGLISH
    assert told == {kind: {"rows": rows[kind], "unique": unique[kind]} for kind in KINDS}
    assert quoted == 480
    # About 241 k equations, 80 k powers and roots, 60 k word problems, 20 k of the others.
    assert round(rows["equation"], -3) == 241_000
    assert round(rows["power"] + rows["root"], -4) == 80_000
    assert round(sum(rows[k] for k in ("area", "discount", "sales", "mass")), -4) == 60_000
    assert all(round(rows[k], -4) == 20_000 for k in ("function", "fraction", "mean"))
