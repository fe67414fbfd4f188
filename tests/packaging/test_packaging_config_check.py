"""Files of all kinds: ours are good, a fault has its place, nothing brings the check down."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import List

import pytest
from config_files import CONFIGS, EVALUATION, TINY, changed, placed
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging_run import write

from tools.files.errors import UserError
from tools.packaging.config_check import check_configs, finetune_faults


def check_config(path: Path) -> List[str]:
    return check_configs([path])[1]


def test_our_configs_are_good() -> None:
    count, faults = check_configs([CONFIGS, CONFIGS / "contest.yaml"])
    assert faults == []
    assert count == len(list(CONFIGS.rglob("*.yaml")))


@pytest.mark.parametrize("profile", ["tiny", "smollm2-135m", "llama3-8b"])
@pytest.mark.parametrize("recipe", ["plain", "worked"])
def test_resolved_configs_are_good_too(tmp_path: Path, profile: str, recipe: str) -> None:
    from tools.settings.resolve import resolve

    resolve(tmp_path, profile, "quick", recipe, 42, None)
    assert check_configs([tmp_path]) == (1, [])


def test_the_faults_of_several_files_are_in_order(tmp_path: Path) -> None:
    text = changed(TINY, "seed: 42", "seed: 0")
    text = changed(text, "lora_rank: 8", "lora_rank: -1")
    text = changed(text, "sink_mode: False", "sink_mode: True")
    assert len(finetune_faults(text)) == 3
    for name in ("b", "a"):
        write(tmp_path / name / "finetune.yaml", text)
    count, faults = check_configs([tmp_path / "b", tmp_path / "a"])
    places = [placed(fault)[:2] for fault in faults]
    assert count == 2
    assert len(places) == 6
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('output_dir: "./output"', 'output_dir: "/home/me"', "absolute path /home/me"),
        ("run_mode:", "seed:", "a key stands twice: 'seed' in line "),
        ("trainer:", "trainer: [", "not valid YAML"),
        ("seed: 42", "hub_token: abc", "hub_token holds a secret"),
        ("seed: 42", "seed: 42 # hf_" + "a1" * 17, "holds a token of Hugging Face"),
        ("seed: 42", "seed: !!python/name:os.system", "not valid YAML, could not determine a"),
        ("seed: 42", "seed: !mine 42", "a constructor for the tag '!mine'"),
    ],
)
def test_what_no_file_may_hold(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = changed(TINY, old, new)
    for name in ("finetune.yaml", "other.yaml"):
        found = [line for line in check_config(write(tmp_path / name, text)) if fault in line]
        line = placed(found[0])[1]
        assert "stands twice" in fault or new in text.split("\n")[line - 1] or "[" in new


def test_empty_files(tmp_path: Path) -> None:
    for name in ("finetune.yaml", "profile.yaml", "recipes/a.yaml", "other.yaml"):
        for content in (b"", b"\n \n"):
            path = write(tmp_path / name, content)
            assert check_config(path) == [f"{path}: is empty; write it, or take it away"]


def test_a_file_is_known_by_its_keys(tmp_path: Path) -> None:
    """Any name will do for a MindFormers YAML, none makes another file one."""
    path = write(tmp_path / "run_llama3_8b.yaml", changed(TINY, "seed: 42", "seed: 0"))
    assert ["seed is 0: " in fault for fault in check_config(path)] == [True]
    assert check_config(write(path, "seed: 0\n")) == []
    assert check_config(write(path, EVALUATION)) == []
    # A training's name on an evaluation: the wrong YAML.
    path = write(tmp_path / "finetune.yaml", EVALUATION)
    assert any("run_mode is eval, a training needs" in fault for fault in check_config(path))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tiny/profile.yaml", "cards: 2", "cards: none"),
        ("artifacts.yaml", "bytes: 98362432", "bytes: -1"),
        ("contest.yaml", "keep: 0.9", "keep: 9"),
        ("recipes/plain.yaml", "styles: {}", "styles: source"),
        ("recipes/worked.yaml", "multiply: {style: schoolbook", "multiply: {style: other"),
        ("recipes/worked.yaml", "  add: 14000", "  sums: 14000"),
        ("recipes/worked.yaml", "exponents: [0, 1, 2]", "exponents: [0, 1, 6]"),
        ("tiny/profile.yaml", "recipe: plain", "recipe: none"),
        ("recipes/worked.yaml", "schoolbook, significant: 6", "schoolbook"),
    ],
)
def test_files_with_a_model(tmp_path: Path, name: str, old: str, new: str) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    path = tmp_path / "configs" / name
    path.write_text(changed(path.read_text("utf-8"), old, new), "utf-8")
    (fault,) = check_configs([path])[1]
    assert re.match(rf"{re.escape(str(path))}:\d+: ", fault)


def test_a_fault_of_the_contests_rules_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other files are checked against them; they are named themselves, and the check goes on."""
    from tools.packaging import config_rules

    def broken():
        raise UserError("keep: too much", "contest.yaml:7", "correct it")

    monkeypatch.setattr(config_rules, "contest", broken)
    assert check_config(write(tmp_path / "finetune.yaml", TINY)) == [
        "contest.yaml:7: keep: too much; correct it"
    ]


