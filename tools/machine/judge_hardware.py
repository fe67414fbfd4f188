"""Whether cores, memory, disks and cards are enough for a run."""

from __future__ import annotations

from typing import Dict, Iterator, List

from tools.files.progress import format_bytes
from tools.machine.facts import Facts
from tools.machine.needs import Needs
from tools.machine.places import Place
from tools.machine.verdicts import Line, fail, fine, skip, warn

# Less room than this above what is needed is worth a word: other programs grow too.
_MARGIN = 1.15
_PER_CARD = 0.1  # of a card's memory in use: somebody else is at work on it


def judge_cores(needs: Needs, facts: Facts) -> Iterator[Line]:
    """Fewer cores than asked for make a run slower; none fails for it."""
    usable, online = facts.cores
    found = f"{usable:g}" + (f" of the machine's {online}" if usable < online else "")
    if usable < needs.cores:
        remedy = "give it more (taskset, the container's limits), or expect it to take longer"
        yield warn("cores", found, str(needs.cores), remedy)
    else:
        yield fine("cores", found, str(needs.cores))


def judge_memory(needs: Needs, facts: Facts) -> Iterator[Line]:
    """What there is at most, and what other programs leave of it."""
    memory, needed = facts.memory, format_bytes(needs.memory)
    if memory is None:
        yield skip("memory", f"this system does not tell; a run needs {needed}")
        return
    limit = " (the container's limit)" if memory.limited else ""
    swap = f" and {format_bytes(memory.swap)} of swap" if memory.swap else ""
    found = f"{format_bytes(memory.available)} of {format_bytes(memory.total)}{limit} free{swap}"
    more = "raise the container's limit" if memory.limited else "use a machine with more"
    if memory.total + memory.swap < needs.memory:
        smaller = ", or PROFILE=tiny" if needs.profile != "tiny" else ""
        yield fail("memory", found, needed, more + smaller)
    elif memory.available + memory.swap < needs.memory:
        yield fail("memory", found, needed, f"end other programs, or {more}")
    elif memory.available < needs.memory:
        yield warn("memory", found, needed, "end other programs: a run that swaps takes hours")
    elif memory.available < needs.memory * _MARGIN:
        yield warn("memory", found, needed, "little margin: start nothing else beside it")
    else:
        yield fine("memory", found, needed)


def judge_disk(needs: Needs, facts: Facts) -> Iterator[Line]:
    """One line a file system: what is still to be written there against what is free."""
    disks: Dict[int, List[str]] = {}
    for name, place in facts.places.items():
        if place is not None and (facts.setup or name not in ("venv", "temp")):
            disks.setdefault(place.disk, []).append(name)
    for names in disks.values():
        there = {name: facts.places[name] for name in names}
        yield _judge_one_disk(needs, {n: p for n, p in there.items() if p is not None})


def _judge_one_disk(needs: Needs, there: Dict[str, Place]) -> Line:
    needed = sum(max(0, needs.disk.get(name, 0) - place.held) for name, place in there.items())
    held = sum(place.held for place in there.values())
    free = min(place.free for place in there.values())
    paths = ", ".join(place.path for place in there.values())
    found = f"{format_bytes(free)} free for {paths}"
    want = format_bytes(needed) + (f" beside the {format_bytes(held)} there" if held else "")
    if free < needed:
        remedy = f"free {format_bytes(needed - free)}, or link a folder to a larger disk"
        if "temp" in there:
            remedy += "; TMPDIR=FOLDER is for temp files alone"
        return fail("disk", found, want, remedy)
    if free < needed * _MARGIN:
        return warn("disk", found, want, "little margin: free some more")
    return fine("disk", found, want)


def judge_folders(needs: Needs, facts: Facts) -> Iterator[Line]:
    """Every folder that is written to, temporary files and shared memory."""
    shut = [
        place.path
        for name, place in facts.places.items()
        if place is not None and not place.writable and (name != "venv" or facts.setup)
    ]
    if facts.places.get("temp") is None:
        remedy = "name a folder for temporary files: TMPDIR=FOLDER"
        yield fail("folders", "no folder for temporary files can be written to", "", remedy)
    elif shut:
        remedy = "make them writable for this user, or clone into another folder"
        yield fail("folders", f"cannot be written to: {', '.join(shut)}", "", remedy)
    elif not facts.shared:
        remedy = "make it writable for this user (docker: --shm-size, --tmpfs /dev/shm)"
        yield fail("folders", "/dev/shm cannot be written to", "", remedy)
    else:
        yield fine("folders", "can be written to")


def judge_cards(needs: Needs, facts: Facts) -> Iterator[Line]:
    """Ascend cards: as many as workers, healthy, large enough, and not in use."""
    if needs.device != "Ascend" or facts.cards is None:
        return
    cards, size = facts.cards.cards, needs.card_memory or 0
    needed = f"{needs.cards} of {format_bytes(size)}"
    usable = [card for card in cards if card.health in ("OK", "Warning") and card.total >= size]
    busy = [card for card in usable if card.used > _PER_CARD * card.total]
    if facts.cards.fault:
        remedy = "install the driver, and give the container its devices (/dev/davinci*)"
        yield fail("cards", facts.cards.fault, needed, remedy)
        return
    kinds = ", ".join(dict.fromkeys(f"{c.name} of {format_bytes(c.total)}" for c in cards))
    found = f"{len(cards)} ({kinds})"
    if len(usable) < needs.cards:
        ill = [f"card {n} is {c.health}" for n, c in enumerate(cards) if c.health != "OK"]
        found += f", {len(usable)} of them usable" if len(usable) < len(cards) else ""
        found += f" ({', '.join(ill)})" if ill else ""
        fewer = f"CARDS={len(usable)}, or " if usable else ""
        yield fail("cards", found, needed, f"{fewer}a machine with more of them")
    elif len(usable) - len(busy) < needs.cards:
        yield warn("cards", f"{found}, {len(busy)} in use", needed, "end what runs on them")
    else:
        yield fine("cards", found, needed)


def judge_cann(needs: Needs, facts: Facts) -> Iterator[Line]:
    """CANN, without which MindSpore sees no card; of another version it may or may not work."""
    if needs.device != "Ascend":
        return
    if facts.cann is None:
        remedy = "install it, then: source /usr/local/Ascend/ascend-toolkit/set_env.sh"
        yield fail("cann", "none is found", str(needs.cann), remedy)
    elif facts.cann.lower() != str(needs.cann).lower():
        remedy = f"MindSpore {needs.mindspore} was built for that one: use the contest's image"
        yield warn("cann", facts.cann, str(needs.cann), remedy)
    else:
        yield fine("cann", facts.cann, str(needs.cann))
