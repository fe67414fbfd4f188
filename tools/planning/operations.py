"""Floating-point operations of a step and of a decoding; a multiply-add counts as two.

In a full fine-tuning each parameter takes 6 a token (Kaplan et al., 2020, arXiv 2001.08361): 2 in
the forward pass, 2 for the gradient of what comes in, 2 for its own. A frozen one takes 4.
"""

from __future__ import annotations

from tools.llama.shape import LlamaShape
from tools.planning.load import FULL, NONE, Load
from tools.planning.sizes import sizes_of, trained_of


def attention(shape: LlamaShape, length: int) -> int:
    """Operations of one position's scores and sums over `length` others, in all layers.

    The half that the mask hides is computed too.
    """
    return 4 * shape.num_layers * shape.hidden_size * length


def training_step(load: Load) -> float:
    """Operations of one step, over all cards, recomputation included."""
    sizes = sizes_of(load.shape)
    layers, adapter = sizes.layers, trained_of(load.shape, load.lora)
    attended = attention(load.shape, load.length)
    forward = 2 * (layers + adapter) + attended
    # What comes in, and LoRA's own gradients.
    backward = 2 * (layers + adapter) + 2 * attended + 2 * adapter
    # Without flash attention selective recomputation is its scores; else elementwise alone.
    again = {FULL: forward, NONE: 0}.get(load.recompute, 0 if load.flash else attended)
    output = load.outputs * 4 * sizes.output
    return load.step_tokens * (forward + backward + again + output)


def prefill(shape: LlamaShape, positions: int) -> float:
    """Operations of a prompt of `positions`, the output layer at the last alone."""
    layers = 2 * sizes_of(shape).layers + attention(shape, positions)
    return positions * layers + 2 * sizes_of(shape).output


def decoding_step(shape: LlamaShape, positions: int) -> float:
    """Operations of one new token after `positions` others."""
    sizes = sizes_of(shape)
    return 2 * (sizes.layers + sizes.output) + attention(shape, positions)
