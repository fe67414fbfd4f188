"""How fast a large file arrives: by our download, curl, and aria2c over 1, 4 and 8 connections.

    python -m benchmarks.fetching                     (a minute)
    python -m benchmarks.fetching --speed 0           (a server without any limit: what each costs)

A server on this machine, a process of its own, grants each connection so many megabytes a second,
as object stores do. Each program is measured from its start to the file that is there whole; ours
has then read it once more, for its sha256. Prints a Markdown table, then one line of JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, List

import click

from tools.cli import Command
from tools.files.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
_PIECE = 256 << 10
_OURS = """
import sys
from tools.files.download import download
download(sys.argv[1], sys.argv[2])
"""


def serve(path: str, speed: float, connection: Any) -> None:
    """Serve one file with ranges, `speed` bytes a second a connection (0: no limit)."""
    size = Path(path).stat().st_size

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first = int(found[1]) if found else 0
            end = int(found[2]) + 1 if found and found[2] else size
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {first}-{end - 1}/{size}")
            self.send_header("Content-Length", str(end - first))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", '"one"')
            self.end_headers()
            self._send(first, end)

        do_HEAD = do_GET

        def _send(self, first: int, end: int) -> None:
            if self.command == "HEAD":
                return
            began, position = time.monotonic(), first
            self.wfile.flush()
            with Path(path).open("rb") as handle:
                while position < end:
                    count = min(_PIECE, end - position)
                    position += os.sendfile(
                        self.connection.fileno(), handle.fileno(), position, count
                    )
                    if speed:
                        due = began + (position - first) / speed
                        time.sleep(max(0.0, due - time.monotonic()))

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: Any) -> None:
            pass  # clients hang up when they have what they want

    server = Server(("127.0.0.1", 0), Handler)
    connection.send(server.server_port)
    server.serve_forever()


def commands(url: str, target: Path) -> Dict[str, List[str]]:
    """What is measured; programs that are not there are left out."""
    found = {"ours": [sys.executable, "-c", _OURS, url, str(target)]}
    if shutil.which("curl"):
        found["curl"] = ["curl", "-sS", "--noproxy", "*", "-o", str(target), url]
    if shutil.which("aria2c"):
        for parts in (1, 4, 8):
            found[f"aria2c, {parts} connections"] = [
                *("aria2c", "-q", "--no-proxy=127.0.0.1", "--file-allocation=none"),
                *(f"-x{parts}", f"-s{parts}", "-k8M", "-d", str(target.parent), "-o", target.name),
                url,
            ]
    return found


def measure(command: List[str], target: Path, size: int) -> Dict[str, float]:
    """Seconds, and processor seconds, of one command that brings the file."""
    target.unlink(missing_ok=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if target.stat().st_size != size:
        raise UserError(f"{target.stat().st_size} bytes arrived instead of {size}", command[0])
    busy = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"seconds": seconds, "processor": busy}


@click.command(cls=Command, epilog="Example:\n\n  python -m benchmarks.fetching --size 256")
@click.option("--size", type=int, default=256, show_default=True, help="MB (10^6 bytes).")
@click.option("--speed", type=float, default=20, show_default=True, help="MB/s a connection.")
@click.option("--repeat", type=int, default=3, show_default=True, help="The best of so many.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the files are written.")
def main(size: int, speed: float, repeat: int, folder: Path) -> None:
    """Measure downloads from a server of this machine."""
    with tempfile.TemporaryDirectory(dir=folder) as area:
        source, target = Path(area) / "source", Path(area) / "target"
        with source.open("wb") as handle:
            for _ in range(size):
                handle.write(os.urandom(10**6))
        here, there = multiprocessing.Pipe()
        arguments = (str(source), speed * 1e6, there)
        server = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
        server.start()
        try:
            url = f"http://127.0.0.1:{here.recv()}/source"
            rows = {
                name: min(
                    (measure(command, target, size * 10**6) for _ in range(repeat)),
                    key=lambda row: row["seconds"],
                )
                for name, command in commands(url, target).items()
            }
        finally:
            server.kill()
            server.join()
    click.echo(f"{size} MB, {f'{speed:g} MB/s a connection' if speed else 'no limit'}\n")
    click.echo("| | s | MB/s | processor s |\n| --- | --- | --- | --- |")
    for name, row in rows.items():
        rate = size / row["seconds"]
        click.echo(f"| {name} | {row['seconds']:.2f} | {rate:.1f} | {row['processor']:.2f} |")
    click.echo(json.dumps({"size": size, "speed": speed, "rows": rows}))


if __name__ == "__main__":
    main()
