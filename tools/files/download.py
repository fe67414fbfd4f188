"""One file over HTTP: resumed after a break, verified, renamed when it is whole.

What has arrived stands in NAME.part, and beside it NAME.part.json says of which file, and of which
version of it, that is the beginning. NAME.part only grows at its end: the process may be killed at
any moment, and the next run goes on from there.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Union

from tools.files.atomic import write_json
from tools.files.hashing import Content, WrongContent, check_content, content_of
from tools.files.outputs import require_space
from tools.files.progress import Bar, progress
from tools.files.web import (
    Interrupted,
    Outdated,
    Unavailable,
    content_range,
    integer,
    is_header_text,
    open_url,
    reason,
    strong_validator,
    without_password,
)

_ALTERED = "fetch it from another place: MIRROR=URL or MIRROR=FOLDER"
_PIECE = 1 << 18  # bytes read at a time
# A line that brings less than that over a whole timeout is as good as dead.
_SLOWEST = 1000  # bytes a second


@dataclass(frozen=True)
class Http:
    """How a server is dealt with.

    attempts  tries in a row that bring nothing new before giving up; `pause` seconds before the
              second, doubled before each further one, or as long as the server asks for.
    timeout   seconds of silence, or of less than a kilobyte a second, that end a connection.
    """

    attempts: int = 4
    pause: float = 1.0
    timeout: float = 60.0


def download(
    url: str,
    target: Union[str, Path],
    size: Optional[int] = None,
    sha256: Optional[str] = None,
    http: Optional[Http] = None,
) -> Content:
    """Fetch `url` to `target`, which appears only when it is whole and verified.

    A later call goes on from what an earlier one has left, if the server still has that version
    (RFC 9110, Range and If-Range). A server without ranges is read from the beginning again; so is
    one that names no version, unless a sha256 will judge.

    size      expected bytes, None if unknown: then the server's Content-Length must be met.
    sha256    expected digest, None if unknown.
    Raises Unavailable (no network, refused, not there), WrongContent, or OSError (full disk).
    """
    target = Path(target)
    transfer = _Transfer(url, target, size, sha256 is not None, http or Http())
    known = transfer.total or size
    with progress(f"fetch {target.name}", known, "B", start=transfer.arrived) as bar:
        transfer.run(bar)
    # Read from the disk, not summed up on the way: this is what will be used.
    with progress(f"verify {target.name}", transfer.total, "B") as bar:
        found = content_of(transfer.path, bar.advance)
    try:
        check_content(found, size, sha256, transfer.url, _ALTERED)
        with transfer.path.open("rb+") as handle:
            os.fsync(handle.fileno())  # its bytes reach the disk before its name does
        transfer.path.replace(target)
    finally:
        transfer.discard()
    return found


class _Transfer:
    """One file on its way.

    arrived     bytes at its beginning that are here, in `path`
    total       bytes of the whole file, None while unknown
    _validator  the version on the server to which the bytes belong, None if it has no name
    _judged     whether a digest will judge the whole: then parts of unknown versions do no harm
    """

    def __init__(
        self, url: str, target: Path, size: Optional[int], judged: bool, http: Http
    ) -> None:
        """Go on from what an earlier run has left, if it is of this file and of a known version."""
        self._address, self.url = url, without_password(url)
        self.path = target.with_name(f"{target.name}.part")
        self._record = target.with_name(f"{target.name}.part.json")
        self._size, self._judged, self._http = size, judged, http
        self.arrived, self.total, self._validator = 0, None, None
        if not self._go_on():
            self.discard()

    def _go_on(self) -> bool:
        """Return whether something was left that is taken up now."""
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            url, total, validator = record["url"], record["total"], record["validator"]
            arrived = self.path.stat().st_size
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return False
        same = url == self.url and type(total) is int and self._size in (None, total)
        known = isinstance(validator, str) and is_header_text(validator)
        if not same or arrived > total or not (known or (validator is None and self._judged)):
            return False
        self.arrived, self.total, self._validator = arrived, total, validator
        return True

    def discard(self) -> None:
        """Forget what has arrived."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)
        self.arrived, self.total, self._validator = 0, None, None

    def run(self, bar: Bar) -> None:
        """Fetch what is missing. After a fault, what has arrived stays for the next run."""
        failures, most = 0, self.arrived
        try:
            if self.total is not None:
                require_space(self.path.parent, self.total - self.arrived)
            while self.arrived != self.total:
                try:
                    self._fetch(bar)
                except Interrupted as fault:
                    if isinstance(fault, Outdated):
                        self.discard()
                    # Only what is more than ever before counts: a stream begun anew catches up.
                    failures = 1 if self.arrived > most else failures + 1
                    if failures >= self._http.attempts:
                        what = f"{fault}, tried {failures} times"
                        raise Unavailable(what, self.url) from fault
                    time.sleep(max(fault.wait, self._http.pause * 2 ** (failures - 1)))
                most = max(most, self.arrived)
        finally:
            # Of a file of unknown size nothing can be gone on from.
            if self.total is None or 0 == self.arrived != self.total:
                self.discard()

    def _fetch(self, bar: Bar) -> None:
        """Make one request for what is missing; Interrupted if its answer ends too early."""
        headers: Dict[str, str] = {}
        if self.arrived and (self._validator or self._judged):
            last = "" if self.total is None else self.total - 1
            headers["Range"] = f"bytes={self.arrived}-{last}"
            if self._validator:
                headers["If-Range"] = self._validator
        with open_url(self._address, headers, self._http.timeout) as response:
            self._refuse_other(response.headers)
            if response.status_code == 206 and headers:
                end: Optional[int] = self._continue(response.headers)
            elif response.status_code == 200:
                end = self._begin(response.headers)
            else:
                what = f"HTTP status {response.status_code} where the whole file was asked for"
                raise Unavailable(what, self.url)
            bar.total = self.total
            try:
                self._receive(response, end, bar)
            except OSError as error:  # a full disk is reported without a file's name
                error.filename = error.filename or str(self.path)
                raise

    def _refuse_other(self, headers: Mapping[str, str]) -> None:
        """Raise Unavailable for an answer that is not the file."""
        is_page = headers.get("Content-Type", "").lower().startswith("text/html")
        if is_page and not self.path.name.endswith(".html.part"):
            # Portals and expired links answer any address with a page and status 200.
            raise Unavailable("the server answers with a web page, not with the file", self.url)
        encoding = headers.get("Content-Encoding", "identity").lower()
        if encoding != "identity" and not self._judged:
            what = f"the server sends it encoded ({encoding[:20]!r}), though asked not to"
            raise Unavailable(what, self.url)

    def _continue(self, headers: Mapping[str, str]) -> int:
        """Read the headers of a range and return where it ends; Outdated if it does not fit."""
        first, end, total = content_range(headers.get("Content-Range", ""))
        own = self._validator
        version = headers.get("ETag" if own and own.startswith('"') else "Last-Modified")
        for here, there in ((own, version), (self.total, total)):
            if None not in (here, there) and here != there:
                raise Outdated("the file changed on the server")
        if first != self.arrived:
            raise Outdated("the server sent another range than was asked for")
        if self.total is None:
            self._learn(total, own)
        return end

    def _begin(self, headers: Mapping[str, str]) -> Optional[int]:
        """Read the headers of a whole file, which is then fetched anew, and return its size."""
        length = integer(headers.get("Content-Length"))
        if None not in (length, self._size) and length != self._size:
            what = f"altered: the server's file has {length} bytes, expected {self._size}"
            raise WrongContent(what, self.url, _ALTERED)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.discard()  # it may be what fills the disk
        total = self._size if length is None else length
        require_space(self.path.parent, total or 0)
        self._learn(total, strong_validator(headers))
        return total

    def _learn(self, total: Optional[int], validator: Optional[str]) -> None:
        """Note, for this run and a later one, what the server tells of the file."""
        self.total, self._validator = total, validator
        write_json(self._record, {"url": self.url, "total": total, "validator": validator})

    def _receive(self, response: Any, end: Optional[int], bar: Bar) -> None:
        """Append what comes, up to `end`; where that is unknown, to the end of the answer."""
        from urllib3.exceptions import HTTPError

        began, before = time.monotonic(), self.arrived
        with self.path.open("ab") as handle:
            while self.arrived != end:
                # Two kinds of OSError meet here: the network's are retried, the disk's are not.
                try:
                    data = response.raw.read1(_PIECE, decode_content=False)
                except (HTTPError, OSError) as error:
                    raise Interrupted(f"the connection broke off ({reason(error)})") from error
                if not data and end is not None:
                    raise Interrupted("the connection broke off")
                if not data:
                    self.total = self.arrived
                    return
                data = data if end is None else data[: end - self.arrived]
                handle.write(data)
                self.arrived += len(data)
                bar.reach(self.arrived)
                seconds = time.monotonic() - began
                if seconds >= self._http.timeout:
                    if self.arrived - before < _SLOWEST * seconds:
                        raise Interrupted("the line is too slow")
                    began, before = time.monotonic(), self.arrived
