"""The one place that knows what a parameter is called: in MindFormers, in GGUF, and as LoRA."""

from __future__ import annotations

import re
from typing import Optional

from tools.llama.shape import EMBEDDING, FINAL_NORM, OUTPUT

# MindFormers' name of a module in a layer → the name in a GGUF file.
_GGUF_LAYER = {
    "attention_norm.weight": "attn_norm.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "attention.wq.weight": "attn_q.weight",
    "attention.wk.weight": "attn_k.weight",
    "attention.wv.weight": "attn_v.weight",
    "attention.wo.weight": "attn_output.weight",
    "feed_forward.w1.weight": "ffn_gate.weight",
    "feed_forward.w2.weight": "ffn_down.weight",
    "feed_forward.w3.weight": "ffn_up.weight",
}
_GGUF_WHOLE = {
    EMBEDDING: "token_embd.weight",
    FINAL_NORM: "output_norm.weight",
    OUTPUT: "output.weight",
}

LORA_A = ".mindpet_delta_lora_a"
LORA_B = ".mindpet_delta_lora_b"
_LORA = re.compile(r"^(?P<module>.+)\.mindpet_delta_lora_(?P<side>[ab])$")


def gguf_name(name: str) -> str:
    """The GGUF tensor that holds MindFormers' parameter `name`."""
    if name in _GGUF_WHOLE:
        return _GGUF_WHOLE[name]
    _, _, index, rest = name.split(".", 3)
    return f"blk.{index}.{_GGUF_LAYER[rest]}"


def lora_part(name: str) -> Optional[tuple[str, str]]:
    """(`module`, "a" or "b") of a LoRA parameter, None for any other.

    The matrix that the pair adapts is `module + ".weight"`.
    """
    match = _LORA.match(name)
    return (match["module"], match["side"]) if match else None
