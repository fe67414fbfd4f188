"""The table of what can be fetched."""

from __future__ import annotations

from tools.files.artifact import Artifact, list_artifacts
from tools.files.pins import Pin, write_pin


def test_sizes_are_published_seen_or_unknown(tmp_path):
    lock = tmp_path / "artifacts.lock"
    items = [
        Artifact("one", "1.bin", "MIT", "the first", 98362432, "a" * 64),
        Artifact("second", "2.bin", "Apache-2.0", "the second"),
        Artifact("third", "3.bin", "MIT", "the third"),
    ]
    write_pin(lock, "second", Pin("2.bin", 4000, "b" * 64, "a folder", "2026-11-24"))
    write_pin(lock, "one", Pin("1.bin", 1, "b" * 64, "a folder", "2026-11-24"))
    assert list_artifacts(items, lock).splitlines() == [
        "id      size     sha256         licence     about",
        "one     98.4 MB  published      MIT         1.bin: the first",
        "second  4.0 kB   as first seen  Apache-2.0  2.bin: the second",
        "third   ?        unknown        MIT         3.bin: the third",
    ]
