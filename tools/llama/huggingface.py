"""A model folder of ours ⇄ one that transformers, vLLM and llama.cpp's converter read.

Both keep the same matrices in the same layout, so that only names change; LLaMA's halves of a head
are paired alike in MindFormers and Hugging Face.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import UserError
from tools.files.outputs import keep_apart, require_space
from tools.files.progress import progress
from tools.llama.names import hf_name
from tools.llama.opening import open_tensors
from tools.llama.shape import EMBEDDING, OUTPUT, LlamaShape
from tools.llama.tensors import Tensors
from tools.llama.writing import copy_renamed
from tools.records.tokenizer_json import export_tokenizer
from tools.records.tokenizers import SpecialIds, find_tokenizer, open_tokenizer
from tools.settings.resolve import read_resolved

_TORCH = {"Float32": "float32", "Float16": "float16", "BFloat16": "bfloat16"}
# Older files hold what can be computed from the config.
_FREQUENCIES = "rotary_emb.inv_freq"
# Of configurations that share LlamaForCausalLM's name and are other mathematics.
_MUST_BE = {
    "model_type": ("llama",),
    "hidden_act": ("silu", None),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "quantization_config": (None,),
}


def export_model(model: Path, output: Path) -> dict[str, Any]:
    """Write config.json, model.safetensors and the tokenizer of a model folder into `output`.

    model   folder of model.ckpt, model.json and the tokenizer

    Element types are kept. An output matrix that equals the embedding, byte for byte, is left
    out, as transformers does with tied ones. All files appear together.
    """
    keep_apart(output, model, mark="config.json")
    shape = LlamaShape.load(_there(model / "model.json"))
    tensors = open_tensors(_there(model / "model.ckpt"))
    _check_shapes(tensors, shape)
    tied = is_tied(tensors)
    names = [name for name in shape.parameters() if not (tied and name == OUTPUT)]
    ours = {hf_name(name): name for name in names}
    size = sum(tensors.entries[name].nbytes for name in names)
    output.parent.mkdir(parents=True, exist_ok=True)
    require_space(output.parent, size)
    with atomic_path(output) as folder:
        folder.mkdir()
        write_json(
            folder / "config.json", _config(shape, tied, tensors.entries[EMBEDDING].type_name)
        )
        ids = SpecialIds(shape.bos_token_id, shape.eos_token_id, shape.pad_token_id)
        export_tokenizer(find_tokenizer(model), folder, ids)
        with progress("convert weights", size, unit="bytes") as bar:
            copy_renamed(tensors, ours, folder / "model.safetensors", bar.advance)
    return {"tensors": len(ours), "tied": tied}


def import_model(source: Path, output: Path) -> dict[str, Any]:
    """Write model.ckpt, model.json, parameters.json and the tokenizer of a Hugging Face folder.

    source   config.json, model.safetensors or its shards, tokenizer.json or tokenizer.model

    Tensors keep their element types; a tied output matrix is written out. Raises UserError for a
    model that is no plain LLaMA, and where tensors are missing or of other shapes.
    """
    keep_apart(output, source, mark="model.json")
    config = read_resolved(_there(source / "config.json"), ["model_type"])
    tokenizer = find_tokenizer(source)
    shape = read_shape(config, source / "config.json", open_tokenizer(tokenizer).pad_id)
    tensors = open_tensors(source)
    tied = bool(config.get("tie_word_embeddings")) and hf_name(OUTPUT) not in tensors
    theirs = {name: hf_name(name) for name in shape.parameters()}
    if tied:
        theirs[OUTPUT] = hf_name(EMBEDDING)
    _check_shapes(tensors, shape, theirs)
    used = {*theirs.values(), hf_name(OUTPUT)}
    left = [name for name in tensors.names() if name not in used and _FREQUENCIES not in name]
    if left:
        what = f"holds {left[0]} and {len(left) - 1} more that a model of this config has not"
        raise UserError(what, source, "this model cannot be converted")
    size = sum(tensors.entries[other].nbytes for other in theirs.values())
    output.parent.mkdir(parents=True, exist_ok=True)
    require_space(output.parent, size)
    with atomic_path(output) as folder:
        folder.mkdir()
        shutil.copyfile(tokenizer, folder / tokenizer.name)
        write_json(folder / "model.json", shape.to_dict())
        total = shape.count() - (shape.vocab_size * shape.hidden_size if tied else 0)
        counts = {"trained": 0, "total": total, "denominator": total}
        write_json(folder / "parameters.json", counts)
        with progress("convert weights", size, unit="bytes") as bar:
            copy_renamed(tensors, theirs, folder / "model.ckpt", bar.advance)
    return {"tensors": len(theirs), "tied": tied}


def read_shape(
    config: dict[str, Any], path: Path, vocabulary_pad: Optional[int] = None
) -> LlamaShape:
    """The shape in a config.json; UserError for what LlamaForCausalLM here does not compute.

    A config without a padding id takes `vocabulary_pad`, or else its end id.
    """
    for key, allowed in _MUST_BE.items():
        if config.get(key) not in allowed:
            what = f"{key} is {str(config[key])[:60]!r}, a plain LLaMA has {allowed[0]!r}"
            raise UserError(what, path, "this model cannot be converted")
    # Where releases from 5 on have the base of the rotation, and its scaling.
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, dict) else None
    if kind != "default" or set(rope) - {"rope_type", "type", "rope_theta"}:
        what = f"its rotation is {str(rope)[:60]!r}, a plain LLaMA scales no positions"
        raise UserError(what, path, "this model cannot be converted")
    heads = config.get("num_attention_heads")
    eos = config.get("eos_token_id")
    eos = eos[0] if isinstance(eos, list) and eos else eos
    pads = (config.get("pad_token_id"), vocabulary_pad, eos)
    values = {
        "num_layers": config.get("num_hidden_layers"),
        "hidden_size": config.get("hidden_size"),
        "intermediate_size": config.get("intermediate_size"),
        "num_heads": heads,
        "n_kv_heads": config.get("num_key_value_heads") or heads,
        "vocab_size": config.get("vocab_size"),
        "theta": rope.get("rope_theta", config.get("rope_theta", 10000.0)),
        "rms_norm_eps": config.get("rms_norm_eps"),
        "bos_token_id": config.get("bos_token_id"),
        "eos_token_id": eos,
        "pad_token_id": next((pad for pad in pads if pad is not None), None),
    }
    shape = LlamaShape.from_model_config(values, str(path))
    if config.get("head_dim") not in (None, shape.head_dim):
        what = f"head_dim is {config['head_dim']}, hidden_size / heads {shape.head_dim}"
        raise UserError(what, path, "this model cannot be converted")
    return shape


def _config(shape: LlamaShape, tied: bool, type_name: str) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.n_kv_heads,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": 8192,
        "rms_norm_eps": shape.rms_norm_eps,
        "rope_theta": shape.theta,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": tied,
        "bos_token_id": shape.bos_token_id,
        "eos_token_id": shape.eos_token_id,
        "pad_token_id": shape.pad_token_id,
        "torch_dtype": _TORCH[type_name],
    }


def _there(path: Path) -> Path:
    if not path.is_file():
        raise UserError("no such file", path, "name a model's folder")
    return path


def _check_shapes(
    tensors: Tensors, shape: LlamaShape, names: Union[dict[str, str], None] = None
) -> None:
    for name, dims in shape.parameters().items():
        other = names[name] if names else name
        entry = tensors.entry(other)
        if entry.shape != dims or entry.type_name not in _TORCH:
            what = f"{other} is {entry.shape} of {entry.type_name}, {dims} of floats were expected"
            raise UserError(what, tensors.path, "convert or fetch the model again")


def is_tied(tensors: Tensors) -> bool:
    """Return whether a model's output matrix is its embedding, byte for byte."""
    if tensors.entry(EMBEDDING).type_name != tensors.entry(OUTPUT).type_name:
        return False
    pairs = zip(tensors.blocks(EMBEDDING), tensors.blocks(OUTPUT))
    return all(np.array_equal(a.view(np.uint8), b.view(np.uint8)) for (_, a), (_, b) in pairs)
