"""Gathering: a checkout of our own, before and after its set-up, and nothing changed by it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.files.lock import run_lock
from tools.machine import ascend, facts, network
from tools.machine.ascend import Card, Cards
from tools.machine.facts import gather, read_lock
from tools.machine.needs import read_needs

SAID = {
    "version": [3, 11, 7],
    "missing": [],
    "packages": {"mindspore": "2.9.0", "mindformers": "1.9.0"},
    "supported": {},
    "encodings": ["utf-8", "utf-8"],
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web) -> Path:
    """A checkout with a lock and a profile that needs one artefact; `web` is index and source."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{web.url}/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "clone"
    (root / "requirements").mkdir(parents=True)
    (root / "requirements" / "cpu.txt").write_text("mindspore==2.9.0 \\\n    --hash=sha256:00\n")
    (root / "configs" / "toy").mkdir(parents=True)
    (root / "configs" / "toy" / "profile.yaml").write_text(
        "device: CPU\ncards: 1\nartifacts: [model]\n"
        "needs: {python: '3.11', cores: 1, memory_gb: 0.1, disk_gb: {venv: 1, run: 0.1}}\n"
    )
    (root / "configs" / "artifacts.yaml").write_text(
        f"base_url: {web.url}/\nartifacts:\n  model: {{file: model.bin, licence: none, bytes: 4, "
        "sha256: null, url: model.bin}\n"
    )
    return root


