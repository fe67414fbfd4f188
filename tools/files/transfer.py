"""The connections of one download: several at once, each made anew after a break, none mixed up."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from typing import Any, List, Optional

from tools.files.hashing import WrongContent
from tools.files.partial import Partial, Span, Stopped
from tools.files.progress import Bar
from tools.files.space import require_space
from tools.files.web import (
    Interrupted,
    OutOfRange,
    Unavailable,
    content_range,
    integer,
    open_url,
    reason,
    strong_validator,
)

ALTERED = "fetch it from another place: MIRROR=URL or MIRROR=FOLDER"
_PIECE = 1 << 18  # bytes read at a time
# A line that brings less than that over a whole timeout is as good as dead.
_SLOWEST = 1000  # bytes a second
_SAVE_EVERY = 0.25  # seconds
# Saving waits for the disk: a slow one is kept busy with it a fifth of the time at most.
_REST = 4


@dataclass(frozen=True)
class Http:
    """How a server is dealt with.

    parts     connections at once, at most; least: bytes that are worth a connection of their own.
    attempts  tries in a row that bring nothing before giving up; `pause` seconds before the
              second, doubled before each further one, or as long as the server asks for.
    timeout   seconds of silence, or of less than a kilobyte a second, that end a connection.
    """

    parts: int = 8
    least: int = 8 << 20
    attempts: int = 4
    pause: float = 1.0
    timeout: float = 60.0


class _Changed(Exception):
    """The server has another version of the file than the one that has arrived in part."""


class _NoRanges(Exception):
    """The server sends something else than the range that was asked for."""


class Transfer:
    """The connections of one download: the caller's thread has one, helpers have the others.

    Helpers come with the first good answer. One that is refused again and again leaves, and what
    it was to fetch falls to the others. The caller's thread goes last, and tells how it ended.
    """

    def __init__(
        self,
        url: str,
        partial: Partial,
        size: Optional[int],
        sha256: Optional[str],
        http: Http,
        bar: Bar,
    ) -> None:
        self._url, self._partial, self._size, self._http = url, partial, size, http
        self._judged = sha256 is not None  # parts of unknown versions do no harm then
        self._bar, self._drawing = bar, threading.Lock()
        self._ranges = True
        self._most = partial.arrived
        self._caller, self._stop = threading.get_ident(), threading.Event()
        self._fault: Optional[BaseException] = None
        self._helpers: List[threading.Thread] = []

    def run(self) -> None:
        """Fetch what is missing. After a fault, what has arrived stays for the next run."""
        changes, ended = 0, threading.Event()
        # A thread of its own, so that no connection waits for the disk.
        threading.Thread(target=self._keep_record, args=(ended,), daemon=True).start()
        try:
            while not self._partial.whole:
                gave_up = None
                try:
                    self._work(self._stop)
                except Unavailable as fault:
                    gave_up = fault
                except _Changed as fault:
                    self._fail(fault)
                self._await_helpers()
                if isinstance(self._fault, _Changed):
                    changes += 1
                    self._partial.discard()
                    if changes >= self._http.attempts:
                        raise Unavailable("the file keeps changing", self._partial.url)
                    # Helpers that still wait for the old version keep the old event.
                    self._fault, self._stop = None, threading.Event()
                elif self._fault is not None:
                    raise self._fault
                elif gave_up is not None and not self._partial.whole:
                    raise gave_up
        finally:
            self._stop.set()
            ended.set()
            # Of a file of unknown size nothing can be gone on from.
            if self._partial.total is not None and (self._partial.arrived or self._partial.whole):
                self._partial.save(wait=True)
                self._partial.close()
            else:
                self._partial.discard()

    def _fail(self, fault: BaseException) -> None:
        self._fault = self._fault or fault
        self._stop.set()

    # --- Threads -----------------------------------------------------------------------------

    def _leads(self) -> bool:
        """Whether this thread is the caller's: it alone begins anew."""
        return threading.get_ident() == self._caller

    def _is_alone(self) -> bool:
        return self._leads() and not any(helper.is_alive() for helper in self._helpers)

    @property
    def _may_go_on(self) -> bool:
        """Whether bytes of several answers may be put together.

        Of a version without a name only if a digest will judge the whole.
        """
        return bool(self._partial.validator) or self._judged

    def _call_helpers(self) -> None:
        partial, http = self._partial, self._http
        if self._helpers or not self._ranges or not self._may_go_on:
            return
        missing = 0 if partial.total is None else partial.total - partial.arrived
        for _ in range(min(http.parts, missing // http.least) - 1):
            # Daemons: one that waits for a dead server does not keep the command from ending.
            self._helpers.append(
                threading.Thread(target=self._help, args=(self._stop,), daemon=True)
            )
        for helper in self._helpers:
            helper.start()

    def _keep_record(self, ended: threading.Event) -> None:
        took = 0.0
        while not ended.wait(max(_SAVE_EVERY, _REST * took)):
            began = time.monotonic()
            try:
                self._partial.save()
            except OSError as fault:  # a full disk
                self._fail(fault)
            took = time.monotonic() - began

    def _help(self, stop: threading.Event) -> None:
        try:
            self._work(stop)
        except (Unavailable, Stopped):
            pass  # if nobody else gets on either, the caller's thread meets the same fault
        except BaseException as fault:
            if not stop.is_set():
                self._fail(fault)

    def _await_helpers(self) -> None:
        """Until they have left, or a fault ends all: then what they still bring is refused."""
        for helper in self._helpers:
            while helper.is_alive() and not self._stop.is_set():
                helper.join(0.05)
        self._helpers = []

    def _work(self, stop: threading.Event) -> None:
        """Fetch one span after the other until none is left, with patience for each."""
        failures = 0
        while not stop.is_set():
            span = self._partial.take(self._http.least if self._ranges else None)
            if span is None:
                return
            pause = 0.0
            try:
                self._fetch(span, stop)
                failures = 0
            except Interrupted as fault:
                failures = 1 if fault.brought and self._is_progress() else failures + 1
                if failures >= self._http.attempts:
                    what = f"{fault}, tried {failures} times"
                    raise Unavailable(what, self._partial.url) from fault
                pause = max(fault.wait, self._http.pause * 2 ** (failures - 1))
            except _NoRanges:
                self._ranges = False
                return
            finally:
                self._partial.give_back(span)
            stop.wait(pause)

    def _is_progress(self) -> bool:
        """Whether more has arrived than ever before: a stream begun anew may only catch up."""
        before, self._most = self._most, max(self._most, self._partial.arrived)
        return self._most > before

    # --- One connection ----------------------------------------------------------------------

    def _fetch(self, span: Span, stop: threading.Event) -> None:
        """One request for what is missing of a span; Interrupted if it ends too early."""
        end, headers = span.end, {}
        if (span.position or end != self._partial.total) and self._may_go_on:
            last = "" if end is None else end - 1
            headers["Range"] = f"bytes={span.position}-{last}"
            if self._partial.validator:
                headers["If-Range"] = self._partial.validator
        elif not self._leads():
            raise Stopped
        try:
            response = open_url(self._url, headers, self._http.timeout)
        except OutOfRange as fault:
            raise _Changed from fault
        with response:
            if stop.is_set():
                return
            self._refuse_page(response)
            if response.status == 206 and "Range" in headers:
                promised = self._go_on(response, span)
            elif response.status != 200:
                what = f"HTTP status {response.status} where the whole file was asked for"
                raise Unavailable(what, self._partial.url)
            else:
                promised = self._begin(response, span, "Range" in headers)
            self._bar.total = self._partial.total
            self._call_helpers()
            self._receive(response, span, promised, stop)

    def _refuse_page(self, response: Any) -> None:
        is_page = response.headers.get_content_type() == "text/html"
        if is_page and not self._partial.path.name.endswith(".html.part"):
            # Portals and expired links answer any address with a page and status 200.
            what = "the server answers with a web page, not with the file"
            raise Unavailable(what, self._partial.url)
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding != "identity" and not self._judged:
            what = f"the server sends it encoded ({encoding[:20]!r}), though asked not to"
            raise Unavailable(what, self._partial.url)

    def _go_on(self, response: Any, span: Span) -> int:
        """Read the headers of a range; where it ends."""
        first, end, total = content_range(response.headers.get("Content-Range", ""))
        if first >= 0 and None not in (total, self._partial.total) and total != self._partial.total:
            raise _Changed
        if self._is_other_version(response.headers):
            raise _Changed
        if first != span.position:
            if not self._is_alone():
                raise _NoRanges
            # There is nothing to build upon: the next request asks for the whole file.
            self._ranges = False
            self._partial.discard()
            raise Interrupted("the server sent another range than was asked for")
        if self._partial.total is None and total is not None:
            self._partial.learn_total(span, total)
        return end

    def _begin(self, response: Any, span: Span, ranged: bool) -> Optional[int]:
        """Read the headers of a whole file, which is then fetched anew; its size."""
        if ranged:
            changed = self._is_other_version(response.headers)
            if not self._is_alone():
                raise _Changed if changed else _NoRanges
            self._ranges = changed
        length = integer(response.headers.get("Content-Length"))
        if None not in (length, self._size) and length != self._size:
            what = f"altered: the server's file has {length} bytes, expected {self._size}"
            raise WrongContent(what, self._partial.url, ALTERED)
        if response.headers.get("Accept-Ranges", "").strip().lower() == "none":
            self._ranges = False
        total = self._size if length is None else length
        self._partial.path.parent.mkdir(parents=True, exist_ok=True)
        self._partial.discard()  # it may be what fills the disk
        if total is not None:
            require_space(self._partial.path.parent, total)
        self._partial.begin(total, strong_validator(response.headers), span)
        return total

    def _is_other_version(self, headers: Any) -> bool:
        """Whether an answer names a version, and another one than that of the bytes here."""
        own = self._partial.validator
        name = "ETag" if own and own.startswith('"') else "Last-Modified"
        found = headers.get(name)
        return None not in (own, found) and own != found

    def _receive(
        self, response: Any, span: Span, promised: Optional[int], stop: threading.Event
    ) -> None:
        """Write what comes, until the span is whole; it may be made shorter meanwhile."""
        brought, began, brought_then = 0, time.monotonic(), 0
        while not stop.is_set():
            # Two kinds of OSError meet here: the network's are retried, the disk's are not.
            try:
                data = response.read1(_PIECE)
            except (OSError, http.client.HTTPException) as error:
                what = f"the connection broke off ({reason(error)})"
                raise Interrupted(what, brought=brought) from error
            if not data:
                if promised is not None and span.position < promised:
                    raise Interrupted("the connection broke off", brought=brought)
                if span.end is None:
                    self._partial.finish(span)
                return
            goes_on = self._partial.write(span, data)
            brought += len(data)
            with self._drawing:
                self._bar.reach(self._partial.arrived)
            if not goes_on:
                return
            seconds = time.monotonic() - began
            if seconds >= self._http.timeout:
                if brought - brought_then < _SLOWEST * seconds:
                    raise Interrupted("the line is too slow", brought=brought)
                began, brought_then = time.monotonic(), brought
