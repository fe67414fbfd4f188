"""Folders that are there, will be made, are shut, are full of files, or held by a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tools.files.lock import run_lock
from tools.machine.places import (
    can_share_memory,
    is_held,
    is_newer,
    look_at,
    look_at_temporary,
    tree_size,
)

as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def test_a_folder_that_will_be_made(tmp_path):
    path = tmp_path / "runs" / "a" / "b"
    place = look_at(path)
    assert place.path == str(path) and place.disk == tmp_path.stat().st_dev
    assert place.writable and place.held == 0 and place.free > 0
    assert not (tmp_path / "runs").exists()


def test_free_space_is_the_disks(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=123))
    assert look_at(tmp_path / "x").free == 123


def test_what_stands_there_is_counted_once(tmp_path):
    assert tree_size(tmp_path / "no") == 0
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "data").write_bytes(os.urandom(100_000))
    one = tree_size(tmp_path)
    assert 100_000 <= one <= 200_000
    os.link(tmp_path / "a" / "b" / "data", tmp_path / "again")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert one <= tree_size(tmp_path) <= one + 8192
    assert look_at(tmp_path).held == tree_size(tmp_path)
    assert look_at(tmp_path, count=False).held == 0


@as_root
def test_a_folder_that_is_shut(tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    assert not look_at(tmp_path / "shut" / "runs").writable


def test_access_is_asked_for_the_folder_above(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))
    assert not look_at(tmp_path / "runs" / "x").writable
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "runs").write_text("")
    assert not look_at(tmp_path / "runs" / "a").writable


def test_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    place = look_at_temporary()
    assert place is not None and place.path == str(tmp_path) and place.held == 0


def test_no_folder_for_temporary_files(monkeypatch):
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert look_at_temporary() is None


def test_shared_memory(tmp_path, monkeypatch):
    assert can_share_memory(tmp_path) and can_share_memory(tmp_path / "no")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert not can_share_memory(tmp_path) and can_share_memory(tmp_path / "no")


def test_a_folder_that_a_command_holds(tmp_path):
    """By both ways of holding one: in this process, and handed on to a command."""
    assert not is_held(tmp_path / "no") and not is_held(tmp_path)
    with run_lock(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    code = "from tools.files.lock import exec_locked; exec_locked({!r}, ['sh', '-c', {!r}])"
    command = [sys.executable, "-c", code.format(str(tmp_path), "echo held; read end")]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        assert is_held(tmp_path)
        process.communicate(b"\n")
    assert not is_held(tmp_path)


def test_asking_holds_nothing(tmp_path):
    with run_lock(tmp_path):
        pass
    assert not is_held(tmp_path)
    with run_lock(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock"]


def test_newer_as_make_sees_it(tmp_path):
    target, source = tmp_path / "target", tmp_path / "source"
    source.write_text("")
    assert not is_newer(target, source)
    target.write_text("")
    for made, changed, newer in ((20, 10, True), (10, 10, True), (10, 20, False)):
        os.utime(target, (made, made))
        os.utime(source, (changed, changed))
        assert is_newer(target, source) == newer
    assert not is_newer(target, source, tmp_path / "no")
