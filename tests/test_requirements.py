"""The locks: whole, with hashes, from no named host, and for the Pythons that are promised."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tools.settings.profile import read_profile

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
LOCKS = ("cpu", "ascend", "dev")
PYTHONS = ("3.9", "3.10", "3.11")


def asked(name: str) -> List[Requirement]:
    """What NAME.in asks for."""
    lines = (line.partition("#")[0].strip() for line in (FOLDER / f"{name}.in").open("r"))
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def pins(name: str, python: str, machine: str = "x86_64") -> Dict[str, str]:
    """{package: version} of NAME.txt on that Python on Linux; no package has two."""
    text = (FOLDER / f"{name}.txt").read_text("utf-8").replace("\\\n", " ")
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "sys_platform": "linux",
        "platform_machine": machine,
    }
    found: Dict[str, str] = {}
    for line in text.splitlines():
        requirement, *hashes = line.split("--hash=")
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", h.strip()) for h in hashes)
        pin = Requirement(requirement.strip())
        if pin.marker is None or pin.marker.evaluate(environment):
            (version,) = pin.specifier
            assert version.operator == "==" and pin.name not in found, pin.name
            found[pin.name] = version.version
    return found


def name_of(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


@pytest.mark.parametrize(
    "lock, python",
    [*((lock, python) for lock in ("cpu", "dev") for python in PYTHONS), ("ascend", "3.9")],
)
def test_what_is_asked_for_is_pinned(lock: str, python: str) -> None:
    found = pins(lock, python)
    for requirement in asked(lock):
        version = found[name_of(requirement)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_tests_move_nothing_of_the_pipeline(python: str) -> None:
    base, more = pins("cpu", python), pins("dev", python)
    assert {name: base[name] for name in more if name in base} == {
        name: version for name, version in more.items() if name in base
    }


def test_the_pair_is_the_same_on_every_python() -> None:
    """Results do not depend on it."""
    pairs = {(pins("cpu", p)["mindspore"], pins("cpu", p)["mindformers"]) for p in PYTHONS}
    assert len(pairs) == 1


def test_cards_keep_what_their_image_has() -> None:
    found = pins("ascend", "3.9", "aarch64")
    assert not {"mindspore", "mindformers", "torch"} & {*found}
    # What MindSpore 2.3 says it takes.
    assert SpecifierSet(">=1.20.0,<2.0.0").contains(found["numpy"])
    missing = {name_of(item) for item in asked("cpu")} - {*found}
    assert missing == {"mindspore", "mindformers", "setuptools"}  # venv brings the last on 3.9


@pytest.mark.parametrize("name", [f"{lock}.{end}" for lock in LOCKS for end in ("in", "txt")])
def test_no_host_is_named(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ file", text)


def test_one_range_of_pythons() -> None:
    """pyproject.toml, the Makefile and the profiles of the CPU promise the same versions."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    promised = SpecifierSet(re.search(r'^requires-python = "(.*)"$', text, re.M)[1])
    allowed = [f"3.{minor}" for minor in range(6, 20) if promised.contains(f"3.{minor}")]
    assert allowed == [*PYTHONS]
    for name in ("tiny", "smollm2-135m"):
        profile = read_profile(ROOT / "configs" / name / "profile.yaml")
        assert profile.needs.python == f"{PYTHONS[0]} to {PYTHONS[-1]}"
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "(3, 9) <= version <= (3, newest)" in (FOLDER / "check.py").read_text("utf-8")
    assert "NEWEST      := $(if $(filter ascend,$(STACK)),9,11)" in makefile
