"""Values and rules of a MindFormers YAML: a good file passes, a bad one is refused at its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from config_files import EVALUATION, LLAMA, TINY, changed, line_of, placed
from packaging_run import write

from tools.packaging import config_rules
from tools.packaging.config_check import check_configs
from tools.packaging.config_schemas import SCHEMAS

SAVER = "callbacks:\n  - type: CheckpointMonitor\n    keep_checkpoint_max: "
TOKENS = "    max_new_tokens: 20"
PREDICTION = changed(EVALUATION, "run_mode: 'eval'", "run_mode: 'predict'")
SHARED = changed(EVALUATION, "data_parallel: 1", "data_parallel: 2")
ON_CPU = changed(EVALUATION, 'device_target: "Ascend"', 'device_target: "CPU"')

# rule, or "values" for values.schema.json: (good file, the change that breaks it, the fault, what
# its line holds: the change itself unless something else is named)
BAD: Dict[str, List[Tuple]] = {
    "values": [
        (TINY, "runner_wrapper:", "other_wrapper:", "the file lacks runner_wrapper; add", "# yaml"),
        (TINY, "  model_config:", "  no_config:", "model lacks model_config", "model:"),
        (TINY, 'run_mode: "finetune"', 'run_mode: "eval"', "run_mode is eval, a training needs"),
        (
            TINY,
            'run_mode: "finetune"',
            'run_mode: "tune"',
            "'tune' is unknown to MindFormers",
        ),
        (TINY, "only_save_strategy: False", "only_save_strategy: True", "is True: left on, noth"),
        (
            LLAMA,
            "only_save_strategy: False",
            'only_save_strategy: "False"',
            "strategy is False: left on",
        ),
        (TINY, "seed: 42", "seed: 0", "seed is 0: 0 seeds nothing"),
        (TINY, "seq_length: 192", "seq_length: many", "not of type integer"),
        (TINY, "seq_length: 192", "seq_length: 0", "it is a count of tokens"),
        (TINY, "    seq_length: 192\n", "", "model_config lacks seq_length", "model_config:"),
        (TINY, '["input_ids", "labels"]', '["input_ids"]', "train_dataset.input_columns is"),
        (TINY, '["input_ids", "labels"]', '["labels", "input_ids"]', "columns in order"),
        (
            TINY,
            "dataset_config: *train_dataset",
            'dataset_config: {input_columns: ["labels"], batch_size: 4}',
            "train_dataset_task.dataset_config.input_columns is",
        ),
        (TINY, "    pet_config:", "    no_config:", "model_config lacks pet_config", "model_con"),
        (TINY, "lora_rank: 8", "lora_rank: 0", "lora_rank is 0: the merge needs alpha / rank"),
        (TINY, "      lora_alpha: 16", "      lora_beta: 16", "lacks lora_alpha", "pet_config:"),
        (TINY, '".*wq|.*wk|.*wv|.*wo"', '"("', "target_modules is (: it is no regex"),
        (TINY, "lora_dropout: 0.0", "lora_dropout: 1.0", "it is a share"),
        (TINY, "lora_dropout: 0.0", "lora_dropout: -1.0", "it is a share"),
        (
            TINY,
            "  eps: 1.0e-8",
            "  lora_plus_ratio: 16",
            "optimizer.type is AdamW: it knows no lora_plus_ratio; write LoraPlus before its name",
            "type: AdamW",
        ),
        (
            TINY,
            "  type: AdamW",
            "  type: LoraPlusAdamW\n  lora_plus_ratio: -2",
            "lora_plus_ratio is -2: it is how much",
            "lora_plus_ratio",
        ),
        (
            TINY,
            '    compute_dtype: "float32"',
            '    compute_dtype: "float16"',
            "compute_dtype is float16: the CPU",
        ),
        (TINY, '    rotary_dtype: "float32"', '    rotary_dtype: "bfloat16"', "the CPU needs"),
        (TINY, '    compute_dtype: "float32"', "    #", "lacks compute_dtype", "model_config:"),
        (TINY, '      compute_dtype: "float32"', '      compute_dtype: "float16"', "the CPU needs"),
        (LLAMA, '    compute_dtype: "bfloat16"', '    compute_dtype: "bf16"', "is bf16: MindForm"),
        (TINY, "sink_mode: False", "sink_mode: True", "sink_mode is True: on the CPU"),
        (TINY, "sink_mode: False", "#", "runner_config lacks sink_mode", "runner_config:"),
        (TINY, "use_flash_attention: False", "use_flash_attention: True", "has no operator"),
        (TINY, "    fused_rms_norm: False", "    #", "lacks fused_rms_norm", "model_config:"),
        (TINY, "use_rope_slice: True", "use_rope_slice: False", "set it to True"),
        (TINY, "auto_trans_ckpt: False", "auto_trans_ckpt: True", "wants a folder that cards"),
        (TINY, "model_parallel: 1", "model_parallel: 2", "the CPU can only run data parallel"),
        (EVALUATION, "run_mode: 'eval'", "run_mode: 'evaluate'", "'evaluate' is unknown"),
        (EVALUATION, "metric:", "metrics:", "the file lacks metric", "seed:"),
        (PREDICTION, "processor:", "process:", "the file lacks processor", "seed:"),
        (EVALUATION, "do_sample: False", "do_sample: True", "answers are drawn by chance"),
        (EVALUATION, "    do_sample: False\n", "", "lacks do_sample", "model_config:"),
        (EVALUATION, "min_new_tokens: 1", "min_new_tokens: 0", "one answer in ten"),
        (EVALUATION, "    min_new_tokens: 1\n", "", "lacks min_new_tokens", "model_config:"),
        (PREDICTION, "use_past: True", "use_past: False", "predict refuses it", "use_flash"),
        (EVALUATION, "pipeline_stage: 1", "pipeline_stage: 2", "only training has a pipeline"),
        (EVALUATION, 'param_init_type: "float16"', 'param_init_type: "half"', "is half: MindForm"),
        (ON_CPU, "seed: 42", "seed: 43", "compute_dtype is bfloat16: the CPU", "compute_dtype"),
        (ON_CPU, "seed: 42", "seed: 43", "sink_mode is True: on the CPU", "sink_mode"),
    ],
    "positions": [
        (TINY, "seq_length: 192", "seq_length: 2048", "beyond the model's max_position_embedding"),
        (EVALUATION, "seq_length: 8192", "seq_length: 9000", "beyond the model's"),
    ],
    "batch": [
        (
            TINY,
            "  batch_size: *batch_size\n  repeat",
            "  batch_size: 8\n  repeat",
            "train_dataset.batch_size is 8, runner_config.batch_size is 4",
        ),
        (
            TINY,
            "use_parallel:",
            "micro_batch_interleave_num: 3\nuse_parallel:",
            "micro_batch_interleave_num 3 does not divide batch_size 4",
        ),
        (
            TINY,
            "  pipeline_stage: 1\n",
            "  pipeline_stage: 2\n",
            "less than pipeline_stage 2",
            "micro_batch_num",
        ),
    ],
    "sharing": [
        (TINY, "data_parallel: 1", "data_parallel: 2", "makes 2 workers", "use_parallel:"),
        (TINY, "use_parallel: False", "use_parallel: True", "makes one worker"),
        (TINY, "model_parallel: 1", "model_parallel: 3", "3 does not divide num_heads 4"),
        (LLAMA, "use_parallel: True", "use_parallel: False", "makes 4 workers"),
    ],
    "checkpoints": [
        (TINY, "callbacks:", f"{SAVER}3", "3 deletes checkpoints of which 5", "keep_checkpoint"),
    ],
    "ratio": [
        (LLAMA, "lora_rank: 8", "lora_rank: 256", "0.013581 of 8,030,000,000", "target_modules"),
        (TINY, "lora_rank: 8", "lora_rank: 2000", "the most is 1; lower lora", "target_modules"),
        (TINY, '".*wq|.*wk|.*wv|.*wo"', '".*query"', "'.*query' matches no module"),
    ],
    "lengths": [
        (EVALUATION, TOKENS, f"{TOKENS}\n    max_decode_length: 512", "20 overrides max_decode_"),
        (EVALUATION, TOKENS, f"{TOKENS}\n    max_length: 512", "overrides max_length 512"),
        (EVALUATION, TOKENS, "    max_new_tokens: 8192", "leaves no room for a prompt"),
    ],
    "shares": [
        (
            SHARED,
            "    batch_size: 1\n",
            "    batch_size: 0x5 # five\n",
            "model.model_config.batch_size 5 is not divisible by data_parallel 2",
        ),
    ],
}


def faults(folder: Path, text: str) -> List[Tuple[int, str]]:
    """What is said of a file by line; it has a training's name where it is one of ours."""
    name = "eval.yaml" if text.startswith("seed") else "finetune.yaml"
    path = write(folder / name, text)
    found = [placed(fault) for fault in check_configs([path])[1]]
    assert all(file == str(path) for file, _, _ in found)
    return [(line, what) for _, line, what in found]


