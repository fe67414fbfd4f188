"""Tell what this machine has, lacks and must free for a run, before hours are spent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Tuple

import click

from tools.cli import Command
from tools.files import machine
from tools.files.artifact import Artifact
from tools.files.progress import format_bytes
from tools.files.sources import named_file

if TYPE_CHECKING:
    from tools.settings.profile import Needs, Profile

# A fault makes `make all` fail; a warning makes it slower, or its results others.
OK, WARNING, FAULT = "ok", "warning", "fault"
_IN_USE = 0.1  # of a card's memory: somebody else is at work on it
_GB = 10**9


class Line(NamedTuple):
    """One check. found and needed: in words, with units; remedy: what to do if it is not ok."""

    check: str
    verdict: str
    found: str
    needed: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.verdict:<8} {self.check:<9} {self.found}"
        text += f"; needs {self.needed}" if self.needed else ""
        return text + (f"; {self.remedy}" if self.remedy else "")


def _line(
    check: str, right: bool, found: str, needed: str, remedy: str, wrong: str = FAULT
) -> Line:
    return Line(check, OK if right else wrong, found, needed, "" if right else remedy)


def judge_python(needs: Needs, version: Tuple[int, int]) -> Line:
    """Return whether the Python of .venv is one that the profile is for."""
    oldest, _, newest = needs.python.partition(" to ")
    first, last = (tuple(map(int, text.split("."))) for text in (oldest, newest or oldest))
    remedy = f"rm -rf .venv, then make setup PYTHON_SYSTEM=/path/to/python{newest or oldest}"
    found = "{}.{}".format(*version)
    return _line("python", first <= version <= last, found, needs.python, remedy)


def judge_cores(needs: Needs, cores: float) -> Line:
    """Return whether there are as many cores as asked for; fewer only make a run slower."""
    remedy = "give it more (taskset, the container's limits), or expect it to take longer"
    return _line("cores", cores >= needs.cores, f"{cores:g}", str(needs.cores), remedy, WARNING)


def judge_memory(needed: float, memory: machine.Memory) -> Line:
    """Return whether `needed` bytes are there, and not in use by other programs."""
    limit = " (the container's limit)" if memory.limited else ""
    found = f"{format_bytes(memory.available)} of {format_bytes(memory.total)}{limit} free"
    remedy = "raise the container's limit" if memory.limited else "use a machine with more"
    if memory.total >= needed:
        remedy = f"end other programs, or {remedy}"
    return _line("memory", memory.available >= needed, found, format_bytes(needed), remedy)


def judge_disk(wanted: Mapping[Path, float]) -> Iterator[Line]:
    """Yield a line for each file system: what is still to be written there against what is free.

    wanted   folder → the bytes that a whole run puts there, counted from an empty one
    """
    disks: Dict[int, List[Path]] = {}
    for folder in wanted:
        disks.setdefault(_existing(folder).stat().st_dev, []).append(folder)
    for folders in disks.values():
        names = ", ".join(map(str, folders))
        if not all(map(_can_be_filled, folders)):
            remedy = "make it writable for this user, or clone into another folder"
            yield Line("disk", FAULT, f"{names}: cannot be written to", "", remedy)
            continue
        held = {folder: _held(folder) for folder in folders}
        needed = sum(max(0, wanted[folder] - held[folder]) for folder in folders)
        want = f"{format_bytes(needed)} beside the {format_bytes(sum(held.values()))} there"
        free = shutil.disk_usage(_existing(folders[0])).free
        remedy = f"free {format_bytes(needed - free)}, or link a folder to a larger disk"
        found = f"{format_bytes(free)} free for {names}"
        yield _line("disk", free >= needed, found, want, remedy)


def _existing(path: Path) -> Path:
    """Return the nearest folder or file at or above `path` that is there."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _held(folder: Path) -> int:
    """Return the bytes on the disk of all that is below `folder`, hard links counted once."""
    done = subprocess.run(["du", "-skH", str(folder)], capture_output=True, text=True)
    return 1024 * int(done.stdout.split()[0]) if done.stdout else 0


