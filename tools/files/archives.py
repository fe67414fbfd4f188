"""Single members out of zip archives and wheels that may be hostile or damaged."""

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

from tools.files.hashing import CHUNK, Content, WrongContent, store
from tools.files.space import require_space

# What zipfile raises on damaged input; ValueError and its kin come from nonsense in headers.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
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


def _refuse(info: zipfile.ZipInfo, where: str, limit: int) -> None:
    name = info.filename
    mode = info.external_attr >> 16
    if name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts:
        fault = "its name leads out of the archive"
    elif info.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
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
