"""A LoRA adapter of ours ⇄ one that PEFT reads: adapter_model.safetensors, adapter_config.json."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Optional

import yaml

from tools.files.atomic import atomic_path, write_json, write_text
from tools.files.errors import UserError
from tools.files.outputs import keep_apart
from tools.llama.lora import LoraConfig, adapter_parameters, check_adapter
from tools.llama.names import hf_module, lora_part, peft_name
from tools.llama.opening import open_tensors
from tools.llama.shape import LlamaShape
from tools.llama.tensors import FLOATS, Renamed, Tensors
from tools.llama.writing import copy_renamed
from tools.settings.resolve import read_resolved

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
# Of a PEFT config: what makes it something else than W + α/r · B · A.
_MUST_BE = {
    "peft_type": ("LORA",),
    "bias": ("none", None),
    "lora_bias": (False, None),
    "use_dora": (False, None),
    "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
    "layers_to_transform": (None, []),
    "layer_replication": (None, []),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
    "alora_invocation_tokens": (None, []),
    "use_qalora": (False, None),
    "use_rslora": (False, True, None),
    "init_lora_weights": (True, False, None, "gaussian"),  # others change the base
}


def export_adapter(
    adapter: Path,
    shape: LlamaShape,
    lora: LoraConfig,
    output: Path,
    base_name: str = "",
    type_name: Optional[str] = None,
) -> int:
    """Write a PEFT adapter folder, whole or not at all; give the number of adapted matrices.

    adapter     checkpoint that `lora` trained on a model of `shape`
    base_name   what adapter_config.json names as the base: a folder or a repository
    type_name   of the numbers in the folder; None leaves them as they are
    """
    keep_apart(output, adapter, mark=CONFIG)
    tensors = open_tensors(adapter)
    check_adapter(tensors, shape, lora)
    names = {peft_name(name): name for name in adapter_parameters(shape, lora)}
    modules = {part[0] for part in map(lora_part, names.values()) if part}
    targets = {hf_module(module).rpartition(".")[2] for module in modules}
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": lora.rank,
        "lora_alpha": int(lora.alpha) if lora.alpha == int(lora.alpha) else lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": sorted(targets),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    with atomic_path(output) as folder:
        folder.mkdir()
        write_json(folder / CONFIG, config)
        copy_renamed(tensors, names, folder / WEIGHTS, type_name=type_name)
    return len(modules)


def import_adapter(source: Path, shape: LlamaShape, output: Path) -> LoraConfig:
    """Write adapter.ckpt and pet_config.yaml of a PEFT folder into `output`, all or nothing.

    Raises UserError as open_peft does.
    """
    keep_apart(output, source, mark="pet_config.yaml")
    tensors, lora, dropout = open_peft(source, shape)
    pet = {
        "pet_type": "lora",
        "lora_rank": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": dropout,
        "target_modules": lora.targets,
    }
    with atomic_path(output) as folder:
        folder.mkdir()
        write_text(folder / "pet_config.yaml", yaml.safe_dump(pet, sort_keys=False))
        copy_renamed(tensors, {name: name for name in tensors.names()}, folder / "adapter.ckpt")
    return lora


def open_peft(source: Path, shape: LlamaShape) -> tuple[Tensors, LoraConfig, float]:
    """Open a PEFT folder: its tensors under our names, the LoRA that they are, its dropout.

    rsLoRA's scaling, α/√r, is given as the α that has it. Raises UserError for any other
    variant, and where a module is adapted in some layers only: MindFormers' regex cannot say that.
    """
    config = read_resolved(source / CONFIG, ["r", "lora_alpha", "peft_type"])
    for key, allowed in _MUST_BE.items():
        if config.get(key) not in allowed:
            what = f"{key} is {str(config[key])[:60]!r}"
            raise UserError(what, source / CONFIG, "only plain LoRA can be converted")
    dropout = config.get("lora_dropout") or 0.0
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        raise UserError("lora_dropout is no share below 1", source / CONFIG, "correct it")
    tensors = open_tensors(source / WEIGHTS)
    said = {"lora_rank": config["r"], "lora_alpha": config["lora_alpha"], "target_modules": ".*"}
    every = LoraConfig.from_pet_config(said, str(source / CONFIG))
    known = {peft_name(name): name for name in _all_adapters(shape, every.rank)}
    strange = [name for name in tensors.names() if name not in known]
    if strange:
        raise _strange(strange[0], tensors.path)
    parts = {known[name] for name in tensors.names()}
    own = {module.rpartition(".")[2] for module, _ in map(lora_part, parts)}
    alpha = every.alpha * (math.sqrt(every.rank) if config.get("use_rslora") else 1.0)
    lora = LoraConfig(every.rank, alpha, "|".join(f"{re.escape(name)}$" for name in sorted(own)))
    names = {known[name]: name for name in tensors.names()}
    for name, dims in adapter_parameters(shape, lora).items():
        entry = tensors.entries.get(names.get(name, ""))
        if entry is not None and (entry.shape != dims or entry.type_name not in FLOATS):
            what = f"{entry.name} is {entry.shape} of {entry.type_name}, r makes it {dims}"
            raise UserError(what, tensors.path, "give the config that this adapter was saved with")
    if set(names) != set(adapter_parameters(shape, lora)):
        missing = sorted(set(adapter_parameters(shape, lora)) - set(names))[0]
        raise UserError(
            f"lacks {peft_name(missing)}, and other layers have theirs",
            tensors.path,
            "only adapters of all layers can be converted",
        )
    return Renamed(tensors, names), lora, dropout


def _strange(name: str, path: Path) -> UserError:
    """Return the error for a tensor that is no LoRA matrix of the model."""
    if not re.search(r"\.lora_[AB]\.", name):  # a saved embedding, or LoRA of one
        what = f"holds {name}; only LoRA of linear layers can be converted"
        return UserError(what, path, "save it with save_embedding_layers=False")
    if not re.search(r"\.lora_[AB]\.weight$", name):  # as in a model's own state_dict
        what = f"holds {name}, a name that does not end in .lora_A.weight or .lora_B.weight"
        return UserError(what, path, "save the adapter with PEFT's save_pretrained")
    what = f"adapts {name}, which this model has not"
    return UserError(what, path, "give the base that it was trained on")


def _all_adapters(shape: LlamaShape, rank: int) -> list[str]:
    """Every LoRA parameter that some regex could ask for."""
    targets = "|".join(f"{name}$" for name in ("wq", "wk", "wv", "wo", "w1", "w2", "w3", "lm_head"))
    return list(adapter_parameters(shape, LoraConfig(rank, 1.0, targets)))
