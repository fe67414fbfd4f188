"""One request over HTTP: safe redirects, and faults told apart by whether another try may help."""

from __future__ import annotations

import re
from typing import Any, Mapping, Optional, Tuple
from urllib.parse import quote, urljoin

from tools.files.errors import UserError

_HEADERS = {"User-Agent": "llama3-lora-contest", "Accept-Encoding": "identity"}
_RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
_MOST_REDIRECTS = 5
# A server that asks for a longer wait than that is not waited for: another source may serve.
_LONGEST_WAIT = 300.0  # seconds


class Unavailable(UserError):
    """A source that cannot be reached or lacks the file; another source may serve."""


class Interrupted(Exception):
    """Another try may help: the transfer broke off, or a server is busy for `wait` seconds."""

    def __init__(self, what: str, wait: float = 0.0) -> None:
        super().__init__(what)
        self.wait = wait


class Outdated(Interrupted):
    """What has arrived is of no use: it is to be fetched from the beginning again."""


def is_url(place: str) -> bool:
    """Return whether a place is an address on a server, not a path."""
    return place.startswith(("http://", "https://"))


def join_url(base: str, name: str) -> str:
    """Return where a server holds the file `name` under the address `base`."""
    return f"{base.rstrip('/')}/{quote(name)}"


def without_password(url: str) -> str:
    """Return an address as it may be shown and stored, without user name and password."""
    return re.sub(r"//[^/\s]*@", "//", url)


def open_url(
    url: str, headers: Mapping[str, str], timeout: float = 60.0, method: str = "GET"
) -> Any:
    """Return the response of requests (2xx), its body still to be read from `raw`.

    timeout: seconds of silence. Raises Interrupted where another try may help, Unavailable where it
    does not, also for what is no URL.
    """
    import requests  # takes a while, and most commands fetch nothing

    where, response = without_password(url), None
    options = {"headers": {**_HEADERS, **headers}, "timeout": timeout, "stream": True}
    try:
        with requests.Session() as session:
            # Followed below: requests reads a redirect's body, however long, and takes a password
            # along on the same host.
            session.resolve_redirects = lambda *_, **__: iter(())
            for _ in range(_MOST_REDIRECTS + 1):
                if url.lower().startswith("https:"):
                    session.adapters.pop("http://", None)  # from here on none may read along
                response = session.request(method, url, **options)
                location = session.get_redirect_target(response)
                if not location:
                    return _checked(response, where)
                response.close()
                url = urljoin(requests.utils.urldefragauth(response.url), location)
    except ValueError as error:  # all that requests finds wrong with an address is one
        what = "a redirect that is not followed" if response is not None else "not a usable URL"
        raise Unavailable(f"{what} ({without_password(str(error))})", where) from error
    except OSError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            what = "its certificate is not trusted, REQUESTS_CA_BUNDLE=FILE names others that are"
            raise Unavailable(what, where) from error
        raise Interrupted(f"cannot be reached ({reason(error)})") from error
    what = f"more than {_MOST_REDIRECTS} redirects, the last to {without_password(url)}"
    raise Unavailable(what, where)


def _checked(response: Any, where: str) -> Any:
    """Return a response whose status is 2xx; raise for any other one."""
    status = response.status_code
    if 200 <= status < 300:
        return response
    response.close()
    if status == 416:
        raise Outdated("the file changed on the server")  # it ends before the range
    if status not in _RETRIED_STATUS:
        raise Unavailable(f"HTTP status {status} ({response.reason})", where)
    wait = _retry_after(response.headers.get("Retry-After"))
    if wait > _LONGEST_WAIT:
        raise Unavailable(f"HTTP status {status}, to be asked again in {wait:.0f} s", where)
    raise Interrupted(f"HTTP status {status}", wait)


def _retry_after(text: Optional[str]) -> float:
    """Return the seconds that a busy server wants to be left alone; it names them, or a date."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    try:
        return float(Retry().parse_retry_after(text or ""))
    except (InvalidHeader, ValueError, OverflowError):
        return 0.0


def content_length(url: str, timeout: float = 10.0) -> Optional[int]:
    """Return the bytes of the file at `url`, asked for without it; None if nobody tells."""
    try:
        with open_url(url, {}, timeout, method="HEAD") as response:
            return integer(response.headers.get("Content-Length"))
    except (Interrupted, UserError):
        return None


def strong_validator(headers: Mapping[str, str]) -> Optional[str]:
    """Return what If-Range may carry (RFC 9110): a strong ETag, else the date of last change."""
    tag, date = headers.get("ETag"), headers.get("Last-Modified")
    strong = tag if tag and not tag.startswith("W/") else date
    return strong if strong and is_header_text(strong) else None


def is_header_text(text: str) -> bool:
    """Return whether a text can be sent in a header as it is: one line of printable ASCII."""
    return text.isascii() and text.isprintable()


def content_range(text: str) -> Tuple[int, int, Optional[int]]:
    """Return first, end and total (None for `*`): `bytes 100-199/200` -> (100, 200, 200).

    (-1, -1, None) for anything else, a range that contradicts itself included.
    """
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", text)
    if not found:
        return -1, -1, None
    first, end, total = int(found[1]), int(found[2]) + 1, integer(found[3])
    fits = first < end and (total is None or end <= total)
    return (first, end, total) if fits else (-1, -1, None)


def integer(text: Optional[str]) -> Optional[int]:
    """Return a count in a header; None if there is none."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def reason(error: BaseException) -> str:
    """Return an exception as a phrase of one line."""
    while error.__context__ is not None:  # the socket's own says it in the fewest words
        error = error.__context__
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
