"""What a profile needs, from its profile.yaml and artifacts.yaml, read without what is installed.

The schema that checks these files is in tools/settings; here it can not be had yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from tools.files.artifact import Archive, Artifact, absolute
from tools.files.errors import UserError
from tools.machine.plain_yaml import read_yaml

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
_GB = 10**9


class Needs(NamedTuple):
    """What a profile asks for.

    python                              the oldest and the newest version that will do
    memory, card_memory, disk's values  bytes; disk by venv, temp, material, run
    """

    profile: str
    device: str
    cards: int
    python: Tuple[Tuple[int, int], Tuple[int, int]]
    cores: int
    memory: int
    disk: Dict[str, int]
    card_memory: Optional[int]
    mindspore: Optional[str]
    cann: Optional[str]
    artifacts: Tuple[Artifact, ...]


def read_needs(profile: str, cards: Optional[int] = None, configs: Path = CONFIGS) -> Needs:
    """What `profile` needs, with another number of workers than its own if `cards` is given.

    Each further worker asks for as much memory as the first. Raises UserError for an unknown
    profile and for a file that lacks what is asked here.
    """
    if cards is not None and cards < 1:
        raise UserError(f"{cards} workers cannot train", "CARDS", "choose a number from 1 on")
    known = sorted(path.parent.name for path in configs.glob("*/profile.yaml"))
    if profile not in known:
        what = f"no such profile {profile!r}"
        raise UserError(what, "PROFILE", f"choose one of: {', '.join(known)}")
    path = configs / profile / "profile.yaml"
    try:
        content = read_yaml(path)
        needs, own = content["needs"], int(content["cards"])
        workers = cards or own
        return Needs(
            profile=profile,
            device=str(content["device"]),
            cards=workers,
            python=_versions(str(needs["python"])),
            cores=int(needs["cores"]),
            memory=round(_bytes(needs["memory_gb"]) * max(1.0, workers / own)),
            disk={place: _bytes(size) for place, size in needs["disk_gb"].items()},
            card_memory=_bytes(needs["card_memory_gb"]) if "card_memory_gb" in needs else None,
            mindspore=needs.get("mindspore"),
            cann=needs.get("cann"),
            artifacts=_artifacts(content["artifacts"], configs / "artifacts.yaml"),
        )
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        remedy = f"compare it with {configs / 'smollm2-135m' / 'profile.yaml'}"
        raise UserError(f"no such value as is needed ({error})", path, remedy) from None


def _versions(text: str) -> Tuple[Tuple[int, int], Tuple[int, int]]:
    """`3.9 to 3.11`, or `3.9` for that one alone."""
    oldest, _, newest = text.partition(" to ")
    pairs = [tuple(map(int, version.split("."))) for version in (oldest, newest or oldest)]
    (first, second), (third, fourth) = pairs
    return (first, second), (third, fourth)


def _bytes(gigabytes: Any) -> int:
    return round(float(gigabytes) * _GB)


def _artifacts(ids: Any, path: Path) -> Tuple[Artifact, ...]:
    if not ids:
        return ()
    content = read_yaml(path)
    known = content["artifacts"]
    unknown = [name for name in ids if name not in known]
    if unknown:
        what = f"unknown artefact {', '.join(unknown)}"
        raise UserError(what, path, f"choose from: {', '.join(known)}")
    bases = content["base_url"]
    bases = [bases] if isinstance(bases, str) else bases
    return tuple(_artifact(name, known[name], bases) for name in dict.fromkeys(ids))


def _artifact(name: str, entry: Dict[str, Any], bases: List[str]) -> Artifact:
    archive = entry.get("archive")
    return Artifact(
        id=name,
        file=str(entry["file"]),
        licence=str(entry["licence"]),
        bytes=entry["bytes"],
        sha256=entry["sha256"],
        urls=absolute(entry.get("url"), bases),
        package=entry.get("package"),
        archive=Archive(**archive) if archive else None,
        member=entry.get("member"),
        folder=entry.get("folder"),
        elsewhere=tuple(entry.get("elsewhere") or ()),
    )
