"""Where each artefact of a profile would come from: material/, the mirror, or its own source."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from tools.files.fetching import RECORD, Artifact, is_url, join_url
from tools.machine.network import Index, Reply, package_page
from tools.machine.places import is_newer

THERE, WRONG, FORGOTTEN = "there", "wrong", "forgotten"
MIRRORED, ABSENT = "mirrored", "absent"


class Found(NamedTuple):
    """One artefact.

    state    there; wrong: a file of another size is; forgotten: it is gone, and fetched.json, by
             which make judges, says that it is there; mirrored: in the mirror's folder; absent:
             has to come over the network
    urls     where it may come from, in the order in which they are tried
    replies  of these, once they are asked
    """

    file: str
    state: str
    package: bool
    urls: Tuple[str, ...] = ()
    replies: Tuple[Reply, ...] = ()


def is_fetched(folder: Path, profile: str, configs: Path) -> bool:
    """Whether make would run no `make fetch`: fetched.json is newer than what it was made by."""
    sources = (configs / "artifacts.yaml", configs / profile / "profile.yaml")
    return is_newer(folder / RECORD, *sources)


def find_artifacts(
    artifacts: Tuple[Artifact, ...],
    folder: Path,
    fetched: bool,
    mirror: Optional[str],
    index: Index,
) -> List[Found]:
    """The state of each artefact in `folder`; nothing is asked of the network.

    fetched  whether make takes them for fetched: `is_fetched`
    """
    return [_find(item, folder, fetched, mirror, index) for item in artifacts]


def _find(
    item: Artifact, folder: Path, fetched: bool, mirror: Optional[str], index: Index
) -> Found:
    names = [item.file] + ([item.archive.file] if item.archive else [])
    path, package = folder / item.file, bool(item.package)
    if path.exists():
        right = path.is_file() and item.bytes in (None, path.stat().st_size)
        return Found(item.file, THERE if right else WRONG, package)
    if fetched:
        return Found(item.file, FORGOTTEN, package)
    if mirror and not is_url(mirror) and any((Path(mirror) / name).is_file() for name in names):
        return Found(item.file, MIRRORED, package)
    urls = [join_url(mirror, name) for name in names] if mirror and is_url(mirror) else []
    if not package:
        urls.append(str(item.url))
    elif index.asked:
        urls.append(package_page(index, str(item.package)))
    return Found(item.file, ABSENT, package, tuple(urls))


def with_replies(found: List[Found], replies: Dict[str, Reply]) -> Tuple[Found, ...]:
    """The same, with what came of their addresses; those that were not asked have no reply."""
    return tuple(
        item._replace(replies=tuple(replies[url] for url in item.urls if url in replies))
        for item in found
    )
