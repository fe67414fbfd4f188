"""A machine on which everything is right, and a server that can be told to misbehave."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, Optional

import pytest

from tools.machine.artifacts import ABSENT, Found
from tools.machine.ascend import Card, Cards
from tools.machine.facts import Facts
from tools.machine.interpreters import Interpreter
from tools.machine.limits import Cores, Memory
from tools.machine.needs import Needs
from tools.machine.network import Index, Reply
from tools.machine.places import Place

GB = 10**9
PAGE = "https://pypi.org/simple/mindspore/"


@pytest.fixture
def program(tmp_path):
    """An executable that is the shell lines given."""

    def make(lines: str) -> str:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def needs() -> Needs:
    """What a profile on the CPU asks for."""
    return Needs(
        profile="small",
        device="CPU",
        cards=1,
        python=((3, 9), (3, 11)),
        cores=2,
        memory=8 * GB,
        disk={"venv": 3 * GB, "temp": 1 * GB, "material": 1 * GB, "run": 5 * GB},
        card_memory=None,
        mindspore=None,
        cann=None,
        artifacts=(),
    )


@pytest.fixture
def ascend_needs(needs: Needs) -> Needs:
    """What a profile on four cards asks for."""
    return needs._replace(
        device="Ascend",
        cards=4,
        python=((3, 9), (3, 9)),
        card_memory=32 * GB,
        mindspore="2.3.0rc2",
        cann="8.0.RC1",
    )


@pytest.fixture
def facts() -> Facts:
    """A machine that has what both need, in an empty clone."""
    place = {
        name: Place(path, 1, 100 * GB, 0, True)
        for name, path in [
            *(("venv", ".venv"), ("temp", "/tmp")),
            *(("material", "material/small"), ("run", "runs/small-quick")),
        ]
    }
    return Facts(
        system=("Linux", "x86_64", "glibc 2.36"),
        programs={name: f"/usr/bin/{name}" for name in ("make", "/bin/bash", "sed", "grep", "git")},
        make=(4, 3),
        root="/home/a/contest",
        setup=True,
        python=Interpreter("python3.11", (3, 11, 7), encodings=("utf-8", "utf-8")),
        stack="cpu",
        locked={"mindspore": "2.9.0", "mindformers": "1.9.0"},
        cores=Cores(2.0, 2),
        memory=Memory(16 * GB, 12 * GB, 0, False),
        places={**place},
        shared=True,
        cards=Cards([Card("910B1", "OK", 3 * GB, 65 * GB)] * 4),
        cann="8.0.RC1",
        index=Index(),
        reply=Reply(PAGE, "reached", "", 0.4),
        artifacts=(Found("model.gguf", ABSENT, True, (PAGE,), (Reply(PAGE, "reached"),)),),
        mirror=None,
        skew=0.4,
        year=2026,
        held=(),
    )


@dataclass
class Web:
    """`pages`: status by path; ahead: seconds by which the server's clock is ahead of ours."""

    url: str = ""
    pages: Dict[str, int] = field(default_factory=dict)
    headers: Dict[str, str] = field(default_factory=dict)
    asked: Dict[str, Optional[str]] = field(default_factory=dict)  # path -> Authorization
    ahead: float = 0.0
    silent: float = 0.0  # seconds before it answers
    together: Optional[threading.Barrier] = None  # how many have to ask before it answers any


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Web]:
    """A server of its own for each test, reached without a proxy; over TLS where it is asked to."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(web.silent)
            if web.together is not None:
                web.together.wait()
            web.asked[self.path] = self.headers.get("Authorization")
            self.send_response(web.pages.get(self.path, 404))
            for name, value in web.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def date_time_string(self, timestamp: Any = None) -> str:
            return formatdate(time.time() + web.ahead, usegmt=True)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: Any) -> None:
            pass  # a client that hangs up is part of the tests

    server = Server(("127.0.0.1", 0), Handler)
    certificate = getattr(request, "param", None) and request.getfixturevalue("certificate")
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    web.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield web
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, signed by itself, and its key, in one file."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not on this machine")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    command += f" -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout {path}.key"
    subprocess.run([*command.split(), "-out", str(path)], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.key").read_text())
    return path
