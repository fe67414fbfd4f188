"""The files of a submission, in a folder or in a zip that nobody vouches for, read alike.

Nothing is unpacked here: members are read as streams. Where the headers of a zip, the kinds of
things in a folder, or the first bytes of a file are not what a submission holds, that is noted in
`faults` and the thing is left out of `names`. A package with such a fault is not to be unpacked.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Optional, Union

from tools.files.errors import UserError
from tools.files.hashing import CHUNK
from tools.packaging.file_names import Places, decoded, is_added, name_fault
from tools.packaging.zip_end import end_fault

# What zipfile raises on damaged input; ValueError and its kin come from nonsense in headers.
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)

# A deflated member may be small and come out large. Weights are stored, as large as they are.
LARGEST_DEFLATED = 256 << 20
LARGEST_DEFLATED_TOGETHER = 1 << 30
# Deflate reaches 1032; a log that repeats itself 30. Below the size no ratio does harm.
HIGHEST_RATIO, HARMLESS = 200, 1 << 20

# What archives and compressed files begin with; tar's mark stands at byte 257.
_ARCHIVES = (
    ("zip", 0, b"PK\x03\x04"),
    ("zip", 0, b"PK\x05\x06"),
    ("gzip", 0, b"\x1f\x8b"),
    ("bzip2", 0, b"BZh"),
    ("xz", 0, b"\xfd7zXZ\0"),
    ("zstd", 0, b"\x28\xb5\x2f\xfd"),
    ("7z", 0, b"7z\xbc\xaf\x27\x1c"),
    ("rar", 0, b"Rar!"),
    ("tar", 257, b"ustar"),
)
_HEAD = 262


class Contents:
    """names   paths inside of the package's own folder, sorted.
    sizes   path -> bytes, as the file system or the zip's headers say.
    faults  what cannot be part of a package: `path: what`.
    notes   what was passed over: files that macOS or Windows add, a comment of the zip.
    team    the name of the package's folder; None where a zip has not exactly one.
    """

    def __init__(self) -> None:
        self.sizes: Dict[str, int] = {}
        self.faults: List[str] = []
        self.notes: List[str] = []
        self.team: Optional[str] = None

    @property
    def names(self) -> List[str]:
        return sorted(self.sizes)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open one of `names` for reading."""
        raise NotImplementedError

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a file's content, never more than its size allows; OSError or one of BROKEN."""
        left = self.sizes[name]
        with self.open(name) as stream:
            while chunk := stream.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise ValueError("longer than its header says")
                yield chunk

    def read(self, name: str, limit: int) -> bytes:
        """A whole small file; ValueError where it is larger than `limit` bytes."""
        if self.sizes[name] > limit:
            raise ValueError(f"larger than {limit} bytes")
        return b"".join(self.chunks(name))

    def _pass_over(self, added: List[str]) -> None:
        if added:
            more = f" and {len(added) - 1} more" if len(added) > 1 else ""
            what = "added by the system that packed it, passed over"
            self.notes.append(f"{_printable(added[0])}{more}: {what}")

    def _refuse_archives(self) -> None:
        """Take out what is an archive itself: nobody looks into it, and it may be a bomb."""
        for name in self.names:
            try:
                with self.open(name) as stream:
                    head = stream.read(_HEAD)
            except (*BROKEN, OSError):
                continue  # damaged: whoever reads it whole names it
            for kind, place, mark in _ARCHIVES:
                if head.startswith(mark, place):
                    self.faults.append(f"{name}: an archive in the package ({kind})")
                    del self.sizes[name]
                    break


class FolderContents(Contents):
    """A package as a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.team = folder.resolve().name
        added = []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if is_added(name):
                added.append(name)
                continue
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                self.sizes[name] = path.lstat().st_size
            elif not stat.S_ISDIR(mode):
                self.faults.append(f"{name}: a link or a device, not a file")
        self._pass_over(added)
        self._refuse_archives()

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with (self._folder / name).open("rb") as stream:
            yield stream


class ZipContents(Contents):
    """A package as a zip with one folder on top."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        super().__init__()
        self._archive = archive
        self._infos: Dict[str, zipfile.ZipInfo] = {}
        infos = archive.infolist()
        members = [(decoded(info), info) for info in infos]
        self._pass_over([name for name, _ in members if is_added(name)])
        members = [(name, info) for name, info in members if not is_added(name)]
        if archive.comment:
            self.notes.append(f"a comment of {len(archive.comment)} bytes, passed over")
        tops = sorted({name.partition("/")[0] for name, _ in members})
        self.team = tops[0] if len(tops) == 1 else None
        if self.team is None:
            held = ", ".join(map(_printable, tops[:3])) or "nothing"
            self.faults.append(f"the zip does not hold exactly one folder, but {held}")
        # Members that share bytes would come out many times larger than the file.
        if sum(info.compress_size for info in infos) > size:
            self.faults.append("its members overlap")
            return
        places, deflated = Places(), 0
        for whole, info in members:
            fault = name_fault(whole) or _fault(info)
            name = whole.partition("/")[2]
            if not fault and not name and not info.is_dir():
                fault = "a file where the package's folder is needed"
            fault = fault or places.take(name.rstrip("/"), not info.is_dir())
            if not fault and info.compress_type == zipfile.ZIP_DEFLATED:
                deflated += info.file_size
                if deflated > LARGEST_DEFLATED_TOGETHER:
                    fault = f"with it, more than {LARGEST_DEFLATED_TOGETHER} bytes would come out"
            if fault:
                self.faults.append(f"{_printable(whole)}: {fault}")
            elif not info.is_dir():
                self._infos[name] = info
                self.sizes[name] = info.file_size
        self._refuse_archives()

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with self._archive.open(self._infos[name]) as stream:
            yield stream  # type: ignore[misc]


@contextlib.contextmanager
def open_contents(path: Union[str, Path]) -> Iterator[Contents]:
    """Open a package; UserError where `path` is neither a folder nor a zip."""
    path = Path(path)
    if path.is_dir():
        yield FolderContents(path)
        return
    fault = end_fault(path)
    if fault:
        refused = Contents()
        refused.faults.append(f"{path.name}: {fault}")
        yield refused
        return
    try:
        archive = zipfile.ZipFile(path)
    except (*BROKEN, UnicodeError) as error:
        raise UserError("neither a folder nor a zip", path, "name TEAM.zip") from error
    with archive:
        yield ZipContents(archive, path.stat().st_size)


def _fault(info: zipfile.ZipInfo) -> Optional[str]:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "a link or a device, not a file"
    if info.flag_bits & 1:
        return "encrypted"
    if info.compress_type == zipfile.ZIP_STORED:
        return "its sizes differ" if info.file_size != info.compress_size else None
    if info.compress_type != zipfile.ZIP_DEFLATED:
        return "compressed by another method than deflate"
    if info.file_size > LARGEST_DEFLATED:
        return f"larger than the {LARGEST_DEFLATED} bytes that a compressed file may hold"
    if info.file_size > max(HARMLESS, HIGHEST_RATIO * info.compress_size):
        return f"would come out more than {HIGHEST_RATIO} times as large"
    return None


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)