def _can_be_filled(folder: Path) -> bool:
    """Return whether a folder, there or not yet, can be written to."""
    there = _existing(folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def judge_home(home: Optional[str]) -> Line:
    """Return whether HOME is a folder that this user owns and can write to.

    Without, pip has no cache, and what imports MindPet (MindFormers does) dies. The workers of a
    training have a home of their own.
    """
    fault = ""
    if not home:
        fault = "HOME is not set"
    elif not os.access(home, os.F_OK):  # which a folder that is shut to this user hides, too
        fault = f"{home} is not there"
    elif Path(home).stat().st_uid != os.geteuid():
        fault = f"{home} belongs to another user"
    elif not _can_be_filled(Path(home, ".cache", "Huawei")):
        fault = f"{home} cannot be written to"
    remedy = 'export HOME="$(mktemp -d)"'
    needed = "a HOME of this user's"
    return _line("home", not fault, fault or str(home), needed, remedy, wrong=WARNING)


def judge_artifacts(items: Sequence[Artifact], folder: Path) -> Iterator[Line]:
    """Yield a line for each artefact in material/PROFILE: there, of the wrong size, or to come.

    Whether it can be fetched is not asked: `make fetch` tells that before anything else runs.
    """
    for item in items:
        path = named_file(item, folder)
        if path is None or not path.exists():
            found, right = f"{item.file} is still to be fetched", True
        else:
            right = path.is_file() and item.bytes in (None, path.stat().st_size)
            found = f"{path} is there" if right else f"{path} has not the right size"
        remedy = f"remove it and {folder / 'fetched.json'}"
        yield _line("artefacts", right, found, "", remedy)


def judge_cann(needs: Needs, cann: Optional[str]) -> Line:
    """Return whether CANN, without which MindSpore sees no card, is the profile's."""
    right = str(cann).lower() == str(needs.cann).lower()
    remedy = "take the contest's image, or: source /usr/local/Ascend/ascend-toolkit/set_env.sh"
    wrong = WARNING if cann else FAULT
    return _line("cann", right, cann or "none is found", str(needs.cann), remedy, wrong)


def judge_cards(needs: Needs, wanted: int, cards: Sequence[machine.Card], fault: str) -> Line:
    """Return whether `wanted` cards are there, healthy, large enough, and not in use.

    fault   why there is none, where there is none
    """
    size = (needs.card_memory_gb or 0) * _GB
    needed = f"{wanted} of {format_bytes(size)}"
    if not cards:
        remedy = "install the driver, and give the container its devices (/dev/davinci*)"
        return Line("cards", FAULT, fault, needed, remedy)
    usable = [card for card in cards if card.health in ("OK", "Warning") and card.total >= size]
    busy = [card for card in usable if card.used > _IN_USE * card.total]
    kinds = dict.fromkeys(f"{card.name} of {format_bytes(card.total)}" for card in cards)
    found = f"{len(cards)} ({', '.join(kinds)}), {len(usable)} healthy and large enough"
    if len(usable) < wanted:
        fewer = f"CARDS={len(usable)}, or " if usable else ""
        return Line("cards", FAULT, found, needed, f"{fewer}a machine with more of them")
    found += f", {len(busy)} in use"
    free = len(usable) - len(busy) >= wanted
    return _line("cards", free, found, needed, "end what runs on them", WARNING)


def examine(profile: Profile, cards: int, run: Path, material: Path) -> List[Line]:
    """Return the lines of all checks of this machine, for a profile with `cards` workers."""
    from tools.settings.artifacts import select_artifacts

    needs = profile.needs
    # Each further worker asks for as much memory as the first.
    memory = needs.memory_gb * _GB * max(1, cards / profile.cards)
    lines = [
        judge_python(needs, sys.version_info[:2]),
        judge_cores(needs, machine.read_cores()),
        judge_memory(memory, machine.read_memory()),
        *judge_disk({material: needs.disk_gb.material * _GB, run: needs.disk_gb.run * _GB}),
        judge_home(os.environ.get("HOME")),
        *judge_artifacts(select_artifacts(profile.artifacts), material),
    ]
    if profile.device == "Ascend":
        lines.append(judge_cann(needs, machine.read_cann(os.environ)))
        lines.append(judge_cards(needs, cards, *machine.read_cards()))
    return lines


@click.command(
    cls=Command, epilog="Example:\n\n  python -m tools.doctor --profile llama3-8b --json"
)
@click.option("--profile", metavar="NAME", default="smollm2-135m", help="A folder of configs/.")
@click.option("--run", metavar="FOLDER", help="The run's folder  [default: runs/PROFILE-quick]")
@click.option("--cards", type=click.IntRange(min=1), help="Workers  [default: the profile's]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def main(
    ctx: click.Context, profile: str, run: Optional[str], cards: Optional[int], as_json: bool
) -> None:
    """Tell what this machine has, lacks and must free for a run, before hours are spent.

    One line a check: ok, warning or fault, with what is found, what is needed and the remedy. Exit
    code 1 if there is a fault: then `make all` would fail.
    """
    from tools.settings.profile import profile_folder, read_profile

    settings = read_profile(profile_folder(profile) / "profile.yaml")
    folder = Path(run) if run else Path("runs") / f"{profile}-quick"
    lines = examine(settings, cards or settings.cards, folder, Path("material", profile))
    faults = sum(line.verdict == FAULT for line in lines)
    if as_json:
        checks = [line._asdict() for line in lines]
        click.echo(json.dumps({"profile": profile, "passes": not faults, "checks": checks}))
    else:
        end = f"would fail: {faults} of {len(lines)} checks" if faults else "can start"
        click.echo("\n".join([*map(str, lines), f"make all PROFILE={profile} {end}"]))
    ctx.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
