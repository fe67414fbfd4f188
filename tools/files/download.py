"""One file over HTTP: resumed after a break, retried, verified, renamed when it is whole."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Optional, Union

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.files.hashing import CHUNK, Content, check_content, content_of
from tools.files.progress import Bar, progress
from tools.files.space import require_space

_ALTERED = "fetch it from another place: MIRROR=URL or MIRROR=FOLDER"
_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)


class Unavailable(UserError):
    """A source that cannot be reached or lacks the file; another source may serve."""


class _Interrupted(Exception):
    """The transfer broke off or the server is busy: worth another try."""


def download(
    url: str,
    target: Union[str, Path],
    size: Optional[int] = None,
    sha256: Optional[str] = None,
    *,
    attempts: int = 4,
    pause: float = 1.0,
    timeout: float = 60.0,
) -> Content:
    """Fetch `url` to `target`, which appears only when it is whole and verified.

    What has arrived stands in `target`.part, and beside it a small record of the version it
    belongs to; a later call goes on from there if the server still has that version (RFC 9110,
    Range and If-Range). A server without ranges is read from the beginning again.

    size      expected bytes, None if unknown: then the server's Content-Length must be met.
    sha256    expected digest, None if unknown.
    attempts  tries in a row that bring nothing before giving up; `pause` seconds before the
              second, doubled before each further one. timeout: seconds of silence.
    Raises Unavailable (no network, refused, not there) or UserError (wrong content, full disk).
    """
    target = Path(target)
    transfer = _Transfer(url, target, size, sha256, timeout)
    failures = 0
    with progress(f"fetch {target.name}", size, "B", start=transfer.offset) as bar:
        while True:
            before = transfer.offset
            try:
                transfer.go_on(bar)
                break
            except _Interrupted as fault:
                failures = 1 if transfer.offset > before else failures + 1
                if failures >= attempts:
                    if not transfer.offset:
                        transfer.discard()
                    raise Unavailable(f"{fault}, tried {attempts} times", url) from fault
                time.sleep(pause * 2 ** (failures - 1))
    # Read from the disk, not summed up on the way: this is what will be used.
    with progress(f"verify {target.name}", transfer.offset, "B") as bar:
        found = content_of(transfer.part, bar.advance)
    try:
        check_content(found, size, sha256, url, _ALTERED)
    except UserError:
        transfer.discard()
        raise
    transfer.part.replace(target)
    transfer.discard()
    return found


class _Transfer:
    """The state of one download: how much of which version has arrived."""

    def __init__(
        self, url: str, target: Path, size: Optional[int], sha256: Optional[str], timeout: float
    ) -> None:
        self.url, self.size, self.timeout = url, size, timeout
        self.part = target.with_name(target.name + ".part")
        self._record = target.with_name(target.name + ".part.json")
        self.total = size
        self._validator = self._read_validator()
        # Bytes of an unknown version can be completed only if a digest will judge the whole.
        if self.offset and not self._validator and sha256 is None:
            self.discard()
        if size is not None and self.offset > size:
            self.discard()

    @property
    def offset(self) -> int:
        """Bytes that have arrived."""
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    def discard(self) -> None:
        """Forget what has arrived."""
        self.part.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)
        self._validator = None

    def go_on(self, bar: Bar) -> None:
        """Fetch what is missing in one request; _Interrupted if it ends too early."""
        if self.total is not None and self.offset == self.total:
            return
        response = self._request()
        with response:
            offset = self._begin(response)
            bar.total = self.total
            bar.reach(offset)
            self._receive(response, offset, bar)
        if self.total is not None and self.offset != self.total:
            if self.offset > self.total:
                self.discard()
            raise _Interrupted("the connection broke off")

    def _request(self) -> Any:
        headers = {"User-Agent": "llama3-lora-contest", "Accept-Encoding": "identity"}
        if self.offset:
            headers["Range"] = f"bytes={self.offset}-"
            if self._validator:
                headers["If-Range"] = self._validator
        try:
            request = urllib.request.Request(self.url, headers=headers)
            return urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # the file has become shorter than what we hold
                self.discard()
                raise _Interrupted("the file changed on the server") from error
            if error.code in _RETRIED_STATUS:
                raise _Interrupted(f"HTTP status {error.code}") from error
            raise Unavailable(f"HTTP status {error.code} ({error.reason})", self.url) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise Unavailable("its certificate is not trusted", self.url) from error
            raise _Interrupted(f"cannot be reached ({_reason(error.reason)})") from error
        except (OSError, http.client.HTTPException) as error:
            raise _Interrupted(f"cannot be reached ({_reason(error)})") from error
        except ValueError as error:
            raise UserError(f"not a usable URL ({error})", self.url) from error

    def _begin(self, response: Any) -> int:
        """Read the headers; the offset from which the body will be written."""
        is_page = response.headers.get_content_type() == "text/html"
        if is_page and not self.part.name.endswith(".html.part"):
            # Portals and expired links answer any address with a page and status 200.
            raise Unavailable("the server answers with a web page, not with the file", self.url)
        offset, total = 0, _integer(response.headers.get("Content-Length"))
        if response.status == 206:
            offset, total = _content_range(response.headers.get("Content-Range", ""))
            if offset != self.offset:
                self.discard()
                raise _Interrupted("the server sent another range than was asked for")
        if None not in (total, self.size) and total != self.size:
            raise UserError(
                f"altered: the server's file has {total} bytes, expected {self.size}",
                self.url,
                _ALTERED,
            )
        self.total = self.size if total is None else total
        self.part.parent.mkdir(parents=True, exist_ok=True)
        if self.total is not None:
            require_space(self.part.parent, self.total - offset)
        if response.status != 206:
            self._validator = _strong_validator(response.headers)
            # The record first: bytes without it could be those of an older version.
            self.part.unlink(missing_ok=True)
            write_json(self._record, {"url": self.url, "validator": self._validator})
        return offset

    def _receive(self, response: Any, offset: int, bar: Bar) -> None:
        with self.part.open("ab" if offset else "wb") as handle:
            while True:
                # Two kinds of OSError meet here: the network's are retried, the disk's are not.
                try:
                    chunk = response.read(CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise _Interrupted(f"the connection broke off ({_reason(error)})") from error
                if not chunk:
                    break
                try:
                    handle.write(chunk)
                    handle.flush()
                except OSError as error:
                    error.filename = error.filename or str(self.part)
                    raise
                bar.advance(len(chunk))

    def _read_validator(self) -> Optional[str]:
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            validator = record["validator"] if record["url"] == self.url else None
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return validator if isinstance(validator, str) else None


def _strong_validator(headers: Any) -> Optional[str]:
    """What If-Range may carry: a strong ETag, else the date of the last change."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _content_range(text: str) -> tuple[int, Optional[int]]:
    """`bytes 100-199/200` -> (100, 200); the total may be `*`. (-1, None) if it is neither."""
    kind, _, rest = text.partition(" ")
    span, _, total = rest.partition("/")
    first = _integer(span.partition("-")[0])
    return (-1 if kind != "bytes" or first is None else first), _integer(total)


def _integer(text: Optional[str]) -> Optional[int]:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _reason(error: Any) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
