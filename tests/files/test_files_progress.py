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


def run(advances, total=None, unit="rows", start=0, stream=None, warm_up=0):
    """Advance by each (seconds, count); return all that was printed."""
    stream, clock = stream or io.StringIO(), Clock()
    settings = {"start": start, "warm_up": warm_up, "stream": stream, "clock": clock}
    with progress("decode", total, unit, **settings) as bar:
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


@pytest.mark.parametrize("start", [0, 100])
def test_what_waits_for_compilation_does_not_count_in_the_rate(start):
    """A step after 90 seconds, then one in two: 19 left of a hundred are done in 38."""
    text = run([(90, 1)] + [(2, 1)] * 99, total=start + 100, start=start, warm_up=1)
    lines = text.splitlines()
    percent = 100 * (start + 1) // (start + 100)
    assert lines[0] == f"decode: {start + 1} rows of {start + 100} rows ({percent} %)"
    assert lines[1].endswith(" %), 0.5 rows/s, 3:08 left")  # 10 seconds, five steps later
    assert lines[-1] == f"decode: {start + 100} rows in 4:48, 0.5 rows/s"


def test_no_rate_before_the_warm_up_is_over():
    text = run([(20, 3), (20, 3), (10, 2), (10, 2)], total=100, warm_up=5)
    assert text.splitlines() == [
        "decode: 3 rows of 100 rows (3 %)",
        "decode: 6 rows of 100 rows (6 %)",
        "decode: 8 rows of 100 rows (8 %), 0.2 rows/s, 7:40 left",
        "decode: 10 rows of 100 rows (10 %), 0.2 rows/s, 7:30 left",
        "decode: 10 rows in 1:00, 0.2 rows/s",
    ]
    assert run([(20, 1)], total=1, warm_up=1).splitlines()[-1] == "decode: 1 rows in 0:20"


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
