"""What a profile needs is what the schema reads in it, with PyYAML and without."""

from __future__ import annotations

import shutil
import sys

import pytest

from tools.files.errors import UserError
from tools.machine.needs import CONFIGS, read_needs
from tools.settings.artifacts import select_artifacts
from tools.settings.profile import read_profile

PROFILES = sorted(path.parent.name for path in CONFIGS.glob("*/profile.yaml"))


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("name", PROFILES)
def test_it_agrees_with_the_schema(name, installed, monkeypatch):
    profile = read_profile(CONFIGS / name / "profile.yaml")
    artifacts = select_artifacts(profile.artifacts)
    if not installed:
        monkeypatch.setitem(sys.modules, "yaml", None)
    needs = read_needs(name)
    written = profile.needs
    assert needs.device == profile.device and needs.cards == profile.cards
    oldest, newest = (".".join(map(str, version)) for version in needs.python)
    assert written.python == (oldest if oldest == newest else f"{oldest} to {newest}")
    assert needs.cores == written.cores
    assert needs.memory == written.memory_gb * 10**9
    assert {k: v / 10**9 for k, v in needs.disk.items()} == written.disk_gb.model_dump()
    assert (needs.mindspore, needs.cann) == (written.mindspore, written.cann)
    assert needs.card_memory == (written.card_memory_gb and written.card_memory_gb * 10**9)
    # Of an artefact only what is said about it in words is left out.
    assert [{**vars(item), "about": ""} for item in artifacts] == [*map(vars, needs.artifacts)]


def test_more_workers_ask_for_more_memory():
    own = read_needs("tiny")
    assert own.cards == 2
    assert read_needs("tiny", 4).memory == 2 * own.memory and read_needs("tiny", 4).cards == 4
    assert read_needs("tiny", 1).memory == own.memory  # scoring takes no less


@pytest.mark.parametrize("cards", [0, -1])
def test_workers_that_are_none(cards):
    with pytest.raises(UserError, match=r"CARDS: .* workers cannot train"):
        read_needs("tiny", cards)


@pytest.mark.parametrize("name", ["huge", "../tiny", "", "recipes"])
def test_unknown_profiles_are_answered_with_the_known(name):
    with pytest.raises(UserError) as caught:
        read_needs(name)
    assert all(known in str(caught.value) for known in PROFILES)


@pytest.mark.parametrize(
    "old, new",
    [
        ("needs: ", "need: "),
        ("cores: 2", "cores: many"),
        ("memory_gb: 2", "memory_gb: much"),
        ('"3.9 to 3.11"', '"three"'),
        ('"3.9 to 3.11"', '"3.9 to"'),
        ("disk_gb: {", "disk_gb: {tape: large, "),
        ("cards: 2", "cards: 0"),
    ],
)
def test_faults_name_the_file(tmp_path, old, new):
    shutil.copytree(CONFIGS / "tiny", tmp_path / "tiny")
    path = tmp_path / "tiny" / "profile.yaml"
    text = path.read_text().replace("needs:  ", "needs: ")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError) as caught:
        read_needs("tiny", None, tmp_path)
    assert caught.value.where == path and "compare it with" in str(caught.value)


def test_an_unknown_artefact_is_answered_with_the_known(tmp_path):
    shutil.copytree(CONFIGS / "tiny", tmp_path / "tiny")
    shutil.copy(CONFIGS / "artifacts.yaml", tmp_path)
    path = tmp_path / "tiny" / "profile.yaml"
    path.write_text(path.read_text().replace("artifacts: []", "artifacts: [gpt]"))
    with pytest.raises(UserError, match=r"unknown artefact gpt; choose from: .*llama3-weights"):
        read_needs("tiny", None, tmp_path)
