"""Zips that would do harm, one of each kind: refused by name, and nothing of them is written."""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import tarfile
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path
from typing import Callable, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging_run import TEAM, write

from tools.files.errors import CheckFailed, UserError
from tools.packaging import contents
from tools.packaging.contents import open_contents
from tools.packaging.file_names import Places, folded, name_fault
from tools.packaging.grading.grader import Request, grade
from tools.packaging.grading.unpack import unpack
from tools.packaging.zip_end import LARGEST_DIRECTORY, MOST_MEMBERS, end_fault

DEFLATED = zipfile.ZIP_DEFLATED


def archive(target: Path, **members: bytes) -> Path:
    """A zip of `members`, deflated, below the team's folder where they have no other."""
    with zipfile.ZipFile(target, "w", DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name if "/" in name else f"{TEAM}/{name}", content)
    return target


def with_mode(kind: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        info = zipfile.ZipInfo(f"{TEAM}/evil")
        info.external_attr = (kind | 0o777) << 16
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr(info, "/etc/passwd")

    return make


def with_names(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as opened:
            for name in names:
                opened.writestr(name, "x")

    return make


def holding(content: bytes) -> Callable[[Path], None]:
    return lambda path: archive(path, **{"evil.ckpt": content}) and None


def nested(write_into: Callable[[io.BytesIO], object]) -> Callable[[Path], None]:
    buffer = io.BytesIO()
    write_into(buffer)
    return holding(buffer.getvalue())


def a_tar(buffer: io.BytesIO) -> None:
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("x"))


def a_zip(buffer: io.BytesIO) -> None:
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("x", "x")


def encrypted(path: Path) -> None:
    data = bytearray(archive(path, evil=b"x").read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)


def overlapping(path: Path) -> None:
    """Two members of the directory that share one member's bytes, ten times over."""
    archive(path, evil=bytes(range(256)) * 40)
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry, end = data[start:-22], list(struct.unpack("<4s4H2LH", data[-22:]))
    entries = b"".join(entry.replace(b"evil", b"evi%d" % n) for n in range(10))
    end[3] = end[4] = 10
    end[5] = len(entries)
    path.write_bytes(data[:start] + entries + struct.pack("<4s4H2LH", *end))


HOSTILE: Dict[str, tuple] = {
    "a path that leads out": (with_names(f"{TEAM}/../../evil"), "evil: its name leads out"),
    "an absolute path": (with_names("/tmp/evil"), "/tmp/evil: its name leads out"),
    "a drive": (with_names(f"{TEAM}/C:evil"), "C:evil: its name leads out"),
    "backslashes": (with_names(f"{TEAM}\\..\\evil"), "evil: its name leads out"),
    "both slashes": (with_names(f"{TEAM}/..\\evil"), "evil: its name has both / and"),
    "a symbolic link": (with_mode(stat.S_IFLNK), "evil: a link or a device"),
    "a device": (with_mode(stat.S_IFBLK), "evil: a link or a device"),
    "a fifo": (with_mode(stat.S_IFIFO), "evil: a link or a device"),
    "a terminal's escape": (with_names(f"{TEAM}/evil\x1b[2J"), "cannot be printed"),
    "text that turns round": (with_names(f"{TEAM}/evil\u202egpj"), "cannot be printed"),
    "a name too long": (with_names(f"{TEAM}/{'evil' * 70}"), "evil: its name is too long"),
    "names that differ in case": (
        with_names(f"{TEAM}/README", f"{TEAM}/readme"),
        "readme: differs from README only in case",
    ),
    "folders that differ in case": (
        with_names(f"{TEAM}/Logs/a", f"{TEAM}/logs/b"),
        "logs/b: differs from Logs only in case",
    ),
    "names that differ in normal form": (
        with_names(f"{TEAM}/caf\u00e9", f"{TEAM}/cafe\u0301"),
        "only in case or in the form of its characters",
    ),
    "a file for a folder": (
        with_names(f"{TEAM}/evil", f"{TEAM}/evil/x"),
        "evil/x: stands for a file and for a folder",
    ),
    "a nested zip": (nested(a_zip), "evil.ckpt: an archive in the package (zip)"),
    "a nested tar": (nested(a_tar), "evil.ckpt: an archive in the package (tar)"),
    "a nested gzip": (holding(b"\x1f\x8b\x08x"), "evil.ckpt: an archive in the package (gzip)"),
    "a nested xz": (holding(b"\xfd7zXZ\0x"), "evil.ckpt: an archive in the package (xz)"),
    "a nested 7z": (holding(b"7z\xbc\xaf\x27\x1c"), "evil.ckpt: an archive in the package (7z)"),
    "a bomb": (holding(bytes(4 << 20)), "evil.ckpt: would come out more than 200 times as large"),
    "an encrypted member": (encrypted, "evil: encrypted"),
    "members that share bytes": (overlapping, "its members overlap"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zip_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    make, fault = HOSTILE[name]
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "evil.zip"
    make(path)
    with open_contents(path) as opened:
        assert any(fault in found for found in opened.faults), opened.faults
        with pytest.raises(CheckFailed):
            unpack(opened, tmp_path / "unpacked")
    verdict = grade(Request(path, tmp_path / "out"))
    assert verdict.refused and not verdict.passed
    assert any(fault in row.why for row in verdict.rows)
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {"in/evil.zip", "out/verdict.html", "out/verdict.json"}


def test_a_name_that_stands_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as opened, pytest.warns(UserWarning, match="Duplicate"):
        opened.writestr(f"{TEAM}/evil", "a")
        opened.writestr(f"{TEAM}/evil", "b")
    with open_contents(path) as found:
        assert found.faults == [f"{TEAM}/evil: stands in the zip twice"]


def test_many_small_bombs_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LARGEST_DEFLATED_TOGETHER", 3 << 20)
    path = archive(tmp_path / "a.zip", a=bytes(1 << 20), b=bytes(1 << 20), c=bytes(1 << 20))
    with open_contents(path) as found:
        assert found.faults == []
    archive(path, a=bytes(1 << 20), b=bytes(1 << 20), c=bytes(1 << 20), d=b"x")
    with open_contents(path) as found:
        fault = "with it, more than 3145728 bytes would come out"
        assert found.faults == [f"{TEAM}/d: {fault}"]


def test_a_size_in_a_header_that_is_a_lie(tmp_path: Path) -> None:
    """The bomb that says it is small: cut off at what it says, and refused."""
    content = bytes(range(256)) * 2000
    path = archive(tmp_path / "a.zip", evil=content)
    lie = path.read_bytes().replace(struct.pack("<L", len(content)), struct.pack("<L", 1000))
    path.write_bytes(lie)
    with open_contents(path) as opened:
        assert opened.faults == []
        with pytest.raises(CheckFailed, match="damaged"):
            unpack(opened, tmp_path / "out")
    assert (tmp_path / "out" / "evil").stat().st_size <= 1000


ENTRY = struct.pack("<4s4B4H3L5H2L", b"PK\x01\x02", 20, 3, 20, 0, *[0] * 4, *[0] * 3, 1, *[0] * 6)


def test_a_million_entries_are_refused_before_they_are_read(tmp_path: Path) -> None:
    assert len(ENTRY) == 46
    path = tmp_path / "evil.zip"
    count, entry = 1_000_000, ENTRY + b"x"
    size = count * len(entry)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(entry * count + end64 + locator + end)
    tracemalloc.start()
    with open_contents(path) as opened:
        assert opened.faults == [f"evil.zip: 1000000 members, more than {MOST_MEMBERS}"]
        assert opened.names == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_million_entries_that_claim_to_be_one(tmp_path: Path) -> None:
    """zipfile goes by the directory's size, not by the number of entries."""
    directory = (ENTRY + b"x") * 200_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)
    path = write(tmp_path / "evil.zip", directory + end)
    assert end_fault(path) == (
        f"a directory of {len(directory)} bytes, more than {LARGEST_DIRECTORY}"
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda data: b"MZ" + data, "its directory is not where its end says"),
        (lambda data: data + b"x", "something that is no comment stands behind the end of the zip"),
        (
            lambda data: data[:-2] + b"\x1c\0PK\x05\x06" + bytes(18) + b"second",
            "something that is no comment stands behind the end of the zip",
        ),
        (lambda data: data[:-18] + b"\1\0" + data[-16:], "a part of a zip in several files"),
    ],
)
def test_only_the_plainest_form_of_a_zip(
    tmp_path: Path, change: Callable[[bytes], bytes], fault: str
) -> None:
    path = archive(tmp_path / "a.zip", x=b"x")
    assert end_fault(path) is None
    path.write_bytes(change(path.read_bytes()))
    assert end_fault(path) == fault
    with open_contents(path) as opened:
        assert opened.faults == [f"a.zip: {fault}"]


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 500])
def test_what_is_no_zip(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match="neither a folder nor a zip"):
        end_fault(write(tmp_path / "a.zip", content))


