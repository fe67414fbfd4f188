"""A LLaMA that decodes: the weights, a key-value cache for a fixed number of rows, one step.

Method: the cache is written in place and read up to a fixed capacity, so that every step runs the
same compiled graph. A step over all layers is a few calls of one graph over a stack of layers:
one call a layer costs too many calls, one graph for all layers too long a compilation.
RoPE as in Su et al., 2021, the halves of a head rotated against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.llama.checkpoint import Checkpoint
from tools.llama.shape import EMBEDDING, FINAL_NORM, OUTPUT, LlamaShape

# Layers in a compiled graph. Ten compile in about two seconds; fewer mean more calls a step.
_STACK = 10
_NEVER = np.float32(-1e9)


class Decoder:
    """One model and its cache, on the CPU in graph mode.

    places   rows that are decoded at once.

    Call `load`, then `reserve`, then `prefill` and `step` as often as wanted. A graph is compiled
    when a capacity, or a form of prefill, is met for the first time; other weights of the same
    shape need no compilation.
    """

    def __init__(self, shape: LlamaShape, places: int) -> None:
        import mindspore as ms

        # The default of MindSpore 2.9 is PyNative, an order of magnitude slower.
        ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
        from tools.llama.decoder_graphs import Copy, Layers, Output

        self.shape, self.places, self.capacity = shape, places, 0
        self._ms = ms
        self._in_first = places == 1
        self._layers = {gather: Layers(shape, gather, self._in_first) for gather in (True, False)}
        self._output, self._copy = Output(shape, self._in_first), Copy()
        self._all_places = ms.Tensor(np.arange(places, dtype=np.int32))
        self._stack = next(n for n in range(_STACK, 0, -1) if shape.num_layers % n == 0)
        self._weights: list[Any] = []
        self._caches: list[Any] = []

    def load(self, checkpoint: Checkpoint) -> None:
        """Take the weights of `checkpoint`, replacing those there are.

        Raises UserError unless it holds every parameter of the shape, in the right shape.
        """
        self._weights = []  # the old weights go before the new ones come
        remedy = "name a whole checkpoint of that model"
        checkpoint.require_shapes(self.shape.parameters(), "model.json", remedy)
        self._embedding = _read(checkpoint, EMBEDDING)
        output = _read(checkpoint, OUTPUT) * _read(checkpoint, FINAL_NORM)
        self._output_weight = self._weight(output)
        layers = []
        for index in range(self.shape.num_layers):
            arrays = read_layer(checkpoint, self.shape, index)
            layers.append(tuple(self._weight(array) for array in arrays))
        self._weights = [self._ms.mutable(part) for part in self._stacked(layers)]

    def reserve(self, capacity: int) -> None:
        """Empty the cache and give each place room for `capacity` - 1 tokens.

        The last position takes what padding writes; no token attends to it.
        """
        size = (self.places * self.shape.n_kv_heads * capacity, self.shape.head_dim)
        self._caches, self.capacity = [], capacity
        layers = [
            (self._tensor(np.zeros(size, np.float32)), self._tensor(np.zeros(size, np.float32)))
            for _ in range(self.shape.num_layers)
        ]
        self._caches = [self._ms.mutable(part) for part in self._stacked(layers)]

    def prefill(
        self,
        places: Sequence[int],
        tokens: Sequence[np.ndarray],
        starts: Sequence[int],
        form: tuple[int, int],
    ) -> Any:
        """Put tokens into the cache: `tokens[i]` into place `places[i]` from position `starts[i]`.

        form     (rows, chunk) of the graph: at most so many places, of at most so many tokens.
        Returns the hidden states after the last layer, a tensor (rows * chunk, hidden) in which
        what stands beyond a row's tokens means nothing.
        """
        rows, chunk = form
        # Padding rows repeat the first one: they write what it writes.
        chosen = [*range(len(places)), *[0] * (rows - len(places))]
        ids = np.zeros((rows, chunk), np.int64)
        positions = np.full((rows, chunk), self.capacity - 1, np.int64)
        for row, source in enumerate(chosen):
            count = len(tokens[source])
            ids[row, :count] = tokens[source]
            positions[row, :count] = np.arange(starts[source], starts[source] + count)
        where = np.array([places[source] for source in chosen], np.int32)
        return self._run(ids, positions, where)

    def step(self, tokens: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, Any]:
        """Feed one token to every place; give the likeliest next ones and the logits.

        tokens, positions   (places,); an idle place is given position `capacity` - 1.
        Returns ids (places,) and a tensor (places, vocabulary), left where it is until read.
        """
        return self.output(self._run(tokens[:, None], positions[:, None], None))

    def output(self, hidden: Any) -> tuple[np.ndarray, Any]:
        """The likeliest tokens (rows,) and logits (rows, vocabulary) of hidden states."""
        likeliest, logits = self._output(hidden, self._output_weight)
        return likeliest.asnumpy(), logits

    def copy(self, sources: Sequence[int]) -> None:
        """Let place i hold what place sources[i] held; sources[i] is i where nothing changes."""
        rows = self._tensor(np.asarray(sources, np.int32))
        self._caches = [self._ms.mutable(self._copy(part, rows)) for part in self._caches]

    def _run(self, ids: np.ndarray, positions: np.ndarray, places: Any) -> Any:
        """All layers on ids (rows, chunk); places None stands for all places, in order."""
        inputs = [self._tensor(array) for array in self._inputs(ids, positions, places)]
        hidden = inputs.pop(0)
        rows = self._all_places if places is None else self._tensor(places)
        layers = self._layers[places is not None]
        for weights, caches in zip(self._weights, self._caches):
            hidden = layers(hidden, *inputs, rows, weights, caches)
        return hidden

    def _inputs(self, ids: np.ndarray, positions: np.ndarray, places: Any) -> tuple[Any, ...]:
        """Hidden states, cos, sin, mask and slots, as `cells.Layers` wants them."""
        shape = self.shape
        rows, chunk = ids.shape
        kv_heads, group = shape.n_kv_heads, shape.num_heads // shape.n_kv_heads
        places = np.arange(rows) if places is None else places
        cos, sin = rotation(positions.reshape(-1), shape)
        heads = [(0, 0), (0, kv_heads), (0, 0)]  # values are not rotated: 1 and 0
        cos, sin = (
            np.pad(np.repeat(part[:, None], shape.num_heads + kv_heads, axis=1), heads, **unrotated)
            for part, unrotated in ((cos, {"constant_values": 1}), (sin, {}))
        )
        hidden = np.arange(self.capacity) > positions[..., None]
        mask = np.where(hidden, _NEVER, np.float32(0))
        mask = np.repeat(np.repeat(mask, group, axis=1)[:, None], kv_heads, axis=1)
        mask = mask.reshape(rows * kv_heads, chunk * group, self.capacity)
        first = (places[:, None] * kv_heads + np.arange(kv_heads)) * self.capacity
        slots = (first[:, None] + positions[..., None]).astype(np.int32).reshape(-1)
        return self._embedding[ids.reshape(-1)], cos, sin, mask, slots

    def _stacked(self, layers: list[Any]) -> list[tuple[Any, ...]]:
        starts = range(0, len(layers), self._stack)
        return [tuple(layers[start : start + self._stack]) for start in starts]

    def _weight(self, array: np.ndarray) -> Any:
        return self._tensor(array.T if self._in_first else array)

    def _tensor(self, array: np.ndarray) -> Any:
        return self._ms.Tensor(np.ascontiguousarray(array))


def rotation(positions: np.ndarray, shape: LlamaShape) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of RoPE, each (positions, head_dim) float32, computed in float64.

    The first half of sin is negative: rotated = x * cos + (second half, first half of x) * sin.
    """
    exponents = np.arange(0, shape.head_dim, 2) / shape.head_dim
    angles = positions[:, None] * shape.theta**-exponents
    cos, sin = np.cos(angles), np.sin(angles)
    return (
        np.concatenate([cos, cos], axis=-1).astype(np.float32),
        np.concatenate([-sin, sin], axis=-1).astype(np.float32),
    )


def read_layer(checkpoint: Checkpoint, shape: LlamaShape, index: int) -> tuple[np.ndarray, ...]:
    """Weights of a layer: (wq over wk over wv, wo, w1 over w3, w2), float32, each (out, in).

    The gain of a norm is multiplied into the matrices that read it, 1 / sqrt(head_dim) into wq.
    """
    prefix = f"model.layers.{index}."

    def read(name: str) -> np.ndarray:
        return _read(checkpoint, f"{prefix}{name}.weight")

    wq, wk, wv, wo = (read(f"attention.w{name}") for name in "qkvo")
    w1, w2, w3 = (read(f"feed_forward.w{number}") for number in (1, 2, 3))
    scale = np.float32(shape.head_dim**-0.5)
    return (
        np.concatenate([wq * scale, wk, wv]) * read("attention_norm"),
        wo,
        np.concatenate([w1, w3]) * read("ffn_norm"),
        w2,
    )


def _read(checkpoint: Checkpoint, name: str) -> np.ndarray:
    return checkpoint.read(name).astype(np.float32, copy=False)
