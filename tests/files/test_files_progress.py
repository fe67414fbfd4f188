"""What a progress bar says, with a clock that the test turns."""

from __future__ import annotations

import io

import pytest

from tools.files.progress import format_bytes, format_duration, progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (98_362_432, "98.4 MB"),
        (16.06e9, "16.1 GB"),
        (2e15, "2000.0 TB"),
    ],
)
def test_format_bytes(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3723, "1:02:03")])
def test_format_duration(seconds, text):
    assert format_duration(seconds) == text


def run(advances, total=None, unit="rows", start=0, stream=None):
    """Advance by each (seconds, count); return all that was printed."""
    stream, clock = stream or io.StringIO(), Clock()
    with progress("decode", total, unit, start=start, stream=stream, clock=clock) as bar:
        for seconds, count in advances:
            clock.now += seconds
            bar.advance(count)
    return stream.getvalue()


def test_a_line_every_interval_and_one_at_the_end():
    assert run([(5, 100), (5, 100), (4, 100), (6, 100)], total=400).splitlines() == [
        "decode: 200 rows of 400 rows (50 %), 20 rows/s, 0:10 left",
        "decode: 400 rows of 400 rows (100 %), 20 rows/s",
        "decode: 400 rows in 0:20, 20 rows/s",
    ]


def test_unknown_total():
    assert run([(10, 25)]).splitlines()[0] == "decode: 25 rows, 2.5 rows/s"


def test_resumed_work_does_not_count_in_the_rate():
    text = run([(10, 10_000_000)], total=100_000_000, unit="B", start=80_000_000)
    assert text.splitlines()[0] == "decode: 90.0 MB of 100.0 MB (90 %), 1.0 MB/s, 0:10 left"


def test_work_begun_anew():
    clock, stream = Clock(), io.StringIO()
    with progress("fetch", 100, "B", start=80, stream=stream, clock=clock) as bar:
        bar.reach(0)
        clock.now = 10
        bar.reach(50)
    assert stream.getvalue().splitlines()[0] == "fetch: 50 B of 100 B (50 %), 5 B/s, 0:10 left"


def test_short_stages_and_failed_ones_have_no_last_line():
    assert run([(0.5, 100)]) == ""
    clock, stream = Clock(), io.StringIO()
    with (
        pytest.raises(ValueError),
        progress("decode", 10, stream=stream, clock=clock),
    ):
        clock.now = 5
        raise ValueError
    assert stream.getvalue() == ""


def test_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    text = run([(5, 100), (5, 300)], total=400, stream=Terminal())
    assert "decode" in text and "400 rows of 400 rows (100 %), 40 rows/s" in text


def test_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = run([(5, 100), (5, 300)], total=400, stream=Terminal())
    assert "\x1b" not in text and len(text.splitlines()) == 2
