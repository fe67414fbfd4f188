"""Outputs that appear whole or not at all."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from tools.files import atomic
from tools.files.atomic import atomic_path, write_bytes, write_json, write_text
from tools.files.errors import from_os_error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears(tmp_path):
    write_text(tmp_path / "new" / "a", "é\n")
    write_bytes(tmp_path / "new" / "b", b"\x00")
    write_json(tmp_path / "new" / "c", {"b": "中", "a": 1})
    assert (tmp_path / "new" / "a").read_bytes() == "é\n".encode()
    assert (tmp_path / "new" / "b").read_bytes() == b"\x00"
    text = (tmp_path / "new" / "c").read_text(encoding="utf-8")
    assert list(json.loads(text)) == ["b", "a"] and "中" in text and text.endswith("}\n")
    assert names(tmp_path / "new") == ["a", "b", "c"]


def test_error_leaves_what_was_there(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(ValueError), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise ValueError
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_folder_replaces_folder(tmp_path):
    for content in ("one", "two"):
        with atomic_path(tmp_path / "[model]") as temporary:
            temporary.mkdir()
            (temporary / content).touch()
    assert names(tmp_path) == ["[model]"]
    assert names(tmp_path / "[model]") == ["two"]


def test_failed_rename_restores_the_old_folder(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    real = Path.rename

    def rename(path, target):
        if path.parent.name.startswith(".model.partial-") and path.name == "model":
            raise OSError(errno.EIO, "input/output error")
        return real(path, target)

    monkeypatch.setattr(atomic.Path, "rename", rename)
    with pytest.raises(OSError), atomic_path(tmp_path / "model") as temporary:
        temporary.mkdir()
    assert names(tmp_path) == ["model"] and names(tmp_path / "model") == ["old"]


def test_stale_temporaries_are_swept(tmp_path):
    (tmp_path / ".a[1].partial-killed").mkdir()
    (tmp_path / ".a[1].partial-killed" / "a[1]").touch()
    write_text(tmp_path / "a[1]", "")
    assert names(tmp_path) == ["a[1]"]


def test_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError) as fault, atomic_path(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    text = str(from_os_error(fault.value))
    assert text.startswith(f"{tmp_path / 'a'}: no space left on device; free some disk space")
    assert names(tmp_path) == []


def test_other_errors_inside_are_not_blamed_on_the_file(tmp_path):
    with pytest.raises(OSError) as fault, atomic_path(tmp_path / "a"):
        raise ConnectionResetError(errno.ECONNRESET, "reset")
    assert fault.value.filename is None


def test_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(OSError) as fault:
        write_text(tmp_path / "run" / "deeper" / "a", "")
    assert "a file stands where a folder is needed" in str(from_os_error(fault.value))
