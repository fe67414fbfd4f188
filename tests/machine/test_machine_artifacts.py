"""Where artefacts are looked for, held against what `make fetch` does with the same files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.files.artifact import Archive, Artifact
from tools.files.errors import UserError
from tools.files.fetching import RECORD, fetch_artifacts
from tools.machine.artifacts import (
    ABSENT,
    MIRRORED,
    THERE,
    WRONG,
    find_artifacts,
    is_fetched,
    with_replies,
)
from tools.machine.network import REACHED, Index, Reply

PLAIN = Artifact("a", "a.txt", "none", bytes=4, urls=("https://x/a.txt",))
ZIPPED = Artifact(
    "b", "b.txt", "none", urls=("https://x/b.zip",), archive=Archive("b.zip"), member="b"
)
WHEEL = Artifact("c", "c.gguf", "none", package="c_d==1", archive=Archive("c.whl"), member="c")
ALL = (PLAIN, ZIPPED, WHEEL)
INDEX = Index("https://pypi.example/simple/")


def states(folder: Path, *mirrors: str):
    return [item.state for item in find_artifacts(ALL, folder, mirrors, INDEX)]


def test_an_empty_folder_sends_to_the_sources(tmp_path):
    found = find_artifacts(ALL, tmp_path, (), INDEX)
    assert [item.urls for item in found] == [
        ("https://x/a.txt",),
        ("https://x/b.zip",),
        ("https://pypi.example/simple/c-d/",),
    ]
    assert {item.state for item in found} == {ABSENT}
    assert [item.package for item in found] == [False, False, True]


def test_pip_without_an_index_is_not_asked_for(tmp_path):
    found = find_artifacts((WHEEL,), tmp_path, (), Index(asked=False))
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
    found = find_artifacts(ALL, tmp_path, ["https://m/x/"], INDEX)
    assert found[0].urls == ("https://m/x/a.txt", "https://x/a.txt")
    assert found[1].urls == ("https://m/x/b.txt", "https://m/x/b.zip", "https://x/b.zip")


def test_mirrors_are_asked_in_order(tmp_path):
    (tmp_path / "a.txt").write_text("four")
    mirrors = ["https://one/", "https://two/x"]
    found = find_artifacts(ALL, tmp_path / "m", mirrors, INDEX)
    assert found[0].urls == ("https://one/a.txt", "https://two/x/a.txt", "https://x/a.txt")
    assert states(tmp_path / "m", *mirrors, str(tmp_path))[0] == MIRRORED


def test_what_is_gone_is_fetched_again(tmp_path):
    """As the Makefile judges: by the files that fetched.json lists."""
    configs, material = tmp_path / "configs", tmp_path / "material"
    (configs / "p").mkdir(parents=True)
    for path in (configs / "artifacts.yaml", configs / "p" / "profile.yaml"):
        path.write_text("")
    (tmp_path / "a.txt").write_text("four")
    fetch_artifacts([PLAIN], material, str(tmp_path))
    assert is_fetched(material, "p", configs)
    (material / "a.txt").unlink()
    assert not is_fetched(material, "p", configs)
    assert states(material) == [ABSENT] * 3


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
    (tmp_path / "artifacts.lock").write_text("{}")
    assert not is_fetched(material, "p", configs)
    os.utime(tmp_path / "artifacts.lock", (10, 10))
    assert is_fetched(material, "p", configs)
    (material / RECORD).unlink()
    assert not is_fetched(material, "p", configs)


def test_replies_go_to_those_who_asked(tmp_path):
    found = find_artifacts(ALL, tmp_path, (), INDEX)
    reply = Reply("x", REACHED)
    answered = with_replies(found, {"https://x/b.zip": reply, "https://other/": reply})
    assert [item.replies for item in answered] == [(), (reply,), ()]
    assert [item._replace(replies=()) for item in answered] == found
