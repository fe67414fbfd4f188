"""Where artefacts are looked for, held against what `make fetch` does with the same files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.files.fetching import RECORD, Archive, Artifact, fetch_artifacts
from tools.machine.artifacts import (
    ABSENT,
    FORGOTTEN,
    MIRRORED,
    THERE,
    WRONG,
    find_artifacts,
    is_fetched,
    with_replies,
)
from tools.machine.network import REACHED, Index, Reply

PLAIN = Artifact("a", "a.txt", "none", bytes=4, url="https://x/a.txt")
ZIPPED = Artifact("b", "b.txt", "none", url="https://x/b.zip", archive=Archive("b.zip"), member="b")
WHEEL = Artifact("c", "c.gguf", "none", package="c_d==1", archive=Archive("c.whl"), member="c")
ALL = (PLAIN, ZIPPED, WHEEL)
INDEX = Index("https://pypi.example/simple/")


def states(folder: Path, mirror=None, fetched=False):
    return [item.state for item in find_artifacts(ALL, folder, fetched, mirror, INDEX)]


def test_an_empty_folder_sends_to_the_sources(tmp_path):
    found = find_artifacts(ALL, tmp_path, False, None, INDEX)
    assert [item.urls for item in found] == [
        ("https://x/a.txt",),
        ("https://x/b.zip",),
        ("https://pypi.example/simple/c-d/",),
    ]
    assert {item.state for item in found} == {ABSENT}
    assert [item.package for item in found] == [False, False, True]


def test_pip_without_an_index_is_not_asked_for(tmp_path):
    found = find_artifacts((WHEEL,), tmp_path, False, None, Index(asked=False))
    assert found[0].urls == () and found[0].state == ABSENT


def test_files_that_are_there(tmp_path):
    (tmp_path / "a.txt").write_text("four")
    (tmp_path / "b.txt").write_text("of unknown size")
    (tmp_path / "c.gguf").mkdir()
    assert states(tmp_path) == [THERE, THERE, WRONG]
    (tmp_path / "a.txt").write_text("three")
    assert states(tmp_path)[0] == WRONG


def test_a_wrong_file_is_what_fetch_refuses(tmp_path):
    (tmp_path / "a.txt").write_text("three")
    with pytest.raises(UserError):
        fetch_artifacts([PLAIN], tmp_path)
    (tmp_path / "a.txt").write_text("four")
    fetch_artifacts([PLAIN], tmp_path)
    assert states(tmp_path)[0] == THERE


def test_a_mirror_is_a_folder_of_files_or_archives(tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in ("a.txt", "b.zip"):
        (mirror / name).write_text("four")
    assert states(tmp_path / "m", str(mirror)) == [MIRRORED, MIRRORED, ABSENT]
    assert states(tmp_path / "m", str(tmp_path / "no")) == [ABSENT] * 3


def test_a_mirror_by_address_is_asked_first(tmp_path):
    found = find_artifacts(ALL, tmp_path, False, "https://m/x/", INDEX)
    assert found[0].urls == ("https://m/x/a.txt", "https://x/a.txt")
    assert found[1].urls == ("https://m/x/b.txt", "https://m/x/b.zip", "https://x/b.zip")


def test_what_make_takes_for_fetched_is_not_asked_for(tmp_path):
    (tmp_path / "a.txt").write_text("four")
    assert states(tmp_path, fetched=True) == [THERE, FORGOTTEN, FORGOTTEN]


def test_fetched_is_by_the_times_of_the_configs(tmp_path):
    configs, material = tmp_path / "configs", tmp_path / "material"
    sources = [configs / "artifacts.yaml", configs / "p" / "profile.yaml"]
    for path in (*sources, material / RECORD):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        os.utime(path, (10, 10))
    assert is_fetched(material, "p", configs)
    for path in sources:
        os.utime(path, (20, 20))
        assert not is_fetched(material, "p", configs)
        os.utime(path, (10, 10))
    (material / RECORD).unlink()
    assert not is_fetched(material, "p", configs)


def test_replies_go_to_those_who_asked(tmp_path):
    found = find_artifacts(ALL, tmp_path, False, None, INDEX)
    reply = Reply("x", REACHED)
    answered = with_replies(found, {"https://x/b.zip": reply, "https://other/": reply})
    assert [item.replies for item in answered] == [(), (reply,), ()]
    assert [item._replace(replies=()) for item in answered] == found