def test_a_zip64_of_a_large_file_is_let_through(tmp_path: Path) -> None:
    """What zipfile writes where a size needs 64 bits, with its end record of 64 bits."""
    path = tmp_path / "a.zip"
    with (
        zipfile.ZipFile(path, "w") as opened,
        opened.open(zipfile.ZipInfo(f"{TEAM}/x"), "w", force_zip64=True) as member,
    ):
        member.write(b"x")
    data = path.read_bytes()
    _, _, _, members, _, size, offset, _ = struct.unpack("<4s4H2LH", data[-22:])
    position = len(data) - 22
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, position, 1)
    path.write_bytes(data[:-22] + end64 + locator + data[-22:])
    assert members == 1 and end_fault(path) is None
    with open_contents(path) as opened:
        assert (opened.faults, opened.sizes) == ([], {"x": 1})


def test_only_data_is_unpacked_and_nothing_can_be_run(tmp_path: Path) -> None:
    members = {f"{TEAM}/{name}": b"x" for name in ("a/b.json", "source/tools/evil.py", "c")}
    path = archive(tmp_path / "a.zip", **members)
    with open_contents(path) as opened:
        assert unpack(opened, tmp_path / "out") == ["a/b.json", "c"]
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "out").as_posix() for path in files} == {"a/b.json", "c"}
    assert all(not path.stat().st_mode & 0o111 for path in files)