def fake_python(path: Path) -> str:
    """An interpreter that says SAID whatever it is asked; in vain is it asked for pip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{json.dumps(SAID)}'\n")
    path.chmod(0o755)
    return str(path)


def look(root: Path, **options):
    needs = read_needs("toy", None, root / "configs")
    if "python" not in options:
        options["python"] = fake_python(root.parent / "python3")
    return gather(needs, root, root / "runs" / "r", configs=root / "configs", **options)


def set_up(root: Path) -> None:
    fake_python(root / ".venv" / "bin" / "python")
    (root / ".venv" / "installed").touch()
    os.utime(root / "requirements" / "cpu.txt", (1, 1))


def contents(root: Path) -> list:
    return sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*"))


def test_an_empty_clone(clone, web):
    web.pages = {"/simple/mindspore/": 200, "/model.bin": 200}
    before = contents(clone)
    found = look(clone)
    assert contents(clone) == before
    assert found.setup and found.python.version == (3, 11, 7)
    assert found.locked == {"mindspore": "2.9.0"}
    assert found.reply is not None and found.reply.outcome == network.REACHED
    assert [reply.outcome for reply in found.artifacts[0].replies] == [network.REACHED]
    assert found.skew is not None and abs(found.skew) < 3
    assert found.year == time.gmtime().tm_year
    assert (found.cards, found.cann, found.mirror, found.held) == (None, None, None, ())
    assert {name: place.path for name, place in found.places.items() if name != "temp"} == {
        "venv": ".venv",
        "material": "material/toy",
        "run": "runs/r",
    }
    assert found.root == str(clone)


def test_nothing_is_asked_offline(clone, web):
    found = look(clone, offline=True)
    assert web.asked == {} and found.reply is None and found.skew is None
    assert found.artifacts[0].urls and not found.artifacts[0].replies


def test_a_checkout_that_is_set_up(clone, web):
    set_up(clone)
    found = look(clone, python="no-such-python")
    assert not found.setup and found.python.command == ".venv/bin/python"
    assert found.python.packages == SAID["packages"]
    assert "/simple/mindspore/" in web.asked  # for the time


def test_a_lock_that_is_newer_than_the_environment(clone):
    set_up(clone)
    future = time.time() + 60
    os.utime(clone / "requirements" / "cpu.txt", (future, future))
    found = look(clone, offline=True)
    assert found.setup and found.python.command == str(clone.parent / "python3")


def test_the_lock_is_that_of_the_stack(clone):
    (clone / "requirements" / "ascend.txt").write_text("numpy==1.26.4\n")
    set_up(clone)
    future = time.time() + 60
    os.utime(clone / "requirements" / "ascend.txt", (future, future))
    assert not look(clone, offline=True).setup
    found = look(clone, offline=True, stack="ascend")
    assert found.setup and found.stack == "ascend" and found.locked == {"mindspore": "2.9.0"}
    with pytest.raises(UserError, match="no such stack 'gpu'; choose one of: cpu, ascend"):
        look(clone, offline=True, stack="gpu")


def test_a_clock_that_is_wrong(clone, web):
    web.pages, web.ahead = {"/simple/mindspore/": 200}, -7200
    assert look(clone).skew == pytest.approx(7200, abs=3)


def test_what_is_fetched_needs_neither_network_nor_mirror_nor_lock(clone, web):
    material = clone / "material" / "toy"
    material.mkdir(parents=True)
    with run_lock(material):
        found = look(clone, mirror="no-folder")
        assert found.mirror == "no-folder" and found.held == (str(material),)
        (material / "fetched.json").write_text("{}")
        (material / "model.bin").write_text("four")
        web.asked = {}
        found = look(clone, mirror="no-folder")
        assert (found.mirror, found.held, found.artifacts[0].state) == (None, (), "there")
        assert "/model.bin" not in web.asked


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:9/x", "."])
def test_mirrors_that_are_some(clone, mirror):
    assert look(clone, mirror=mirror, offline=True).mirror is None


def test_pips_proxy_is_for_the_index_alone(clone, web, monkeypatch):
    """The server is the proxy too: asked for the index's whole address, for the artefact's path."""
    monkeypatch.setenv("PIP_PROXY", web.url)
    monkeypatch.setenv("PIP_INDEX_URL", "http://pypi.example/simple")
    look(clone)
    assert {*web.asked} == {"http://pypi.example/simple/mindspore/", "/model.bin"}


def test_a_run_that_is_held(clone):
    run = clone / "runs" / "r"
    with run_lock(run):
        assert look(clone, offline=True).held == (str(run),)
    assert look(clone, offline=True).held == ()


def test_cards_are_asked_for_where_the_profile_wants_them(clone, monkeypatch):
    monkeypatch.setattr(ascend, "read_cards", lambda: Cards([Card("910B1", "OK", 0, 1)]))
    monkeypatch.setattr(ascend, "read_cann", lambda environment: "8.0.RC1")
    assert look(clone, offline=True).cards is None
    path = clone / "configs" / "toy" / "profile.yaml"
    path.write_text(path.read_text().replace("CPU", "Ascend"))
    found = look(clone, offline=True)
    assert found.cards is not None and len(found.cards.cards) == 1 and found.cann == "8.0.RC1"


def test_the_lock_of_the_project():
    root = Path(__file__).resolve().parents[2]
    assert {*read_lock(root / facts.LOCKS["cpu"])} == {"mindspore", "mindformers"}


def test_locks_that_say_little(tmp_path):
    assert read_lock(tmp_path / "no") == {}
    (tmp_path / "lock").write_text(
        "# mindspore==1\n mindspore==2\nmindformers==1.9.0; x\nnumpy==1\n"
    )
    assert read_lock(tmp_path / "lock") == {"mindformers": "1.9.0"}


@pytest.mark.parametrize(
    "library, files, wanted",
    [
        (("glibc", "2.36"), [], "glibc 2.36"),
        (("", ""), ["ld-musl-x86_64.so.1"], "musl"),
        (("", ""), [], ""),
        (("glibc", "2.36"), ["ld-musl-x86_64.so.1"], "glibc 2.36"),  # both may be installed
    ],
)
def test_the_c_library(tmp_path, monkeypatch, library, files, wanted):
    monkeypatch.setattr(facts.platform, "libc_ver", lambda: library)
    for name in files:
        (tmp_path / name).touch()
    assert facts._c_library(tmp_path) == wanted
