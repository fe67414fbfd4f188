"""Configs against the files beside them: a profile's, recipe by recipe, and a run's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from config_files import CONFIGS, changed, line_of, placed
from packaging_run import write

from tools.packaging.config_check import check_configs
from tools.packaging.config_plans import RULES, plan_faults, plans_beside


def check_config(path: Path) -> List[str]:
    return check_configs([path])[1]


PROFILE, FINETUNE = "profile.yaml", "finetune.yaml"
_CARDS = "parallel_config:"
SUMMARY = "../records/train.mindrecord.json"

# rule: (profile, file, the change that breaks it, the fault, what its line holds)
BAD_PROFILES: Dict[str, List[Tuple]] = {
    "cards": [
        ("llama3-8b", FINETUNE, "model_parallel: 1", "model_parallel: 2", "needs 8 cards", _CARDS),
        ("llama3-8b", FINETUNE, "pipeline_stage: 1", "pipeline_stage: 4", "there are 4", _CARDS),
    ],
    "equal": [
        ("tiny", PROFILE, "device: CPU", "device: Ascend", "Ascend, finetune.yaml has", "device:")
    ],
    "lengths": [
        ("tiny", PROFILE, "math: 56", "math: 192", "192 of the recipe plain: no row", "math:"),
        ("tiny", PROFILE, "tokens: 480", "tokens: 512", "below the seq_length 512", "rank-01:"),
        ("tiny", PROFILE, "seq_length: 608", "seq_length: 4096", "is beyond", "worked:"),
    ],
    "worked": [
        ("tiny", PROFILE, ", max_new_tokens: 544}", "}", "56 cuts the worked", "math: 56"),
        ("llama3-8b", PROFILE, "700}", "128}", "128 cuts the worked solutions of", "rank-01:"),
        ("llama3-8b", PROFILE, "  rank-01: {", "  x: {", "the recipe rank-01; give", "math: 128"),
    ],
    "min_new_tokens": [
        ("tiny", PROFILE, "min_new_tokens: 1", "min_new_tokens: 0", "set it to 1", "min_new")
    ],
    "checkpoints": [
        ("tiny", PROFILE, "train: 168", "train: 32", "of 4 on 2 cards make 4 steps", "train: 32"),
        ("llama3-8b", PROFILE, "train: 9000", "train: 28", "0 steps (budget quick)", "train: 28"),
    ],
    "denominator": [
        ("llama3-8b", PROFILE, "8030000000", "8030261248", "contest's is 8030000000", "denomin"),
    ],
}
# The same, each with the change of a value in a run's JSON.
BAD_RUNS: Dict[str, List[Tuple]] = {
    "cards": [("profile.json", "cards", 4, "needs 2 cards, there are 4")],
    "lengths": [("evaluation.json", "max_new_tokens", ["test=608"], "not below the seq_length")],
    "equal": [
        ("profile.json", "device", "Ascend", "device is Ascend, finetune.yaml has CPU"),
        ("records.json", "seq_length", 256, "seq_length is 608, records.json has 256; make"),
        (SUMMARY, "seq_length", 256, "608, train.mindrecord.json has 256"),
        ("prompts.json", "prompt", "vicuna", "prompt is vicuna, train.mindrecord.json has alpaca"),
        ("tokenizer.json", "prompt", "none", "prompt is none"),
        (SUMMARY, "frame", "vicuna", "prompt is alpaca, train.mindrecord.json has vicuna"),
        ("model.json", "pet_config.lora_rank", 16, "lora_rank is 16, finetune.yaml has 8"),
        ("model.json", "pet_config.lora_alpha", 8, "lora_alpha is 8, finetune.yaml has 16"),
        ("model.json", "pet_config.target_modules", ".*wq", "target_modules is .*wq"),
    ],
    "left_out": [
        (SUMMARY, "left_out", 10, "6% of the examples were left out, longer than seq_length")
    ],
    "packing": [(SUMMARY, "pack", False, "is PackedLlamaForCausalLM, the records are not packed")],
    "worked": [("evaluation.json", "max_new_tokens", ["test=128"], "cuts the worked solutions")],
    "answers": [(SUMMARY, "answer_tokens", 168 * 545, "544 is below the mean answer, 545 tokens")],
    "min_new_tokens": [("evaluation.json", "min_new_tokens", 0, "answers may be empty")],
    "checkpoints": [(SUMMARY, "rows", 16, "16 rows in batches of 2 on 2 cards make 4 steps")],
}


@pytest.fixture(scope="module")
def good_configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of our configs, and a run of a worked recipe beside them, in run/config."""
    from tools.settings.resolve import resolve

    root = tmp_path_factory.mktemp("plans")
    shutil.copytree(CONFIGS, root / "configs")
    resolve(root / "run/config", "tiny", "quick", "worked", 42, None)
    summary = {"rows": 60, "examples": 168, "left_out": 0, "answer_tokens": 168 * 200}
    summary.update(pack=True, seq_length=608, frame="alpaca")
    write(root / "run/records/train.mindrecord.json", summary)
    return root


@pytest.fixture
def copy(good_configs: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good_configs, tmp_path / "copy")


