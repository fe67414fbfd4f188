"""Whether the system, its programs, Python and the installed packages are what a run needs."""

from __future__ import annotations

from typing import Iterator, Tuple

from tools.machine.facts import LOCKS, Facts
from tools.machine.needs import Needs
from tools.machine.verdicts import Line, fail, fine, warn

# The Makefile reads files with $(file <…), which GNU Make knows from this version on.
_MAKE = (4, 2)
# Of the locked packages' wheels a third are built for this glibc or a newer one.
_GLIBC = (2, 28)
# The artefact that is the organisers' MindFormers, a source tree beside the image's MindSpore.
_MINDFORMERS = "contest-mindformers"


def judge_system(needs: Needs, facts: Facts) -> Iterator[Line]:
    """Operating system, architecture and C library, as wheels are built for these."""
    name, machine, library = facts.system
    found, remedy = (
        " ".join(filter(None, facts.system)),
        "use Linux on x86-64, or a container of it",
    )
    version = library.rpartition(" ")[2]
    if needs.device == "Ascend":
        yield fine("system", found)
    elif library == "musl" and facts.setup:
        yield fail("system", found, "glibc: MindSpore has no wheel for musl", remedy)
    elif (name, machine) != ("Linux", "x86_64"):
        yield warn("system", found, "Linux x86_64; nothing else has been tried", remedy)
    elif facts.setup and version and _numbers(version) < _GLIBC:
        yield warn("system", found, f"glibc {_dotted(_GLIBC)} for some wheels", remedy)
    else:
        yield fine("system", found)


def judge_programs(needs: Needs, facts: Facts) -> Iterator[Line]:
    """make, bash, sed and grep run the pipeline; git only tells which commit it was."""
    found = ", ".join(name for name, path in facts.programs.items() if path)
    missing = [name for name, path in facts.programs.items() if not path and name != "git"]
    if missing:
        yield fail("programs", f"no {', no '.join(missing)}", "", "install them")
    elif facts.make is None or facts.make < _MAKE:
        version = f"GNU Make {_dotted(facts.make)}" if facts.make else "another make than GNU's"
        yield fail("programs", version, f"GNU Make {_dotted(_MAKE)} or newer", "install it")
    elif not facts.programs.get("git"):
        remedy = "install it: without, results do not say their commit, and `make submit` fails"
        yield warn("programs", f"{found}; no git", "", remedy)
    else:
        yield fine("programs", f"{found}; GNU Make {_dotted(facts.make)}")


def judge_python(needs: Needs, facts: Facts) -> Iterator[Line]:
    """The interpreter of .venv, or the one that `make setup` would make it with."""
    oldest, newest = needs.python
    if facts.setup and facts.stack == "ascend":
        newest = oldest  # the image's, for which the lock is
    wanted, command = _dotted(newest), facts.python.command
    needed = wanted if oldest == newest else f"{_dotted(oldest)} to {wanted}"
    version, missing = facts.python.version, facts.python.missing
    other = f"install Python {wanted}, or name one: PYTHON_SYSTEM=/path/to/python{wanted}"
    other = other if facts.setup else "rm -rf .venv, then make setup"
    if version is None:
        what = "is not on this machine" if facts.setup else "does not run"
        yield fail("python", f"{command} {what}", needed, other)
    elif not oldest <= version[:2] <= newest:
        yield fail("python", f"{_dotted(version)} ({command})", needed, other)
    elif missing and facts.setup:
        remedy = f"install them (Debian, Ubuntu: python{wanted}-venv), or another Python {wanted}"
        found = f"{_dotted(version)} ({command}) without {', '.join(missing)}"
        yield fail("python", found, "the whole standard library", remedy)
    elif ":" in facts.root and facts.setup:
        found = f"the checkout is in {facts.root}"
        yield fail("python", found, "a path without ':' for .venv", "move the checkout")
    else:
        yield fine("python", f"{_dotted(version)} ({command})", needed)


def judge_packages(needs: Needs, facts: Facts) -> Iterator[Line]:
    """MindSpore and MindFormers: those of the lock, or two that fit, as MindFormers itself says."""
    if facts.setup:
        yield _packages_to_come(needs, facts)
        return
    have = facts.python.packages
    missing = [name for name in ("mindspore", "mindformers") if name not in have]
    pair = ", ".join(f"{name} {version}" for name, version in have.items())
    again = "rm -rf .venv, then make setup"
    stack = "ascend" if needs.device == "Ascend" else "cpu"
    if stack != facts.stack:
        again += f" STACK={stack}"
    if missing == ["mindformers"] and any(item.id == _MINDFORMERS for item in needs.artifacts):
        found = f"{pair}; MindFormers is among what make fetch brings"
        if have["mindspore"] == needs.mindspore:
            yield fine("packages", found)
        else:
            wish = f"mindspore {needs.mindspore} for the same results"
            yield warn("packages", found, wish, again)
        return
    if missing:
        yield fail("packages", f".venv has no {' and no '.join(missing)}", "", again)
        return
    wanted = {"mindspore": needs.mindspore} if needs.mindspore else facts.locked
    needed = ", ".join(f"{name} {version}" for name, version in wanted.items())
    if all(have[name] == version for name, version in wanted.items()):
        yield fine("packages", pair, needed)
        return
    fitting = facts.python.supported.get(have["mindformers"])
    if fitting and not any(_series(have["mindspore"]) == _series(name) for name in fitting):
        found = f"{pair}, which is for mindspore {' or '.join(fitting)}"
        yield fail("packages", found, needed, again)
    else:
        fits = "which fit together" if fitting else "of which it is not known whether they fit"
        yield warn("packages", f"{pair}, {fits}", f"{needed} for the same results", again)


def _packages_to_come(needs: Needs, facts: Facts) -> Line:
    """Before there is a .venv: what `make setup` would put into it, or build on."""
    lock, base = LOCKS[facts.stack], facts.python.packages.get("mindspore")
    if facts.stack == "ascend":
        wanted = needs.mindspore or facts.locked.get("mindspore")
        other = "name the Python of the contest's image: PYTHON_SYSTEM=/path/to/python3.9"
        if not needs.mindspore:
            other = "take all packages from PyPI: STACK=cpu"
        if base is None:
            found = f"{facts.python.command} has no MindSpore to which {lock} could be added"
            return fail("packages", found, f"mindspore {wanted}", other)
        found = f"make setup will add {lock} to mindspore {base}"
        if base == wanted:
            return fine("packages", found)
        return warn("packages", found, f"mindspore {wanted} for the same results", other)
    if needs.device == "Ascend":
        found = f"make setup would install the CPU's MindSpore ({lock})"
        remedy = "use the contest's image; where CANN is not found by itself: STACK=ascend"
        return fail("packages", found, f"mindspore {needs.mindspore}", remedy)
    pins = ", ".join(f"{name} {version}" for name, version in facts.locked.items())
    return fine("packages", f"make setup will install {pins or 'what the lock says'}")


def _series(version: str) -> Tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isascii() and part.isdigit())


def _dotted(numbers: Tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
