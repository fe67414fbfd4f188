"""What a training asks of a card: shape, LoRA, rows, lengths, types, parallelism, recomputation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Dict, Optional

from tools.files.errors import UserError
from tools.llama.lora import LoraConfig
from tools.llama.shape import LlamaShape
from tools.settings.native import read_finetune
from tools.settings.profile import profile_folder
from tools.training.inputs import count_parameters

# Bytes of a number.
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Load:
    """One training, as its MindFormers YAML says; `replace` gives another one.

    cards            workers of all hosts
    model_parallel   cards that share each layer. As in the contest's configs, embedding and output
                     lie whole on each of them, and inputs kept for recomputation are shared out
    batch            rows of a step that one share of the data gets: a worker's without model
                     parallelism
    length           positions of a row
    outputs          share of the positions at which the output layer and the loss are computed
    weight, compute  bytes of a number in the base weights, and in what passes through the layers;
                     norms, softmax and LoRA's matrices are in float32, as in every config here
    flash            attention without its scores in memory
    recompute        whether the backward pass computes each layer again
    most_memory      GiB that the YAML lets the framework have (max_device_memory), or None
    """

    device: str
    shape: LlamaShape
    lora: LoraConfig
    cards: int
    model_parallel: int
    batch: int
    length: int
    outputs: float
    weight: int
    compute: int
    flash: bool
    recompute: bool
    most_memory: Optional[float]

    @property
    def data_parallel(self) -> int:
        """Shares of the data."""
        return self.cards // self.model_parallel

    @property
    def tokens(self) -> int:
        """Positions of a step that pass through one card."""
        return self.batch * self.length

    @property
    def step_tokens(self) -> int:
        """Positions of a step, over all cards."""
        return self.tokens * self.data_parallel


def read_load(native: Dict[str, Any], where: str, cards: int) -> Load:
    """Return the load of a finetune.yaml, read, that trains on `cards` workers in all.

    Raises UserError where the cards cannot share the model as it says, for a number type that is
    not known, and for pipelines and partial recomputation, which are not planned here.
    """
    model, context = native["model"]["model_config"], native["context"]
    pet, parallel = model.get("pet_config") or {}, native["parallel_config"]
    again = native.get("recompute_config") or {}
    shared = parallel.get("model_parallel", 1)
    if cards % shared:
        what = f"model_parallel {shared} does not divide {cards} cards"
        raise UserError(what, where, "correct CARDS")
    if parallel.get("pipeline_stage", 1) > 1:
        raise UserError("pipeline_stage over 1 is not planned", where, "set it to 1")
    if again.get("select_recompute") or not isinstance(again.get("recompute", False), bool):
        what = "recomputation of some layers or operations is not planned"
        raise UserError(what, where, "set recompute to True or False, select_recompute to False")
    size = context.get("max_device_memory")
    return Load(
        device="CPU" if context.get("device_target") == "CPU" else "Ascend",
        shape=LlamaShape.from_model_config(model, where),
        lora=LoraConfig.from_pet_config(pet, where),
        cards=cards,
        model_parallel=shared,
        batch=native["train_dataset"]["batch_size"],
        length=model["seq_length"],
        outputs=1.0,
        weight=_bytes(model, "param_init_type", where),
        compute=_bytes(model, "compute_dtype", where),
        flash=model.get("use_flash_attention") is True,
        recompute=again.get("recompute", False),
        # MindSpore's "26GB" are GiB.
        most_memory=float(size[: -len("GB")]) if size else None,
    )


def _bytes(section: Dict[str, Any], key: str, where: str) -> int:
    name = section.get(key)
    if name not in _BYTES:
        known = ", ".join(_BYTES)
        raise UserError(f"{key} is {name!r}, not one of {known}", where, f"correct {key}")
    return _BYTES[name]


@cache
def profile_load(profile: str) -> Load:
    """Return what the profile's finetune.yaml asks, on one card."""
    path = profile_folder(profile) / "finetune.yaml"
    return read_load(read_finetune(path), str(path), 1)


@cache
def adapter_sizes(shape: LlamaShape, lora: LoraConfig) -> Dict[str, int]:
    """Return LoRA's parameters in all layers by kind of matrix: {"attention.wq": 2097152}."""
    return count_parameters(shape, lora, tied=False, denominator=None)["by_module"]


def trained_of(load: Load) -> int:
    """Return the number of LoRA's parameters."""
    return sum(adapter_sizes(load.shape, load.lora).values())


def layer_matrices(shape: LlamaShape) -> int:
    """Return the number of parameters of the matrices in all layers."""
    hidden, key_value = shape.hidden_size, shape.n_kv_heads * shape.head_dim
    a_layer = 2 * hidden * (hidden + key_value) + 3 * hidden * shape.intermediate_size
    return shape.num_layers * a_layer
