"""What a training asks of a card: shape, LoRA, rows, lengths, types, parallelism, recomputation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Optional

from tools.files.errors import UserError
from tools.llama.lora import LoraConfig
from tools.llama.shape import LlamaShape

NONE, SELECTIVE, FULL = "none", "selective", "full"
RECOMPUTE = (NONE, SELECTIVE, FULL)
# Bytes of a number.
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
# MindFormers' defaults for LoRA (pet_config) and for LlamaConfig, where the YAML says nothing.
_DEFAULTS = {
    "compute_dtype": "float16",
    "param_init_type": "float16",
    "layernorm_compute_type": "float32",
    "softmax_compute_type": "float32",
}
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)GB")


@dataclass(frozen=True)
class Load:
    """One training, as its MindFormers YAML says; `replace` gives another one.

    cards            workers of all hosts
    model_parallel   cards that share each layer
    batch            rows of a step that one share of the data gets: a worker's without model
                     parallelism
    length           positions of a row
    outputs          share of the positions at which the output layer and the loss are computed
    weight, compute, norm, softmax, adapter   bytes of a number: of the base weights, of what passes
                     through the layers, in norms, in softmax, of LoRA's matrices
    flash            attention without its scores in memory
    recompute        what is computed again in the backward pass
    slice_inputs     the inputs kept for that are shared out between the cards of a model
    whole_vocab      embedding and output matrix lie whole on every card (vocab_emb_dp)
    share_states     the optimiser's states are shared out between the shares of the data
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
    norm: int
    softmax: int
    adapter: int
    flash: bool
    recompute: str
    slice_inputs: bool
    whole_vocab: bool
    share_states: bool
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
    """Read a MindFormers YAML that `tools.settings.resolve.read_finetune` has read.

    cards   workers in all; `model_parallel` of the YAML divides them.
    Raises UserError, naming the key, for what is not valid, and for pipelines and lists of layers
    to recompute, which are not planned here.
    """
    model = native["model"]["model_config"]
    pet = model.get("pet_config")
    if not isinstance(pet, dict):
        raise UserError("there is no model_config.pet_config", where, "name a LoRA training")
    parallel = native["parallel_config"]
    shared = _whole(parallel, "model_parallel", where)
    if _whole(parallel, "pipeline_stage", where) > 1:
        raise UserError("pipeline_stage over 1 is not planned", where, "set it to 1")
    if cards % shared:
        raise UserError(
            f"model_parallel {shared} does not divide {cards} cards", where, "correct CARDS"
        )
    context = native["context"] if isinstance(native["context"], dict) else {}
    again = native.get("recompute_config") or parallel.get("recompute_config") or {}
    several = shared > 1
    return Load(
        device="CPU" if context.get("device_target") == "CPU" else "Ascend",
        shape=LlamaShape.from_model_config(model, where),
        lora=LoraConfig.from_pet_config(pet, where),
        cards=cards,
        model_parallel=shared,
        batch=_batch(native, where),
        length=model["seq_length"],
        outputs=1.0,
        weight=_bytes(model, "param_init_type", where),
        compute=_bytes(model, "compute_dtype", where),
        norm=_bytes(model, "layernorm_compute_type", where),
        softmax=_bytes(model, "softmax_compute_type", where),
        adapter=_bytes(pet, "param_init_type", where),
        flash=model.get("use_flash_attention") is True,
        recompute=_recompute(again, where),
        slice_inputs=several and again.get("recompute_slice_activation") is True,
        whole_vocab=several and parallel.get("vocab_emb_dp", True) is True,
        share_states=(native.get("parallel") or {}).get("enable_parallel_optimizer") is True,
        most_memory=_most_memory(context.get("max_device_memory"), where),
    )


def _whole(section: Dict[str, Any], key: str, where: str) -> int:
    value = section.get(key, 1)
    if type(value) is not int or not 1 <= value <= 1 << 16:
        raise UserError(f"{key} is {value!r:.40}, no whole number from 1 on", where, "correct it")
    return value


def _batch(native: Dict[str, Any], where: str) -> int:
    # MindFormers writes the runner's over the dataset's; a row of each interleaved part is loaded.
    told = {"batch_size": native["train_dataset"]["batch_size"], **native["runner_config"]}
    return _whole(told, "batch_size", where) * _whole(native, "micro_batch_interleave_num", where)


def _bytes(section: Dict[str, Any], key: str, where: str) -> int:
    value = section.get(key) or _DEFAULTS[key]
    if not isinstance(value, str) or value not in _BYTES:
        known = ", ".join(_BYTES)
        raise UserError(f"{key} is {value!r:.40}, not one of {known}", where, f"correct {key}")
    return _BYTES[value]


def _recompute(section: Any, where: str) -> str:
    if not isinstance(section, dict):
        raise UserError("recompute_config is no section of keys", where, "correct it")
    flags = {key: section.get(key, False) for key in ("recompute", "select_recompute")}
    for key, value in flags.items():
        if not isinstance(value, bool):
            raise UserError(f"{key} is {value!r:.40}, not True or False", where, f"correct {key}")
    # MindFormers looks at `recompute` first where `select_recompute` is off.
    if flags["select_recompute"]:
        return SELECTIVE
    return FULL if flags["recompute"] else NONE


def _most_memory(value: Any, where: str) -> Optional[float]:
    """MindSpore's "26GB" are GiB."""
    if value is None:
        return None
    match = _SIZE.fullmatch(str(value))
    if not match or float(match[1]) == 0:
        what = f"max_device_memory is {value!r:.40}"
        raise UserError(what, where, 'write a size such as "26GB"')
    return float(match[1])
