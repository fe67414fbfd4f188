"""A submission held against its manifest and the contest's rules: every fault at once."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

from tools.files.errors import UserError
from tools.packaging import layout
from tools.packaging.config_check import finetune_faults
from tools.packaging.contents import BROKEN, Contents, open_contents
from tools.packaging.leaks import absolute_paths, home_folders, secrets
from tools.packaging.manifest import FileEntry, Manifest, parse_manifest
from tools.scoring.scores import squad_from_log
from tools.settings.contest import read_contest

_LARGEST_MANIFEST = 8 << 20
_LARGEST_TEXT = 64 << 20
# Floating-point numbers and pictures: secrets do not get into them by mistake, and what looks
# like one there is chance.
_BINARY = (".ckpt", ".safetensors", ".png", ".model")
# MindFormers writes the machine's paths into its logs, and a log must stay as it was written.
# Source names system paths for good reason, its configs do not, and none of it anybody's home.
# A vocabulary has any word in it, and a model may answer with one.
_SOURCE = "source/"
_MAY_NAME_PATHS = ("logs/", _SOURCE, "predictions/", "weights/tokenizer.")
_CONFIGS = "source/configs/"


def check_submission(path: Union[str, Path]) -> List[str]:
    """Check a folder or zip; return every fault as `file: what`, none if the package is good.

    Named are: missing, empty, extra and altered files; required parts of configs/contest.yaml
    that are not there; configs that would not train; an evaluation log that is not what its
    pairs and the scores say; absolute paths in configs, report and JSON, home folders in source;
    secrets anywhere but in weights and pictures; in a zip, links, duplicates, names that lead
    out, bombs.
    Raises UserError where `path` is neither a folder nor a zip.
    """
    with open_contents(path) as contents:
        return check_contents(contents)


def check_contents(contents: Contents) -> List[str]:
    """`check_submission` of a package that is open."""
    faults = list(contents.faults)
    if faults and not contents.names:
        return faults
    manifest = _manifest(contents, faults)
    faults += _against_manifest(contents, manifest)
    faults += _required(contents)
    listed = manifest.files if manifest else {}
    # What the manifest does not name is not looked into: it has no place here at all.
    known = [name for name in contents.names if name in listed] if listed else contents.names
    damaged = set()
    for name in known:
        try:
            faults += _look_into(contents, name, listed.get(name))
        except (*BROKEN, OSError) as error:
            damaged.add(name)
            faults.append(f"{name}: damaged ({error})")
    usable = [name for name in known if name not in damaged]
    faults += _consistency(contents, usable, listed)
    return faults


def _manifest(contents: Contents, faults: List[str]) -> Optional[Manifest]:
    if layout.MANIFEST not in contents.sizes:
        faults.append(f"{layout.MANIFEST}: missing")
        return None
    try:
        manifest = parse_manifest(contents.read(layout.MANIFEST, _LARGEST_MANIFEST))
        layout.check_team(manifest.team)
    except (*BROKEN, OSError, UserError) as error:
        what = error.what if isinstance(error, UserError) else error
        faults.append(f"{layout.MANIFEST}: not a manifest ({what})")
        return None
    if contents.team is not None and manifest.team != contents.team:
        what = f"made for team {manifest.team}, the folder is named {contents.team}"
        faults.append(f"{layout.MANIFEST}: {what}")
    return manifest


def _against_manifest(contents: Contents, manifest: Optional[Manifest]) -> Iterator[str]:
    if manifest is None:
        return
    present = set(contents.names) - {layout.MANIFEST}
    for name in sorted(set(manifest.files) - present):
        yield f"{_shown(name)}: missing, the manifest names it"
    for name in sorted(present - set(manifest.files)):
        yield f"{_shown(name)}: extra, the manifest does not name it"


def _required(contents: Contents) -> Iterator[str]:
    present = set(contents.names)
    rules = read_contest()
    for part in rules.submission.parts:
        if part.name not in layout.PARTS:
            what = f"the part {part.name} has no files in tools/packaging/layout.py"
            raise UserError(what, "configs/contest.yaml", "name its files there")
        for name in layout.PARTS[part.name]:
            if name not in present:
                yield f"{name}: missing, the part {part.name} needs it"
    numbers = range(1, rules.checkpoints + 1)
    models = (layout.BASE, *numbers, layout.CHOSEN)
    scored = [name for model in models for name in layout.scored_files(model)]
    for name in (*layout.OURS, *scored):
        if name not in present:
            yield f"{name}: missing"
    if (layout.WEIGHTS in present) == (layout.LINK in present):
        state = "both are there" if layout.WEIGHTS in present else "neither is there"
        yield f"{layout.WEIGHTS}: needs either the weights or {layout.LINK}, {state}"
    if not any(name.startswith("weights/tokenizer.") for name in present):
        yield "weights/tokenizer.*: missing"
    for name in sorted(present):
        # Python's packages may have empty files of this name, nothing else may be empty.
        source = name.startswith("source/") and name.endswith("/__init__.py")
        if not contents.sizes[name] and not source:
            yield f"{name}: empty"


def _look_into(contents: Contents, name: str, entry: Optional[FileEntry]) -> Iterator[str]:
    """Read a file once: its sha256 and what it must not hold."""
    digest, size = hashlib.sha256(), 0
    binary = name.endswith(_BINARY)
    kept: List[bytes] = []
    if entry is not None and entry.bytes != contents.sizes[name]:
        yield f"{name}: altered, {contents.sizes[name]} bytes instead of {entry.bytes}"
        return
    for chunk in contents.chunks(name):
        digest.update(chunk)
        size += len(chunk)
        if not binary and size <= _LARGEST_TEXT:
            kept.append(chunk)
    if entry is not None and (size != entry.bytes or digest.hexdigest() != entry.sha256):
        yield f"{name}: altered, its sha256 is not the manifest's"
    if binary:
        return
    if size > _LARGEST_TEXT:
        yield f"{name}: a text of more than {_LARGEST_TEXT} bytes"
        return
    text = b"".join(kept).decode("utf-8", errors="replace")
    # Only \n ends a line, so that the numbers are an editor's.
    lines = text.split("\n")
    leaks = list(secrets(lines))
    if name.startswith(_CONFIGS) or not name.startswith(_MAY_NAME_PATHS):
        leaks += absolute_paths(lines)
    elif name.startswith(_SOURCE):
        leaks += home_folders(lines)
    for leak in leaks:
        yield f"{name}:{leak.line}: {leak.what}"


def _consistency(
    contents: Contents, names: List[str], listed: Dict[str, FileEntry]
) -> Iterator[str]:
    """Configs that would train, logs that are complete, scores that are of these weights."""
    present = {name for name in names if 0 < contents.sizes[name] <= _LARGEST_TEXT}
    documents: Dict[str, Any] = {}
    for name in sorted(present):
        if name.endswith(".json") and not name.startswith(("source/", "weights/tokenizer")):
            try:
                documents[name] = json.loads(contents.read(name, _LARGEST_TEXT))
            except (ValueError, RecursionError):
                yield f"{name}: not JSON"
    yield from _config(contents, present)
    yield from _worker_logs(documents, set(contents.names))
    best = documents.get(layout.BEST)
    number = best.get("checkpoint") if isinstance(best, dict) else None
    if layout.BEST in documents and layout.SCORES.format(name=number) not in documents:
        yield f"{layout.BEST}: names checkpoint {number}, whose scores are not there"
    sources = {"baseline": "baseline", "best": number}
    for log, target in layout.SQUAD_LOGS.items():
        scores = documents.get(layout.SCORES.format(name=sources[log]))
        if target in present:
            yield from _squad_log(contents, target, scores)
    yield from _init(documents, listed)
    if layout.LINK in documents:
        yield from _link(documents[layout.LINK])
    evaluated = best.get("model_sha256") if isinstance(best, dict) else None
    handed_in = _weights_sha256(documents, listed)
    if evaluated and handed_in and evaluated != handed_in:
        yield f"{layout.BEST}: the scores are of weights with sha256 {evaluated}, not of these"


def _config(contents: Contents, present: set) -> Iterator[str]:
    if layout.FINETUNE not in present:
        return
    try:
        text = contents.read(layout.FINETUNE, 1 << 20).decode("utf-8")
    except UnicodeDecodeError:
        yield f"{layout.FINETUNE}: not UTF-8 text"
        return
    for line, what in finetune_faults(text):
        yield f"{layout.FINETUNE}:{line}: {what}"


def _worker_logs(documents: Dict[str, Any], names: set) -> Iterator[str]:
    profile = documents.get(layout.PROFILE)
    cards = profile.get("cards") if isinstance(profile, dict) else None
    if not isinstance(cards, int) or not 0 < cards <= 1024:
        if layout.PROFILE in documents:
            yield f"{layout.PROFILE}: `cards` is not a number of workers"
        return
    # Rank 0 is among the required files already.
    for rank in range(1, cards):
        log = layout.WORKER_LOG.format(rank=rank)
        if log not in names:
            yield f"{log}: missing, {cards} workers were at work"


def _squad_log(contents: Contents, name: str, scores: Any) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(contents.read(name, _LARGEST_TEXT))
        try:
            found = squad_from_log(path)
        except UserError as error:
            line = str(error.where or "").partition(path.name)[2]
            yield f"{name}{line}: {error.what}"
            return
    if found["reported"] is None:
        yield f"{name}: not complete, its final line is missing"
    squad = scores.get("squad") if isinstance(scores, dict) else None
    squad = squad if isinstance(squad, dict) else {}
    for key in ("count", "f1", "em"):
        value = squad.get(key)
        if not isinstance(value, (int, float)) or abs(value - found[key]) > 1e-6:
            yield f"{name}: its pairs give {key} {found[key]}, the scores say {value}"


def _init(documents: Dict[str, Any], listed: Dict[str, FileEntry]) -> Iterator[str]:
    """Hold the matrices that the training began with against its record.

    A training by an earlier version of this project has kept none.
    """
    run = documents.get(layout.RUN)
    begun = run.get("init") if isinstance(run, dict) else None
    wanted = begun.get("matrices_sha256") if isinstance(begun, dict) else None
    found = listed[layout.INIT].sha256 if layout.INIT in listed else None
    if found != wanted:
        what = f"its sha256 is {found}" if found else "missing"
        yield f"{layout.INIT}: {what}, {layout.RUN} says {wanted}"


def _link(link: Any) -> Iterator[str]:
    try:
        FileEntry.model_validate({key: link[key] for key in ("bytes", "sha256")})
        if not str(link["url"]).startswith(("https://", "http://")):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        yield f"{layout.LINK}: needs url, bytes and sha256"


def _weights_sha256(documents: Dict[str, Any], listed: Dict[str, FileEntry]) -> Optional[str]:
    if layout.WEIGHTS in listed:
        return listed[layout.WEIGHTS].sha256
    link = documents.get(layout.LINK)
    return link.get("sha256") if isinstance(link, dict) else None


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)
