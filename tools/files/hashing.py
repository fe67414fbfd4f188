"""What a file holds, as bytes and sha256, and copies that are checked before they appear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Union

from tools.files.atomic import atomic_path
from tools.files.errors import UserError

CHUNK = 1 << 20  # bytes; large enough for the disk, small enough for a progress bar


class WrongContent(UserError):
    """What a source holds is not what it should be; another source may hold the right thing."""


@dataclass(frozen=True)
class Content:
    """The size in bytes and the sha256 (64 lower-case hex digits) of some content."""

    bytes: int
    sha256: str


def read_chunks(path: Union[str, Path]) -> Iterator[bytes]:
    """Yield a file's content in pieces of at most CHUNK bytes."""
    with Path(path).open("rb") as handle:
        while chunk := handle.read(CHUNK):
            yield chunk


def content_of(
    path: Union[str, Path], on_bytes: Optional[Callable[[int], object]] = None
) -> Content:
    """Read a file once, in constant memory; `on_bytes(n)` hears of every n bytes read."""
    return _consume(read_chunks(path), lambda chunk: None, on_bytes)


def check_content(
    found: Content,
    size: Optional[int],
    sha256: Optional[str],
    where: Union[str, Path],
    remedy: str,
) -> None:
    """Raise WrongContent unless `found` has the expected size and sha256; None expects nothing."""
    if size is not None and found.bytes != size:
        fault = "truncated" if found.bytes < size else "altered"
    elif sha256 is not None and found.sha256 != sha256:
        fault = "altered"
    else:
        return
    expected = f"{sha256 or 'any'} ({'any number of' if size is None else size} bytes)"
    raise WrongContent(
        f"{fault}: its sha256 is {found.sha256} ({found.bytes} bytes), expected {expected}",
        where,
        remedy,
    )


def store(
    chunks: Iterable[bytes],
    target: Union[str, Path],
    size: Optional[int] = None,
    sha256: Optional[str] = None,
    *,
    where: Union[str, Path],
    remedy: str,
    on_bytes: Optional[Callable[[int], object]] = None,
) -> Content:
    """Write `chunks` to `target`, which appears only after size and sha256 were found right.

    `where` names the source in the error of a wrong content, `remedy` says what to do about it.
    """
    with atomic_path(target) as temporary:
        with temporary.open("wb") as handle:
            found = _consume(chunks, handle.write, on_bytes)
        check_content(found, size, sha256, where, remedy)
    return found


def _consume(
    chunks: Iterable[bytes],
    write: Callable[[bytes], object],
    on_bytes: Optional[Callable[[int], object]],
) -> Content:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        write(chunk)
        digest.update(chunk)
        size += len(chunk)
        if on_bytes:
            on_bytes(len(chunk))
    return Content(size, digest.hexdigest())
