"""finetune.yaml: a training's config in MindFormers' own format, read and filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from tools.files.errors import UserError
from tools.settings.lines import read_yaml
from tools.settings.profile import Card, Fit, Profile

# The architecture that keeps the examples of a packed row apart, tools/training/packed_rows.py, and
# the one that it stands in for.
PACKED_ARCH = "PackedLlamaForCausalLM"
PLAIN_ARCH = "LlamaForCausalLM"


def _packed(arch: str, folder: Path) -> str:
    if arch not in (PLAIN_ARCH, PACKED_ARCH):
        raise UserError(
            f"model.arch.type is {_brief(arch)}, which cannot train on packed rows",
            folder / "finetune.yaml",
            f"set it to {PLAIN_ARCH}, or pack to false in profile.yaml",
        )
    return PACKED_ARCH


# The sections of a MindFormers YAML without which training cannot start.
SECTIONS = [
    "trainer",
    "runner_config",
    "optimizer",
    "lr_schedule",
    "train_dataset",
    "train_dataset_task",
    "parallel_config",
    "callbacks",
    "runner_wrapper",
    "context",
    "model",
]
# What the stages take out of the file, and of what type it has to be.
_KINDS = {
    "runner_config.epochs": int,
    "train_dataset.data_loader": dict,
    "train_dataset.batch_size": int,
    "train_dataset_task": dict,
    "parallel_config.data_parallel": int,
    "callbacks": list,
    "model.model_config": dict,
    "model.model_config.seq_length": int,
    "model.model_config.vocab_size": int,
    "model.arch.type": str,
}
_WORDS = {
    dict: "a section of keys",
    list: "a list",
    int: "a whole number from 1 on",
    str: "a name",
}


def read_finetune(path: Path) -> Dict[str, Any]:
    """Return the MindFormers YAML of a training; UserError where it lacks what training needs."""
    config = _read(path, SECTIONS, _KINDS)
    if not all(isinstance(entry, dict) and "type" in entry for entry in config["callbacks"]):
        raise UserError("a callback has no type", path, "give each of callbacks a type")
    return config


def read_model_config(path: Path) -> Dict[str, Any]:
    """Return `model.model_config` of a MindFormers YAML, all that a merge or an export reads."""
    return _read(path, ["model"], {"model.model_config": dict})["model"]["model_config"]


def _read(path: Path, sections: Sequence[str], kinds: Mapping[str, type]) -> Dict[str, Any]:
    if not path.is_file():
        raise UserError("no such file", path, "give the profile a finetune.yaml")
    config = read_yaml(path).value
    missing = [name for name in sections if not isinstance(config, dict) or name not in config]
    if missing:
        raise UserError(f"lacks {', '.join(missing)}", path, "add the sections")
    for key, kind in kinds.items():
        value: Any = config
        for step in key.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if type(value) is not kind or (kind is int and value < 1):
            raise UserError(f"{key} is {_brief(value)}, not {_WORDS[kind]}", path, f"correct {key}")
    return config


def _brief(value: Any) -> str:
    return "missing" if value is None else repr(value)[:60]


def training_config(
    folder: Path,
    settings: Profile,
    fit: Fit,
    epochs: int,
    seed: int,
    workers: int,
    hbm: Optional[int] = None,
    pack: bool = False,
) -> Dict[str, Any]:
    """The finetune.yaml of a profile's folder, with what is chosen for one training filled in.

    fit      what the recipe needs with this model's vocabulary
    workers  data parallel, of all hosts
    hbm      memory of a card, GB; None: the profile's own
    pack     whether several examples share a row

    Raises UserError where the profile knows no card of that size.
    """
    config = read_finetune(folder / "finetune.yaml")
    model_config = config["model"]["model_config"]
    if fit.seq_length:
        model_config["seq_length"] = fit.seq_length
    batch = fit.batch_size
    card = _card(settings, hbm, folder)
    if card:
        batch = batch or max(1, card.tokens // model_config["seq_length"])
        config["context"]["max_device_memory"] = card.max_device_memory
        config.setdefault("recompute_config", {})["recompute"] = card.recompute
    if batch:
        for section in (config["runner_config"], config["train_dataset"], model_config):
            section["batch_size"] = batch
    if fit.learning_rate:
        config["lr_schedule"]["learning_rate"] = fit.learning_rate
    config.update(seed=seed, use_parallel=workers > 1)
    config["runner_config"]["epochs"] = epochs
    config["parallel_config"]["data_parallel"] = workers
    if pack:
        config["model"]["arch"]["type"] = _packed(config["model"]["arch"]["type"], folder)
    return config


def _card(settings: Profile, hbm: Optional[int], folder: Path) -> Optional[Card]:
    if settings.device == "CPU":
        if hbm:
            raise UserError(f"HBM is {hbm}, and the profile has no cards", "HBM", "leave it out")
        return None
    size = f"{hbm or settings.needs.card_memory_gb}GB"
    if size not in settings.hardware:
        known = " or ".join(name[:-2] for name in settings.hardware)
        raise UserError(
            f"no hardware entry for cards of {size}",
            folder / "profile.yaml",
            f"choose HBM={known}, or add an entry",
        )
    return settings.hardware[size]
