"""Requests: redirects that are followed and refused, faults by kind, headers that are nonsense."""

from __future__ import annotations

import io
import time
from email.utils import formatdate

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.files.web import (
    Interrupted,
    Outdated,
    Unavailable,
    content_length,
    content_range,
    integer,
    is_url,
    join_url,
    open_url,
    strong_validator,
    without_password,
)


def read(url: str, **headers: str) -> bytes:
    with open_url(url, headers, timeout=5) as response:
        return response.content


def test_redirects_are_followed_with_the_range(web):
    web.serve("/file", b"0123456789")
    web.serve("/moved", b"", location="/a b/moved again")
    web.serve("/a%20b/moved%20again", b"", location=f"{web.url}/file")
    assert read(f"{web.url}/moved", Range="bytes=4-") == b"456789"
    assert [path for path, *_ in web.requests] == ["/moved", "/a%20b/moved%20again", "/file"]


@pytest.mark.parametrize(
    "location, fault",
    [
        ("/loop", "more than 5 redirects"),
        ("ftp://127.0.0.1/x", "redirect that is not followed .*'ftp://127.0.0.1/x'"),
        ("file:///etc/passwd", "redirect that is not followed .*'file:///etc/passwd'"),
        ("http://[bad/", "a redirect that is not followed"),
        ("", "HTTP status 302"),
    ],
)
def test_redirects_that_are_not_followed(web, location, fault):
    web.serve("/loop", b"", location=location)
    with pytest.raises(Unavailable, match=fault):
        read(f"{web.url}/loop")
    assert len(web.requests) <= 6


def test_the_body_of_a_redirect_is_not_read(web, monkeypatch):
    """It may be without end, or break off, or fall silent as here."""
    web.serve("/moved", b"", location="/x")
    web.serve("/x", b"four")
    real = web._refuse

    def refuse(handler, *arguments):
        real(handler, *arguments)
        handler.wfile.write(b"moved " * 1000)
        web._ended.wait(20)

    monkeypatch.setattr(web, "_refuse", refuse)
    with open_url(f"{web.url}/moved", {}, timeout=3) as response:
        assert response.content == b"four"


def test_five_redirects_are_no_loop(web):
    for number in range(5):
        web.serve(f"/{number}", b"", location=f"/{number + 1}")
    web.serve("/5", b"here")
    assert read(f"{web.url}/0") == b"here"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "origin, location, end",
    [
        ("https://a/x", "https://b/y", "https://b/y"),
        ("http://a/x", "https://b/y", "https://b/y"),
        ("https://a/x/z", "y", "https://a/x/y"),
        ("https://a/x", "http://user:secret@b/y", None),
        ("https://a/x", "HTTP://b/y", None),
        ("HTTPS://a/x", "http://b/y", None),
    ],
)
def test_never_from_https_to_http(monkeypatch, status, origin, location, end):
    """The answers are made up: no certificate of this machine's would be trusted."""
    asked, bodies = [], []

    def send(self, request, **_):
        asked.append(request)
        answer = requests.Response()
        answer.request, answer.url, answer.raw = request, request.url, io.BytesIO()
        answer.status_code = status if len(asked) == 1 else 206
        answer.headers["Location"] = location
        bodies.append(answer.raw)
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    if end:
        open_url(origin, {"Range": "bytes=1-"})
    else:
        with pytest.raises(Unavailable, match="a redirect that is not followed") as fault:
            open_url(origin, {"Range": "bytes=1-"})
        assert "secret" not in str(fault.value)
    assert [request.url for request in asked] == [origin.lower(), *([end] if end else [])]
    assert all(request.headers["Range"] == "bytes=1-" for request in asked)
    assert bodies[0].closed


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_faults_that_pass(web, status):
    web.serve("/x", b"", statuses=[status, (status, 7), (status, "tomorrow"), (status, "-1")])
    waits = []
    for _ in range(4):
        with pytest.raises(Interrupted, match=str(status)) as fault:
            read(f"{web.url}/x")
        waits.append(fault.value.wait)
    assert waits == [0, 7, 0, 0]


