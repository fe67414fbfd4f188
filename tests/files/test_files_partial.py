"""Half downloads: spans that are shared out, given back, written, and read again by a later run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.files.partial import Partial, Span, Stopped

URL = "http://host/file"
BODY = bytes(range(200))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file"


def begun(target: Path, total=200, validator='"one"', anyhow=False) -> Partial:
    partial = Partial(target, URL, anyhow)
    partial.discard()
    span = partial.take()
    partial.begin(total, validator, span)
    return partial


def spans(partial: Partial) -> list[tuple]:
    return sorted((span.position, span.end, span.busy) for span in partial.spans)


def test_spans_are_halved_and_joined_again(target):
    partial = begun(target)
    first = partial.spans[0]
    assert partial.take() is None
    second = partial.take(least=50)
    assert spans(partial) == [(0, 100, True), (100, 200, True)]
    third = partial.take(least=50)
    assert spans(partial) == [(0, 50, True), (50, 100, True), (100, 200, True)]
    assert partial.take(least=51) is None
    partial.give_back(second)
    assert spans(partial) == [(0, 50, True), (50, 200, True)]
    partial.give_back(third)
    partial.give_back(first)
    assert spans(partial) == [(0, 200, False)]
    assert partial.take() is first


def test_bytes_beyond_an_end_that_came_nearer_are_dropped(target):
    partial = begun(target)
    first = partial.spans[0]
    assert partial.write(first, BODY[:10])
    second = partial.take(least=1)
    assert (first.end, second.position) == (105, 105)
    assert not partial.write(first, BODY[10:150])
    assert not partial.write(second, BODY[105:])
    assert partial.whole and partial.arrived == 200
    partial.move_to(target)
    assert target.read_bytes() == BODY
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_late_bytes_are_refused(target):
    partial = begun(target)
    old, other = partial.spans[0], partial.take(least=1)
    partial.begin(200, '"two"', old)
    with pytest.raises(Stopped):
        partial.write(other, b"old")
    partial.close()
    with pytest.raises(Stopped):
        partial.write(old, b"late")
    assert partial.path.read_bytes() == bytes(200)


def test_an_unknown_end(target):
    partial = begun(target, total=None)
    (span,) = partial.spans
    assert partial.write(span, b"abc") and partial.arrived == 3
    partial.finish(span)
    assert (partial.whole, partial.total) == (True, 3)
    partial.move_to(target)
    assert target.read_bytes() == b"abc"


def test_an_empty_file_is_whole_at_once(target):
    partial = begun(target, total=0)
    assert partial.whole and partial.arrived == 0


def test_a_later_run_goes_on(target):
    partial = begun(target)
    partial.write(partial.spans[0], BODY[:60])
    partial.write(partial.take(least=1), BODY[130:140])
    partial.save()
    partial.close()
    later = Partial(target, "http://me:secret@host/file", anyhow=False)
    assert (later.total, later.validator) == (200, '"one"')
    assert spans(later) == [(60, 130, False), (140, 200, False)]
    assert later.arrived == 70
    assert "secret" not in later.record.read_text()


@pytest.mark.parametrize(
    "url, validator, anyhow, goes_on",
    [
        (URL, '"one"', False, True),
        (URL, None, False, False),  # bytes of an unknown version
        (URL, None, True, True),  # which a digest will judge
        ("http://other/file", '"one"', True, False),
    ],
)
def test_what_a_later_run_may_go_on_from(target, url, validator, anyhow, goes_on):
    partial = begun(target, validator=validator)
    partial.write(partial.spans[0], BODY[:60])
    partial.save()
    partial.close()
    later = Partial(target, url, anyhow)
    assert later.arrived == (60 if goes_on else 0)
    assert later.path.exists() == later.record.exists() == goes_on


def test_the_record_never_promises_what_is_not_on_the_disk(target, monkeypatch):
    """It is renewed after the disk has the bytes, by what had been written before."""
    partial = begun(target)
    span = partial.spans[0]
    partial.write(span, BODY[:60])
    real = os.fdatasync

    def slow(handle):
        monkeypatch.setattr(os, "fdatasync", real)
        partial.write(span, BODY[60:90])
        real(handle)

    monkeypatch.setattr(os, "fdatasync", slow)
    partial.save()
    assert json.loads(partial.record.read_text())["missing"] == [[60, 200]]
    partial.save()
    assert json.loads(partial.record.read_text())["missing"] == [[90, 200]]


def test_a_record_of_an_older_beginning_is_not_written(target, monkeypatch):
    partial = begun(target)
    partial.write(partial.spans[0], BODY[:60])
    real = os.fdatasync

    def slow(handle):
        monkeypatch.setattr(os, "fdatasync", real)
        partial.begin(200, '"two"', Span(0, None))
        real(handle)

    monkeypatch.setattr(os, "fdatasync", slow)
    partial.save()
    partial.save()
    record = json.loads(partial.record.read_text())
    assert (record["validator"], record["missing"]) == ('"two"', [[0, 200]])


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_every_byte_arrives_exactly_once(target, data):
    """Takes, writes, returns and later runs in any order: spans never overlap, nothing is lost."""
    partial = begun(target)
    busy = list(partial.spans)
    written = [0] * len(BODY)
    for _ in range(30):
        step = data.draw(st.sampled_from(["take", "write", "write", "give back", "later run"]))
        if step == "take":
            span = partial.take(data.draw(st.integers(1, 40)))
            busy += [span] if span else []
        elif step == "later run":
            partial.save()
            partial.close()
            partial, busy = Partial(target, URL, anyhow=False), []
        elif busy:
            span = data.draw(st.sampled_from(busy))
            if step == "give back":
                partial.give_back(span)
                busy = [one for one in busy if one is not span]
                continue
            count, at = data.draw(st.integers(1, 50)), span.position
            if not partial.write(span, BODY[at : at + count]):
                busy = [one for one in busy if one is not span]
            for position in range(at, span.position):
                written[position] += 1
        edges = [edge for span in spans(partial) for edge in span[:2]]
        assert edges == sorted(edges)
        assert partial.arrived == sum(written)
    for span in busy:
        partial.give_back(span)
    while (span := partial.take()) is not None:
        for position in range(span.position, span.end):
            written[position] += 1
        partial.write(span, BODY[span.position : span.end])
    assert written == [1] * len(BODY)
    partial.move_to(target)
    assert target.read_bytes() == BODY
