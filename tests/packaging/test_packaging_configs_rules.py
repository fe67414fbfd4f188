"""Each rule between the keys of a training config: a good file passes, a bad one has its line."""

from __future__ import annotations

from typing import Dict, List, Tuple

import pytest
from config_files import LLAMA, TINY, changed, line_of

from tools.packaging.configs.document import compose
from tools.packaging.configs.rules import RULES
from tools.packaging.configs.schema import read_schema

SAVER = "callbacks:\n  - type: CheckpointMonitor\n    keep_checkpoint_max: "

# rule: (good file, the change that breaks it, the fault, what its line holds: the change itself
# unless something else is named)
BAD: Dict[str, List[Tuple]] = {
    "sections": [
        (TINY, "runner_wrapper:", "other_wrapper:", "lacks the section runner_wrapper", "# LoRA"),
        (TINY, "  model_config:", "  no_config:", "lacks model.model_config", "model:"),
    ],
    "run mode": [
        (TINY, 'run_mode: "finetune"', 'run_mode: "eval"', "run_mode is eval, a training needs"),
        (TINY, 'run_mode: "finetune"', 'run_mode: "tune"', "finetune; eval, finetune, predict"),
    ],
    "only_save_strategy": [
        (TINY, "only_save_strategy: False", "only_save_strategy: True", "is left on: nothing"),
        (LLAMA, "only_save_strategy: False", 'only_save_strategy: "False"', "is left on"),
    ],
    "seed": [(TINY, "seed: 42", "seed: 0", "seed is 0, which seeds nothing")],
    "positions": [
        (TINY, "seq_length: 192", "seq_length: 2048", "beyond the model's max_position_embedding"),
        (TINY, "seq_length: 192", "seq_length: many", "seq_length is many, not a count"),
        (TINY, "    seq_length: 192\n", "", "seq_length is None", "model_config:"),
    ],
    "columns": [
        (TINY, '["input_ids", "labels"]', '["input_ids"]', "train_dataset.input_columns are"),
        (TINY, '["input_ids", "labels"]', '["labels", "input_ids"]', "our records have"),
        (
            TINY,
            "dataset_config: *train_dataset",
            'dataset_config: {input_columns: ["labels"], batch_size: 4}',
            "train_dataset_task.dataset_config.input_columns are",
        ),
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
            "batch_size 4 is not divisible by micro_batch_interleave_num 3",
        ),
        (
            TINY,
            "  pipeline_stage: 1\n",
            "  pipeline_stage: 2\n",
            "less than pipeline_stage 2",
            "micro_batch_num",
        ),
    ],
    "cards": [
        (TINY, "data_parallel: 1", "data_parallel: 2", "makes 2 workers", "use_parallel:"),
        (TINY, "use_parallel: False", "use_parallel: True", "makes one worker"),
        (TINY, "model_parallel: 1", "model_parallel: 3", "3 does not divide num_heads 4"),
        (LLAMA, "use_parallel: True", "use_parallel: False", "makes 4 workers"),
    ],
    "lora": [
        (TINY, "    pet_config:", "    no_config:", "lacks model_config.pet_config", "model_con"),
        (TINY, "lora_rank: 8", "lora_rank: 0", "lora_rank is 0: the merge needs alpha / rank"),
        (TINY, "      lora_alpha: 16", "      lora_beta: 16", "lora_alpha is None", "pet_config:"),
        (TINY, '".*wq|.*wk|.*wv|.*wo"', '"("', "target_modules is not a regex"),
        (TINY, "lora_dropout: 0.0", "lora_dropout: 1.0", "not a share below 1"),
    ],
    "lora plus": [
        (TINY, "  eps: 1.0e-8", "  lora_plus_ratio: 16", "AdamW, which knows no lora_plus_ratio"),
        (TINY, "  eps: 1.0e-8", "  lora_plus_ratio: -2", "not a positive number"),
    ],
    "checkpoints": [
        (TINY, "callbacks:", f"{SAVER}3", "3 deletes checkpoints of which 5", "keep_checkpoint"),
    ],
    "ratio": [
        (LLAMA, "lora_rank: 8", "lora_rank: 256", "0.013581 of 8,030,000,000", "target_modules"),
        (TINY, "lora_rank: 8", "lora_rank: 2000", "the most is 1; lower lora", "target_modules"),
        (TINY, '".*wq|.*wk|.*wv|.*wo"', '".*query"', "'.*query' matches no module"),
    ],
    "dtypes": [
        (
            TINY,
            '    compute_dtype: "float32"',
            '    compute_dtype: "float16"',
            "is float16, the CPU",
        ),
        (TINY, '    rotary_dtype: "float32"', '    rotary_dtype: "bfloat16"', "the CPU needs"),
        (
            TINY,
            '    compute_dtype: "float32"',
            "    #",
            "compute_dtype is float16 where it is not given",
            "model_config:",
        ),
        (TINY, '      compute_dtype: "float32"', '      compute_dtype: "float16"', "the CPU needs"),
        (
            LLAMA,
            '    compute_dtype: "bfloat16"',
            '    compute_dtype: "bf16"',
            "is bf16, not one of",
        ),
    ],
    "cpu": [
        (TINY, "sink_mode: False", "sink_mode: True", "sink_mode is on"),
        (TINY, "sink_mode: False", "#", "sink_mode is on", "runner_config:"),
        (TINY, "use_flash_attention: False", "use_flash_attention: True", "has no operator"),
        (TINY, "    fused_rms_norm: False", "    #", "fused_rms_norm is True", "model_config:"),
        (TINY, "use_rope_slice: True", "use_rope_slice: False", "set it to True"),
        (TINY, "auto_trans_ckpt: False", "auto_trans_ckpt: True", "wants a folder that cards"),
        (TINY, "model_parallel: 1", "model_parallel: 2", "the CPU can only run data parallel"),
    ],
}


