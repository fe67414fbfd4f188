"""Profiles and recipes: those of the project are valid, others are told what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tools.files.errors import UserError
from tools.settings.artifacts import select_artifacts
from tools.settings.native import read_finetune
from tools.settings.profile import (
    CONFIGS,
    TokenizerSource,
    check_name,
    profile_folder,
    read_profile,
    read_recipe,
)

PROFILES = sorted(path.parent.name for path in CONFIGS.glob("*/profile.yaml"))
RECIPES = sorted(path.stem for path in CONFIGS.glob("recipes/*.yaml"))


def test_there_are_profiles_and_recipes():
    assert {"tiny", "smollm2-135m", "llama3-8b"} <= {*PROFILES} and "plain" in RECIPES


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_valid(name):
    folder = profile_folder(name)
    profile = read_profile(folder / "profile.yaml")
    config = read_finetune(folder / "finetune.yaml")
    assert config["context"]["device_target"] == profile.device
    assert check_name(name, "PROFILE") == name
    assert {budget.recipe for budget in profile.budgets.values()} <= {*RECIPES}
    assert {"squad", "math"} == {*profile.evaluation.max_new_tokens}
    files = [artifact.file for artifact in select_artifacts(profile.artifacts)]
    assert profile.model.file is None or profile.model.file in files


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_valid(name):
    assert read_recipe(name).about


def test_unknown_names_are_answered_with_the_known():
    with pytest.raises(UserError) as caught:
        profile_folder("huge")
    assert str(caught.value).startswith("PROFILE: no such profile 'huge'; choose one of: ")
    assert all(name in str(caught.value) for name in PROFILES)
    with pytest.raises(UserError, match=r"RECIPE: no such recipe 'x'; choose one of: .*plain"):
        read_recipe("x")


@pytest.mark.parametrize("name", ["../tiny", "tiny/", "", ".", "*", "recipes"])
def test_a_profile_is_a_name_not_a_path(name):
    with pytest.raises(UserError, match="no such profile"):
        profile_folder(name)


@pytest.mark.parametrize("name", ["../plain", "", "pl*n", "plain.yaml"])
def test_a_recipe_is_a_name_not_a_path(name):
    with pytest.raises(UserError, match="no such recipe"):
        read_recipe(name)


@pytest.fixture
def altered(tmp_path: Path):
    """Change one key of the tiny profile (None removes it) and read it."""

    def read(key: str, value):
        tree = yaml.safe_load((CONFIGS / "tiny" / "profile.yaml").read_text("utf-8"))
        *above, own = key.split(".")
        node = tree
        for step in above:
            node = node[step]
        if value is None:
            del node[own]
        else:
            node[own] = value
        path = tmp_path / "profile.yaml"
        path.write_text(yaml.safe_dump(tree))
        return read_profile(path)

    return read


@pytest.mark.parametrize(
    "key, value",
    [
        ("about", None),
        ("device", "GPU"),
        ("cards", 0),
        ("cards", "two"),
        ("prompt", "chat"),
        ("pack", None),
        ("pack", "some"),
        ("model.source", "torch"),
        ("model.source", "gguf"),  # without a file
        ("model.file", "x.gguf"),  # with a seed
        ("model.denominator", 0),
        ("tokenizer.kind", "words"),
        ("tokenizer.kind", "file"),  # without one
        ("tokenizer.file", "x.model"),  # trained on the corpus
        ("budgets.huge", {}),
        ("budgets", {}),  # without what make takes by default
        ("budgets.quick.recipe", None),
        ("budgets.quick.corpus.valid", 0),
        ("budgets.quick.corpus.valid", None),
        ("budgets.quick.epochs", 0),
        ("budgets.quick.corpus.test", -1),
        ("evaluation.batch_size", 0),
        ("evaluation.max_new_tokens", {"poems": 5}),
        ("evaluation.min_new_tokens", -1),
        ("evaluation.temperature", 0.7),
        ("needs", None),
        ("needs.python", "2.7"),
        ("needs.python", "3.9 or 3.11"),
        ("needs.python", 3.11),  # unquoted, 3.10 would be 3.1
        ("needs.cores", 0),
        ("needs.memory_gb", "much"),
        ("needs.disk_gb.run", -1),
        ("needs.disk_gb.material", None),
        ("needs.disk_gb.tape", 1),
        ("needs.cann", "8.0.RC1"),  # on the CPU
        ("device", "Ascend"),  # without what cards need
    ],
)
def test_faults_are_named(altered, key, value):
    with pytest.raises(UserError) as caught:
        altered(key, value)
    assert key.split(".")[0] in str(caught.value)
    assert int(str(caught.value.where).rsplit(":", 1)[1]) >= 1


def test_recipe_counts_and_styles(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "a.yaml").write_text("about: x\nrepeat: 2\ncounts: {add: 2}\n")
    assert read_recipe("a", tmp_path).counts == {"add": 2}
    for text in (
        *("counts: {add: 0}", "counts: [add]", "kinds: 3", "prompt: other"),
        *("exponents: []", "exponents: [6]", "exponents: 2", "separator: '1'", "separator: xxxxx"),
        *("styles: {add: {style: direct, decimals: -1}}", "styles: {add: direct}"),
    ):
        (folder / "a.yaml").write_text(f"about: x\nrepeat: 2\n{text}\n")
        with pytest.raises(UserError, match=r"a\.yaml:3"):
            read_recipe("a", tmp_path)


@pytest.mark.parametrize("name", ["team", "a_1.b-c", "7", "x" * 64])
def test_names(name):
    assert check_name(name, "RUN") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".x", "-x", "a/b", "a b", "a\nb", "x" * 65, "队", "$(x)"]
)
def test_names_that_are_none(name):
    with pytest.raises(UserError, match="RUN"):
        check_name(name, "RUN")


@pytest.mark.parametrize("name", ["a b.model", "../x.model", "$(shell id)", "-x", ""])
def test_a_file_is_named_so_that_make_takes_it_as_it_is(name):
    with pytest.raises(ValueError, match="pattern"):
        TokenizerSource(kind="file", file=name)
    assert TokenizerSource(kind="file", file="tokenizer.model").file == "tokenizer.model"
