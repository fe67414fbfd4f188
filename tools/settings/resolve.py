"""A profile, a budget and the command's variables, resolved into one small file a subject.

Every stage depends on the files it reads, and a file is only written when its content changes:
so an edited config remakes what depends on the edited value, and nothing else.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import yaml

from tools.files.atomic import write_text
from tools.files.errors import UserError
from tools.files.text import read_text
from tools.settings.native import training_config
from tools.settings.profile import CONFIGS, Fit, Recipe, check_name, choose


def resolve(
    output: Path,
    profile: str,
    budget: str,
    recipe: Optional[str],
    seed: int,
    cards: Optional[int],
    hbm: Optional[int] = None,
    configs: Path = CONFIGS,
    given: Optional[Path] = None,
    resume: bool = True,
    init: Optional[Path] = None,
) -> Dict[str, bool]:
    """Write the resolved files into `output`; name → whether its content changed.

    recipe  None: the budget's
    given   a record file to train on instead of the corpus; its name alone is noted.
    resume  whether what an unfinished training has left is to be kept
    init    adapter that the training begins with

    profile.json     what was asked for: names, budget, seed, cards, GB of memory a card
    model.json       source of the weights, the shape's config, LoRA's config
    tokenizer.json   source of the vocabulary
    corpus.json      rows, recipe, seed
    records.json     seq_length, prompt frame, recipe, and whether examples share rows; with
                     `given` its name and the model's vocabulary
    prompts.json     how many reading questions, prompt frame
    evaluation.json  lengths, by prompt file, and batch of the decoding
    training.json    whether the training may multiply in bfloat16, and the adapter it begins with
    finetune.yaml    MindFormers' config with seed, epochs, parallelism and the architecture for
                     packed rows filled in

    Raises UserError for an unknown profile, budget or recipe, for a config that is not valid, and
    where the run holds the training of another choice.
    """
    folder, settings, chosen, recipe, mix = choose(profile, budget, recipe, configs)
    if seed < 1:
        raise UserError(f"SEED is {seed}", "SEED", "choose a number from 1 on: 0 seeds nothing")
    workers = cards or settings.cards
    fit = settings.recipes.get(recipe, Fit())
    prompt = mix.prompt or settings.prompt
    pack = settings.pack and given is None
    finetune = training_config(folder, settings, fit, chosen.epochs, seed, workers, hbm, pack)
    model_config = finetune["model"]["model_config"]

    longest = settings.evaluation.max_new_tokens
    solution = fit.max_new_tokens or longest["math"]
    lengths = {"squad": longest["squad"], "valid": solution, "test": solution}
    files: Dict[str, Any] = {
        "profile.json": {
            "profile": check_name(profile, "PROFILE"),
            "about": settings.about,
            "budget": budget,
            "recipe": recipe,
            "seed": seed,
            "cards": workers,
            "hbm": hbm or settings.needs.card_memory_gb,
            "device": settings.device,
            "artifacts": settings.artifacts,
        },
        "model.json": {
            **settings.model.model_dump(),
            "seed": seed,
            "model_config": {k: v for k, v in model_config.items() if k in _SHAPE_KEYS},
            "pet_config": model_config.get("pet_config"),
        },
        "tokenizer.json": {
            **settings.tokenizer.model_dump(),
            "model_file": settings.model.file,
            "vocab_size": model_config["vocab_size"],
            "prompt": prompt,
        },
        "corpus.json": {
            **chosen.corpus.model_dump(),
            "train": _training_rows(chosen.corpus.train, mix),
            "seed": seed,
            "recipe": recipe,
            **taught(mix),
        },
        "records.json": {
            "seq_length": model_config["seq_length"],
            "prompt": prompt,
            "recipe": recipe,
            "reading": mix.reading,
            "pack": pack,
            **_given(given, model_config["vocab_size"]),
        },
        "prompts.json": {"limit": chosen.squad, "prompt": prompt},
        "evaluation.json": {
            "device": settings.device,
            "batch_size": settings.evaluation.batch_size,
            "min_new_tokens": settings.evaluation.min_new_tokens,
            "max_new_tokens": [f"{name}={length}" for name, length in lengths.items()],
        },
        "training.json": {
            **settings.model_dump(include={"bfloat16_matmul"}),
            "init": path_told(init) if init else None,
        },
    }
    asked = {key: value for name in _ASKED for key, value in files[name].items()}
    _refuse_another_training(output, asked, resume)
    texts = {
        name: json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        for name, value in files.items()
    }
    texts["finetune.yaml"] = yaml.safe_dump(finetune, sort_keys=False, allow_unicode=True)
    return {name: write_if_changed(output / name, text) for name, text in texts.items()}


def taught(mix: Recipe) -> Dict[str, Any]:
    """Return what corpus.json says of a recipe: weights, repeats, exponents, styles by kind."""
    return {
        "weights": mix.counts,
        **mix.model_dump(include={"repeat", "exponents"}),
        "styles": {
            kind: {**style.model_dump(), "separator": mix.separator}
            for kind, style in mix.styles.items()
        },
    }


def path_told(path: Path) -> str:
    """Return a path as records have it, which are handed in: of one outside of this checkout the
    name alone, since nobody should learn from them how a machine is set up.
    """
    if path.is_absolute():
        root = CONFIGS.parent
        return (path.relative_to(root) if root in path.parents else Path(path.name)).as_posix()
    return path.as_posix()


# What makes another training, by the name of its variable; the files that say it.
_ASKED = ("profile.json", "records.json", "training.json")
_TRAINING = {
    "PROFILE": "profile",
    "BUDGET": "budget",
    "RECIPE": "recipe",
    "SEED": "seed",
    "CARDS": "cards",
    "HBM": "hbm",
    "RECORDS": "given",
    "INIT": "init",
}


def _refuse_another_training(output: Path, asked: Dict[str, Any], resume: bool) -> None:
    """UserError where the run holds a training of another choice: it is never trained over."""
    run, told = output.parent, {}
    for path in (output / name for name in _ASKED):
        told.update(read_resolved(path, []) if path.is_file() else {})
    other = [
        f"{variable}={told.get(key)}"
        for variable, key in _TRAINING.items()
        if told.get(key) != asked.get(key)
    ]
    if not told or not other:
        return
    what = f"of {', '.join(other)}"
    if (run / "finetune" / "run.json").is_file():
        raise UserError(f"holds a finished training {what}", run, "give RUN=NAME")
    if resume and any((run / "finetune.work" / "states").glob("*.ckpt")):
        remedy = "give RUN=NAME, or RESUME=no to give up what it has learnt"
        raise UserError(f"holds an unfinished training {what}", run, remedy)


def _given(path: Optional[Path], vocab_size: int) -> Dict[str, Any]:
    if path is None:
        return {}
    if re.search(r"[\s:%#$]", str(path)):
        what = f"{str(path)[:80]!r} holds a space or a sign that make takes for its own"
        raise UserError(what, "RECORDS", "put the file and its .db where the path has none")
    return {"given": check_name(path.name, "RECORDS"), "vocab_size": vocab_size}


def _training_rows(train: Optional[int], mix: Recipe) -> Optional[int]:
    """How many rows train has: as many as the budget says, else as the recipe counts, else all."""
    return train or (sum(mix.counts.values()) if mix.counts else None)


_SHAPE_KEYS = [
    "num_layers",
    "hidden_size",
    "intermediate_size",
    "num_heads",
    "n_kv_heads",
    "vocab_size",
    "theta",
    "rms_norm_eps",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
]


def read_resolved(path: Path, keys: Sequence[str]) -> Dict[str, Any]:
    """The object in a JSON file of a run; UserError where it is none or lacks one of `keys`."""
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError("not JSON", path, "make it again") from error
    missing = [key for key in keys if not isinstance(value, dict) or key not in value]
    if missing:
        raise UserError(f"lacks {', '.join(missing)}", path, "make it again")
    return value


def most_new_tokens(evaluation: Path) -> int:
    """Return the tokens that inference writes for a problem at most, as evaluation.json says."""
    told = read_resolved(evaluation, ["max_new_tokens"])["max_new_tokens"]
    lengths = dict(entry.split("=") for entry in told)
    return min(int(length) for name, length in lengths.items() if name != "squad")


def write_if_changed(path: Path, text: str) -> bool:
    """Write `text` unless the file holds it: make takes a newer file for a changed one."""
    if path.is_file() and path.read_text("utf-8") == text:
        return False
    write_text(path, text)
    return True
