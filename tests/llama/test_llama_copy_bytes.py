"""Bytes from file to file: by the system, and without it."""

from __future__ import annotations

import errno
import os

import pytest

from tools.llama import copy_bytes as module
from tools.llama.copy_bytes import transfer


@pytest.mark.parametrize("fault", [None, "absent", errno.EXDEV, errno.ENOSYS])
def test_the_same_bytes(tmp_path, monkeypatch, fault):
    data = os.urandom(3_000_000)
    (tmp_path / "source").write_bytes(data)
    if fault == "absent":
        monkeypatch.delattr(module.os, "copy_file_range", raising=False)
    elif fault:

        def refuse(*_):
            raise OSError(fault, "no")

        monkeypatch.setattr(module.os, "copy_file_range", refuse, raising=False)
    with (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("wb", 0) as target:
        target.write(b"head")
        transfer(source.fileno(), 7, 2_500_000, target)
        target.write(b"tail")
    assert (tmp_path / "target").read_bytes() == b"head" + data[7:2_500_007] + b"tail"


@pytest.fixture
def two(tmp_path):
    """A source of two bytes, and an empty target."""
    (tmp_path / "source").write_bytes(b"12")
    with (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("wb", 0) as target:
        yield source.fileno(), target


def test_a_fault_of_the_disk_is_one(two, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(module.os, "copy_file_range", full, raising=False)
    with pytest.raises(OSError, match="full"):
        transfer(two[0], 0, 2, two[1])


def test_a_source_that_ends_before(two):
    with pytest.raises(EOFError, match="cut short"):
        transfer(two[0], 1, 2, two[1])
