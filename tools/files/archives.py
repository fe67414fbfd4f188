"""Single members, or all, out of zip archives and wheels that may be hostile or damaged."""

from __future__ import annotations

import contextlib
import errno
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Callable, Optional, Union

from tools.files.atomic import atomic_path
from tools.files.hashing import CHUNK, Content, WrongContent, store
from tools.files.outputs import require_space

# What zipfile raises on damaged input; ValueError and its kin come from nonsense in headers.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
_MOST_MEMBERS = 100_000
_REMEDY = "fetch the archive again from a source that you trust"


def extract_member(
    archive: Union[str, Path],
    member: str,
    target: Union[str, Path],
    *,
    limit: int,
    size: Optional[int] = None,
    sha256: Optional[str] = None,
    on_bytes: Optional[Callable[[int], object]] = None,
) -> Content:
    """Write one member of a zip archive to `target`, checked for `size` and `sha256` first.

    member  its path in the archive, as `member_name` gives it.
    limit   the most bytes that may come out, whatever the archive's own headers say.
    Where the content lands is the caller's choice alone; even so a name that would leave its
    folder, a link, a folder, an encrypted member and an ambiguous name are refused (WrongContent).
    """
    where = f"{archive}: {member}"
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    with _opened(archive, where) as opened:
        info = _find(opened, archive, member)
        _refuse(info, where, limit)
        require_space(Path(target).parent, info.file_size)
        return store(
            _chunks(opened, info, where, limit),
            target,
            size,
            sha256,
            where=where,
            remedy=_REMEDY,
            on_bytes=on_bytes,
        )


def member_name(archive: Union[str, Path], pattern: str) -> str:
    """The last part of the path of the one member that `pattern` finds.

    pattern   a path in the archive, or the end of one (`dev.json` finds `squad/dev.json`), or
              `*.json` for whatever name ends so. None, or several, are refused (WrongContent).
    """
    with _opened(archive, f"{archive}: {pattern}") as opened:
        return PurePosixPath(_find(opened, archive, pattern).filename).name


@contextlib.contextmanager
def _opened(archive: Union[str, Path], where: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except (*_BROKEN, OSError) as error:
        # A header may point before the file's beginning; other OSErrors are the disk's.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise WrongContent(f"damaged archive ({error})", where, _REMEDY) from error


def _find(opened: zipfile.ZipFile, archive: Union[str, Path], member: str) -> zipfile.ZipInfo:
    infos = opened.infolist()
    if member.startswith("*"):
        # Not the hidden copies of names that some systems pack along (`__MACOSX/._dev.json`).
        names = [(PurePosixPath(info.filename).name, info) for info in infos]
        found = [i for name, i in names if name.endswith(member[1:]) and not name.startswith(".")]
    else:
        found = [info for info in infos if info.filename == member]
        found = found or [info for info in infos if info.filename.endswith(f"/{member}")]
    if len(found) != 1:
        count = f"holds {len(found)} members" if found else "holds no member"
        raise WrongContent(f"{count} named {member!r}", archive, _REMEDY)
    return found[0]


def extract_all(archive: Union[str, Path], target: Union[str, Path], *, limit: int) -> int:
    """Write all of a zip archive to the folder `target`, which appears whole; how many files.

    limit   the most bytes that may come out, whatever the archive's own headers say.
    One member that leads out of the folder, is a link, is encrypted or is there twice, and
    nothing is written (WrongContent). A file that may be executed stays so.
    """
    target = Path(target)
    with _opened(archive, str(archive)) as opened:
        infos = opened.infolist()
        for info in infos:
            _refuse(info, f"{archive}: {info.filename}", limit, folders=True)
        files = [info for info in infos if not info.is_dir()]
        _refuse_many(infos, files, archive, limit)
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, sum(info.file_size for info in files))
        with atomic_path(target) as temporary:
            temporary.mkdir()
            for info in infos:
                path = temporary / info.filename
                if info.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as handle:
                    for chunk in _chunks(opened, info, f"{archive}: {info.filename}", limit):
                        handle.write(chunk)
                        limit -= len(chunk)
                if info.external_attr >> 16 & stat.S_IXUSR:
                    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return len(files)


def _refuse_many(infos: list, files: list, archive: Union[str, Path], limit: int) -> None:
    names = [PurePosixPath(info.filename) for info in files]
    folders = {parent for name in names for parent in name.parents}
    folders |= {PurePosixPath(info.filename) for info in infos if info.is_dir()}
    if len(infos) > _MOST_MEMBERS:
        fault = f"more than {_MOST_MEMBERS} members"
    elif sum(info.file_size for info in files) > limit:
        fault = _too_large(limit)
    elif len(set(names)) < len(names) or not folders.isdisjoint(names):
        fault = "two of its members have one name"
    else:
        return
    raise WrongContent(fault, archive, _REMEDY)


def _refuse(info: zipfile.ZipInfo, where: str, limit: int, folders: bool = False) -> None:
    name = info.filename
    mode = info.external_attr >> 16
    is_folder = name.endswith("/")  # ZipInfo.is_dir stumbles over an empty name
    right = (0, stat.S_IFDIR) if folders and is_folder else (0, stat.S_IFREG)
    if name in ("", "."):
        fault = "it has no name"
    elif name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts:
        fault = "its name leads out of the archive"
    elif (is_folder and not folders) or stat.S_IFMT(mode) not in right:
        fault = "it is a link or a folder, not a file"
    elif info.flag_bits & 1:
        fault = "it is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        fault = "it is compressed by another method than deflate"
    elif info.file_size > limit:
        fault = _too_large(limit)
    else:
        return
    raise WrongContent(fault, where, _REMEDY)


def _too_large(limit: int) -> str:
    return f"larger than the {limit} bytes that it may hold"


def _chunks(
    opened: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, limit: int
) -> Iterator[bytes]:
    count = 0
    with opened.open(info) as stream:
        while chunk := stream.read(CHUNK):
            count += len(chunk)
            # The header's size was checked already, but a header can lie.
            if count > limit:
                raise WrongContent(_too_large(limit), where, _REMEDY)
            yield chunk