def test_a_date_to_come_back_at(web):
    dates = [formatdate(time.time() + seconds, usegmt=True) for seconds in (100, -100, 10**6)]
    web.serve("/x", b"", statuses=[(503, date) for date in dates])
    waits = []
    for _ in range(2):
        with pytest.raises(Interrupted) as fault:
            read(f"{web.url}/x")
        waits.append(fault.value.wait)
    assert 90 < waits[0] <= 100 and waits[1] == 0
    with pytest.raises(Unavailable, match="to be asked again"):
        read(f"{web.url}/x")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 501])
def test_faults_that_stay(web, status):
    web.serve("/x", b"", statuses=[status])
    with pytest.raises(Unavailable, match=str(status)):
        read(f"{web.url}/x")


def test_beyond_the_end(web):
    web.serve("/x", b"four")
    with pytest.raises(Outdated):
        read(f"{web.url}/x", Range="bytes=9-")


@pytest.mark.parametrize("url", ["nowhere", "http://[bad/x", "http://", "http://a:port/"])
def test_what_is_no_address(url):
    with pytest.raises(UserError, match="not a usable URL"):
        read(url)


def test_a_password_goes_to_its_host_alone(web):
    """Sent, not shown, and not carried along by a redirect, on the same host either."""
    web.serve("/moved", b"", location="/on")
    web.serve("/on", b"", location=f"{web.url}/x")
    web.serve("/x", b"four")
    assert read(web.url.replace("://", "://me:p%40ss@") + "/moved") == b"four"
    assert web.headers[0]["Authorization"] == "Basic bWU6cEBzcw=="
    assert not any("Authorization" in headers for headers in web.headers[1:])
    web.pages.clear()
    with pytest.raises(Unavailable) as fault:
        read(web.url.replace("://", "://me:secret@") + "/moved")
    assert "secret" not in str(fault.value)
    assert without_password("http://me:secret@host/a") == "http://host/a"
    assert without_password("/a@b") == "/a@b"
    assert without_password("http://host/a@b") == "http://host/a@b"


def test_the_size_of_a_file(web):
    web.serve("/x", b"four")
    web.serve("/unknown", b"four", length=False)
    assert content_length(f"{web.url}/x") == 4
    assert content_length(f"{web.url}/unknown") is None
    assert content_length(f"{web.url}/absent") is None
    assert content_length("http://127.0.0.1:9/x") is None
    assert content_length("nowhere") is None
    assert web.requests == []


@pytest.mark.parametrize(
    "text, found",
    [
        ("bytes 100-199/200", (100, 200, 200)),
        ("bytes 0-0/*", (0, 1, None)),
        ("bytes 5-4/200", (-1, -1, None)),
        ("bytes 100-200/200", (-1, -1, None)),
        ("bytes */200", (-1, -1, None)),
        ("items 0-1/2", (-1, -1, None)),
        ("bytes 0-1", (-1, -1, None)),
        ("bytes ٣-٤/٩", (-1, -1, None)),
        ("", (-1, -1, None)),
    ],
)
def test_content_range(text, found):
    assert content_range(text) == found


@given(st.text(max_size=40))
def test_any_header_is_read_or_refused(text):
    first, end, total = content_range(text)
    assert (first, end, total) == (-1, -1, None) or 0 <= first < end
    assert integer(text) is None or integer(text) >= 0


def test_validators():
    date = "Tue, 24 Nov 2026 22:00:00 GMT"
    assert strong_validator({"ETag": '"a"', "Last-Modified": date}) == '"a"'
    assert strong_validator({"ETag": 'W/"a"', "Last-Modified": date}) == date
    assert strong_validator({"ETag": 'W/"a"'}) is None
    assert strong_validator({}) is None


def test_addresses():
    assert is_url("https://a") and is_url("http://a")
    assert not is_url("ftp://a") and not is_url("/http://")
    assert join_url("http://a/b/", "c d") == join_url("http://a/b", "c d") == "http://a/b/c%20d"
