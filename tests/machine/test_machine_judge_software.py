"""System, programs, Python and packages: every verdict of each check."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tools.machine.interpreters import Interpreter
from tools.machine.judge_software import (
    judge_packages,
    judge_programs,
    judge_python,
    judge_system,
)
from tools.machine.verdicts import FAULT, OK, WARNING

PAIR = {"mindspore": "2.9.0", "mindformers": "1.9.0"}
SUPPORTED = {"1.9.0": ("2.9.0",), "1.8.0": ("2.7.2",)}


def only(lines):
    (line,) = lines
    return line


@pytest.mark.parametrize(
    "system, setup, verdict",
    [
        (("Linux", "x86_64", "glibc 2.36"), True, OK),
        (("Linux", "x86_64", "glibc 2.28"), True, OK),
        (("Linux", "x86_64", ""), True, OK),
        (("Linux", "x86_64", "glibc 2.17"), True, WARNING),
        (("Linux", "x86_64", "glibc 2.17"), False, OK),  # it is installed
        (("Linux", "x86_64", "musl"), True, FAULT),
        (("Linux", "x86_64", "musl"), False, OK),
        (("Linux", "aarch64", "glibc 2.36"), True, WARNING),
        (("Darwin", "arm64", ""), True, WARNING),
    ],
)
def test_system(needs, facts, system, setup, verdict):
    line = only(judge_system(needs, facts._replace(system=system, setup=setup)))
    assert line.verdict == verdict and bool(line.remedy) == (verdict != OK)


def test_a_system_with_cards_is_the_images(ascend_needs, facts):
    line = only(
        judge_system(ascend_needs, facts._replace(system=("Linux", "aarch64", "glibc 2.28")))
    )
    assert (line.verdict, line.found) == (OK, "Linux aarch64 glibc 2.28")


@pytest.mark.parametrize("name", ["make", "/bin/bash", "sed", "grep"])
def test_a_program_that_is_missing(needs, facts, name):
    line = only(judge_programs(needs, facts._replace(programs={**facts.programs, name: None})))
    assert (line.verdict, line.found) == (FAULT, f"no {name}")


def test_git_is_for_records_and_submissions(needs, facts):
    line = only(judge_programs(needs, facts._replace(programs={**facts.programs, "git": None})))
    assert line.verdict == WARNING and "`make submit` fails" in line.remedy


@pytest.mark.parametrize(
    "make, verdict", [((4, 3), OK), ((4, 2), OK), ((4, 1), FAULT), ((3, 81), FAULT), (None, FAULT)]
)
def test_make(needs, facts, make, verdict):
    assert only(judge_programs(needs, facts._replace(make=make))).verdict == verdict


@pytest.mark.parametrize(
    "version, setup, verdict, remedy",
    [
        ((3, 11, 7), True, OK, ""),
        ((3, 11, 0), False, OK, ""),
        ((3, 9, 18), True, OK, ""),
        ((3, 10, 13), False, OK, ""),
        ((3, 12, 1), True, FAULT, "PYTHON_SYSTEM=/path/to/python3.11"),
        ((3, 8, 18), True, FAULT, "PYTHON_SYSTEM=/path/to/python3.11"),
        ((3, 12, 1), False, FAULT, "rm -rf .venv"),
        (None, True, FAULT, "install Python 3.11"),
        (None, False, FAULT, "rm -rf .venv"),
    ],
)
def test_python(needs, facts, version, setup, verdict, remedy):
    python = facts.python._replace(version=version)
    line = only(judge_python(needs, facts._replace(python=python, setup=setup)))
    assert line.verdict == verdict and remedy in line.remedy and line.needed == "3.9 to 3.11"


def test_python_of_cards(ascend_needs, facts):
    for version, verdict in (((3, 9, 18), OK), ((3, 11, 7), FAULT)):
        python = facts.python._replace(version=version)
        line = only(judge_python(ascend_needs, facts._replace(python=python)))
        assert (line.verdict, line.needed) == (verdict, "3.9")


def test_the_lock_for_cards_is_for_one_version(needs, facts):
    """Whatever the profile: `make setup` refuses others."""
    for version, verdict in (((3, 9, 18), OK), ((3, 11, 7), FAULT)):
        found = facts._replace(python=facts.python._replace(version=version), stack="ascend")
        line = only(judge_python(needs, found))
        assert (line.verdict, line.needed) == (verdict, "3.9")
        # What is set up already is not made again.
        assert only(judge_python(needs, found._replace(setup=False))).verdict == OK


def test_a_python_without_its_parts(needs, facts):
    python = facts.python._replace(missing=("ensurepip", "lzma"))
    line = only(judge_python(needs, facts._replace(python=python)))
    assert line.verdict == FAULT and "without ensurepip, lzma" in line.found
    assert "python3.11-venv" in line.remedy
    # What is set up already was made without them.
    assert only(judge_python(needs, facts._replace(python=python, setup=False))).verdict == OK


@pytest.mark.parametrize("root, verdict", [("/a/b:c", FAULT), ("/a/b c", OK), ("/a/队", OK)])
def test_a_path_that_venv_refuses(needs, facts, root, verdict):
    assert only(judge_python(needs, facts._replace(root=root))).verdict == verdict


def packages(facts, have, supported=SUPPORTED, setup=False, stack="cpu"):
    python = Interpreter("x", (3, 11, 7), (), have, supported)
    return facts._replace(python=python, setup=setup, stack=stack)


def test_packages_to_come(needs, facts):
    line = only(judge_packages(needs, facts))
    assert line.verdict == OK and "mindspore 2.9.0, mindformers 1.9.0" in line.found


@pytest.mark.parametrize(
    "have, supported, verdict",
    [
        (PAIR, SUPPORTED, OK),
        (PAIR, {}, OK),  # what the lock says needs no map
        ({"mindspore": "2.7.2", "mindformers": "1.8.0"}, SUPPORTED, WARNING),  # they fit, too
        ({"mindspore": "2.9.1", "mindformers": "1.9.0"}, SUPPORTED, WARNING),
        ({"mindspore": "2.7.2", "mindformers": "1.9.0"}, SUPPORTED, FAULT),
        ({"mindspore": "2.9.0", "mindformers": "1.8.0"}, SUPPORTED, FAULT),
        ({"mindspore": "3.0.0", "mindformers": "2.0.0"}, SUPPORTED, WARNING),  # nobody says
        ({"mindspore": "2.9.0"}, SUPPORTED, FAULT),
        ({}, {}, FAULT),
    ],
)
def test_packages_that_are_there(needs, facts, have, supported, verdict):
    assert only(judge_packages(needs, packages(facts, have, supported))).verdict == verdict


@pytest.mark.parametrize(
    "have, setup, verdict",
    [
        ({"mindspore": "2.3.0rc2", "mindformers": "1.1.0"}, False, OK),  # the organisers' own
        ({"mindspore": "2.7.2", "mindformers": "1.8.0"}, False, WARNING),
        ({"mindspore": "2.9.0", "mindformers": "1.8.0"}, False, FAULT),
        ({"mindspore": "2.3.0rc2"}, False, FAULT),
        ({"mindspore": "2.3.0rc2"}, True, OK),  # MindFormers is no matter of the set-up
        ({"mindspore": "2.3.0"}, True, WARNING),
        ({}, True, FAULT),
    ],
)
def test_packages_of_cards(ascend_needs, facts, have, setup, verdict):
    line = only(judge_packages(ascend_needs, packages(facts, have, setup=setup, stack="ascend")))
    assert line.verdict == verdict
    assert verdict == OK or line.remedy


def test_cards_without_their_lock(ascend_needs, facts):
    line = only(judge_packages(ascend_needs, packages(facts, {}, setup=True)))
    assert (line.verdict, line.needed) == (FAULT, "mindspore 2.3.0rc2")
    assert "requirements/cpu.txt" in line.found and "STACK=ascend" in line.remedy
    line = only(judge_packages(ascend_needs, packages(facts, PAIR)))
    assert line.verdict == WARNING and line.remedy == "rm -rf .venv, then make setup STACK=ascend"


@pytest.mark.parametrize("version, verdict", [("2.3.0rc2", OK), ("2.3.0", WARNING)])
def test_mindformers_that_is_fetched(ascend_needs, facts, version, verdict):
    found = packages(facts, {"mindspore": version}, stack="ascend")
    wanted = SimpleNamespace(id="contest-mindformers")
    line = only(judge_packages(ascend_needs._replace(artifacts=(wanted,)), found))
    assert line.verdict == verdict and "make fetch" in line.found
    other = SimpleNamespace(id="contest-train")
    assert only(judge_packages(ascend_needs._replace(artifacts=(other,)), found)).verdict == FAULT


@pytest.mark.parametrize(
    "have, setup, verdict",
    [
        ({"mindspore": "2.3.0rc2"}, True, WARNING),
        ({"mindspore": "2.9.0"}, True, OK),
        ({}, True, FAULT),
        ({"mindspore": "2.3.0rc2", "mindformers": "1.1"}, False, WARNING),
    ],
)
def test_the_cpu_where_the_lock_is_for_cards(needs, facts, have, setup, verdict):
    """The profiles of the CPU were made with other packages than those of the contest's image."""
    line = only(judge_packages(needs, packages(facts, have, setup=setup, stack="ascend")))
    assert line.verdict == verdict
    assert verdict == OK or "STACK=cpu" in line.remedy
