"""MIRROR taken apart, the order of the places, room for what comes, names out of archives."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import replace

import pytest
from toy import DATA, names

from tools.files.artifact import Archive, Artifact, absolute
from tools.files.errors import UserError
from tools.files.fetching import fetch_artifacts
from tools.files.pins import read_pins
from tools.files.sources import FOLDER, PACKAGE, URL, Source, in_folder, read_mirrors, sources_of

ITEM = Artifact("a", "a.txt", "none", urls=("https://x/a.txt", "https://y/a.txt"))
ZIPPED = Artifact(
    "b", "b.txt", "none", urls=("https://x/b.zip",), archive=Archive("b.zip"), member="b.txt",
    elsewhere=("https://z/b.txt",),
)  # fmt: skip
WHEEL = Artifact("c", "c.gguf", "none", package="c==1", archive=Archive("c.whl"), member="c")


def test_mirrors(tmp_path):
    spaced, plain = tmp_path / "a b", tmp_path / "c"
    spaced.mkdir()
    plain.mkdir()
    assert read_mirrors(None) == read_mirrors("") == read_mirrors(" , ") == []
    assert read_mirrors(f"{plain}") == [str(plain)]
    assert read_mirrors(f" {spaced} ") == [str(spaced)]
    both = [str(spaced), "http://h/x", str(plain)]
    assert read_mirrors(f"{spaced},http://h/x {plain}") == both
    assert read_mirrors(f"{spaced} , http://h/x,{plain},") == both


@pytest.mark.parametrize("bad", ["ftp://h/", "/no/such/folder", "http:/h", "x y"])
def test_what_is_no_mirror(tmp_path, bad):
    with pytest.raises(UserError, match="neither a folder nor"):
        read_mirrors(f"{tmp_path},{bad}")


def test_a_password_is_not_shown():
    with pytest.raises(UserError) as fault:
        read_mirrors("ftp://me:secret@h/")
    assert "secret" not in str(fault.value)
    assert str(Source(URL, "http://me:secret@h/x")) == "http://h/x"


def test_order(tmp_path):
    mirrors = ["http://m/", str(tmp_path)]
    assert sources_of(ITEM, mirrors) == [
        Source(URL, "http://m/a.txt"),
        Source(FOLDER, str(tmp_path)),
        Source(URL, "https://x/a.txt"),
        Source(URL, "https://y/a.txt"),
    ]
    assert sources_of(ZIPPED, mirrors) == [
        Source(URL, "http://m/b.txt"),
        Source(URL, "http://m/b.zip", packed=True),
        Source(FOLDER, str(tmp_path)),
        Source(URL, "https://x/b.zip", packed=True),
        Source(URL, "https://z/b.txt"),
    ]
    assert sources_of(WHEEL, []) == [Source(PACKAGE, "c==1")]


def test_a_file_goes_before_its_archive(tmp_path):
    assert in_folder(ZIPPED, tmp_path) is None
    (tmp_path / "b.zip").write_text("")
    assert in_folder(ZIPPED, tmp_path) == tmp_path / "b.zip"
    (tmp_path / "b.txt").write_text("")
    assert in_folder(ZIPPED, tmp_path) == tmp_path / "b.txt"
    (tmp_path / "a.txt").mkdir()
    assert in_folder(ITEM, tmp_path) is None


def test_addresses_under_each_base():
    assert absolute(None, ["https://a/"]) == ()
    assert absolute("x", ["https://a/", "https://b/"]) == ("https://a/x", "https://b/x")
    assert absolute("http://c/x", ["https://a/"]) == ("http://c/x",)


# --- Room for all of it --------------------------------------------------------------------------


def test_room_for_all_is_asked_for_before_anything_is_fetched(plain, web, output, monkeypatch):
    """One of a size that is known, one whose size the server tells."""
    web.serve("/a", DATA)
    web.serve("/b", DATA * 2)
    one = replace(plain, urls=(f"{web.url}/a",))
    two = Artifact("two", "b.bin", "none", urls=(f"{web.url}/b",))
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=11_000))
    with pytest.raises(UserError) as fault:
        fetch_artifacts([one, two], output)
    needs = "needs 12.0 kB of disk space, 11.0 kB is free, 1.0 kB too little"
    assert f"{output}: {needs}" in str(fault.value)
    assert web.requests == [] and web.heads == ["/b"]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=12_000))
    fetch_artifacts([one, two], output)


def test_room_for_a_zip_is_asked_for_once(packed, wheel, web, output, monkeypatch):
    web.serve("/toy-1.0.whl", wheel.read_bytes())
    one = replace(packed, package=None, urls=(f"{web.url}/toy-1.0.whl",))
    two = replace(one, id="two", file="other.txt", member="other.txt", bytes=5, sha256=None)
    usage = shutil.disk_usage(".")
    needed = len(DATA) + 5 + wheel.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=needed - 1))
    with pytest.raises(UserError, match="too little"):
        fetch_artifacts([one, two], output)
    assert web.requests == []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=needed))
    fetch_artifacts([one, two], output)


# --- Files that keep the name that they have in their archive ------------------------------------


@pytest.fixture
def pair(web) -> list[Artifact]:
    """A zip with two files whose names are not known beforehand."""
    archive = Archive("rows.zip")
    fixed = {"licence": "none", "urls": (f"{web.url}/rows.zip",), "archive": archive}
    return [
        Artifact("rows", "*.mindrecord", member="*.mindrecord", **fixed),
        Artifact("index", "*.mindrecord.db", member="*.mindrecord.db", **fixed),
    ]


def serve_rows(web, *members: str) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        for name in members:
            opened.writestr(name, name.encode())
    web.serve("/rows.zip", data.getvalue())


def test_names_are_those_of_the_archive(pair, web, output, lock):
    serve_rows(web, "a/train.mindrecord", "a/train.mindrecord.db", "__MACOSX/._train.mindrecord")
    lines = fetch_artifacts(pair, output, lock=lock)
    assert [line.file for line in lines] == ["train.mindrecord", "train.mindrecord.db"]
    assert names(output) == [".lock", "fetched.json", "train.mindrecord", "train.mindrecord.db"]
    assert [path for path, *_ in web.requests] == ["/rows.zip"]
    assert {pin.file for pin in read_pins(lock).values()} == {line.file for line in lines}
    web.pages.clear()
    assert fetch_artifacts(pair, output, lock=lock) == lines
    assert fetch_artifacts(pair, output) == lines
    folder = output.with_name("another")
    assert [line.file for line in fetch_artifacts(pair, folder, str(output), lock=lock)] == [
        line.file for line in lines
    ]


@pytest.mark.parametrize(
    "members, fault",
    [
        (["train.mindrecord", "test.mindrecord"], "holds 2 members"),
        (["readme"], "holds no member"),
        (["../train.mindrecord"], "leads out of the archive"),
        (["-rf x.mindrecord"], "is none for a file here"),
    ],
)
def test_names_that_are_none(pair, web, output, members, fault):
    serve_rows(web, *members)
    with pytest.raises(UserError, match=fault):
        fetch_artifacts(pair, output)
    assert names(output) == [".lock"]


def test_a_home_folder_is_known_wherever_it_stands(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "b").mkdir()
    assert read_mirrors("http://h/x,~/b") == ["http://h/x", str(tmp_path / "b")]


@pytest.mark.parametrize("bad", ["http://", "https:///path", "http://["])
def test_an_address_without_a_host_is_no_mirror(bad: str) -> None:
    with pytest.raises(UserError, match="neither a folder nor an http"):
        read_mirrors(bad)
