"""Members out of good, damaged and hostile zip archives."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.files.archives import extract_all, extract_member, member_name
from tools.files.errors import UserError
from tools.files.hashing import WrongContent, content_of

TEXT = b"the quick brown fox " * 500


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return path


@given(data=st.binary(max_size=3000), stored=st.booleans())
def test_round_trip(tmp_path_factory, data, stored):
    folder = tmp_path_factory.getbasetemp()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    path = archive(folder / "round.zip", {"a/b.txt": data, "other": b"x"}, method)
    found = extract_member(path, "a/b.txt", folder / "b.txt", limit=3000)
    assert (folder / "b.txt").read_bytes() == data
    assert found == content_of(folder / "b.txt")


def test_member_is_found_by_the_end_of_its_path(tmp_path):
    path = archive(tmp_path / "a.zip", {"squad/dev.json": TEXT, "squad/not-dev.json": b""})
    extract_member(path, "dev.json", tmp_path / "dev.json", limit=10**6)
    assert (tmp_path / "dev.json").read_bytes() == TEXT


@pytest.mark.parametrize(
    "pattern, name",
    [
        ("*.mindrecord", "a.mindrecord"),
        ("*.mindrecord.db", "a.mindrecord.db"),
        ("x/y.txt", "y.txt"),
    ],
)
def test_members_by_the_end_of_their_names(tmp_path, pattern, name):
    """Hidden copies, as some systems pack them along, count for nothing."""
    members = ["in/a.mindrecord", "in/a.mindrecord.db", "x/y.txt", "__MACOSX/in/._a.mindrecord"]
    path = archive(tmp_path / "a.zip", {member: member.encode() for member in members})
    assert member_name(path, pattern) == name
    extract_member(path, pattern, tmp_path / name, limit=100)
    assert (tmp_path / name).read_bytes().decode().endswith(name)


@pytest.mark.parametrize("pattern, count", [("*.txt", "2 members"), ("*.json", "no member")])
def test_ends_that_are_not_one_member(tmp_path, pattern, count):
    path = archive(tmp_path / "a.zip", {"a.txt": b"", "b.txt": b""})
    with pytest.raises(WrongContent, match=count):
        member_name(path, pattern)
    assert count in refusal(path, pattern)


def test_room_is_asked_for_before_it_is_unpacked(tmp_path, monkeypatch):
    path = archive(tmp_path / "a.zip", {"x": TEXT})
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=len(TEXT) - 1))
    assert "1 B too little" in refusal(path, "x")


def refusal(path: Path, member: str, limit: int = 10**6, **known) -> str:
    target = path.parent / "out" / "file"
    with pytest.raises(UserError) as fault:
        extract_member(path, member, target, limit=limit, **known)
    assert not target.exists()
    assert not target.parent.exists() or not list(target.parent.iterdir())
    assert "\n" not in str(fault.value)
    return str(fault.value)


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a/../../evil", "..\\evil", "C:/evil"])
def test_names_that_lead_out(tmp_path, name):
    assert "leads out" in refusal(archive(tmp_path / "a.zip", {name: b"x"}), name)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR])
def test_links_and_other_kinds(tmp_path, kind):
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(info, "/etc/passwd")
    assert "link or a folder" in refusal(tmp_path / "a.zip", "link")


def test_absent_and_ambiguous_members(tmp_path):
    path = archive(tmp_path / "a.zip", {"a/x": b"1", "b/x": b"2"})
    assert "no member named 'y'" in refusal(path, "y")
    assert "2 members named 'x'" in refusal(path, "x")


def test_other_compression(tmp_path):
    path = archive(tmp_path / "a.zip", {"x": TEXT}, zipfile.ZIP_BZIP2)
    assert "another method" in refusal(path, "x")


def test_limit(tmp_path):
    path = archive(tmp_path / "a.zip", {"x": TEXT})
    assert "larger than" in refusal(path, "x", limit=len(TEXT) - 1)
    extract_member(path, "x", tmp_path / "x", limit=len(TEXT))


def test_header_that_lies_about_the_size(tmp_path):
    path = archive(tmp_path / "a.zip", {"x": TEXT})
    # Both headers hold the size, as four little-endian bytes.
    true, lie = len(TEXT).to_bytes(4, "little"), (9).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true, lie))
    assert refusal(path, "x", limit=100)
    assert not (tmp_path / "x").exists()


def test_expected_content(tmp_path):
    path = archive(tmp_path / "a.zip", {"x": TEXT})
    assert "altered" in refusal(path, "x", sha256="0" * 64)
    assert "truncated" in refusal(path, "x", size=len(TEXT) + 1)


def test_not_an_archive(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    assert "damaged" in refusal(tmp_path / "a.zip", "x")


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_damage_is_refused_or_harmless(tmp_path, data):
    """One altered byte, or a cut: never another exception, never another content."""
    path = archive(tmp_path / "a.zip", {"x": TEXT})
    raw = bytearray(path.read_bytes())
    where = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[where] ^= data.draw(st.integers(1, 255))
    else:
        del raw[where:]
    path.write_bytes(raw)
    target = tmp_path / "out"
    target.unlink(missing_ok=True)
    try:
        extract_member(path, "x", target, limit=10**6)
    except UserError:
        assert not target.exists()
    else:
        assert target.read_bytes() == TEXT


# --- All of an archive ---------------------------------------------------------------------------


def test_all_of_it(tmp_path):
    path = archive(tmp_path / "a.zip", {"x/": b"", "x/y.txt": TEXT, "z.sh": b"#!"})
    with zipfile.ZipFile(path, "a") as opened:
        info = zipfile.ZipInfo("run.sh")
        info.external_attr = (stat.S_IFREG | 0o755) << 16
        opened.writestr(info, "#!")
        opened.writestr("empty/", "")
    for _ in range(2):  # the second time it takes the first one's place
        assert extract_all(path, tmp_path / "out", limit=10**6) == 3
        found = {str(entry.relative_to(tmp_path / "out")) for entry in tmp_path.rglob("out/**/*")}
        assert found == {"x", "x/y.txt", "z.sh", "run.sh", "empty"}
        (tmp_path / "out" / "old").write_text("goes")
    assert (tmp_path / "out" / "x" / "y.txt").read_bytes() == TEXT
    assert (tmp_path / "out" / "run.sh").stat().st_mode & stat.S_IXUSR
    assert not (tmp_path / "out" / "z.sh").stat().st_mode & stat.S_IXUSR


def refusal_of_all(path: Path, limit: int = 10**6) -> str:
    with pytest.raises(WrongContent) as fault:
        extract_all(path, path.parent / "out", limit=limit)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return str(fault.value)


@pytest.mark.parametrize(
    "members, fault",
    [
        ({"good": b"", "../evil": b""}, "leads out"),
        ({"good": b"", "/evil": b""}, "leads out"),
        ({"../evil/": b""}, "leads out"),
        ({"a": b"", "a/b": b""}, "two of its members have one name"),
        ({"a/": b"", "a": b""}, "two of its members have one name"),
        ({"a/b": TEXT, "c": TEXT}, "larger than"),
    ],
)
def test_one_hostile_member_and_nothing_is_written(tmp_path, members, fault):
    assert fault in refusal_of_all(archive(tmp_path / "a.zip", members), limit=len(TEXT))


def test_a_name_that_ends_before_it_begins(tmp_path):
    """zipfile cuts names off at a NUL, and stumbles over what is left."""
    path = archive(tmp_path / "a.zip", {"q": b"x"})
    path.write_bytes(path.read_bytes().replace(b"q", b"\0"))
    with pytest.raises(WrongContent, match="it has no name"):
        extract_all(path, tmp_path / "all", limit=10**6)
    assert not (tmp_path / "all").exists()


def test_links_are_not_unpacked(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("good", "x")
        opened.writestr(info, "/etc")
    assert "a link" in refusal_of_all(tmp_path / "a.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("a", "1")
        opened.writestr("a", "2")
    assert "two of its members" in refusal_of_all(tmp_path / "a.zip")


def test_a_header_that_lies_and_nothing_is_written(tmp_path):
    path = archive(tmp_path / "a.zip", {"x": TEXT})
    true, lie = len(TEXT).to_bytes(4, "little"), (9).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true, lie))
    assert refusal_of_all(path, limit=100)