def test_every_rule_has_a_bad_file() -> None:
    rules = [*config_rules.OF_TRAINING, *config_rules.OF_EVALUATION]
    assert {*BAD} == {"values", *(rule.__name__ for rule in rules)}


@pytest.mark.parametrize("text", [TINY, LLAMA, EVALUATION, PREDICTION])
def test_a_good_file_has_no_fault(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text) == []


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, cases in BAD.items() for case in cases]
)
def test_a_bad_file_is_refused_at_its_line(tmp_path: Path, name: str, case: Tuple) -> None:
    good, old, new, fault, *where = case
    bad = changed(good, old, new)
    found = [line for line, what in faults(tmp_path, bad) if fault in what]
    assert found == [line_of(bad, where[0] if where else new.lstrip("\n"))], faults(tmp_path, bad)


def descriptions(tree: Any) -> Iterator[str]:
    """Every reason in a schema."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        if key == "description" and isinstance(value, str):
            yield value
        yield from descriptions(value)
    for value in tree if isinstance(tree, list) else ():
        yield from descriptions(value)


def test_every_reason_is_told_by_a_bad_file(tmp_path: Path) -> None:
    text = (SCHEMAS / "values.schema.json").read_text("utf-8")
    told = [
        what
        for good, old, new, *_ in BAD["values"]
        for _, what in faults(tmp_path, changed(good, old, new))
    ]
    assert [r for r in descriptions(json.loads(text)) if not any(r in what for what in told)] == []


def test_on_ascend_sinking_half_floats_and_flash_attention_are_fine(tmp_path: Path) -> None:
    text = changed(TINY, "sink_mode: False", "sink_mode: True").replace("float32", "bfloat16")
    text = changed(text, "use_flash_attention: False", "use_flash_attention: True")
    assert len(faults(tmp_path, text)) > 7
    assert faults(tmp_path, changed(text, 'device_target: "CPU"', 'device_target: "Ascend"')) == []


def test_the_budget_of_the_leaderboard_is_used_to_its_end(tmp_path: Path) -> None:
    """The winner's adapter, rank 64 on wq wk wv wo, is the largest that passes."""
    winner = changed(LLAMA, '".*wq|.*wv"', '".*wq|.*wk|.*wv|.*wo"').replace("rank: 8", "rank: 64")
    assert faults(tmp_path, winner) == []
    assert len(faults(tmp_path, winner.replace("rank: 64", "rank: 65"))) == 1


def test_the_budget_is_told_beside_other_faults_of_the_adapter(tmp_path: Path) -> None:
    bad = changed(LLAMA, "lora_rank: 8", "lora_rank: 512").replace("lora_alpha", "lora_beta")
    assert len(faults(tmp_path, bad)) == 3  # lora_beta is unknown, lora_alpha absent


def test_many_checkpoints_and_all_of_them_may_be_kept(tmp_path: Path) -> None:
    for kept in (5, 60, 0):
        assert faults(tmp_path, changed(TINY, "callbacks:", f"{SAVER}{kept}")) == []


def beside(folder: Path, evaluation: str, name: str = "eval.yaml", training: str = LLAMA):
    """What is said of an evaluation beside a finetune.yaml."""
    write(folder / "finetune.yaml", training)
    path = write(folder / name, evaluation)
    found = [placed(fault) for fault in check_configs([path])[1]]
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
