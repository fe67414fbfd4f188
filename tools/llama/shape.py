"""The shape of a LLaMA: what the config says, and every parameter that follows from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Union

from tools.files.errors import UserError
from tools.files.text import read_text

_MOST_LAYERS = 10_000


@dataclass(frozen=True)
class LlamaShape:
    """Architecture of one LLaMA, in the keys of MindFormers' LlamaConfig.

    Sizes are counts; `theta` is the RoPE base, `rms_norm_eps` the epsilon under the root.
    """

    num_layers: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    n_kv_heads: int
    vocab_size: int
    theta: float
    rms_norm_eps: float
    bos_token_id: int
    eos_token_id: int
    pad_token_id: int

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads

    @classmethod
    def from_model_config(cls, config: Mapping[str, Any], where: str) -> LlamaShape:
        """Read the shape from `model.model_config` of a MindFormers YAML.

        `n_kv_heads` may be absent (then every head has its own keys and values).
        Raises UserError, naming the keys, where one is missing or the sizes do not fit.
        """
        if not isinstance(config, Mapping):
            raise UserError("model_config is no mapping", where, "give it keys and values")
        defaults = {"n_kv_heads": config.get("num_heads"), "theta": 10000.0}
        values = {name: config.get(name, defaults.get(name)) for name in cls.__dataclass_fields__}
        missing = [name for name, value in values.items() if value is None]
        if missing:
            raise UserError(
                f"model_config lacks {', '.join(missing)}", where, "add what is missing"
            )
        for name, value in values.items():
            if not _fits(name, value):
                wanted = "a number" if name in _REALS else "a whole number"
                # YAML reads 1e-5 as text, 1.0e-5 as a number.
                raise UserError(f"{name} is {value!r}, not {wanted}", where, f"correct {name}")
        shape = cls(**values)
        if shape.num_layers > _MOST_LAYERS:
            raise UserError(f"num_layers is {shape.num_layers}", where, "correct num_layers")
        if shape.hidden_size % shape.num_heads or shape.num_heads % shape.n_kv_heads:
            raise UserError(
                f"hidden_size {shape.hidden_size} must be a multiple of num_heads "
                f"{shape.num_heads}, and that of n_kv_heads {shape.n_kv_heads}",
                where,
                "correct the sizes",
            )
        return shape

    @classmethod
    def load(cls, path: Union[str, Path]) -> LlamaShape:
        """Read the JSON file of what `to_dict` gives."""
        try:
            return cls.from_model_config(json.loads(read_text(path)), str(path))
        except (ValueError, RecursionError) as error:
            raise UserError(f"not JSON ({error})", path, "convert the weights again") from error

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Name → shape of every base parameter, in the order of MindFormers' LlamaForCausalLM."""
        hidden, ffn, head = self.hidden_size, self.intermediate_size, self.head_dim
        key_value = self.n_kv_heads * head
        shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (self.vocab_size, hidden)}
        for index in range(self.num_layers):
            layer = f"model.layers.{index}."
            shapes[layer + "attention_norm.weight"] = (hidden,)
            shapes[layer + "ffn_norm.weight"] = (hidden,)
            shapes[layer + "attention.wo.weight"] = (hidden, hidden)
            shapes[layer + "attention.wq.weight"] = (hidden, hidden)
            shapes[layer + "attention.wk.weight"] = (key_value, hidden)
            shapes[layer + "attention.wv.weight"] = (key_value, hidden)
            shapes[layer + "feed_forward.w1.weight"] = (ffn, hidden)
            shapes[layer + "feed_forward.w2.weight"] = (hidden, ffn)
            shapes[layer + "feed_forward.w3.weight"] = (ffn, hidden)
        shapes[FINAL_NORM] = (hidden,)
        shapes[OUTPUT] = (self.vocab_size, hidden)
        return shapes

    def count(self) -> int:
        """The number of base parameters."""
        total = 0
        for dims in self.parameters().values():
            size = 1
            for dim in dims:
                size *= dim
            total += size
        return total


_REALS = ("theta", "rms_norm_eps")


def _fits(name: str, value: Any) -> bool:
    """Sizes are positive and small enough to multiply; token ids may be 0 or, for none, -1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if name in _REALS:
        return 0 < value < float("inf")
    least = -1 if name.endswith("_token_id") else 1
    return isinstance(value, int) and least <= value < 1 << 31


EMBEDDING = "model.tok_embeddings.embedding_weight"
FINAL_NORM = "model.norm_out.weight"
OUTPUT = "lm_head.weight"
