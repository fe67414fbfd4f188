"""The mistakes for which entries of the contest lost points or failed review, made once more.

Each of those that can be seen in a config is made in a copy of our own and has to be refused:

  strategy   `only_save_strategy: True` left in: the run saves a strategy file and no weights
  paths      absolute paths, in a config or only in one of its data sets
  empty      a config of zero bytes
  wrong      the evaluation's YAML handed in as the training's
  base       an evaluation without `pet_config`: the base model was measured
  rank       an evaluation with another rank than was trained
  merge      alpha or rank absent, so that a merge takes 1 for alpha / rank, or `lora_scaling`
             written where nobody reads it
  override   `max_new_tokens` beside the `max_length` that was meant
  cut        128 new tokens for worked solutions
  least      no `min_new_tokens`: 195 of 2067 answers were empty
  length     seq_length other than that of the records; examples longer than it
  prompt     another prompt in inference than in training: 10 to 30 points
  seed       `seed: 0`, which seeds nothing
  sink       sink_mode on the CPU, float16 on the CPU
  secret     a token left in a file
  text       1e-4, which YAML takes for text; True in quotes
  silent     a misspelt key, which MindFormers passes over
  cards      cards that are not data × model × pipeline parallel
  five       fewer than the five checkpoints that are scored: too few steps, or deleted ones
  denominator, budget   another denominator than the prescribed one; more than any entry trained

Those that no config shows are a missing inference script, a README that differs from its YAML,
and `eval()` or pickle on data.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from config_files import CONFIGS, EVALUATION, changed, placed
from packaging_run import write

from tools.packaging.config_check import check_configs

TRAINING = "llama3-8b/finetune.yaml"
PROFILE = "llama3-8b/profile.yaml"
CPU = "tiny/finetune.yaml"
EVAL = "llama3-8b/eval.yaml"
RUN = "run/config/"
SUMMARY = "run/records/train.mindrecord.json"
NO_PET = EVALUATION[EVALUATION.index("    pet_config:") : EVALUATION.index("  arch:")]

MISTAKES = {
    "strategy": [(TRAINING, "only_save_strategy: False", "only_save_strategy: True", "left on")],
    "paths": [
        (TRAINING, 'load_checkpoint: ""', 'load_checkpoint: "/home/me/llama3-8B.ckpt"', "absolute"),
        (TRAINING, 'dataset_dir: ""', 'dataset_dir: "/data/train.mindrecord"', "absolute path"),
        (EVAL, "material/tokenizer.model", "/home/ma-user/work/tokenizer.model", "absolute path"),
    ],
    "empty": [(TRAINING, None, "", "is empty"), (EVAL, None, "", "is empty")],
    "wrong": [(TRAINING, None, EVALUATION, "run_mode is eval, a training needs finetune")],
    "base": [(EVAL, NO_PET, "", "lacks pet_config, and finetune.yaml trains an adapter")],
    "rank": [
        (EVAL, "lora_rank: 8", "lora_rank: 64", "lora_rank is 64, finetune.yaml trains 8"),
        (EVAL, '".*wq|.*wv"', '".*wq"', "target_modules is .*wq, finetune.yaml trains .*wq|.*wv"),
    ],
    "merge": [
        (TRAINING, "      lora_alpha: 16 ", "      # ", "lacks lora_alpha; the merge needs"),
        (TRAINING, "      lora_rank: 8\n", "", "lacks lora_rank; the merge needs"),
        (TRAINING, "lora_rank: 8", "lora_rank: 8\n      lora_scaling: 1", "scaling is unknown to"),
        (EVAL, "lora_alpha: 16", "lora_alpha: 8", "lora_alpha is 8, finetune.yaml trains 16"),
    ],
    "override": [
        (
            EVAL,
            "max_new_tokens: 20",
            "max_new_tokens: 128\n    max_length: 512",
            "128 overrides max_l",
        )
    ],
    "cut": [
        (PROFILE, "rank-01: {seq_length: 768, max_new_tokens: 700}", "rank-01: {}", "128 cuts"),
        (RUN + "evaluation.json", '"test=544"', '"test=128"', "128 cuts the worked solutions"),
    ],
    "least": [
        (EVAL, "    min_new_tokens: 1\n", "", "lacks min_new_tokens; without"),
        (PROFILE, "min_new_tokens: 1", "min_new_tokens: 0", "answers may be empty"),
    ],
    "length": [
        (SUMMARY, '"seq_length": 608', '"seq_length": 256', "train.mindrecord.json has 256"),
        (SUMMARY, '"left_out": 0', '"left_out": 80', "of the examples were left out"),
        (TRAINING, "seq_length: 256", "seq_length: 8193", "beyond the model's"),
    ],
    "prompt": [
        (SUMMARY, '"frame": "alpaca"', '"frame": "vicuna"', "train.mindrecord.json has vicuna"),
        (RUN + "prompts.json", '"prompt": "alpaca"', '"prompt": "none"', "prompt is none"),
    ],
    "seed": [
        (TRAINING, "seed: 42", "seed: 0", "seeds nothing"),
        (EVAL, "seed: 42", "seed: 0", "seeds"),
    ],
    "sink": [
        (CPU, "sink_mode: False", "sink_mode: True", "sink_mode is True: on the CPU"),
        (CPU, 'param_init_type: "float32"', 'param_init_type: "float16"', "the CPU needs float32"),
    ],
    "secret": [
        (TRAINING, "seed: 42", "hub_token: my-own-token\nseed: 42", "hub_token holds a secret"),
        (TRAINING, "# Prerequisite", "# ghp_" + "x1" * 20 + "\n# ", "holds a token of GitHub"),
    ],
    "text": [
        (
            TRAINING,
            "learning_rate: 1.0e-4",
            "learning_rate: 1e-4",
            "text '1e-4', not of type number; write 1.0e-04",
        ),
        (TRAINING, "use_clip_grad: True", 'use_clip_grad: "True"', "write True without quotes"),
    ],
    "silent": [
        (TRAINING, "warmup_ratio:", "warm_up_ratio:", "did you mean warmup_ratio?"),
        (TRAINING, "lora_dropout:", "lora_drop_out:", "did you mean lora_dropout?"),
    ],
    "cards": [
        (TRAINING, "model_parallel: 1", "model_parallel: 2", "needs 8 cards, there are 4"),
        (RUN + "profile.json", '"cards": 2', '"cards": 4', "needs 2 cards, there are 4"),
    ],
    "five": [
        (PROFILE, "train: 9000", "train: 128", "4 steps (budget quick), fewer than the 5 check"),
        (
            TRAINING,
            "  - type: MFLossMonitor",
            "  - {type: CheckpointMointor, keep_checkpoint_max: 1}\n  - type: MFLossMonitor",
            "keep_checkpoint_max 1 deletes checkpoints of which 5 are scored",
        ),
    ],
    "denominator, budget": [
        (PROFILE, "denominator: 8030000000", "denominator: 8030261248", "contest's is 8030000000"),
        (TRAINING, "lora_rank: 8", "lora_rank: 512", "the most is 0.00679028"),
    ],
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our configs, an evaluation beside the 8B model's, and a run of a worked recipe."""
    from tools.settings.resolve import resolve

    root = tmp_path_factory.mktemp("contest") / "files"
    shutil.copytree(CONFIGS, root)
    write(root / EVAL, EVALUATION)
    resolve(root / RUN, "tiny", "quick", "worked", 42, None)
    summary = {"rows": 60, "examples": 168, "left_out": 0, "answer_tokens": 33600}
    write(root / SUMMARY, {**summary, "pack": True, "seq_length": 608, "frame": "alpaca"})
    return root


def test_the_table_is_that_of_the_text() -> None:
    listed = re.findall(r"(?m)^  ((?:\w+, )?\w+)   ?", __doc__)
    assert listed == list(MISTAKES)


def test_without_a_mistake_there_is_no_fault(good: Path) -> None:
    assert check_configs([good])[1] == []


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name, cases in MISTAKES.items() for case in cases]
)
def test_each_mistake_is_caught(good: Path, tmp_path: Path, name: str, case: tuple) -> None:
    file, old, new, fault = case
    root = shutil.copytree(good, tmp_path / "files")
    text = (root / file).read_text("utf-8")
    write(root / file, new if old is None else changed(text, old, new))
    # What a run's other files say is held against its config.
    checked = root / (file if file.endswith(".yaml") else f"{RUN}finetune.yaml")
    found = [placed(line) for line in check_configs([checked])[1]]
    assert any(fault in what for _, _, what in found), found
    assert all(line for _, line, what in found if "is empty" not in what)