def test_an_unpacked_file_never_goes_through_a_link(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", x=b"evil")
    (tmp_path / "out").mkdir()
    with open_contents(path) as opened, pytest.raises(FileExistsError):
        unpack(opened, tmp_path / "out")


@given(st.text("./\\:a\0é ", max_size=12))
def test_a_name_that_passes_stays_in_its_folder(name: str) -> None:
    if name_fault(name) is None:
        landed = os.path.normpath(f"/root/of/it/{name}")
        assert landed == "/root/of/it" or landed.startswith("/root/of/it/")


@given(st.text(max_size=20))
def test_spellings_of_one_name_fall_together(name: str) -> None:
    for form in ("NFC", "NFD"):
        assert folded(unicodedata.normalize(form, name)) == folded(name)
    assert folded(folded(name)) == folded(name)


def test_places() -> None:
    places = Places()
    assert [places.take(name, True) for name in ("a/b", "a/c", "d")] == [None] * 3
    assert places.take("a", False) is None
    assert places.take("a/b", True) == "stands in the zip twice"
    assert places.take("d/e", True) == "stands for a file and for a folder"
    assert places.take("A/x", True) == (
        "differs from a only in case or in the form of its characters"
    )


def flat_zip(path: Path, names: List[bytes], flag: int, comment: bytes = b"") -> Path:
    """A zip whose members have these bytes for names, as other programs write them."""
    stand_ins = [f"{number:0{len(name)}}" for number, name in enumerate(names)]
    with zipfile.ZipFile(path, "w") as opened:
        opened.comment = comment
        for stand_in in stand_ins:
            opened.writestr(stand_in, "x")
    data = bytearray(path.read_bytes())
    for name, stand_in in zip(names, stand_ins):
        for mark, flags, start in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
            at = next(
                at
                for at in (found.start() for found in re.finditer(re.escape(mark), data))
                if data[at + start : at + start + len(name)] == stand_in.encode()
            )
            data[at + start : at + start + len(name)] = name
            data[at + flags : at + flags + 2] = flag.to_bytes(2, "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("encoding", "flag"), [("utf-8", 0x800), ("utf-8", 0), ("gbk", 0)], ids=str
)
def test_a_chinese_team_zipped_by_any_system(tmp_path: Path, encoding: str, flag: int) -> None:
    names = [f"队伍/{name}".encode(encoding) for name in ("MANIFEST.json", "report/report.md")]
    with open_contents(flat_zip(tmp_path / "a.zip", names, flag)) as opened:
        assert (opened.team, opened.faults) == ("队伍", [])
        assert opened.names == ["MANIFEST.json", "report/report.md"]
        assert opened.read("MANIFEST.json", 9) == b"x"


def test_what_systems_add_is_passed_over_and_told(tmp_path: Path) -> None:
    names = [b"t/MANIFEST.json", b"__MACOSX/t/._MANIFEST.json", b"t/.DS_Store", b"t/a/._b"]
    path = flat_zip(tmp_path / "a.zip", names, 0, comment=b"packed by hand")
    with open_contents(path) as opened:
        assert (opened.team, opened.faults, opened.names) == ("t", [], ["MANIFEST.json"])
        added = "__MACOSX/t/._MANIFEST.json and 2 more: added by the system that packed it"
        assert opened.notes == [f"{added}, passed over", "a comment of 14 bytes, passed over"]


def test_a_windows_programs_own_separators(tmp_path: Path) -> None:
    names = [b"t\\MANIFEST.json", b"t\\report\\report.md"]
    with open_contents(flat_zip(tmp_path / "a.zip", names, 0)) as opened:
        assert (opened.team, opened.faults) == ("t", [])
        assert opened.names == ["MANIFEST.json", "report/report.md"]


def test_a_folder_that_the_finder_has_opened(tmp_path: Path) -> None:
    write(tmp_path / "t" / "MANIFEST.json", "x")
    write(tmp_path / "t" / ".DS_Store", "x")
    with open_contents(tmp_path / "t") as opened:
        assert (opened.names, opened.faults) == (["MANIFEST.json"], [])
        assert opened.notes == [".DS_Store: added by the system that packed it, passed over"]
