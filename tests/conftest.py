"""Fixtures that every test may use."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
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
