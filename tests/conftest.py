"""Fixtures that every test may use."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fault_server import FaultServer
from hypothesis import settings

# A busy machine is no fault of the code: no example has a deadline.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

# click 8.1, the last for Python 3.9, keeps its two streams mixed or apart; later ones do both.
if "mix_stderr" in inspect.signature(CliRunner.__init__).parameters:
    CliRunner.__init__ = functools.partialmethod(CliRunner.__init__, mix_stderr=False)
    Result.output = property(lambda result: result.stdout + result.stderr)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def shared() -> Path:
    """The folder of the contest's own small files, beside the checkout; absent for most users."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not on this machine")
    return folder


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """A web server that misbehaves as it is told, reached without any proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = FaultServer()
    yield server
    server.close()


# requirements/ascend.txt leaves MindSpore to the contest's image. On other machines what that lock
# installs can be tested all the same: a test that fails for want of MindSpore is then skipped.
if not util.find_spec("mindspore"):
    _WANTED = re.compile(
        r"No module named '(mindspore|mindformers|google)|PackageNotFoundError: mind(spore|formers)"
    )

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
        outcome = yield
        report = outcome.get_result()
        if report.failed and _WANTED.search(str(report.longrepr)):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), None, "MindSpore is not installed")