def faults(name: str, text: str) -> List[Tuple[int, str]]:
    return list(RULES[name](compose(text), read_schema()))


def test_every_rule_has_a_bad_file() -> None:
    assert set(BAD) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_good_file_passes_each_rule(name: str) -> None:
    for text in (TINY, LLAMA):
        assert faults(name, text) == []


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, cases in BAD.items() for case in cases]
)
def test_a_bad_file_is_refused_at_its_line(name: str, case: Tuple) -> None:
    good, old, new, fault, *where = case
    bad = changed(good, old, new)
    found = [line for line, what in faults(name, bad) if fault in what]
    assert found == [line_of(bad, where[0] if where else new)], faults(name, bad)


def test_on_ascend_sinking_half_floats_and_flash_attention_are_fine() -> None:
    text = changed(TINY, "sink_mode: False", "sink_mode: True").replace("float32", "bfloat16")
    text = changed(text, "use_flash_attention: False", "use_flash_attention: True")
    assert faults("cpu", text)
    assert faults("dtypes", text)
    text = changed(text, 'device_target: "CPU"', 'device_target: "Ascend"')
    assert not faults("cpu", text) + faults("dtypes", text)


def test_the_budget_of_the_leaderboard_is_used_to_its_end() -> None:
    """The winner's adapter, rank 64 on wq wk wv wo, is the largest that passes."""
    winner = changed(LLAMA, '".*wq|.*wv"', '".*wq|.*wk|.*wv|.*wo"').replace("rank: 8", "rank: 64")
    assert faults("ratio", winner) == []
    assert faults("ratio", winner.replace("rank: 64", "rank: 65"))


def test_the_budget_is_told_beside_other_faults_of_the_adapter() -> None:
    bad = changed(LLAMA, "lora_rank: 8", "lora_rank: 512").replace("lora_alpha", "lora_beta")
    assert len(faults("ratio", bad)) == len(faults("lora", bad)) == 1


def test_many_checkpoints_and_all_of_them_may_be_kept() -> None:
    for kept in (5, 60, 0):
        assert faults("checkpoints", changed(TINY, "callbacks:", f"{SAVER}{kept}")) == []
