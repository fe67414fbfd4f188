"""Headless Chromium by its DevTools pipe: messages are JSON, each ended by a zero byte."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


class Browser:
    """One tab. Use as a context manager; `events` are all that were not replies."""

    def __init__(self, profile: Path, *flags: str) -> None:
        self._flags = (*_FLAGS, f"--user-data-dir={profile}", *flags, "about:blank")
        self.events: List[Dict[str, Any]] = []
        self._sent = 0
        self._buffer = b""
        self._session: Optional[str] = None

    def __enter__(self) -> Browser:
        read_there, self._out = os.pipe()
        self._in, write_there = os.pipe()
        # The browser reads from 3 and writes to 4.
        script = f'exec "$@" 3<&{read_there} 4>&{write_there} 2>/dev/null'
        command = ["bash", "-c", script, "bash", CHROMIUM, *self._flags]
        self._process = subprocess.Popen(
            command, pass_fds=(read_there, write_there), start_new_session=True
        )
        os.close(read_there)
        os.close(write_there)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **params: Any) -> Dict[str, Any]:
        """Send a command and return its result."""
        self._sent += 1
        message: Dict[str, Any] = {"id": self._sent, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, url: str, width: int, height: int = 900) -> None:
        """Load a page into a window of this width, and wait until it is drawn."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2,
            mobile=width < 600,
        )
        self.events.clear()
        loader = self.call("Page.navigate", url=url)["loaderId"]
        while not any(
            event.get("method") == "Page.lifecycleEvent"
            and event["params"]["name"] == "load"
            and event["params"]["loaderId"] == loader
            for event in self.events
        ):
            self.events.append(self._next())

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives in the page."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def _next(self) -> Dict[str, Any]:
        until = time.monotonic() + 60
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, until - time.monotonic()))
            part = os.read(self._in, 1 << 16) if ready else b""
            assert part, "the browser says nothing more"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)
