"""Index, artefacts, clock, locale and lock: every verdict of each check."""

from __future__ import annotations

import pytest

from tools.machine.artifacts import ABSENT, MIRRORED, THERE, WRONG, Found
from tools.machine.judge_surroundings import (
    judge_artifacts,
    judge_clock,
    judge_index,
    judge_locale,
    judge_lock,
)
from tools.machine.network import MISTRUSTED, REACHED, REFUSED, SILENT, UNKNOWN, Index, Reply
from tools.machine.verdicts import FAULT, OK, SKIPPED, WARNING

URL = "https://x/simple/mindspore/"


def only(lines):
    (line,) = lines
    return line


@pytest.mark.parametrize(
    "reply, index, setup, verdict, text",
    [
        (Reply(URL, REACHED), Index(), True, OK, f"{URL} answers"),
        (Reply(URL, SILENT, "x"), Index(), True, FAULT, "(HTTPS_PROXY), or name another index"),
        (Reply(URL, REFUSED, "it answers 404"), Index(), True, FAULT, "PIP_INDEX_URL=URL"),
        (Reply(URL, MISTRUSTED, "a certificate"), Index(), True, FAULT, "PIP_CERT=FILE"),
        (Reply(URL, MISTRUSTED, "x", 1e8), Index(), True, FAULT, "set the clock"),
        (Reply(URL, UNKNOWN, "x"), Index(), True, WARNING, "pip brings its own"),
        (Reply(URL, SILENT, "x"), Index(others=("/wheels",)), True, WARNING, "/wheels too"),
        (None, Index(others=("/wheels",), asked=False), True, WARNING, "only /wheels"),
        (None, Index(), True, SKIPPED, "--offline"),
        (Reply(URL, SILENT, "no answer"), Index(), False, OK, "not needed"),
        (None, Index(), False, OK, "not needed"),
    ],
)
def test_index(needs, facts, reply, index, setup, verdict, text):
    line = only(judge_index(needs, facts._replace(reply=reply, index=index, setup=setup)))
    assert line.verdict == verdict and text in str(line)


GONE, THERE_NOW = Reply("https://m/a", REFUSED, "it answers 404"), Reply("https://x/a", REACHED)
SLOW, STRANGE = Reply("https://x/a", SILENT, "no answer"), Reply("https://x/a", UNKNOWN, "x")


@pytest.mark.parametrize(
    "state, package, replies, verdict, text",
    [
        (THERE, False, (), OK, "material/small/a is there"),
        (MIRRORED, False, (), OK, "in a mirror"),
        (WRONG, False, (), FAULT, "remove it and material/small/fetched.json"),
        (ABSENT, False, (), SKIPPED, "--offline"),
        (ABSENT, False, (THERE_NOW,), OK, "from https://x/a"),
        (ABSENT, False, (GONE, THERE_NOW), OK, "from https://x/a"),
        (ABSENT, False, (GONE,), FAULT, "it answers 404); name a folder"),
        (ABSENT, False, (GONE, SLOW), FAULT, "https://m/a: it answers 404; https://x/a: no answer"),
        (ABSENT, True, (GONE,), FAULT, "MIRROR="),
        (ABSENT, True, (STRANGE,), WARNING, "MIRROR="),
    ],
)
def test_artifacts(needs, facts, state, package, replies, verdict, text):
    item = Found("a", state, package, ("https://x/a",), replies)
    line = only(judge_artifacts(needs, facts._replace(artifacts=(item,))))
    assert line.verdict == verdict and text in str(line)


def test_wheels_that_pip_may_have_elsewhere(needs, facts):
    """An index that lacks it does not tell of the other places in which pip looks."""
    others = facts._replace(index=Index(others=("/wheels",), asked=False))
    for urls, replies in (((), ()), (("https://x/a",), (GONE,))):
        wheel = Found("a", ABSENT, True, urls, replies)
        assert only(judge_artifacts(needs, others._replace(artifacts=(wheel,)))).verdict == WARNING
        own = wheel._replace(package=False, urls=("https://x/a",), replies=(GONE,))
        assert only(judge_artifacts(needs, others._replace(artifacts=(own,)))).verdict == FAULT
    alone = facts._replace(index=Index(asked=False), artifacts=(Found("a", ABSENT, True),))
    assert only(judge_artifacts(needs, alone)).verdict == FAULT


def test_no_artefacts_and_a_mirror_that_is_none(needs, facts):
    none = facts._replace(artifacts=())
    assert [line.verdict for line in judge_artifacts(needs, none)] == [OK]
    lines = [*judge_artifacts(needs, none._replace(mirror="/no"))]
    assert [line.verdict for line in lines] == [FAULT, OK] and "MIRROR=/no" in lines[0].found


@pytest.mark.parametrize(
    "year, skew, verdict, found",
    [
        (2026, 0.3, OK, "within 1 s of the servers'"),
        (2026, -299.0, OK, "within 299 s of the servers'"),
        (2026, 301.0, WARNING, "5:01 ahead of the servers'"),
        (2026, -7200.0, WARNING, "2:00:00 behind the servers'"),
        (2026, None, SKIPPED, "2026; no server was asked for the time"),
        (1970, None, FAULT, "it shows the year 1970"),
        (2023, 0.3, FAULT, "it shows the year 2023"),
        (2100, 0.3, FAULT, "it shows the year 2100"),
    ],
)
def test_clock(needs, facts, year, skew, verdict, found):
    line = only(judge_clock(needs, facts._replace(year=year, skew=skew)))
    assert (line.verdict, line.found) == (verdict, found)


@pytest.mark.parametrize(
    "encodings, verdict",
    [
        (("utf-8", "UTF-8"), OK),
        (("utf-8", "utf8"), OK),
        (("utf-8", "ascii"), WARNING),
        (("gbk", "gbk"), WARNING),
        ((), SKIPPED),
    ],
)
def test_locale(needs, facts, encodings, verdict):
    python = facts.python._replace(encodings=encodings)
    assert only(judge_locale(needs, facts._replace(python=python))).verdict == verdict


def test_lock(needs, facts):
    assert only(judge_lock(needs, facts)).verdict == OK
    line = only(judge_lock(needs, facts._replace(held=("runs/a",))))
    assert line.verdict == FAULT and "runs/a" in line.found and "RUN=NAME" in line.remedy
