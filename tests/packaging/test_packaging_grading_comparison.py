"""Lines of a verdict, what chance allows, and how a verdict is shown."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.packaging.grading.comparison import (
    ALLOWED,
    Row,
    compare,
    count_of,
    document_rows,
    failed,
    flat,
    unlike,
)
from tools.packaging.grading.sampling import Share, pair_of, weighted
from tools.packaging.grading.verdict import (
    Verdict,
    describe,
    headline,
    render,
    shown,
    write_verdict,
)
from tools.scoring.arithmetic import wilson

SHARES = st.integers(1, 300).flatmap(lambda n: st.builds(Share, st.integers(0, n), st.just(n)))
EVIL = "<script>alert(1)</script>\x1b[2J\u202e{{7*7}}"


def test_figures_within_and_beyond_what_is_allowed() -> None:
    limit = ALLOWED["score"].difference
    assert compare("f", "x", 0.5, 0.5 + limit / 2, "score").passed
    row = compare("f", "x", 0.5, 0.5 + 2 * limit, "score")
    assert not row.passed
    assert row.difference == pytest.approx(2 * limit) and row.allowed == limit
    assert row.why == ALLOWED["score"].why


@pytest.mark.parametrize(
    ("claim", "measured", "passed"),
    [
        (3, 3, True),
        (3, 3.0, True),
        (3, 4, False),
        (True, 1, False),
        (1, True, False),
        (True, True, True),
        (None, None, True),
        (None, 0, False),
        ("3", 3, False),
        (math.nan, 3, False),
        (math.inf, math.inf, True),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ({}, 0, False),
    ],
)
def test_counts_and_words_must_be_the_same(claim: object, measured: object, passed: bool) -> None:
    assert compare("f", "x", claim, measured).passed is passed


def test_faults_are_counted_and_the_first_told() -> None:
    assert count_of("f", "x", [], "all seen") == Row("f", "x", 0, 0, 0, 0, True, "all seen")
    row = count_of("f", "x", (f"line {n}" for n in range(1, 8)))
    assert (row.measured, row.passed) == (7, False)
    assert row.why == "line 1; line 2; line 3 and 4 more"


def test_flat() -> None:
    value = {"a": [1, {"b": None}], "c": {}, "d": "x"}
    assert flat(value) == {"a.0": 1, "a.1.b": None, "d": "x"}
    assert flat([0] * 5) == {str(n): 0 for n in range(5)}
    assert flat(7) == {"": 7}


def test_documents_are_held_against_one_another() -> None:
    ours = {"a": 1, "b": {"c": 0.5, "d": None}, "e": "x"}
    said = {"a": True, "b": {"c": 0.5 + 1e-9}, "e": "x", "f": 3}
    assert unlike(flat(said), flat(ours)) == ["a", "b.d", "f"]
    assert unlike({"a": 1.0, "b": 1}, {"a": 1, "b": 1.0}, "same") == []
    # A score may differ in its last digits, a learning rate not.
    close = {"a": 1e-7}, {"a": 2e-7}
    assert (unlike(*close), unlike(*close, "same")) == ([], ["a"])
    first, rest = document_rows("x.json", said, ours, re.compile("b.c"))
    assert (first.what, first.measured, first.passed) == ("b.c", 0.5, True)
    assert (rest.what, rest.measured) == ("those of its 4 figures that differ", 3)
    assert rest.why.startswith("a is claimed as True, not 1; ")


def test_newcombes_own_example() -> None:
    """Newcombe (1998), table II, method 10: 56/70 - 48/80 has the interval 0.0524 to 0.3339."""
    low, _ = wilson(56, 70)
    _, high = wilson(48, 80)
    lower = 56 / 70 - 48 / 80 - math.hypot(56 / 70 - low, high - 48 / 80)
    assert lower == pytest.approx(0.0524, abs=5e-5)
    wider = pair_of(Share(56, 70), Share(48, 80))
    assert wider.allowed > math.hypot(56 / 70 - low, high - 48 / 80)


@given(SHARES, SHARES)
def test_what_chance_allows_is_a_share_and_falls_with_size(claim: Share, measured: Share) -> None:
    pair = pair_of(claim, measured)
    assert 0 <= pair.allowed < math.sqrt(2)
    ten = Share(10 * measured.correct, 10 * measured.count)
    assert pair_of(Share(10 * claim.correct, 10 * claim.count), ten).allowed <= pair.allowed


def test_a_share_measured_higher_needs_no_allowance() -> None:
    assert pair_of(Share(0, 9), Share(9, 9)).allowed == 0
    assert pair_of(Share(9, 9), Share(0, 9)).allowed > 0.5


def test_kinds_are_weighted_as_in_the_new_set() -> None:
    claims = {"add": Share(90, 100), "divide": Share(10, 100), "english": Share(5, 5)}
    found = {"add": Share(10, 10), "divide": Share(3, 30)}
    pair = weighted(claims, found)
    assert pair.claim == pytest.approx(0.25 * 0.9 + 0.75 * 0.1)
    assert pair.measured == pytest.approx(13 / 40)
    parts = [pair_of(claims[kind], found[kind]).allowed for kind in ("add", "divide")]
    assert pair.allowed == pytest.approx(math.hypot(0.25 * parts[0], 0.75 * parts[1]))


def test_a_made_up_accuracy_is_far_beyond_chance() -> None:
    """14 kinds, one problem each, all claimed right; of 280 new ones none is."""
    kinds = [f"kind-{n}" for n in range(14)]
    pair = weighted({k: Share(1, 1) for k in kinds}, {k: Share(0, 20) for k in kinds})
    assert pair.claim - pair.measured > pair.allowed


def verdict(*rows: Row, **more: object) -> Verdict:
    parts = {
        "archive": {"name": f"{EVIL}.zip", "bytes": 3, "sha256": "ab" * 32},
        "team": EVIL,
        "refused": False,
        "depth": "verify",
        "rows": list(rows),
        "notes": [EVIL],
        "grader": {"commit": "0" * 40, "versions": {}, "machine": {}},
    }
    return Verdict(**{**parts, **more})


SEEN = EVIL.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
GOOD = compare(EVIL, EVIL, EVIL, EVIL, note=EVIL)
BAD = failed(EVIL, EVIL, EVIL)


def test_html_and_terminal_show_hostile_names_and_do_nothing() -> None:
    page = render(verdict(GOOD, BAD))
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "49" not in re.sub(r"#[0-9a-f]+", "", page)
    for text in (page, describe(verdict(GOOD, BAD))):
        assert "\x1b" not in text and "\u202e" not in text
        assert "\\x1b[2J\\u202e" in text
    assert "default-src 'none'" in page


def test_the_verdict_is_no_if_one_line_is_or_there_is_none() -> None:
    assert verdict(GOOD).passed
    assert not verdict(GOOD, BAD).passed
    assert not verdict().passed


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (verdict(GOOD, GOOD), "all 2 claims hold, by verify"),
        (verdict(GOOD, BAD), "1 of 2 claims do not hold, by verify"),
        (verdict(BAD, refused=True), "refused and not unpacked: 1 fault"),
    ],
)
def test_headlines(found: Verdict, text: str) -> None:
    assert headline(found).endswith(f": {text}")
    assert text in describe(found) and text in render(found)


def test_the_table_has_claim_measured_difference_allowed() -> None:
    row = compare("scores/1.json", "math.accuracy", 0.5, 0.25, "score")
    text = describe(verdict(row)).splitlines()
    assert text[0].split() == ["claim", "says", "measured", "difference", "allowed"]
    assert text[2] == "scores/1.json"
    assert text[3].split() == ["math.accuracy", "0.5", "0.25", "-0.25", "1e-06", "NO"]


def test_the_files(tmp_path: Path) -> None:
    found = verdict(GOOD, BAD)
    write_verdict(found, tmp_path)
    content = json.loads((tmp_path / "verdict.json").read_text("utf-8"))
    assert list(content)[:5] == ["passed", "archive", "team", "refused", "depth"]
    assert content["passed"] is False and len(content["rows"]) == 2
    assert content["rows"][1] == {**BAD._asdict(), **dict.fromkeys(("group", "what", "why"), SEEN)}
    assert (tmp_path / "verdict.html").read_text("utf-8") == render(found)


@pytest.mark.parametrize("value", [math.nan, math.inf, "x" * 10_000, [1] * 10_000, {"a": {}}])
def test_what_json_has_no_word_for_is_kept_as_it_is_shown(value: object) -> None:
    row = verdict(compare("f", "x", value, 1)).to_dict()["rows"][0]
    assert isinstance(row["claim"], str) and len(row["claim"]) <= 400
    json.loads(json.dumps(row), parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (True, "yes"), (0.1 + 0.2, "0.3"), (7, "7"), ("a\nb", "a\\nb"), ([1], "[1]")],
)
def test_values_in_one_line(value: object, text: str) -> None:
    assert shown(value) == text
    assert len(shown("x" * 100)) < 30
