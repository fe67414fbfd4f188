"""One project for all tests of the pipeline, in which `make submit` has been run once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline_make import checkout, make


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = checkout(tmp_path_factory.mktemp("make") / "with a space")
    done = make(folder, "submit", "TEAM=first", "-j2")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.fixture
def run(project: Path) -> Path:
    return project / "runs" / "tiny-quick"
