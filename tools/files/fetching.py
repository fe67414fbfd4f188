"""A folder filled with artefacts: from mirrors or their own source, verified, never altered."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from tools.files.artifact import Artifact, Fetched
from tools.files.atomic import write_json
from tools.files.download import Http
from tools.files.errors import UserError
from tools.files.hashing import Content, WrongContent, check_content, content_of
from tools.files.pins import LOCK, REMEDY, Pin, read_pins, write_pin
from tools.files.progress import progress
from tools.files.run_lock import run_lock
from tools.files.sources import (
    ARCHIVES,
    Landed,
    bring,
    named_file,
    read_mirrors,
    require_room,
    sources_of,
    unpack_all,
)
from tools.files.web import Unavailable, is_url

RECORD = "fetched.json"
_EARLIER = ".fetched.json"
_IN_PLACE = "found in place"


def fetch_artifacts(
    artifacts: Iterable[Artifact],
    output: Union[str, Path],
    mirror: Optional[str] = None,
    overwrite: bool = False,
    lock: Optional[Path] = None,
    accept: Sequence[str] = (),
    http: Optional[Http] = None,
) -> List[Fetched]:
    """Bring every artefact into `output`, then write fetched.json there and return its lines.

    A file that is there already is verified and left alone, without touching the network; a
    wrong one is a UserError, or fetched again with `overwrite`.

    mirror   folders and http(s) URLs tried first, in order, which hold the files, or their
             archives, under their own names
    lock     artifacts.lock: what a file whose sha256 is not published has to be, once it was
             seen. None: each fetch counts as the first.
    accept   ids whose entry there is forgotten: what is found now takes its place

    fetched.json is written last: its existence means that every file was whole.
    """
    artifacts, output, http = list(artifacts), Path(output), http or Http()
    mirrors = read_mirrors(mirror)
    _check_accept(accept, artifacts)
    seen = read_pins(lock) if lock else {}
    pins = {item.id: None if item.id in accept else seen.get(item.id) for item in artifacts}
    known = [_pinned(item, pins[item.id]) for item in artifacts]
    with run_lock(output):
        earlier = _read_record(output)
        landed: List[Optional[Landed]] = []
        for item, pinned in zip(artifacts, known):
            landed.append(_look(pinned, output, earlier, overwrite, _remedy(item, pins[item.id])))
        missing = [item for item, found in zip(known, landed) if found is None]
        _sweep(output)
        if missing:
            # Out of sight until all is whole again; its times are still needed after a break.
            with contextlib.suppress(FileNotFoundError):
                (output / RECORD).replace(output / _EARLIER)
            require_room(missing, mirrors, output, min(http.timeout, 10.0))
        fetched = []
        for item, pinned, found in zip(artifacts, known, landed):
            fresh = found is None
            if found is None:
                try:
                    found = _fetch(pinned, mirrors, output, http, _remedy(item, pins[item.id]))
                finally:
                    _sweep(output)
                _keep_time(output / found.file, found, earlier)
            unpack_all(item, found, output, fresh)
            if lock and item.sha256 is None and pinned.sha256 is None:
                write_pin(lock, item.id, _pin(found))
            fetched.append(_line(item, found, output))
        shutil.rmtree(output / ARCHIVES, ignore_errors=True)
        # Rewritten even if nothing changed: make compares its time with that of the configs.
        write_json(output / RECORD, {"artifacts": [asdict(line) for line in fetched]})
        (output / _EARLIER).unlink(missing_ok=True)
    return fetched


def _check_accept(accept: Sequence[str], artifacts: List[Artifact]) -> None:
    by_id = {item.id: item for item in artifacts}
    for name in accept:
        if name not in by_id:
            raise UserError(f"{name} is not among what is fetched", "--accept", "name it there too")
        if by_id[name].sha256 is not None:
            remedy = "its sha256 stands in configs/artifacts.yaml"
            raise UserError(f"{name} is published, no other one is accepted", "--accept", remedy)


def _pinned(item: Artifact, pin: Optional[Pin]) -> Artifact:
    """The artefact with what was seen of it before, unless its sha256 is published."""
    if item.sha256 is not None or pin is None:
        return item
    # The name is the configs' to choose, unless the archive does.
    file = pin.file if item.keeps_name else item.file
    if item.keeps_name and not file.endswith(item.file[1:]):
        raise UserError(f"{item.id} is named {file!r} there, not {item.file}", LOCK, REMEDY)
    return replace(item, file=file, bytes=pin.bytes, sha256=pin.sha256)


def _remedy(item: Artifact, pin: Optional[Pin]) -> str:
    """What to do about other bytes than those that were seen before; empty if none were."""
    if item.sha256 is not None or pin is None:
        return ""
    return (
        f"{LOCK} has it as of {pin.date} from {pin.source}: if the new one is right, "
        f"accept it with `python -m tools.fetch … --accept {item.id}`, or delete its entry there"
    )


def _pin(found: Landed) -> Pin:
    # Of a folder its name says nothing to others, and would tell them how this machine is set up.
    source = found.source if is_url(found.source) else "a folder"
    today = datetime.now(timezone.utc).date().isoformat()
    return Pin(found.file, found.content.bytes, found.content.sha256, source, today)


def _sweep(output: Path) -> None:
    """Remove what pip had begun; half a download stays, since the next run goes on from it."""
    for area in (output / ARCHIVES).glob("pip-*"):
        shutil.rmtree(area, ignore_errors=True)
    with contextlib.suppress(OSError):
        (output / ARCHIVES).rmdir()  # if empty


def _look(
    item: Artifact, output: Path, earlier: Dict[str, Any], overwrite: bool, remedy: str
) -> Optional[Landed]:
    """A file that is there already; None if it has to be fetched."""
    path = named_file(item, output)
    if path is None or not path.exists():
        return None
    with progress(f"verify {path.name}", path.stat().st_size, "B") as bar:
        content = content_of(path, bar.advance)
    ways = "remove it and run the same command again, or fetch it again with --replace"
    try:
        check_content(content, item.bytes, item.sha256, path, f"{ways}; {remedy}".rstrip("; "))
        _refuse_empty(content, path, ways)
    except WrongContent:
        if overwrite:
            return None
        raise
    line = earlier.get(path.name)
    same = line is not None and line["sha256"] == content.sha256
    return Landed(path.name, content, str(line["source"]) if same and line else _IN_PLACE)


def _fetch(item: Artifact, mirrors: Sequence[str], output: Path, http: Http, remedy: str) -> Landed:
    """From the first source that has the right file; those that have a wrong one are named."""
    sources, faults, wrong = sources_of(item, mirrors), [], False
    for number, source in enumerate(sources, 1):
        try:
            found = bring(item, source, output, http)
            try:
                _refuse_empty(found.content, source)
            except WrongContent:
                (output / found.file).unlink()
                raise
            return found
        except (Unavailable, WrongContent) as fault:
            faults.append(f"{fault.where}: {fault.what}")
            if isinstance(fault, WrongContent):
                wrong = True
                if number < len(sources):
                    print(f"warning: {faults[-1]}; trying {sources[number]}", file=sys.stderr)
    names = item.file + (f" or {item.archive.file}" if item.archive else "")
    ways = f"check the network, or name a folder or URL that holds the right {names}: MIRROR=FOLDER"
    raise UserError(
        "cannot be fetched (" + "; ".join(faults) + ")",
        item.file,
        remedy if wrong and remedy else ways,
    )


def _refuse_empty(content: Content, where: object, remedy: str = "") -> None:
    """No artefact is empty, yet where no size is published nothing else would notice."""
    if not content.bytes:
        raise WrongContent("is empty", str(where), remedy)


def _read_record(output: Path) -> Dict[str, Any]:
    """The lines of an earlier fetched.json by file; none if there is none to be used."""
    for name in (RECORD, _EARLIER):
        try:
            lines = json.loads((output / name).read_text(encoding="utf-8"))["artifacts"]
            return {str(line["file"]): asdict(Fetched(**line)) for line in lines}
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue
    return {}


def _keep_time(path: Path, found: Landed, earlier: Dict[str, Any]) -> None:
    """The same content has the time that it had, so that make remakes nothing of it."""
    line = earlier.get(found.file)
    if line is None or line["sha256"] != found.content.sha256:
        return
    with contextlib.suppress(OverflowError, TypeError):  # a record that was edited
        os.utime(path, ns=(line["modified"], line["modified"]))


def _line(item: Artifact, found: Landed, output: Path) -> Fetched:
    return Fetched(
        item.id,
        found.file,
        found.content.bytes,
        found.content.sha256,
        verified=item.sha256 is not None,
        licence=item.licence,
        source=found.source,
        modified=(output / found.file).stat().st_mtime_ns,
    )
