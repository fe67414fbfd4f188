"""Memory of a training and of a decoding by term, in bytes. docs/planning.md derives each.

The terms are of one card; on the CPU they are of one worker's process.
"""

from __future__ import annotations

from typing import Dict

from tools.planning.load import FULL, NONE, SELECTIVE, Load
from tools.planning.sizes import adapted_of, sizes_of, trained_of
from tools.settings.measured import Around

GIB = 1 << 30
# AdamW keeps both moments in float32, whatever the type of the parameter.
_MOMENTS = 2 * 4
# Flash attention keeps maximum and sum of each row of scores, float32, eight times each.
_ROW_STATISTICS = 2 * 8 * 4
# The loss has four float32 numbers a logit at once: log softmax, one-hot label, softmax, gradient.
_LOSS = 4 * 4


def training_terms(load: Load, around: Around) -> Dict[str, float]:
    """Term → bytes at the peak of a training step."""
    trained = trained_of(load.shape, load.lora)
    states = trained * _MOMENTS / (load.data_parallel if load.share_states else 1)
    layers = load.shape.num_layers
    terms = {
        "base weights": weights(load),
        "LoRA weights": float(trained * load.adapter),
        "gradients": float(trained * load.adapter),
        "optimiser": states,
        "activations": activations(load),
        "logits and loss": logits(load),
    }
    process = (around.process_gib + around.layer_gib * layers) * GIB
    return {**terms, "process": process} if process else terms


def weights(load: Load) -> float:
    """The base weights of a card; norms are kept in their compute type, a tied output twice."""
    sizes, shared = sizes_of(load.shape), load.model_parallel
    ends = (sizes.embedding + sizes.output) / (1 if load.whole_vocab else shared)
    return load.weight * (sizes.layers / shared + ends) + load.norm * sizes.norms


def layer_bytes(load: Load, recompute: str) -> float:
    """Bytes that one layer keeps of one position for its backward pass.

    The base weights are frozen: of a product by one of them only LoRA needs the input.
    """
    shape, shared = load.shape, load.model_parallel
    hidden, ffn, heads = shape.hidden_size, shape.intermediate_size, shape.num_heads
    key_value = shape.n_kv_heads * shape.head_dim
    if recompute == FULL:
        return load.compute * hidden / (shared if load.slice_inputs else 1)
    adapted = adapted_of(shape, load.lora)
    norms = 2 * load.norm * hidden
    inputs = load.compute * hidden * (bool(adapted & {"wq", "wk", "wv"}))
    inputs += load.compute * hidden * bool(adapted & {"w1", "w3"})
    inputs += load.compute * ffn / shared * ("w2" in adapted)
    # Without flash attention keys and values are repeated for each head.
    queries = load.compute * (hidden + 2 * (key_value if load.flash else hidden)) / shared
    attended = load.compute * hidden / shared
    if load.flash:
        scores = heads * _ROW_STATISTICS / shared
    elif recompute == SELECTIVE:
        scores = 0.0
    else:
        both = load.softmax + (load.compute if load.compute != load.softmax else 0)
        scores = heads * load.length * both / shared
    # Both branches, and the gate after its activation.
    gates = (2 if recompute == SELECTIVE else 3) * load.compute * ffn / shared
    return norms + inputs + queries + attended + scores + gates


def activations(load: Load) -> float:
    """What all layers keep, and what the backward pass of one of them needs beside."""
    kept = load.shape.num_layers * layer_bytes(load, load.recompute)
    # One layer's gradients; with recomputation also what is computed again of it.
    working = layer_bytes(load, NONE) * (1 if load.recompute == NONE else 2)
    return load.tokens * (kept + working)


def logits(load: Load) -> float:
    """The logits in the compute type and the loss's copies in float32."""
    plain = load.compute / (1 if load.whole_vocab else load.model_parallel)
    if load.compute == 4:
        plain = 0.0  # they are the first of the loss's
    a_logit = plain + _LOSS / load.model_parallel
    return load.tokens * load.outputs * load.shape.vocab_size * a_logit


def cache_bytes(load: Load, batch: int, positions: int) -> float:
    """Keys and values of `batch` rows of `positions`, in the compute type."""
    shape = load.shape
    width = shape.n_kv_heads * shape.head_dim
    return 2.0 * shape.num_layers * width * load.compute * batch * positions


def decoding_terms(load: Load, around: Around, batch: int, positions: int) -> Dict[str, float]:
    """Term → bytes of one card that decodes `batch` rows of up to `positions`, prompts included.

    The merged model is whole on one card, in the compute type.
    """
    shape = load.shape
    layer = load.norm * shape.hidden_size * 2 + load.compute * 3 * shape.intermediate_size
    terms = {
        "weights": float(load.compute * shape.count()),
        "key-value cache": cache_bytes(load, batch, positions),
        # The prefill has a layer's activations of every position, and logits of the last.
        "prefill": float(batch * positions * layer),
        "logits": float(batch * shape.vocab_size * (load.compute + 4)),
    }
    process = around.process_gib * GIB
    return {**terms, "process": process} if process else terms
