"""LoRA: which matrices are adapted, how many parameters that is, what an adapter must hold.

W' = W + (alpha / rank) · B · A, with A of (rank, in) and B of (out, rank): Hu et al., 2021,
arXiv 2106.09685. MindFormers' stock merge takes a scaling of 1 unless it is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.files.errors import UserError
from tools.llama.names import LORA_A, LORA_B, lora_part
from tools.llama.shape import LlamaShape
from tools.llama.tensors import FLOATS, Tensors

# What MindFormers' optimisers put before the names of the parameters whose state they keep.
_STATES = ("adam_m.", "adam_v.", "exp_avg.", "exp_avg_sq.")
# Above any matrix's; a greater number is a slip.
_LARGEST_RANK = 1 << 16


@dataclass(frozen=True)
class LoraConfig:
    """`pet_config` of a MindFormers YAML: rank, alpha and the regex of the adapted modules."""

    rank: int
    alpha: float
    targets: str

    @property
    def scaling(self) -> float:
        return self.alpha / self.rank

    @classmethod
    def from_pet_config(cls, pet: Mapping[str, Any], where: str) -> LoraConfig:
        """Read `lora_rank`, `lora_alpha` and `target_modules`; UserError where they are unfit."""
        try:
            config = cls(int(pet["lora_rank"]), float(pet["lora_alpha"]), pet["target_modules"])
            re.compile(config.targets)
        except (KeyError, TypeError, ValueError, OverflowError, re.error, RecursionError) as error:
            raise UserError(
                f"pet_config is not a LoRA config ({error})",
                where,
                "give lora_rank, lora_alpha and target_modules",
            ) from error
        if pet.get("exclude_layers"):
            raise UserError("exclude_layers is not read here", where, "narrow target_modules")
        if not 1 <= config.rank <= _LARGEST_RANK or config.rank != pet["lora_rank"]:
            raise UserError("lora_rank must be a whole number from 1 on", where, "correct it")
        if not 0 < config.alpha < float("inf"):
            raise UserError("lora_alpha must be a positive number", where, "correct it")
        return config


def adapter_parameters(shape: LlamaShape, lora: LoraConfig) -> dict[str, tuple[int, int]]:
    """Name → shape of every LoRA parameter that training will create.

    As MindFormers does it (pet/tuners/lora_adapter.py): the regex is held against the beginning
    of one name on the path at a time ("wq", never "model.layers.0.attention.wq"), and what lies
    below a matching module that is no matrix itself is passed over.
    """
    pattern = re.compile(lora.targets)
    found: dict[str, tuple[int, int]] = {}
    for name, dims in shape.parameters().items():
        if len(dims) != 2 or not name.endswith(".weight"):  # norms, and the embedding
            continue
        module = name[: -len(".weight")]
        *above, own = module.split(".")
        if pattern.match(own) and not any(map(pattern.match, above)):
            found[module + LORA_A] = (lora.rank, dims[1])
            found[module + LORA_B] = (dims[0], lora.rank)
    return found


def count(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The number of elements in all of `shapes`."""
    return sum(int(np.prod(dims, dtype=np.int64)) for dims in shapes.values())


def check_adapter(adapter: Tensors, shape: LlamaShape, lora: LoraConfig) -> None:
    """UserError, naming the first tensor, unless `adapter` is exactly what `lora` trains."""
    expected = adapter_parameters(shape, lora)
    if not expected:
        raise UserError(
            f"target_modules {lora.targets!r} matches no module", adapter.path, "correct the regex"
        )
    kept = {name: e for name, e in adapter.entries.items() if not name.startswith(_STATES)}
    found = {name: entry.shape for name, entry in kept.items() if lora_part(name)}
    known = shape.parameters()
    for name, entry in kept.items():
        if name in found and entry.type_name not in FLOATS:
            raise UserError(f"{name} is of {entry.type_name}", adapter.path, "save it as float32")
        if name not in found and name not in known and entry.size > 1:
            raise UserError(
                f"holds {name}, which is no part of LoRA and would be lost",
                adapter.path,
                "give a checkpoint of LoRA alone",
            )
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise UserError(
                f"{name} is {found.get(name, 'missing')}, the config makes it "
                f"{expected.get(name, 'absent')}",
                adapter.path,
                "merge with the config that trained this adapter",
            )
