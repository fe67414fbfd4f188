"""Names of parameters, here and in GGUF files."""

from __future__ import annotations

import pytest

from tools.llama.names import LORA_A, LORA_B, gguf_name, lora_part
from tools.llama.shape import LlamaShape

SHAPE = LlamaShape(12, 8, 12, 4, 2, 10, 10000.0, 1e-5, 1, 2, 2)


def test_every_parameter_has_one_gguf_tensor():
    names = [gguf_name(name) for name in SHAPE.parameters()]
    assert len(set(names)) == len(names)


def test_names_are_those_of_the_gguf_library():
    gguf = pytest.importorskip("gguf")
    known = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, SHAPE.num_layers)
    # Hugging Face's names, which that library maps to its own.
    layer = "model.layers.11."
    pairs = {
        "model.tok_embeddings.embedding_weight": "model.embed_tokens",
        "model.norm_out.weight": "model.norm",
        "lm_head.weight": "lm_head",
        layer + "attention.wq.weight": layer + "self_attn.q_proj",
        layer + "attention.wk.weight": layer + "self_attn.k_proj",
        layer + "attention.wv.weight": layer + "self_attn.v_proj",
        layer + "attention.wo.weight": layer + "self_attn.o_proj",
        layer + "feed_forward.w1.weight": layer + "mlp.gate_proj",
        layer + "feed_forward.w2.weight": layer + "mlp.down_proj",
        layer + "feed_forward.w3.weight": layer + "mlp.up_proj",
        layer + "attention_norm.weight": layer + "input_layernorm",
        layer + "ffn_norm.weight": layer + "post_attention_layernorm",
    }
    for ours, theirs in pairs.items():
        assert gguf_name(ours) == known.get_name(theirs) + ".weight"


def test_lora_names():
    module = "model.layers.3.attention.wq"
    assert lora_part(module + LORA_A) == (module, "a")
    assert lora_part(module + LORA_B) == (module, "b")
    for other in (module, module + ".weight", LORA_A, module + LORA_A + ".x", "step_num", ""):
        assert lora_part(other) is None
