"""The contest's configs for LLaMA3-8B, each filled in for MindFormers' own run_mindformer.py.

One profile file, one finetune.yaml and what the others say otherwise (variants.yaml) make all of
them, so that no value is written twice.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import yaml

from tools.files.atomic import write_text
from tools.files.errors import UserError
from tools.settings.contest import read_contest
from tools.settings.lines import read_yaml
from tools.settings.native import read_finetune, training_config
from tools.settings.profile import CONFIGS, Fit, Profile, profile_folder, read_profile
from tools.settings.stacks import CONTEST, for_stack

CARDS = (4, 8)
_HEADER = """\
# yaml-language-server: $schema=../../schema/finetune-contest.schema.json
# {about}
#
# Written by `python -m tools.configs` from finetune.yaml, profile.yaml and variants.yaml of
# configs/{profile}: change those. Not run on a card by us.
# Launch, with this file in the folder of the contest's MindFormers, and there:
#   {launch}
"""
_EVALUATE = "python run_mindformer.py --config {name} --load_checkpoint merged/model.ckpt"
# Prediction without data ends in an error; MindFormers reads a prompt a line, \n for a new line.
_GIVEN = {"squad": "", "math": " --predict_data problems.txt"}


def _train(cards: int) -> str:
    return (
        f"msrun --worker_num={cards} --local_worker_num={cards} --join=True run_mindformer.py"
        "\n#     --config {name} --load_checkpoint llama3-8B.ckpt"
        "\n#     --train_dataset_dir train.mindrecord"
    )


def write_contest_files(profile: str, output: Path, configs: Path = CONFIGS) -> Tuple[str, ...]:
    """Write `contest_files` into `output`; their names. Files of other names are left alone."""
    texts = contest_files(profile, configs)
    for name, text in texts.items():
        write_text(output / name, text)
    return tuple(texts)


def contest_files(profile: str, configs: Path = CONFIGS) -> Dict[str, str]:
    """Name → text of every config that a contestant may start MindFormers with.

    finetune-4x32.yaml, …  our training on so many cards of so many GB
    baseline-4.yaml, …     the organisers', whose batch is of all cards together
    squad.yaml, math.yaml  the two evaluations of a merged model, on one card

    Raises UserError where the profile is not for cards, or has no variants.yaml.
    """
    folder = profile_folder(profile, configs)
    settings = read_profile(folder / "profile.yaml")
    if settings.device != "Ascend":
        what = f"trains on the {settings.device}"
        raise UserError(what, folder / "profile.yaml", "choose a profile for Ascend: llama3-8b")
    make = _Maker(folder, settings, _read_variants(folder / "variants.yaml"))
    found: List[Tuple[str, str, str, Dict[str, Any]]] = []
    for cards in CARDS:
        for size in (int(name[:-2]) for name in settings.hardware):
            about = f"Our fine-tuning on {cards} cards of {size} GB, data parallel."
            config = make.training(cards, size)
            found.append((f"finetune-{cards}x{size}.yaml", about, _train(cards), config))
        about = f"The organisers' fine-tuning on {cards} cards, which share one model."
        found.append((f"baseline-{cards}.yaml", about, _train(cards), make.baseline(cards)))
    for task, about in (
        ("squad", "The SQuAD evaluation of a merged model on one card."),
        ("math", "Arithmetic inference with a merged model on one card."),
    ):
        launch = _EVALUATE + _GIVEN[task]
        found.append((f"{task}.yaml", about, launch, make.evaluation(task)))
    texts = {}
    for name, about, launch, config in found:
        header = _HEADER.format(about=about, profile=profile, launch=launch.format(name=name))
        body = yaml.dump(for_stack(config, CONTEST), Dumper=_Plain, sort_keys=False)
        texts[name] = header + body
    return texts


class _Maker(NamedTuple):
    folder: Path
    settings: Profile
    variants: Dict[str, Any]

    def training(self, cards: int, size: Optional[int]) -> Dict[str, Any]:
        config = self._filled_in(cards, size)
        return self._saving_evenly(config, config["train_dataset"]["batch_size"] * cards)

    def baseline(self, cards: int) -> Dict[str, Any]:
        config = laid_over(self._filled_in(1, None), self.variants["baseline"])
        config["use_parallel"] = True
        config["parallel_config"]["model_parallel"] = cards
        rows = config["runner_config"]["batch_size"]
        return self._saving_evenly(_with_batch(config, rows), rows)

    def evaluation(self, task: str) -> Dict[str, Any]:
        config = laid_over(self._filled_in(1, None), self.variants["evaluation"])
        config = laid_over(config, self.variants[task])
        told = self.settings.evaluation
        model = config["model"]["model_config"]
        model.update(max_new_tokens=told.max_new_tokens[task], min_new_tokens=told.min_new_tokens)
        config["processor"]["tokenizer"]["model_max_length"] = model["seq_length"]
        return _with_batch(config, config["runner_config"]["batch_size"])

    def _filled_in(self, cards: int, size: Optional[int]) -> Dict[str, Any]:
        epochs = self.settings.budgets["full"].epochs
        seed = read_finetune(self.folder / "finetune.yaml")["seed"]
        return training_config(self.folder, self.settings, Fit(), epochs, seed, cards, size)

    def _saving_evenly(self, config: Dict[str, Any], rows: int) -> Dict[str, Any]:
        """As many checkpoints as the contest scores, whole models; `rows` of all cards a step."""
        budget, wanted = self.settings.budgets["full"], read_contest().checkpoints
        if budget.corpus.train is None:
            what = "budgets.full.corpus.train is null, so that the steps cannot be counted"
            raise UserError(what, self.folder / "profile.yaml", "give the number of rows")
        saver = {
            "type": "CheckpointMointor",
            "prefix": "llama3_8b",
            "save_checkpoint_steps": budget.corpus.train // rows * budget.epochs // wanted,
            "keep_checkpoint_max": wanted,
            "integrated_save": False,
            "async_save": False,
        }
        return {**config, "callbacks": [*config["callbacks"], saver]}


def _with_batch(config: Dict[str, Any], batch: int) -> Dict[str, Any]:
    """`config` with so many rows a step wherever MindFormers reads that."""
    config["runner_config"]["batch_size"] = batch
    config["model"]["model_config"]["batch_size"] = batch
    for data in ("train_dataset", "eval_dataset"):
        if data in config:
            config[data]["batch_size"] = batch
            task = {"type": config["train_dataset_task"]["type"], "dataset_config": config[data]}
            config[f"{data}_task"] = task
    return config


def laid_over(config: Dict[str, Any], changes: Dict[str, Any]) -> Dict[str, Any]:
    """`config` with `changes`: sections key by key, all else as a whole; None takes a key away."""
    result = copy.deepcopy(config)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = laid_over(result[key], value)
        else:
            result[key] = value
    return result


def _read_variants(path: Path) -> Dict[str, Any]:
    if not path.is_file():
        raise UserError("no such file", path, "choose a profile that has one: llama3-8b")
    variants = read_yaml(path).value
    wanted = ("baseline", "evaluation", "squad", "math")
    if not isinstance(variants, dict) or any(not isinstance(variants.get(n), dict) for n in wanted):
        raise UserError(f"lacks a section of {', '.join(wanted)}", path, "add it")
    return variants


class _Plain(yaml.SafeDumper):
    """No anchors: a section that two keys share is written out in both places."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
