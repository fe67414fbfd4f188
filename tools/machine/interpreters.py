"""The Pythons and programs that make calls, asked from outside: none is imported or changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

# Parts of Python that distributions leave out, or that a Python built by hand may lack.
MODULES = ("bz2", "ctypes", "ensurepip", "lzma", "sqlite3", "ssl", "venv", "zlib")
PROGRAMS = ("make", "/bin/bash", "sed", "grep", "git")
_SECONDS = 60

# Runs under any Python 3: what it is, what it lacks, which versions it has. MindFormers' own map
# of versions says with which MindSpore it works; finding a package does not import it. The
# organisers' MindFormers is a source tree on the path: it says its version in itself.
_PROBE = r"""
import json, os, re, sys
missing = []
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
packages, supported = {}, {}
try:
    from importlib import metadata, util
    for name in ("mindspore", "mindformers"):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    origin = util.find_spec("mindformers").origin
    if "mindformers" not in packages:
        with open(origin, encoding="utf-8") as stream:
            found = re.search(r"^__version__ *= *['\"]([\w.+-]+)['\"]", stream.read(), re.M)
        packages["mindformers"] = found.group(1) if found else "of unknown version"
    path = os.path.join(os.path.dirname(origin), "VERSION_MAP.json")
    with open(path, encoding="utf-8") as stream:
        content = json.load(stream)
    supported = {name: entry["support"] for name, entry in content["mf"].items()}
except Exception:
    pass
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "missing": missing,
    "packages": packages,
    "supported": supported,
    "encodings": [sys.getfilesystemencoding(), sys.stdout.encoding],
}))
"""


class Interpreter(NamedTuple):
    """One Python. command: as it is called; version None where it does not run.

    missing    modules of the standard library that it lacks
    packages   versions of mindspore and mindformers, those that are installed
    supported  by version of MindFormers, the versions of MindSpore that it is made for
    encodings  of file names and of standard output
    """

    command: str
    version: Optional[Tuple[int, ...]] = None
    missing: Tuple[str, ...] = ()
    packages: Dict[str, str] = {}  # noqa: RUF012 - a NamedTuple's default, never written to
    supported: Dict[str, Tuple[str, ...]] = {}  # noqa: RUF012
    encodings: Tuple[str, ...] = ()


def ask_interpreter(command: str, modules: Sequence[str] = MODULES) -> Interpreter:
    """What the Python `command` is and has; never raises."""
    output = run_quietly([command, "-c", _PROBE, *modules])
    try:
        found: Dict[str, Any] = json.loads(output or "")
        return Interpreter(
            command,
            tuple(int(number) for number in found["version"]),
            tuple(found["missing"]),
            {str(name): str(version) for name, version in found["packages"].items()},
            {str(name): tuple(map(str, fits)) for name, fits in found["supported"].items()},
            tuple(map(str, found["encodings"])),
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return Interpreter(command)


def find_programs(names: Sequence[str] = PROGRAMS) -> Dict[str, Optional[str]]:
    """Where each program is; None for those that are not there."""
    return {name: shutil.which(name) for name in names}


def make_version(command: str = "make") -> Optional[Tuple[int, ...]]:
    """The version of GNU Make; None where there is another make or none."""
    words = (run_quietly([command, "--version"]) or "").split()
    if words[:2] != ["GNU", "Make"] or len(words) < 3:
        return None
    numbers = words[2].split(".")[:2]
    return tuple(map(int, numbers)) if all(n.isascii() and n.isdigit() for n in numbers) else None


def run_quietly(command: Sequence[str]) -> Optional[str]:
    """What `command` prints; None where it cannot be run, fails, or takes over a minute."""
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
