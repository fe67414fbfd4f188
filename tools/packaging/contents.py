"""The files of a submission, in a folder or in a zip that nobody vouches for, read alike.

Nothing is ever unpacked: members are read as streams. Where the headers of a zip, or the kinds
of things in a folder, are not what a submission holds, that is noted in `faults` and the thing
is left out of `names`.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Dict, Iterator, List, Optional, Union

from tools.files.errors import UserError
from tools.files.hashing import CHUNK

# What zipfile raises on damaged input; ValueError and its kin come from nonsense in headers.
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)

MOST_FILES = 20_000
# A deflated member may be small and come out large. Weights are stored, as large as they are.
LARGEST_DEFLATED = 256 << 20


class Contents:
    """names   paths inside of the package's own folder, sorted.
    sizes   path -> bytes, as the file system or the zip's headers say.
    faults  what cannot be part of a package: `path: what`.
    team    the name of the package's folder; None where a zip has not exactly one.
    """

    def __init__(self) -> None:
        self.sizes: Dict[str, int] = {}
        self.faults: List[str] = []
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


class FolderContents(Contents):
    """A package as a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.team = folder.resolve().name
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                self.sizes[name] = path.lstat().st_size
            elif not stat.S_ISDIR(mode):
                self.faults.append(f"{name}: a link or a device, not a file")

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
        tops = {info.filename.partition("/")[0] for info in infos}
        self.team = tops.pop() if len(tops) == 1 else None
        if self.team is None:
            self.faults.append("the zip does not hold exactly one folder")
        if len(infos) > MOST_FILES:
            self.faults.append(f"more than {MOST_FILES} members")
            infos = infos[:MOST_FILES]
        # Members that share bytes would come out many times larger than the file.
        if sum(info.compress_size for info in infos) > size:
            self.faults.append("its members overlap")
            return
        for info in infos:
            fault = _fault(info)
            name = info.filename.partition("/")[2]
            if not fault and not name and not info.is_dir():
                fault = "a file where the package's folder is needed"
            if not fault and name in self._infos:
                fault = "stands in the zip twice"
            if fault:
                self.faults.append(f"{_printable(info.filename)}: {fault}")
            elif not info.is_dir():
                self._infos[name] = info
                self.sizes[name] = info.file_size

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
    try:
        archive = zipfile.ZipFile(path)
    except (*BROKEN, UnicodeError) as error:
        raise UserError("neither a folder nor a zip", path, "name TEAM.zip") from error
    with archive:
        yield ZipContents(archive, path.stat().st_size)


def _fault(info: zipfile.ZipInfo) -> Optional[str]:
    name = info.filename
    mode = info.external_attr >> 16
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or ":" in name or ".." in parts or "\0" in name:
        return "its name leads out of the package"
    if "//" in name or "." in name.split("/"):
        return "its name is not in its plain form"
    if not name.isprintable():
        return "its name holds characters that cannot be printed"
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
    return None


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)
