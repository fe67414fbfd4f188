"""Cores, memory, disks, folders, cards and CANN: every verdict of each check."""

from __future__ import annotations

import pytest

from tools.machine.ascend import Card, Cards
from tools.machine.judge_hardware import (
    judge_cann,
    judge_cards,
    judge_cores,
    judge_disk,
    judge_folders,
    judge_memory,
)
from tools.machine.limits import Cores, Memory
from tools.machine.verdicts import FAULT, OK, SKIPPED, WARNING

GB = 10**9


def only(lines):
    (line,) = lines
    return line


@pytest.mark.parametrize(
    "cores, verdict, found",
    [
        (Cores(2.0, 2), OK, "2"),
        (Cores(2.0, 64), OK, "2 of the machine's 64"),
        (Cores(1.0, 1), WARNING, "1"),
        (Cores(1.5, 8), WARNING, "1.5 of the machine's 8"),
    ],
)
def test_cores(needs, facts, cores, verdict, found):
    line = only(judge_cores(needs, facts._replace(cores=cores)))
    assert (line.verdict, line.found, line.needed) == (verdict, found, "2")


@pytest.mark.parametrize(
    "total, available, swap, limited, verdict, remedy",
    [
        (16, 12, 0, False, OK, ""),
        (9.2, 9.2, 0, True, OK, ""),
        (16, 9.1, 0, False, WARNING, "little margin"),
        (16, 7.9, 4, False, WARNING, "swaps"),
        (7, 6, 4, False, WARNING, "swaps"),
        (16, 7.9, 0, False, FAULT, "end other programs, or use a machine with more"),
        (16, 4, 3.9, False, FAULT, "end other programs"),
        (7.9, 7.9, 0, False, FAULT, "use a machine with more, or PROFILE=tiny"),
        (4, 4, 0, True, FAULT, "raise the container's limit, or PROFILE=tiny"),
        (16, 4, 0, True, FAULT, "or raise the container's limit"),
    ],
)
def test_memory(needs, facts, total, available, swap, limited, verdict, remedy):
    memory = Memory(round(total * GB), round(available * GB), round(swap * GB), limited)
    line = only(judge_memory(needs, facts._replace(memory=memory)))
    assert (line.verdict, line.needed) == (verdict, "8.0 GB")
    assert remedy in line.remedy and bool(line.remedy) == (verdict != OK)
    assert ("container's limit" in line.found) == limited


def test_the_smallest_profile_is_not_advised_to_itself(needs, facts):
    memory = Memory(GB, GB, 0, False)
    line = only(judge_memory(needs._replace(profile="tiny"), facts._replace(memory=memory)))
    assert line.verdict == FAULT and "PROFILE=tiny" not in line.remedy


def test_a_system_that_does_not_tell_its_memory(needs, facts):
    assert only(judge_memory(needs, facts._replace(memory=None))).verdict == SKIPPED


def placed(facts, **changes):
    places = {name: place._replace(**changes.get(name, {})) for name, place in facts.places.items()}
    return facts._replace(places=places)


@pytest.mark.parametrize(
    "free, held, setup, verdict",
    [
        (11.5, 0, True, OK),
        (10.1, 0, True, WARNING),
        (9.9, 0, True, FAULT),  # 3 + 1 + 1 + 5
        (6.9, 0, False, OK),  # .venv is there, and nothing goes through temp
        (5.9, 0, False, FAULT),
        (4.1, 2.5, False, OK),  # of the run 2.5 of 5 stand there
        (3.4, 2.5, False, FAULT),
        (0.9, 9, False, FAULT),  # more there than is asked for makes nothing else smaller
        (1.2, 9, False, OK),
    ],
)
def test_one_disk(needs, facts, free, held, setup, verdict):
    changes = {name: {"free": round(free * GB)} for name in facts.places}
    changes["run"]["held"] = round(held * GB)
    line = only(judge_disk(needs, placed(facts._replace(setup=setup), **changes)))
    assert line.verdict == verdict and bool(line.remedy) == (verdict != OK)
    assert ("beside the" in line.needed) == (held > 0)


def test_disks_are_judged_apart(needs, facts):
    """Runs linked to a disk of their own, and temporary files in a small one of memory."""
    found = placed(
        facts,
        temp={"disk": 2, "free": GB // 2},
        run={"disk": 3, "free": 20 * GB},
        venv={"free": 5 * GB},
        material={"free": 5 * GB},
    )
    lines = {line.found: line for line in judge_disk(needs, found)}
    assert [line.verdict for line in lines.values()] == [OK, FAULT, OK]
    temp = lines["500.0 MB free for /tmp"]
    assert temp.needed == "1.0 GB" and "free 500.0 MB" in temp.remedy and "TMPDIR" in temp.remedy


@pytest.mark.parametrize("name", ["venv", "temp", "material", "run"])
def test_folders_that_are_shut(needs, facts, name):
    line = only(judge_folders(needs, placed(facts, **{name: {"writable": False}})))
    assert line.verdict == FAULT and facts.places[name].path in line.found


def test_an_environment_that_is_made_may_be_shut(needs, facts):
    found = placed(facts._replace(setup=False), venv={"writable": False})
    assert only(judge_folders(needs, found)).verdict == OK


def test_no_temporary_folder(needs, facts):
    found = facts._replace(places={**facts.places, "temp": None})
    line = only(judge_folders(needs, found))
    assert line.verdict == FAULT and "TMPDIR" in line.remedy
    assert only(judge_disk(needs, found)).verdict == OK


def test_shared_memory(needs, facts):
    line = only(judge_folders(needs, facts._replace(shared=False)))
    assert line.verdict == FAULT and "/dev/shm" in line.found
    assert only(judge_folders(needs, facts)).verdict == OK


GOOD = Card("910B1", "OK", 3 * GB, 65 * GB)


@pytest.mark.parametrize(
    "cards, verdict, text",
    [
        (Cards([GOOD] * 4), OK, "4 (910B1 of 65.0 GB)"),
        (Cards([GOOD] * 8), OK, "8 (910B1"),
        (Cards([GOOD._replace(health="Warning")] * 4), OK, ""),
        (Cards([GOOD._replace(total=32_768_000_000)] * 4), OK, ""),
        (Cards([GOOD] * 3), FAULT, "CARDS=3, or a machine"),
        (Cards([*[GOOD] * 3, GOOD._replace(health="Alarm")]), FAULT, "card 3 is Alarm"),
        (Cards([GOOD._replace(total=16 * GB)] * 4), FAULT, "0 of them usable"),
        (Cards([], "npu-smi is not there"), FAULT, "npu-smi is not there"),
        (Cards([*[GOOD] * 3, GOOD._replace(used=60 * GB)]), WARNING, "1 in use"),
        (Cards([*[GOOD] * 4, GOOD._replace(used=60 * GB)]), OK, ""),  # four others are free
    ],
)
def test_cards(ascend_needs, facts, cards, verdict, text):
    line = only(judge_cards(ascend_needs, facts._replace(cards=cards)))
    assert line.verdict == verdict and text in str(line)


@pytest.mark.parametrize(
    "cann, verdict", [("8.0.RC1", OK), ("8.0.rc1", OK), ("8.2.RC1", WARNING), (None, FAULT)]
)
def test_cann(ascend_needs, facts, cann, verdict):
    assert only(judge_cann(ascend_needs, facts._replace(cann=cann))).verdict == verdict


def test_the_cpu_needs_neither(needs, facts):
    assert [*judge_cards(needs, facts), *judge_cann(needs, facts)] == []
