"""How far a long stage has come, at what rate, and how long it will take still."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Callable, Optional, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress


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


# Seconds that a rate needs to say anything: what comes in one batch takes none.
_SHORTEST = 0.5


class Bar:
    """The progress of one stage: drawn by rich on a terminal, a line now and then elsewhere.

    label, total   may be set later: what is shown in front, how much there is to do
    done           how much is done, what an earlier run did (`start`) included
    """

    def __init__(
        self,
        label: str,
        total: Optional[float],
        unit: str,
        start: float,
        warm_up: float,
        stream: TextIO,
        clock: Callable[[], float],
    ) -> None:
        self.label, self.total, self.done = label, total, start
        self._unit, self._stream, self._clock = unit, stream, clock
        # The rate counts from this amount and this moment on.
        self._start, self._warm_up = start, warm_up
        self._began = self._warm = clock()
        self._drawing = _drawing(stream)
        self._pause = 10.0 if self._drawing is None else 0.1
        self._next = self._began + (self._pause if self._drawing is None else 0)

    def advance(self, count: float = 1) -> None:
        """Count `count` more as done."""
        self.reach(self.done + count)

    def reach(self, done: float) -> None:
        """Set what is done, counted from the beginning; less than before where work begins anew."""
        self.done = done
        self._start = min(self._start, done)
        now = self._clock()
        if self._warm_up and done >= self._start + self._warm_up:
            self._start, self._warm_up, self._warm = done, 0, now
        # A stage may advance 100 000 times a second; the eye follows ten, a log less.
        if now >= self._next:
            self._next = now + self._pause
            self._show()

    @property
    def rate(self) -> float:
        """Units a second since the bar was made or was warm; 0 before that, and just after it."""
        seconds = self._clock() - self._warm
        known = seconds >= _SHORTEST and not self._warm_up
        return (self.done - self._start) / seconds if known else 0.0

    def describe(self) -> str:
        """Return `45.2 MB of 92.9 MB (49 %), 3.1 MB/s, 0:15 left`."""
        text, rate = _format_count(self.done, self._unit), self.rate
        if self.total:
            percent = int(100 * min(1, self.done / self.total))
            text += f" of {_format_count(self.total, self._unit)} ({percent} %)"
        if rate:
            text += f", {_format_count(rate, self._unit)}/s"
        if self.total and rate and self.done < self.total:
            text += f", {format_duration((self.total - self.done) / rate)} left"
        return text

    def _show(self) -> None:
        if self._drawing is None:
            print(f"{self.label}: {self.describe()}", file=self._stream, flush=True)
            return
        drawn = {"total": self.total, "completed": self.done, "state": self.describe()}
        self._drawing.update(self._drawing.task_ids[0], description=self.label, **drawn)

    def close(self, finished: bool) -> None:
        """Draw for the last time, or print how long a stage took that ended well."""
        seconds = self._clock() - self._began
        if self._drawing is not None:
            self._show()
            self._drawing.stop()
        elif finished and seconds >= 1:  # shorter stages are not worth a line
            text = f"{_format_count(self.done, self._unit)} in {format_duration(seconds)}"
            rate = f", {_format_count(self.rate, self._unit)}/s" if self.rate else ""
            print(f"{self.label}: {text}{rate}", file=self._stream, flush=True)


def _drawing(stream: TextIO) -> Optional[Progress]:
    """Return rich's bar, begun; None where it would print nothing: no terminal, or a dumb one."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    # markup=False: a label may hold a path with brackets in it.
    drawing = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[state]}", markup=False),
        console=Console(file=stream),
    )
    drawing.add_task("", total=None, state="")
    drawing.start()
    return drawing


@contextlib.contextmanager
def progress(
    label: str,
    total: Optional[float] = None,
    unit: str = "",
    *,
    start: float = 0,
    warm_up: float = 0,
    stream: Optional[TextIO] = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Bar]:
    """Show how a stage proceeds on `stream` (standard error), with rate and time left.

    >>> with progress("decode", total=2067, unit="rows") as bar:
    ...     bar.advance(32)

    On a terminal rich draws a bar in place; elsewhere a line is printed every ten seconds, and one
    at the end if the stage took a second and ended well.

    total    how much there is to do; None while that is unknown.
    unit     `B` is shown as kB, MB or GB.
    start    what an earlier run had done: counted as done, not in the rate.
    warm_up  units at the beginning of this run that are not counted in the rate: the first step
             waits for its graph to be compiled. No rate is told before they are done.
    """
    stream = sys.stderr if stream is None else stream
    bar = Bar(label, total, unit, start, warm_up, stream, clock)
    finished = False
    try:
        yield bar
        finished = True
    finally:
        bar.close(finished)