def test_every_rule_has_a_bad_file() -> None:
    assert {*BAD_PROFILES, *BAD_RUNS} == {rule.__name__ for rule in RULES}


def test_good_files(copy: Path) -> None:
    for folder in ("configs/tiny", "configs/llama3-8b", "configs/smollm2-135m", "run/config"):
        path = copy / folder / FINETUNE
        assert list(plan_faults(path)) == []
        assert check_config(path) == []
    assert len(list(plans_beside(path))) == 1


def test_each_recipe_and_budget_has_a_plan(copy: Path) -> None:
    found = plans_beside(copy / "configs/tiny/finetune.yaml")
    plans = {(plan.budget, plan.recipe): plan for plan in found}
    recipes = {path.stem for path in (CONFIGS / "recipes").glob("*.yaml")}
    assert set(plans) == {("quick", name) for name in recipes}
    plan, names = plans["quick", "worked"], ("rows", "seq_length", "batch_size", "math_tokens")
    assert plan.counts(*names) == [168, 608, 2, 544]
    assert plans["quick", "plain"].counts("math_tokens") == [56]


@pytest.mark.parametrize(
    ("rule", "case"), [(rule, case) for rule, cases in BAD_PROFILES.items() for case in cases]
)
def test_a_bad_profile_is_refused_at_its_line(copy: Path, rule: str, case: Tuple) -> None:
    profile, name, old, new, fault, where = case
    path = copy / "configs" / profile / name
    bad = changed(path.read_text("utf-8"), old, new)
    path.write_text(bad, "utf-8")
    # Whichever of the two files is checked.
    for checked in (FINETUNE, PROFILE):
        told = [placed(text) for text in check_config(path.with_name(checked))]
        found = [(file, line) for file, line, what in told if fault in what]
        assert found == [(str(path), line_of(bad, where))], told


def test_a_worked_recipe_needs_its_own_length(copy: Path) -> None:
    """A length that would do for short answers is no length that was chosen for long ones."""
    path = copy / "configs/llama3-8b" / PROFILE
    text = changed(path.read_text("utf-8"), "math: 128", "math: 200")
    assert check_config(write(path, text)) == []
    bad = changed(text, "worked: {seq_length: 512, max_new_tokens: 460}", "worked: {}")
    (fault,) = check_config(write(path, bad))
    assert placed(fault)[1] == line_of(bad, "math: 200")
    assert "was chosen for short answers; give the worked solutions of the recipe worked" in fault


def with_value(path: Path, key: str, value: Any) -> None:
    tree = json.loads(path.read_text("utf-8"))
    *above, own = key.split(".")
    inner = tree
    for step in above:
        inner = inner[step]
    inner[own] = value
    write(path, tree)


@pytest.mark.parametrize(
    ("rule", "case"), [(rule, case) for rule, cases in BAD_RUNS.items() for case in cases]
)
def test_a_bad_run_is_refused(copy: Path, rule: str, case: Tuple) -> None:
    name, key, value, fault = case
    path = copy / "run/config" / name
    with_value(path, key, value)
    told = [placed(text) for text in check_config(copy / "run/config" / FINETUNE)]
    found = [(file, line) for file, line, what in told if fault in what]
    assert found, told
    for file, line in found:
        text = Path(file).read_text("utf-8").split("\n")[line - 1]
        # The line holds the key, or its counterpart in the config that is checked.
        words = {"cards": "parallel_config", "pack": "type", "answer_tokens": "test="}
        words.update(frame="prompt", max_new_tokens="test=")
        assert words.get(key, key.split(".")[-1]) in text


def test_files_that_are_missing_or_broken_say_nothing(copy: Path) -> None:
    """They are named where they are checked or needed; the others go on being compared."""
    folder = copy / "run/config"
    for name in ("records", "prompts", "model", "evaluation", "corpus"):
        write(folder / f"{name}.json", b"\xff{" if name == "model" else "{")
        assert check_config(folder / FINETUNE) == []
        (folder / f"{name}.json").unlink()
    with_value(folder / "profile.json", "cards", 3)
    assert len(check_config(folder / FINETUNE)) == 1
    with_value(folder / "profile.json", "cards", "two")
    assert check_config(folder / FINETUNE) == []


def test_a_profile_without_recipes(copy: Path) -> None:
    shutil.rmtree(copy / "configs/recipes")
    path = copy / "configs/tiny" / FINETUNE
    assert [plan.recipe for plan in plans_beside(path)] == [""]
    assert check_config(path) == []
    profile = path.with_name(PROFILE)
    write(profile, changed(profile.read_text("utf-8"), "math: 56", "math: 192"))
    assert len(check_config(path)) == 1


def test_a_broken_profile_or_recipe_is_named_by_its_own_check(copy: Path) -> None:
    folder = copy / "configs/tiny"
    write(copy / "configs/recipes/worked.yaml", "about: [")
    assert check_config(folder / FINETUNE) == []
    assert len(check_config(copy / "configs/recipes/worked.yaml")) == 1
    write(folder / PROFILE, "about: 1\n")
    assert check_config(folder / FINETUNE) == []
    assert {placed(fault)[0] for fault in check_config(folder / PROFILE)} == {str(folder / PROFILE)}
