"""A web server on this machine that can be told to misbehave, and counts what it sends."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List, Optional, Tuple, Union


@dataclass
class Page:
    """What one path answers.

    ranges     True; False: always the whole file; "wrong": another range than is asked for;
               "unasked": a range where none is asked for
    most       bytes of a range at most; encoding: what Content-Encoding says
    honest     whether If-Range is heeded
    drops      after how many bytes the n-th answer breaks off; stalls: falls silent instead
    statuses   sent first, one a request: a number, or a number and a Retry-After
    speed      bytes a second of each connection, so many at a time as `chunk` says
    limit      connections at once, further ones get 503
    """

    body: bytes
    etag: Optional[str] = '"one"'
    ranges: Union[bool, str] = True
    honest: bool = True
    drops: List[int] = field(default_factory=list)
    stalls: List[int] = field(default_factory=list)
    statuses: List[Any] = field(default_factory=list)
    kind: str = "application/octet-stream"
    most: Optional[int] = None
    encoding: Optional[str] = None
    length: bool = True
    location: Optional[str] = None
    speed: Optional[float] = None
    chunk: int = 16 << 10
    limit: int = 99


class FaultServer:
    """`pages` by path.

    requests   (path, Range, If-Range) of each GET; heads: the paths of the HEADs
    sent       bytes of bodies that were written; at_once: the most connections at one time
    """

    def __init__(self) -> None:
        self.pages: Dict[str, Page] = {}
        self.requests: List[Tuple[str, Optional[str], Optional[str]]] = []
        self.heads: List[str] = []
        self.headers: List[Dict[str, str]] = []
        self.sent = self.at_once = self._open = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with web._lock:
                    web._open += 1
                    web.at_once = max(web.at_once, web._open)
                try:
                    web._answer(self)
                finally:
                    with web._lock:
                        web._open -= 1

            def do_HEAD(self) -> None:
                web.heads.append(self.path)
                page = web.pages.get(self.path)
                self.send_response(200 if page else 404)
                if page and page.length:
                    self.send_header("Content-Length", str(len(page.body)))
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 32

            def handle_error(self, *args: Any) -> None:
                pass  # a client that hangs up is part of the tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        serve = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        serve.start()

    def close(self) -> None:
        self._ended.set()
        self.server.shutdown()
        self.server.server_close()

    def serve(self, path: str, body: bytes, **settings: Any) -> Page:
        """Answer `path` with `body` from now on; settings as in Page."""
        self.pages[path] = Page(body, **settings)
        return self.pages[path]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        condition = handler.headers.get("If-Range")
        with self._lock:
            self.requests.append((handler.path, wanted, condition))
            self.headers.append(dict(handler.headers))
            page = self.pages.get(handler.path)
            status = 404 if page is None else page.statuses.pop(0) if page.statuses else 200
            if page and self._open > page.limit:
                status = 503
            drop = page.drops.pop(0) if page and page.drops and status == 200 else None
            stall = page.stalls.pop(0) if page and page.stalls and status == 200 else None
        if page is None or status != 200 or page.location is not None:
            self._refuse(handler, page, status)
            return
        body = page.body
        first, end = 0, len(body)
        heeded = not page.honest or condition in (None, page.etag)
        if page.ranges == "unasked":
            wanted = wanted or "bytes=0-"
        if wanted and page.ranges and heeded:
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
            first, end = int(found[1]), int(found[2]) + 1 if found[2] else len(body)
            if first >= len(body):
                self._refuse(handler, None, 416)
                return
            if page.ranges == "wrong":
                first += 1
            end = min(end, first + (page.most or end))
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(body)}")
        else:
            handler.send_response(200)
        body = body[first:end]
        handler.send_header("Content-Type", page.kind)
        if page.length:
            handler.send_header("Content-Length", str(len(body)))
        if page.etag:
            handler.send_header("ETag", page.etag)
        if page.encoding:
            handler.send_header("Content-Encoding", page.encoding)
        handler.end_headers()
        self._send(handler, page, body, drop, stall)

    def _refuse(self, handler: BaseHTTPRequestHandler, page: Optional[Page], status: Any) -> None:
        status, wait = status if isinstance(status, tuple) else (status, None)
        if page and page.location is not None:
            handler.send_response(302)
            handler.send_header("Location", page.location)
        else:
            handler.send_response(status)
        if wait is not None:
            handler.send_header("Retry-After", str(wait))
        handler.end_headers()

    def _send(self, handler: Any, page: Page, body: bytes, drop: Any, stall: Any) -> None:
        began, done = time.monotonic(), 0
        last = min([len(body), *[at for at in (drop, stall) if at is not None]])
        while done < last and not self._ended.is_set():
            data = body[done : min(done + page.chunk, last)]
            handler.wfile.write(data)
            done += len(data)
            with self._lock:
                self.sent += len(data)
            if page.speed:
                time.sleep(max(0.0, done / page.speed - (time.monotonic() - began)))
        if stall is not None and stall == last:
            self._ended.wait(20)
