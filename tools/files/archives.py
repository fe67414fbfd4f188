"""Single members out of zip archives and wheels that may be hostile or damaged."""

from __future__ import annotations

import errno
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Callable, Optional, Union, cast

from tools.files.errors import UserError
from tools.files.hashing import CHUNK, Content, store

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

    member  its path in the archive, or the end of it (`dev.json` finds `squad/dev.json`) if
            only one member ends so.
    limit   the most bytes that may come out, whatever the archive's own headers say.
    Where the content lands is the caller's choice alone; even so a name that would leave its
    folder, a link, a folder, an encrypted member and an ambiguous name are refused (UserError).
    """
    where = f"{archive}: {member}"
    try:
        with zipfile.ZipFile(archive) as opened:
            info = _find(opened, archive, member)
            _refuse(info, where, limit)
            return store(
                _chunks(opened, info, where, limit),
                target,
                size,
                sha256,
                where=where,
                remedy=_REMEDY,
                on_bytes=on_bytes,
            )
    except (*_BROKEN, OSError) as error:
        # A header may point before the file's beginning; other OSErrors are the disk's.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise UserError(f"damaged archive ({error})", where, _REMEDY) from error


def read_members(
    archive: Union[str, Path], wanted: Callable[[str], bool], *, limit: int
) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of every file of a zip or tar archive whose name is wanted.

    In the order of their names. limit: the most bytes that all of them together may have,
    whatever the headers say. Nothing is written, so that a name can lead nowhere; links, encrypted
    and damaged members are refused (UserError).
    """
    try:
        opened = zipfile.is_zipfile(archive)
        yield from (_zipped if opened else _tarred)(archive, wanted, limit)
    except (*_BROKEN, tarfile.TarError, OSError) as error:
        # Reading beyond a damaged header; other OSErrors are the disk's.
        if isinstance(error, OSError) and error.errno not in (errno.EINVAL, None):
            raise
        raise UserError(f"damaged archive ({error})", archive, _REMEDY) from error


def _zipped(
    archive: Union[str, Path], wanted: Callable[[str], bool], limit: int
) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        infos = [info for info in opened.infolist() if wanted(info.filename)]
        for info in sorted(infos, key=lambda info: info.filename):
            where = f"{archive}: {info.filename}"
            _refuse(info, where, limit)
            content = b"".join(_chunks(opened, info, where, limit))
            limit -= len(content)
            yield info.filename, content


def _tarred(
    archive: Union[str, Path], wanted: Callable[[str], bool], limit: int
) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as opened:
        members = [member for member in opened if wanted(member.name)]
        for member in sorted(members, key=lambda member: member.name):
            where = f"{archive}: {member.name}"
            if not member.isfile():
                raise UserError("it is a link or a folder, not a file", where, _REMEDY)
            if member.size > limit:
                raise UserError(_too_large(limit), where, _REMEDY)
            content = cast(IO[bytes], opened.extractfile(member)).read(member.size)
            limit -= len(content)
            yield member.name, content


def _find(opened: zipfile.ZipFile, archive: Union[str, Path], member: str) -> zipfile.ZipInfo:
    infos = opened.infolist()
    found = [info for info in infos if info.filename == member]
    found = found or [info for info in infos if info.filename.endswith(f"/{member}")]
    if len(found) != 1:
        count = f"holds {len(found)} members" if found else "holds no member"
        raise UserError(f"{count} named {member!r}", archive, _REMEDY)
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
    raise UserError(fault, where, _REMEDY)


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
                raise UserError(_too_large(limit), where, _REMEDY)
            yield chunk
