"""Evaluations and predictions in MindFormers' format: each rule's good and bad file."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from config_files import EVALUATION, LLAMA, TINY, changed, line_of, placed
from packaging_run import write

from tools.packaging.configs import check_config
from tools.packaging.configs.document import compose
from tools.packaging.configs.evaluation import RULES
from tools.packaging.configs.schema import read_schema

TOKENS = "    max_new_tokens: 20"
PREDICTION = changed(EVALUATION, "run_mode: 'eval'", "run_mode: 'predict'")
ON_CPU = changed(EVALUATION, 'device_target: "Ascend"', 'device_target: "CPU"')

# As in test_packaging_configs_rules.py.
BAD: Dict[str, List[Tuple]] = {
    "mode": [
        (EVALUATION, "run_mode: 'eval'", "run_mode: 'evaluate'", "run_mode is evaluate; known:"),
        (EVALUATION, "metric:", "metrics:", "lacks the section metric", "seed:"),
        (PREDICTION, "processor:", "process:", "lacks the section processor", "seed:"),
    ],
    "seed": [(EVALUATION, "seed: 42", "seed: 0", "seed is 0")],
    "positions": [(EVALUATION, "seq_length: 8192", "seq_length: 9000", "beyond the model's")],
    "greedy": [
        (EVALUATION, "do_sample: False", "do_sample: True", "answers are drawn by chance"),
        (EVALUATION, "    do_sample: False\n", "", "do_sample is not False", "model_config:"),
    ],
    "min_new_tokens": [
        (EVALUATION, "min_new_tokens: 1", "min_new_tokens: 0", "min_new_tokens is 0: answers may"),
        (EVALUATION, "    min_new_tokens: 1\n", "", "is missing: answers may", "model_config:"),
    ],
    "max_new_tokens": [
        (
            EVALUATION,
            TOKENS,
            f"{TOKENS}\n    max_decode_length: 512",
            "20 overrides max_decode_len",
        ),
        (EVALUATION, TOKENS, f"{TOKENS}\n    max_length: 512", "overrides max_length 512"),
        (EVALUATION, TOKENS, "    max_new_tokens: 8192", "leaves no room for a prompt"),
    ],
    "flash attention": [(PREDICTION, "use_past: True", "use_past: False", "refuses", "use_flash")],
    "batch": [
        (
            EVALUATION,
            "    batch_size: 1\n",
            "    batch_size: 0x5 # five\n",
            "model_config.batch_size 5 is not divisible by data_parallel 2",
        ),
        (EVALUATION, "pipeline_stage: 1", "pipeline_stage: 2", "only training has a pipeline"),
    ],
    "dtypes": [
        (EVALUATION, 'param_init_type: "float16"', 'param_init_type: "half"', "is half, not one"),
        (ON_CPU, "seed: 42", "seed: 43", "compute_dtype is bfloat16", "compute_dtype"),
    ],
    "cpu": [(ON_CPU, "seed: 42", "seed: 43", "sink_mode is on", "sink_mode")],
}


def faults(name: str, text: str) -> List[Tuple[int, str]]:
    return list(RULES[name](compose(text), read_schema()))


def test_every_rule_has_a_bad_file() -> None:
    assert set(BAD) == set(RULES)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("text", [EVALUATION, PREDICTION], ids=["eval", "predict"])
def test_a_good_file_passes_each_rule(name: str, text: str) -> None:
    assert faults(name, text) == []


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, cases in BAD.items() for case in cases]
)
def test_a_bad_file_is_refused_at_its_line(name: str, case: Tuple) -> None:
    good, old, new, fault, *where = case
    bad = changed(good, old, new)
    if "data_parallel 2" in fault:
        bad = changed(bad, "data_parallel: 1", "data_parallel: 2")
    found = [line for line, what in faults(name, bad) if fault in what]
    assert found == [line_of(bad, where[0] if where else new.lstrip("\n"))], faults(name, bad)


def beside(folder: Path, evaluation: str, name: str = "eval.yaml", training: str = LLAMA):
    """What is said of an evaluation beside a finetune.yaml."""
    write(folder / "finetune.yaml", training)
    path = write(folder / name, evaluation)
    found = [placed(fault) for fault in check_config(path)]
    assert all(file == str(path) for file, _, _ in found)
    return [(line, what) for _, line, what in found]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("lora_rank: 8", "lora_rank: 16", "pet_config.lora_rank is 16, finetune.yaml trains 8"),
        ("lora_alpha: 16", "lora_alpha: 8", "pet_config.lora_alpha is 8, finetune.yaml trains 16"),
        ('".*wq|.*wv"', '".*wq"', "target_modules is .*wq, finetune.yaml trains .*wq|.*wv"),
    ],
)
def test_another_adapter_than_the_trained_one(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    assert beside(tmp_path, EVALUATION) == []
    bad = changed(EVALUATION, old, new)
    ((line, what),) = beside(tmp_path, bad)
    assert (line, fault in what) == (line_of(bad, new), True)


def test_no_adapter_where_one_was_trained(tmp_path: Path) -> None:
    start = EVALUATION.index("    pet_config:")
    merged = EVALUATION[:start] + EVALUATION[EVALUATION.index("  arch:") :]
    ((line, what),) = beside(tmp_path, merged)
    assert "lacks pet_config, and finetune.yaml trains an adapter" in what
    assert line == line_of(merged, "model_config:")
    # Right where it says what it measures, and where nothing was trained beside it.
    assert beside(tmp_path, merged, "base_eval.yaml") == []
    whole = changed(merged, "load_checkpoint: ''", "load_checkpoint: './merged/5'")
    assert beside(tmp_path, whole) == []
    assert beside(tmp_path, merged, training="seed: [") == []
    assert beside(tmp_path / "alone", merged, "a.yaml", training="seed: 1\n") == []


def test_the_adapter_of_another_profile(tmp_path: Path) -> None:
    assert len(beside(tmp_path, EVALUATION, training=TINY)) == 1
