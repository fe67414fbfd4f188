"""A command as a child that neither outlives this process nor leaves others behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence

from tools.files.errors import UserError, from_os_error

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# From linux/prctl.h.
_SET_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36


def run_command(command: Sequence[str]) -> int:
    """Run `command` with the standard streams of this process and return its exit code.

    A command that a signal ended gives 128 + the signal's number, as in a shell. SIGINT, SIGTERM,
    SIGHUP and SIGQUIT are passed on. On Linux the command is killed when this process ends in any
    way, this process gets SIGTERM when its own parent ends, and what the command leaves running
    (workers of a killed launcher) is killed before this returns, as any other child of this
    process would be: call it from a script that has no other children.
    Raises UserError where the command cannot be started.
    """
    die_with_parent(signal.SIGTERM)
    _adopt_orphans()
    process: Optional[subprocess.Popen] = None
    early: List[int] = []

    def pass_on(number: int, frame: Any) -> None:
        # A signal may come before there is a child: it is kept until then.
        if process is None:
            early.append(number)
        elif not (number in (signal.SIGINT, signal.SIGQUIT) and _in_foreground()):
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    try:
        process = subprocess.Popen(list(command), preexec_fn=killed_with(os.getpid()))
        for number in early:
            process.send_signal(number)
        code = process.wait()
    except OSError as error:
        refusal = from_os_error(error)
        raise UserError(refusal.what, command[0], "check the command") from error
    finally:
        _kill_orphans()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def peak_memory() -> int:
    """Bytes of the largest resident set that any one finished child, or child of it, had.

    getrusage(2), RUSAGE_CHILDREN: a maximum over processes, not the sum of those that ran at once.
    """
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts in bytes, Linux in KiB


def die_with_parent(number: int) -> None:
    """Let the system send this process signal `number` when its parent ends (Linux only)."""
    _prctl(_SET_DEATH_SIGNAL, number)


def killed_with(parent: int) -> Callable[[], None]:
    """A Popen `preexec_fn` whose child is killed when `parent`, its parent, ends in any way."""

    def ask() -> None:
        die_with_parent(signal.SIGKILL)
        # The parent may have ended before it was asked.
        if os.getppid() != parent:
            os._exit(128 + signal.SIGKILL)

    return ask


def _adopt_orphans() -> None:
    # Descendants whose parent dies become children of this process, not of init.
    _prctl(_SET_CHILD_SUBREAPER, 1)


def _kill_orphans() -> None:
    while orphans := _children():
        for number in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for number in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, 0)


def _children() -> List[int]:
    """Process ids of this process's children; none where there is no /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # pid (name) state parent …; the name may hold anything, the last `)` ends it.
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):  # ended meanwhile
            continue
        if parent == os.getpid():
            found.append(int(stat.parent.name))
    return found


def _in_foreground() -> bool:
    """Whether a terminal sends Ctrl-C to this process and its child alike."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _prctl(option: int, value: int) -> None:
    if _LIBC is not None:
        _LIBC.prctl(option, value, 0, 0, 0)


# Loaded once, before any fork: loading a library between fork and exec can hang.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
