"""Where each artefact of a profile would come from: material/, a mirror, or its own source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

from tools.files.artifact import Artifact
from tools.files.fetching import RECORD
from tools.files.pins import LOCK
from tools.files.sources import FOLDER, PACKAGE, in_folder, named_file, sources_of
from tools.machine.network import Index, Reply, package_page
from tools.machine.places import is_newer

THERE, WRONG, MIRRORED, ABSENT = "there", "wrong", "mirrored", "absent"


class Found(NamedTuple):
    """One artefact.

    state    there; wrong: a file of another size is; mirrored: in a mirror's folder; absent: has
             to come over the network
    urls     where it may come from, in the order in which they are tried
    replies  of these, once they are asked
    """

    file: str
    state: str
    package: bool
    urls: Tuple[str, ...] = ()
    replies: Tuple[Reply, ...] = ()


def is_fetched(folder: Path, profile: str, configs: Path) -> bool:
    """Whether make would run no `make fetch`.

    That is: fetched.json is newer than what it was made by, and the files that it lists are there.
    """
    lock = configs.parent / LOCK
    sources = [configs / "artifacts.yaml", configs / profile / "profile.yaml"]
    if not is_newer(folder / RECORD, *sources, *([lock] if lock.exists() else [])):
        return False
    try:
        lines = json.loads((folder / RECORD).read_text(encoding="utf-8"))["artifacts"]
        return all((folder / line["file"]).exists() for line in lines)
    except (OSError, ValueError, LookupError, TypeError):
        return True  # make reads no more of it than the files' names


def find_artifacts(
    artifacts: Tuple[Artifact, ...], folder: Path, mirrors: Sequence[str], index: Index
) -> List[Found]:
    """The state of each artefact in `folder`; nothing is asked of the network."""
    return [_find(item, folder, mirrors, index) for item in artifacts]


def _find(item: Artifact, folder: Path, mirrors: Sequence[str], index: Index) -> Found:
    path, package = named_file(item, folder), bool(item.package)
    if path is not None and path.exists():
        right = path.is_file() and item.bytes in (None, path.stat().st_size)
        return Found(path.name, THERE if right else WRONG, package)
    urls = []
    for source in sources_of(item, mirrors):
        if source.kind == FOLDER:
            if in_folder(item, Path(source.place)):
                return Found(item.file, MIRRORED, package)
        elif source.kind != PACKAGE:
            urls.append(source.place)
        elif index.asked:
            urls.append(package_page(index, source.place))
    return Found(item.file, ABSENT, package, tuple(urls))


def with_replies(found: List[Found], replies: Dict[str, Reply]) -> Tuple[Found, ...]:
    """The same, with what came of their addresses; those that were not asked have no reply."""
    return tuple(
        item._replace(replies=tuple(replies[url] for url in item.urls if url in replies))
        for item in found
    )
