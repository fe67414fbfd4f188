"""One request over HTTP: safe redirects, and faults told apart by whether another try may help."""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import string
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any, Mapping, Optional, Tuple
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from tools.files.errors import UserError

_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
_MOST_REDIRECTS = 5
# A server that asks for a longer wait than that is not waited for: another source may serve.
_LONGEST_WAIT = 300.0  # seconds


class Unavailable(UserError):
    """A source that cannot be reached or lacks the file; another source may serve."""


class Interrupted(Exception):
    """The transfer broke off or the server is busy: worth another try.

    wait      seconds that the server wants to be left alone
    brought   bytes that had come before
    """

    def __init__(self, what: str, wait: float = 0.0, brought: int = 0) -> None:
        super().__init__(what)
        self.wait, self.brought = wait, brought


class OutOfRange(Interrupted):
    """The server's file ends before the range that was asked for (status 416)."""


def is_url(place: str) -> bool:
    """Whether a place is an address on a server, not a path."""
    return place.startswith(("http://", "https://"))


def join_url(base: str, name: str) -> str:
    """Where a server holds the file `name` under the address `base`."""
    return f"{base.rstrip('/')}/{quote(name)}"


def without_password(url: str) -> str:
    """An address as it may be shown and stored, without user name and password."""
    return re.sub(r"//[^/\s]*@", "//", url)


def make_request(
    url: str, headers: Optional[Mapping[str, str]] = None, method: str = "GET"
) -> urllib.request.Request:
    """A request for `url`, whose user name and password, if it has any, go into a header.

    Raises ValueError for what is no address.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    where = urlunsplit((*parts[:1], host, *parts[2:])) if at else url
    fixed = {"User-Agent": "llama3-lora-contest", "Accept-Encoding": "identity"}
    request = urllib.request.Request(where, headers={**fixed, **(headers or {})}, method=method)
    if at:
        secret = base64.b64encode(unquote(user).encode()).decode()
        # Unredirected: it is meant for this host alone.
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    return request


def open_url(
    url: str, headers: Mapping[str, str], timeout: float = 60.0, method: str = "GET"
) -> Any:
    """The response (2xx), its body still to be read; redirects have been followed.

    timeout: seconds of silence. Raises Interrupted where another try may help, Unavailable where
    it does not, UserError for what is no URL.
    """
    where = without_password(url)
    try:
        opener = urllib.request.build_opener(_Redirects)
        return opener.open(make_request(url, headers, method), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise OutOfRange("the file changed on the server") from error
        if error.code in _RETRIED_STATUS:
            wait = _retry_after(error.headers.get("Retry-After"))
            if wait <= _LONGEST_WAIT:
                raise Interrupted(f"HTTP status {error.code}", wait) from error
            what = f"HTTP status {error.code}, to be asked again in {wait:.0f} s"
            raise Unavailable(what, where) from error
        raise Unavailable(f"HTTP status {error.code} ({error.reason})", where) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise Unavailable("its certificate is not trusted", where) from error
        raise Interrupted(f"cannot be reached ({reason(error.reason)})") from error
    except (OSError, http.client.HTTPException) as error:
        raise Interrupted(f"cannot be reached ({reason(error)})") from error
    except ValueError as error:
        raise UserError(f"not a usable URL ({error})", where) from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, from https to https only, and reads no redirect's body."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        fp.close()
        origin, location = without_password(req.full_url), headers.get("Location")
        if not location:
            raise Unavailable(f"HTTP status {code} without a Location", origin)
        try:
            target = quote(urljoin(req.full_url, location), safe=string.punctuation)
            schemes = (urlsplit(req.full_url).scheme, urlsplit(target).scheme)
        except ValueError as error:
            raise Unavailable(f"redirects to what is no address ({error})", origin) from error
        shown = without_password(target)
        if schemes[1] not in ("http", "https"):
            raise Unavailable(f"redirects to {shown}, which is not http(s)", origin)
        if schemes == ("https", "http"):
            raise Unavailable(f"redirects from https to http, to {shown}", origin)
        hops = getattr(req, "hops", 0) + 1
        if hops > _MOST_REDIRECTS:
            raise Unavailable(f"more than {_MOST_REDIRECTS} redirects, the last to {shown}", origin)
        request = make_request(target, req.headers, req.get_method())
        request.hops = hops  # type: ignore[attr-defined]
        return self.parent.open(request, timeout=req.timeout)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def content_length(url: str, timeout: float = 10.0) -> Optional[int]:
    """The bytes of the file at `url`, asked for without it; None if the server does not tell."""
    try:
        with open_url(url, {}, timeout, method="HEAD") as response:
            return integer(response.headers.get("Content-Length"))
    except (Interrupted, UserError):
        return None


def strong_validator(headers: Any) -> Optional[str]:
    """What If-Range may carry (RFC 9110): a strong ETag, else the date of the last change."""
    tag, date = headers.get("ETag"), headers.get("Last-Modified")
    strong = tag if tag and not tag.startswith("W/") else date
    return strong if strong and is_header_text(strong) else None


def is_header_text(text: str) -> bool:
    """Whether a text can be sent in a header as it is: one line of printable ASCII."""
    return text.isascii() and text.isprintable()


def content_range(text: str) -> Tuple[int, int, Optional[int]]:
    """`bytes 100-199/200` -> (100, 200, 200): first, end, total (None for `*`).

    (-1, -1, None) for anything else, a range that contradicts itself included.
    """
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", text)
    if not found:
        return -1, -1, None
    first, end, total = int(found[1]), int(found[2]) + 1, integer(found[3])
    fits = first < end and (total is None or end <= total)
    return (first, end, total) if fits else (-1, -1, None)


def integer(text: Optional[str]) -> Optional[int]:
    """A count in a header; None if there is none."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def reason(error: Any) -> str:
    """An exception as a phrase of one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]


def _retry_after(text: Optional[str]) -> float:
    """Seconds that a busy server wants to be left alone; it names them, or a date."""
    seconds = integer(text)
    if seconds is not None:
        return float(seconds)
    try:
        return max(0.0, parsedate_to_datetime(text or "").timestamp() - time.time())
    except (TypeError, ValueError, OverflowError, IndexError):
        return 0.0
