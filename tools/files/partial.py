"""Half a download: NAME.part, and beside it NAME.part.json, which says what of it is missing.

The record is renewed from time to time, each time after the bytes that it counts as arrived have
reached the disk. So a process may be killed, or the power fail, at any moment: what the record
calls arrived is there, and what came after it is fetched again.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple, Union

from tools.files.web import is_header_text, without_password


class Stopped(Exception):
    """The download has ended, this thread's bytes are no longer wanted."""


@dataclass
class Span:
    """Bytes that are missing: [position, end), end None while the file's size is unknown.

    busy   whether some thread is fetching it.
    """

    position: int
    end: Optional[int]
    busy: bool = False

    @property
    def left(self) -> float:
        """Bytes that are missing of it; infinite while the size is unknown."""
        return float("inf") if self.end is None else self.end - self.position


class Partial:
    """What has arrived of `url` for `target`. Threads may share it; each fetches a span of its own.

    total      bytes of the whole file, None while unknown.
    validator  the version on the server to which the bytes belong (RFC 9110), None if it has none.
    """

    def __init__(self, target: Path, url: str, anyhow: bool) -> None:
        """Go on from what an earlier run has left, if it is of `url` and of a known version.

        anyhow   go on even if the version is unknown: a digest will judge the whole.
        """
        self.path = target.with_name(target.name + ".part")
        self.record = target.with_name(target.name + ".part.json")
        self._scratch = target.with_name(target.name + ".part.json.new")
        self.url = without_password(url)
        self.total: Optional[int] = None
        self.validator: Optional[str] = None
        self.spans = [Span(0, None)]
        self._lock = threading.RLock()
        self._saving = threading.Lock()
        self._beginnings = 0
        self._handle: Optional[int] = None
        if not self._read(anyhow):
            self.discard()

    # --- What an earlier run has left --------------------------------------------------------

    def _read(self, anyhow: bool) -> bool:
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
            size = self.path.stat().st_size
            validator, total = record["validator"], record["total"]
            missing = [(int(first), int(end)) for first, end in record["missing"]]
            same = record["url"] == self.url and isinstance(total, int) and total == size
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return False
        except (OverflowError, RecursionError):  # an infinite place, a thousand brackets
            return False
        known = isinstance(validator, str) and is_header_text(validator)
        edges = [edge for span in missing for edge in span]
        ordered = edges == sorted(edges) and all(0 <= edge <= size for edge in edges)
        if not same or not ordered or not (known or (validator is None and anyhow)):
            return False
        self.total, self.validator = total, validator
        self.spans = [Span(*span) for span in missing if span[0] < span[1]]
        self._handle = os.open(self.path, os.O_WRONLY)
        return True

    def begin(self, total: Optional[int], validator: Optional[str], span: Span) -> None:
        """Begin anew with a file of `total` bytes (None: unknown), all of it in `span`, busy."""
        with self._lock:
            self.discard()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._handle = os.open(self.path, flags, 0o666)
            if total is not None:
                os.truncate(self.path, total)
            self.total, self.validator = total, validator
            span.position, span.end, span.busy = 0, total, True
            self.spans = [] if total == 0 else [span]
        self.save()

    def discard(self) -> None:
        """Forget what has arrived."""
        with self._lock:
            self.close()
            self.path.unlink(missing_ok=True)
            self.record.unlink(missing_ok=True)
            self._scratch.unlink(missing_ok=True)
            self.total = self.validator = None
            self.spans = [Span(0, None)]
            self._beginnings += 1

    def close(self) -> None:
        """Take no more bytes: threads that still bring some get Stopped."""
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None

    # --- Spans -------------------------------------------------------------------------------

    @property
    def arrived(self) -> int:
        """Bytes that have arrived."""
        with self._lock:
            if self.total is None:
                return self.spans[0].position if self.spans else 0
            return self.total - int(sum(span.left for span in self.spans))

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        with self._lock:
            return not self.spans

    def take(self, least: Optional[int] = None) -> Optional[Span]:
        """A span to be fetched, now busy; None if there is none.

        least   if all are busy, halve the longest, but leave no half shorter than that.
        """
        with self._lock:
            for span in self.spans:
                if not span.busy:
                    span.busy = True
                    return span
            if least is None or self.total is None or not self.spans:
                return None
            longest = max(self.spans, key=lambda span: span.left)
            assert longest.end is not None
            middle = (longest.position + longest.end) // 2
            if longest.end - middle < least:
                return None
            half = Span(middle, longest.end, busy=True)
            longest.end = middle
            self.spans.append(half)
            return half

    def give_back(self, span: Span) -> None:
        """What is left of `span` is free again; joined to the span that ends where it begins."""
        with self._lock:
            span.busy = False
            if not self._holds(span):
                return  # it was fetched whole, or all was begun anew
            for other in self.spans:
                if other is not span and other.end == span.position:
                    other.end = span.end
                    self._remove(span)
                    return

    def write(self, span: Span, data: bytes) -> bool:
        """Put bytes at the span's position; whether more of it is missing.

        Bytes beyond its end, which may have come nearer meanwhile, are dropped.
        """
        with self._lock:
            if self._handle is None or not self._holds(span):
                raise Stopped
            view = memoryview(data)
            if span.end is not None:
                view = view[: span.end - span.position]
            while view:
                try:
                    count = os.pwrite(self._handle, view, span.position)
                except OSError as error:
                    error.filename = error.filename or str(self.path)
                    raise
                span.position += count
                view = view[count:]
            goes_on = span.left > 0
            if not goes_on:
                self._remove(span)
        return goes_on

    def learn_total(self, span: Span, total: int) -> None:
        """The size of the whole file, which was not known when it was begun with `span` alone."""
        with self._lock:
            if self._handle is None or not self._holds(span):
                raise Stopped
            os.truncate(self.path, total)
            self.total = span.end = total

    def finish(self, span: Span) -> None:
        """A span of unknown end has ended where it stands: that is the file's size."""
        with self._lock:
            self.total = span.end = span.position
            self._remove(span)

    def _holds(self, span: Span) -> bool:
        return any(span is other for other in self.spans)

    def _remove(self, span: Span) -> None:
        self.spans = [other for other in self.spans if other is not span]

    # --- The record --------------------------------------------------------------------------

    def save(self, wait: bool = False) -> None:
        """Renew the record; nothing if another thread is at it, unless told to wait for that."""
        if not self._saving.acquire(blocking=wait):
            return
        try:
            with self._lock:
                if self._handle is None or self.total is None:
                    return
                handle, beginning = os.dup(self._handle), self._beginnings
                missing: List[Tuple[int, Optional[int]]] = sorted(
                    (span.position, span.end) for span in self.spans
                )
                content = {"url": self.url, "validator": self.validator, "total": self.total}
            try:
                os.fdatasync(handle)  # the bytes first, then the word that they have arrived
            finally:
                os.close(handle)
            text = json.dumps({**content, "missing": missing})
            with self._lock:
                if beginning == self._beginnings:  # else these are another version's
                    self._scratch.write_text(text, encoding="utf-8")
                    self._scratch.replace(self.record)
        finally:
            self._saving.release()

    def move_to(self, target: Union[str, Path]) -> None:
        """Give the whole file its name."""
        with self._lock:
            self.close()
            self.path.replace(target)
            self.discard()
