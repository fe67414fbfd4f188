"""A web server on this machine that can be told to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional

import pytest


@dataclass
class Page:
    """What one path answers. drops: after how many bytes the n-th answer breaks off."""

    body: bytes
    etag: Optional[str] = '"one"'
    ranges: bool = True
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)  # sent first, one a request
    kind: str = "application/octet-stream"
    length: bool = True
    location: Optional[str] = None


class Web:
    """`pages` by path; `requests` holds (path, Range, If-Range) of each request."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, Optional[str], Optional[str]]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *args: Any) -> None:
                pass  # a client that hangs up is part of the tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def serve(self, path: str, body: bytes, **settings: Any) -> None:
        """Answer `path` with `body` from now on; settings as in Page."""
        self.pages[path] = Page(body, **settings)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        condition = handler.headers.get("If-Range")
        self.requests.append((handler.path, wanted, condition))
        page = self.pages.get(handler.path)
        status = 404 if page is None else page.statuses.pop(0) if page.statuses else 200
        if page is None or status != 200 or page.location:
            handler.send_response(302 if page and page.location else status)
            if page and page.location:
                handler.send_header("Location", page.location)
            handler.end_headers()
            return
        start = 0
        if wanted and page.ranges and condition in (None, page.etag):
            start = int(wanted[len("bytes=") : -1])
            if start >= len(page.body):
                handler.send_response(416)
                handler.end_headers()
                return
        body = page.body[start:]
        handler.send_response(206 if start else 200)
        if start:
            span = f"bytes {start}-{len(page.body) - 1}/{len(page.body)}"
            handler.send_header("Content-Range", span)
        handler.send_header("Content-Type", page.kind)
        if page.length:
            handler.send_header("Content-Length", str(len(body)))
        if page.etag:
            handler.send_header("ETag", page.etag)
        handler.end_headers()
        handler.wfile.write(body[: page.drops.pop(0)] if page.drops else body)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server of its own for each test, reached without any proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    web = Web()
    thread = threading.Thread(target=web.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield web
    web.server.shutdown()
    web.server.server_close()
