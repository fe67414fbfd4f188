"""Configs: ours are good, and each rule refuses the file that breaks it, with its line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from packaging_run import write

from tools.files.errors import UserError
from tools.packaging.configs import check_config, check_configs, finetune_faults

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
TINY = (CONFIGS / "tiny/finetune.yaml").read_text(encoding="utf-8")


def test_our_configs_are_good() -> None:
    count, faults = check_configs([CONFIGS, CONFIGS / "contest.yaml"])
    assert faults == []
    assert count == len(list(CONFIGS.rglob("*.yaml")))


def test_resolved_configs_are_good_too(tmp_path: Path) -> None:
    from tools.settings.resolve import resolve

    resolve(tmp_path, "tiny", "quick", "plain", 42, None)
    assert check_configs([tmp_path]) == (1, [])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("only_save_strategy: False", "only_save_strategy: True", "only_save_strategy is left on"),
        ("seed: 42", "seed: 0", "seed is 0"),
        ("seq_length: 192", "seq_length: 2048", "seq_length 2048 is beyond the model's max_pos"),
        ("seq_length: 192", "seq_length: many", "seq_length is not a count"),
        ("sink_mode: False", "sink_mode: True", "sink_mode is on"),
        ("sink_mode: False", "", "sink_mode is on"),
        ('["input_ids", "labels"]', '["input_ids"]', "train_dataset.input_columns are"),
        ("  batch_size: *batch_size\n  repeat", "  batch_size: 8\n  repeat", "train_dataset.batch"),
        ("lora_rank: 8", "lora_rank: 0", "lora_rank is 0"),
        ("      lora_alpha: 16", "      lora_beta: 16", "lora_alpha is None"),
        ('".*wq|.*wk|.*wv|.*wo"', '"("', "target_modules is not a regex"),
        ('output_dir: "./output"', 'output_dir: "/home/me"', "absolute path /home/me"),
        ("  eps: 1.0e-8", "  lora_plus_ratio: 16", "AdamW, which knows no lora_plus_ratio"),
        ("  eps: 1.0e-8", "  lora_plus_ratio: -2", "not a positive number"),
        ('    compute_dtype: "float32"', '    compute_dtype: "float16"', "is float16, the CPU"),
        ("runner_wrapper:", "other_wrapper:", "lacks the section runner_wrapper"),
        ("    pet_config:", "    no_config:", "lacks model_config.pet_config"),
        ("  model_config:", "  no_config:", "lacks model.model_config"),
        ("run_mode:", "seed:", "the key 'seed' stands twice"),
        ("trainer:", "trainer: [", "not valid YAML"),
    ],
)
def test_each_rule(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert old in TINY
    text = TINY.replace(old, new, 1)
    faults = check_config(write(tmp_path / "finetune.yaml", text))
    found = [line for line in faults if fault in line]
    assert found, faults
    number = int(re.match(rf"{re.escape(str(tmp_path))}/finetune.yaml:(\d+): ", found[0])[1])
    if "lacks" not in fault and new and "not valid" not in fault and "None" not in fault:
        assert new.split("\n")[0].strip() in text.split("\n")[number - 1]


def test_all_faults_at_once() -> None:
    text = TINY.replace("seed: 42", "seed: 0").replace("lora_rank: 8", "lora_rank: -1")
    assert len(list(finetune_faults(text.replace("sink_mode: False", "sink_mode: True")))) == 3


def test_on_ascend_sinking_and_half_floats_are_fine() -> None:
    text = TINY.replace("sink_mode: False", "sink_mode: True").replace("float32", "bfloat16")
    assert not list(
        finetune_faults(text.replace('device_target: "CPU"', 'device_target: "Ascend"'))
    )


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tiny/profile.yaml", "cards: 2", "cards: none"),
        ("artifacts.yaml", "bytes: 98362432", "bytes: -1"),
        ("contest.yaml", "keep: 0.9", "keep: 9"),
        ("recipes/plain.yaml", "styles: {}", "styles: source"),
        ("recipes/worked.yaml", "multiply: {style: schoolbook", "multiply: {style: other"),
        ("recipes/worked.yaml", "  add: 14000", "  sums: 14000"),
        ("recipes/worked.yaml", "schoolbook, significant: 6", "schoolbook"),
    ],
)
def test_files_with_a_model(tmp_path: Path, name: str, old: str, new: str) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    path = tmp_path / "configs" / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    (fault,) = check_configs([path])[1]
    assert re.match(rf"{re.escape(str(path))}:\d+: ", fault)


@pytest.mark.parametrize(
    "text",
    [
        "",
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
    ],
)
def test_hostile_files(tmp_path: Path, text: str) -> None:
    assert check_config(write(tmp_path / "finetune.yaml", text))
    assert check_config(write(tmp_path / "finetune.yaml", b"\xff\xfe\xfa"))
    assert isinstance(check_config(write(tmp_path / "other.yaml", text)), list)


def test_large_files_and_missing_ones(tmp_path: Path) -> None:
    (fault,) = check_config(write(tmp_path / "a.yaml", "a" * ((1 << 20) + 1)))
    assert "larger than" in fault
    for path in (tmp_path / "none.yaml", write(tmp_path / "folder/x.txt", "").parent):
        with pytest.raises(UserError, match="no YAML file"):
            check_configs([path])
