"""How far a long stage has come, at what rate, and how long it will take still."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional, TextIO


def format_bytes(count: float) -> str:
    """Decimal units, as disks and networks are sold: 98362432 -> `98.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        # 999.95 would be printed as 1000.0 of the smaller unit.
        if count < 999.95:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def format_duration(seconds: float) -> str:
    """Whole seconds as `m:ss` or `h:mm:ss`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _format_count(count: float, unit: str) -> str:
    if unit == "B":
        return format_bytes(count)
    number = f"{count:,.0f}" if count >= 100 or count == int(count) else f"{count:.1f}"
    return f"{number} {unit}".rstrip()


class Bar:
    """The progress of one stage. `advance(n)` adds to what is done, `reach(n)` sets it.

    total    how much there is to do; None while that is unknown (set it as soon as it is known).
    start    what an earlier run had done: counted as done, not counted in the rate.
    warm_up  units at the beginning, of this run, that are not counted in the rate: the first step
             waits for its graph to be compiled. No rate is told before they are done.
    """

    def __init__(
        self,
        label: str,
        total: Optional[float],
        unit: str,
        start: float,
        warm_up: float,
        clock: Callable[[], float],
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done = self._start = start
        self._warm_up, self._clock = warm_up, clock
        self._began = self._warm = clock()

    def advance(self, count: float = 1) -> None:
        """`count` more are done."""
        self.reach(self.done + count)

    def reach(self, done: float) -> None:
        """`done` are done, counted from the beginning; may go back when work begins anew."""
        self.done = done
        self._start = min(self._start, done)
        if self._warm_up and done >= self._start + self._warm_up:
            self._start, self._warm_up, self._warm = done, 0, self._clock()
        self._show()

    @property
    def elapsed(self) -> float:
        """Seconds since the bar was made."""
        return self._clock() - self._began

    @property
    def rate(self) -> float:
        """Units a second since the bar was made, or since it was warm; 0 before that."""
        seconds = self._clock() - self._warm
        return (self.done - self._start) / seconds if seconds > 0 and not self._warm_up else 0.0

    def describe(self) -> str:
        """`45.2 MB of 92.9 MB (49 %), 3.1 MB/s, 0:15 left`."""
        text = _format_count(self.done, self.unit)
        if self.total:
            percent = int(100 * min(1, self.done / self.total))
            text += f" of {_format_count(self.total, self.unit)} ({percent} %)"
        rate = self.rate
        if rate:
            text += f", {_format_count(rate, self.unit)}/s"
        if self.total and rate and self.done < self.total:
            text += f", {format_duration((self.total - self.done) / rate)} left"
        return text

    def _show(self) -> None:
        raise NotImplementedError

    def close(self, finished: bool) -> None:
        """Draw for the last time."""
        raise NotImplementedError


class _LineBar(Bar):
    """For logs and pipes: one line every `interval` seconds, and one at the end."""

    def __init__(self, stream: TextIO, interval: float, *args: Any) -> None:
        super().__init__(*args)
        self._stream, self._interval, self._next = stream, interval, interval

    def _show(self) -> None:
        if self.elapsed >= self._next:
            self._next = self.elapsed + self._interval
            print(f"{self.label}: {self.describe()}", file=self._stream, flush=True)

    def close(self, finished: bool) -> None:
        if finished and self.elapsed >= 1:  # shorter stages are not worth a line
            text = f"{_format_count(self.done, self.unit)} in {format_duration(self.elapsed)}"
            rate = f", {_format_count(self.rate, self.unit)}/s" if self.rate else ""
            print(f"{self.label}: {text}{rate}", file=self._stream, flush=True)


class _TerminalBar(Bar):
    """For people: a bar that is redrawn in place."""

    def __init__(self, stream: TextIO, *args: Any) -> None:
        super().__init__(*args)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        # markup=False: a label may hold a path with brackets in it.
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}", markup=False),
            console=Console(file=stream),
        )
        self._task = self._progress.add_task(self.label, total=self.total, state="")
        self._drawn = -1.0
        self._progress.start()

    def _show(self) -> None:
        # A stage may advance 100 000 times a second; the eye follows ten.
        if self.elapsed - self._drawn >= 0.1:
            self._drawn = self.elapsed
            self._update()

    def _update(self) -> None:
        self._progress.update(
            self._task, total=self.total, completed=self.done, state=self.describe()
        )

    def close(self, finished: bool) -> None:
        self._update()
        self._progress.stop()


@contextlib.contextmanager
def progress(
    label: str,
    total: Optional[float] = None,
    unit: str = "",
    *,
    start: float = 0,
    warm_up: float = 0,
    interval: float = 10.0,
    stream: Optional[TextIO] = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Bar]:
    """Show how a stage proceeds on `stream` (standard error), with rate and time left.

    >>> with progress("decode", total=2067, unit="rows") as bar:
    ...     bar.advance(32)

    On a terminal a bar is drawn in place; elsewhere a line is printed every `interval` seconds,
    and one at the end if the stage took a second and ended well. unit `B` is shown as kB, MB or GB.
    """
    stream = sys.stderr if stream is None else stream
    settings = (label, total, unit, start, warm_up, clock)
    bar: Bar
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        bar = _TerminalBar(stream, *settings)
    else:
        bar = _LineBar(stream, interval, *settings)
    finished = False
    try:
        yield bar
        finished = True
    finally:
        bar.close(finished)