def bomb(first: str, doubled: str) -> str:
    """Each line stands for twice what the last does: 2^60 values, were they written out."""
    lines = [f"a{n + 1}: &a{n + 1} {doubled.format(n)}" for n in range(60)]
    return "\n".join([f"a0: &a0 {first}", *lines])


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "a: &a [*a]",
        "a: &a\n  b: *a\n",
        "\ttab: 1",
        "!!python/object/apply:os.system ['x']",
        "&a [&b [*a, *a]]",
        "[" * 400,
        "? [a, b]\n: c",
        "seed: 2024-99-99",
        "a: \x00",
        "&a {<<: *a, seed: 1}",
        "<<: [1, 2]",
        "model: {model_config: {pet_config: {lora_rank: 1, lora_alpha: .inf}}}",
        "callbacks: [1, [2], {type: 3}]",
        "runner_config: {batch_size: 0}\nmicro_batch_interleave_num: 0",
        "a: !!timestamp x",
        "a: !!bool x",
        "model: {model_config: {pet_config: {target_modules: '" + "(" * 9000 + "'}}}",
        bomb("[x]", "[*a{0}, *a{0}]"),
        bomb("{k: x}", "{{<<: [*a{0}, *a{0}]}}"),
    ],
)
def test_hostile_files(tmp_path: Path, text: str) -> None:
    assert check_config(write(tmp_path / "finetune.yaml", text))
    assert check_config(write(tmp_path / "finetune.yaml", b"\xff\xfe\xfa"))
    assert isinstance(check_config(write(tmp_path / "other.yaml", text)), list)


WORDS = st.sampled_from(
    ["a", "type", "model", "model_config", "pet_config", "<<", "callbacks", "run_mode", "context"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(WORDS, VALUES, min_size=1))
def test_any_tree_is_judged(tmp_path_factory: pytest.TempPathFactory, tree: dict) -> None:
    """Whatever a file holds instead of a training config, it is refused with file and line."""
    import yaml

    path = tmp_path_factory.mktemp("any") / "finetune.yaml"
    faults = check_config(write(path, yaml.safe_dump(tree, allow_unicode=True)))
    assert faults
    assert all(placed(fault)[0] == str(path) for fault in faults)


def test_large_files_and_missing_ones(tmp_path: Path) -> None:
    (fault,) = check_config(write(tmp_path / "a.yaml", "a" * ((1 << 20) + 1)))
    assert "larger than" in fault
    for path in (tmp_path / "none.yaml", write(tmp_path / "folder/x.txt", "").parent):
        with pytest.raises(UserError, match="no YAML file"):
            check_configs([path])
