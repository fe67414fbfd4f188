"""Whether what is fetched can be had, and nothing around a run stands in its way."""

from __future__ import annotations

from typing import Iterator

from tools.files.progress import format_duration
from tools.machine import artifacts
from tools.machine.artifacts import Found
from tools.machine.facts import LOCKS, Facts
from tools.machine.needs import Needs
from tools.machine.network import MISTRUSTED, REACHED, SILENT, UNKNOWN, Reply
from tools.machine.verdicts import Line, fail, fine, skip, warn

_SKEW = 5 * 60  # seconds
_DAY = 24 * 60 * 60
# Before the contest there was nothing to clone.
_YEARS = range(2024, 2100)
_INDEX = "name another index: PIP_INDEX_URL=URL"
_MIRROR = "name a folder or URL that holds it: MIRROR=FOLDER"


def judge_index(needs: Needs, facts: Facts) -> Iterator[Line]:
    """The package index, where `make setup` would ask it."""
    others = ", ".join(facts.index.others)
    if not facts.setup:
        yield fine("index", "not needed: .venv is newer than the lock")
    elif not facts.index.asked:
        remedy = f"see that the wheels of {LOCKS[facts.stack]} are there"
        yield warn("index", f"pip is told to ask none, only {others or 'nothing'}", "", remedy)
    elif facts.reply is None:
        yield skip("index", "not asked (--offline); make setup needs it")
    elif facts.reply.outcome == REACHED:
        yield fine("index", f"{facts.reply.where} answers")
    else:
        found = f"{facts.reply.where}: {facts.reply.what}"
        remedy = _remedy(facts.reply, _INDEX)
        if facts.reply.outcome == UNKNOWN:
            yield warn("index", found, "", "this Python has no certificates; pip brings its own")
        elif others:
            yield warn("index", f"{found}; pip asks {others} too", "", remedy)
        else:
            yield fail("index", found, "", remedy)


def judge_artifacts(needs: Needs, facts: Facts) -> Iterator[Line]:
    """Every artefact of the profile: in material/, in a mirror, or to be had."""
    if facts.mirror is not None:
        what = f"MIRROR={facts.mirror} is neither a folder nor an http(s) URL"
        yield fail("artefacts", what, "", "correct it")
    if not facts.artifacts:
        yield fine("artefacts", "this profile needs none")
    for item in facts.artifacts:
        yield _judge_artifact(needs, facts, item)


def _judge_artifact(needs: Needs, facts: Facts, item: Found) -> Line:
    path = f"material/{needs.profile}/{item.file}"
    if item.state == artifacts.THERE:
        return fine("artefacts", f"{path} is there")
    if item.state == artifacts.MIRRORED:
        return fine("artefacts", f"{item.file} is in a mirror")
    if item.state == artifacts.WRONG:
        remedy = f"remove it and material/{needs.profile}/fetched.json"
        return fail("artefacts", f"{path} has not the right size", "", remedy)
    if not item.replies and item.urls:
        return skip("artefacts", f"{item.file} is to be fetched (--offline: not asked for)")
    reached = [reply for reply in item.replies if reply.outcome == REACHED]
    if reached:
        return fine("artefacts", f"{item.file} can be fetched from {reached[0].where}")
    faults = "; ".join(f"{reply.where}: {reply.what}" for reply in item.replies)
    found = f"{item.file} cannot be fetched ({faults or 'pip is told to ask no index'})"
    unknown = any(reply.outcome == UNKNOWN for reply in item.replies)
    if unknown or (item.package and facts.index.others):
        return warn("artefacts", found, "", f"pip may find it elsewhere; if not, {_MIRROR}")
    if not item.replies:
        return fail("artefacts", found, "", _MIRROR)
    return fail("artefacts", found, "", _remedy(item.replies[-1], _MIRROR))


def _remedy(reply: Reply, other: str) -> str:
    """What to do about a server that is not trusted or does not answer; other: another source."""
    if reply.outcome == MISTRUSTED:
        if reply.skew is not None and abs(reply.skew) > _DAY:
            return "set the clock: certificates are valid for a time"
        return "name the certificates of your network's proxy: PIP_CERT=FILE, SSL_CERT_FILE=FILE"
    if reply.outcome == SILENT:
        return f"check network and proxy (HTTPS_PROXY), or {other}"
    return other


def judge_clock(needs: Needs, facts: Facts) -> Iterator[Line]:
    """make compares times, and certificates are valid for a time."""
    remedy = "set the clock (timedatectl set-ntp true)"
    skew = facts.skew
    if facts.year not in _YEARS:
        yield fail("clock", f"it shows the year {facts.year}", "", remedy)
    elif skew is None:
        yield skip("clock", f"{facts.year}; no server was asked for the time")
    elif abs(skew) > _SKEW:
        way = "ahead of" if skew > 0 else "behind"
        found = f"{format_duration(abs(skew))} {way} the servers'"
        yield warn("clock", found, f"less than {format_duration(_SKEW)}", remedy)
    else:
        yield fine("clock", f"within {max(1, round(abs(skew)))} s of the servers'")


def judge_locale(needs: Needs, facts: Facts) -> Iterator[Line]:
    """Prompts and solutions are Chinese: what cannot print them fails when it has to."""
    encodings = facts.python.encodings
    other = [name for name in encodings if name.lower().replace("-", "") != "utf8"]
    if not encodings:
        yield skip("locale", "not asked: there is no Python to ask")
    elif other:
        remedy = "export LC_ALL=C.UTF-8, or PYTHONUTF8=1"
        yield warn("locale", f"Python writes {', '.join(dict.fromkeys(other))}", "UTF-8", remedy)
    else:
        yield fine("locale", "UTF-8")


def judge_lock(needs: Needs, facts: Facts) -> Iterator[Line]:
    """A second command on one run is refused."""
    if facts.held:
        remedy = "wait until it ends, or choose another run: RUN=NAME"
        yield fail("lock", f"another command is at work in {', '.join(facts.held)}", "", remedy)
    else:
        yield fine("lock", "no other command is at work on this run")
