"""Numbers of parameters by where they lie; kept, since a plan asks for them at every turn."""

from __future__ import annotations

from functools import cache
from typing import FrozenSet, NamedTuple

from tools.llama.lora import LoraConfig, adapter_parameters, count
from tools.llama.shape import EMBEDDING, LlamaShape


class Sizes(NamedTuple):
    """Parameters of the matrices in all layers, of embedding and output, and of all norms."""

    layers: int
    embedding: int
    output: int
    norms: int


@cache
def sizes_of(shape: LlamaShape) -> Sizes:
    """The base model's; together they are `shape.count()`."""
    layers = norms = embedding = output = 0
    for name, dims in shape.parameters().items():
        size = count({name: dims})
        if len(dims) == 1:
            norms += size
        elif ".layers." in name:
            layers += size
        elif name == EMBEDDING:
            embedding += size
        else:
            output += size
    return Sizes(layers, embedding, output, norms)


@cache
def trained_of(shape: LlamaShape, lora: LoraConfig) -> int:
    """LoRA's parameters."""
    return count(adapter_parameters(shape, lora))


@cache
def adapted_of(shape: LlamaShape, lora: LoraConfig) -> FrozenSet[str]:
    """The kinds of matrix that LoRA adapts: "wq", "w2", …"""
    # model.layers.7.attention.wq.mindpet_delta_lora_a
    return frozenset(name.split(".")[-2] for name in adapter_parameters(shape, lora))
