"""What this machine is and has, gathered once; what it means is judged elsewhere."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Tuple

from tools.files.errors import UserError
from tools.files.sources import read_mirrors
from tools.machine import ascend, interpreters, limits, network, places
from tools.machine.artifacts import Found, find_artifacts, is_fetched, with_replies
from tools.machine.needs import CONFIGS, Needs

# What `make setup` installs, by STACK.
LOCKS = {
    "cpu": Path("requirements") / "cpu.txt",
    "ascend": Path("requirements") / "ascend.txt",
}


class Facts(NamedTuple):
    """One machine, as a `make all` would find it.

    system     name, architecture and C library
    programs   where each is, None for those that are absent; make: its version if it is GNU's
    setup      whether `make all` would begin with `make setup`, as no .venv fits the lock
    python     the interpreter of .venv, or that which would make it
    stack      whose lock `make setup` takes: cpu; ascend, beside the MindSpore that python has
    locked     versions of mindspore and mindformers in the lock of the CPU
    places     by name: venv, temp, material, run; temp is None where nothing can be written to
    shared     whether processes can share semaphores
    cards, cann    None where the profile asks for none
    index, reply   what pip would ask, and its reply; None if it was not asked
    mirror     what in MIRROR is neither a folder nor an http(s) address
    skew       seconds by which the clock is ahead of the servers'; year: what it shows
    held       folders that another command is writing into
    """

    system: Tuple[str, str, str]
    programs: Dict[str, Optional[str]]
    make: Optional[Tuple[int, ...]]
    root: str
    setup: bool
    python: interpreters.Interpreter
    stack: str
    locked: Dict[str, str]
    cores: limits.Cores
    memory: Optional[limits.Memory]
    places: Dict[str, Optional[places.Place]]
    shared: bool
    cards: Optional[ascend.Cards]
    cann: Optional[str]
    index: network.Index
    reply: Optional[network.Reply]
    artifacts: Tuple[Found, ...]
    mirror: Optional[str]
    skew: Optional[float]
    year: int
    held: Tuple[str, ...]


def gather(
    needs: Needs,
    root: Path,
    run: Path,
    python: str,
    stack: str = "cpu",
    mirror: Optional[str] = None,
    offline: bool = False,
    configs: Path = CONFIGS,
) -> Facts:
    """Look at the machine without changing it.

    root     the checkout; run: the folder of the run
    python   the interpreter that would make .venv, a command or a path (PYTHON_SYSTEM)
    stack    whose lock would be installed (STACK)
    mirror   folders and addresses that are asked first for artefacts
    offline  ask nothing of the network
    Raises UserError for an unknown stack.
    """
    if stack not in LOCKS:
        raise UserError(f"no such stack {stack!r}", "STACK", f"choose one of: {', '.join(LOCKS)}")
    material = root / "material" / needs.profile
    own = root / ".venv" / "bin" / "python"
    setup = not places.is_newer(root / ".venv" / "installed", root / LOCKS[stack])
    interpreter = interpreters.ask_interpreter(python if setup else str(own))
    index = network.DEFAULT if offline else network.pip_index(interpreter.command, os.environ)
    if not setup:
        interpreter = interpreter._replace(command=str(own.relative_to(root)))
    fetched = is_fetched(material, needs.profile, configs)
    mirrors, wrong = [], None
    if not fetched:
        try:
            mirrors = read_mirrors(mirror)
        except UserError as fault:
            wrong = str(fault.where)
    found = find_artifacts(needs.artifacts, material, mirrors, index)
    # A fetch that is not run reads no mirror and needs no lock.
    filled = (run,) if fetched else (run, material)
    page = network.package_page(index, "mindspore")
    # The index is asked even where .venv needs nothing of it: for the time. Other servers are
    # not asked by pip, so that its proxy and certificates do not count for them.
    pages = [page] if index.asked else []
    pages += [url for item in found if item.package for url in item.urls[-1:]]
    urls = [url for item in found for url in item.urls if url not in pages]
    replies: Dict[str, network.Reply] = {}
    if not offline:
        replies = {**network.ask_all(pages, index), **network.ask_all(urls)}
    ascend_asked = needs.device == "Ascend"
    return Facts(
        system=(platform.system(), platform.machine(), _c_library()),
        programs=interpreters.find_programs(),
        make=interpreters.make_version(),
        root=str(root.resolve()),
        setup=setup,
        python=interpreter,
        stack=stack,
        locked=read_lock(root / LOCKS["cpu"]),
        cores=limits.read_cores(),
        memory=limits.read_memory(),
        places={
            "venv": _named(places.look_at(root / ".venv", count=setup), root),
            "temp": places.look_at_temporary(),
            "material": _named(places.look_at(material), root),
            "run": _named(places.look_at(run), root),
        },
        shared=places.can_share_memory(),
        cards=ascend.read_cards() if ascend_asked else None,
        cann=ascend.read_cann(os.environ) if ascend_asked else None,
        index=index,
        reply=replies.get(page),
        artifacts=with_replies(found, replies),
        mirror=wrong,
        skew=network.least_skew(list(replies.values())),
        year=time.gmtime().tm_year,
        held=tuple(str(folder) for folder in filled if places.is_held(folder)),
    )


def read_lock(path: Path, names: Tuple[str, ...] = ("mindspore", "mindformers")) -> Dict[str, str]:
    """The versions to which a pip lock pins `names`; those that it lacks are left out."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    pins = dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", text, re.MULTILINE))
    return {name: pins[name] for name in names if name in pins}


def _named(place: places.Place, root: Path) -> places.Place:
    """The same, called as one would from within the checkout."""
    path = Path(place.path)
    return place._replace(path=str(path.relative_to(root))) if root in path.parents else place


def _c_library(folder: Path = Path("/lib")) -> str:
    """`glibc 2.36` or `musl`; empty where neither shows."""
    name, version = platform.libc_ver()
    if not name and any(folder.glob("ld-musl-*")):
        return "musl"
    return f"{name} {version}".strip() if sys.platform == "linux" else ""
