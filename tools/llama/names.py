"""The one place that knows what a parameter is called: in MindFormers, in GGUF, and as LoRA."""

from __future__ import annotations

import re
from typing import Optional

from tools.llama.shape import EMBEDDING, FINAL_NORM, OUTPUT

# MindFormers' name of a module in a layer → the name in a GGUF file.
_GGUF_LAYER = {
    "attention_norm": "attn_norm",
    "ffn_norm": "ffn_norm",
    "attention.wq": "attn_q",
    "attention.wk": "attn_k",
    "attention.wv": "attn_v",
    "attention.wo": "attn_output",
    "feed_forward.w1": "ffn_gate",
    "feed_forward.w2": "ffn_down",
    "feed_forward.w3": "ffn_up",
}
_GGUF_WHOLE = {
    EMBEDDING: "token_embd.weight",
    FINAL_NORM: "output_norm.weight",
    OUTPUT: "output.weight",
}

# … and in Hugging Face's LlamaForCausalLM.
_HF_LAYER = {
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
}
_HF_WHOLE = {
    EMBEDDING: "model.embed_tokens.weight",
    FINAL_NORM: "model.norm.weight",
    OUTPUT: "lm_head.weight",
}

LORA_A = ".mindpet_delta_lora_a"
LORA_B = ".mindpet_delta_lora_b"
_LORA = re.compile(r"^(?P<module>.+)\.mindpet_delta_lora_(?P<side>[ab])$")


def gguf_name(name: str) -> str:
    """The GGUF tensor that holds MindFormers' parameter `name`."""
    if name in _GGUF_WHOLE:
        return _GGUF_WHOLE[name]
    _, _, index, rest = name.split(".", 3)
    return f"blk.{index}.{_GGUF_LAYER[rest.removesuffix('.weight')]}.weight"


def hf_name(name: str) -> str:
    """Hugging Face's name of MindFormers' parameter `name`."""
    if name in _HF_WHOLE:
        return _HF_WHOLE[name]
    return hf_module(name.removesuffix(".weight")) + ".weight"


def hf_module(module: str) -> str:
    """Hugging Face's name of a module with a matrix: "model.layers.0.attention.wq" → … "q_proj"."""
    if module == "lm_head":
        return module
    _, _, index, rest = module.split(".", 3)
    return f"model.layers.{index}.{_HF_LAYER[rest]}"


def peft_name(name: str) -> str:
    """PEFT's name of the LoRA parameter `name`, as in adapter_model.safetensors."""
    part = lora_part(name)
    if part is None:
        raise ValueError(f"{name} is no LoRA parameter")
    module, side = part
    return f"base_model.model.{hf_module(module)}.lora_{side.upper()}.weight"


def lora_part(name: str) -> Optional[tuple[str, str]]:
    """(`module`, "a" or "b") of a LoRA parameter, None for any other.

    The matrix that the pair adapts is `module + ".weight"`.
    """
    match = _LORA.match(name)
    return (match["module"], match["side"]) if match else None
