"""The MindSpore graphs of decoding: some LLaMA layers over a key-value cache, and the output.

Imported only where decoding begins, since MindSpore takes seconds to import.

Weights and caches are arguments, not parameters of the cell: one compiled graph serves every
stack of layers and every checkpoint of a shape. The gains of the norms and the scale of the
attention are multiplied into the weights beforehand (`decoder.read_layer`), and what is added or
multiplied has equal shapes on both sides: broadcasting is several times slower on the CPU.
"""

from __future__ import annotations

from typing import Any

from mindspore import nn, ops

from tools.llama.shape import LlamaShape


class Layers(nn.Cell):
    """A stack of layers on new tokens, which attend to the cache and are added to it.

    shape     of the whole model.
    gather    False where the rows of the batch are all places of the cache, in order.
    in_first  whether weights are (in, out), else (out, in): oneDNN is quicker with the former for
              one token, and for more with the latter, best where the weights come first.
    """

    def __init__(self, shape: LlamaShape, gather: bool, in_first: bool) -> None:
        super().__init__()
        self.heads, self.kv_heads = shape.num_heads, shape.n_kv_heads
        self.head_dim, self.eps = shape.head_dim, shape.rms_norm_eps
        self.group = shape.num_heads // shape.n_kv_heads
        self.gather_rows = gather
        self.in_first = in_first
        self.matmul = ops.MatMul(transpose_b=not in_first)
        self.plain = ops.MatMul()
        self.turn = ops.Transpose()
        self.upper_and_lower = ops.Split(0, 2)
        self.scores = ops.BatchMatMul(transpose_b=True)
        self.mix = ops.BatchMatMul()
        self.softmax = ops.Softmax(-1)
        self.halves = ops.Split(-1, 2)
        self.concat = ops.Concat(-1)
        self.mean = ops.ReduceMean(keep_dims=True)
        # In place, on a plain tensor: its result is the cache itself, so that reading the
        # result orders the reading after the writing.
        self.update = ops.ScatterUpdate()
        self.gather = ops.Gather()

    def construct(
        self,
        x: Any,
        cos: Any,
        sin: Any,
        mask: Any,
        slots: Any,
        places: Any,
        weights: Any,
        caches: Any,
    ) -> Any:
        """Hidden states after the layers, (rows * chunk, hidden).

        x         hidden states, (rows * chunk, hidden); row by row.
        cos, sin  (rows * chunk, heads + 2 * kv_heads, head_dim); the first half of sin is
                  negative; 1 and 0 for the values, which are not rotated.
        mask      (rows * kv_heads, chunk * group, capacity): 0 where attended, else very small.
        slots     index into a cache of each token and key-value head, (rows * chunk * kv_heads,).
        places    which place of the cache each row has, (rows,).
        weights   a layer: (wq over wk over wv, wo, w1 over w3, w2).
        caches    a layer: (keys, values), each (places * kv_heads * capacity, head_dim).
        """
        rows, capacity = places.shape[0], mask.shape[2]
        tokens = x.shape[0]
        chunk = tokens // rows
        kept = (rows * self.kv_heads, capacity, self.head_dim)
        for (wqkv, wo, w13, w2), (key_cache, value_cache) in zip(weights, caches):
            qkv = self.matmul(self.normed(x), wqkv)
            qkv = qkv.reshape(tokens, self.heads + 2 * self.kv_heads, self.head_dim)
            first, second = self.halves(qkv)
            qkv = qkv * cos + self.concat((second, first)) * sin
            new_keys = qkv[:, self.heads : self.heads + self.kv_heads].reshape(-1, self.head_dim)
            new_values = qkv[:, self.heads + self.kv_heads :].reshape(-1, self.head_dim)
            keys = self.rows_of(self.update(key_cache, slots, new_keys), places, capacity)
            values = self.rows_of(self.update(value_cache, slots, new_values), places, capacity)
            q = self.heads_first(qkv[:, : self.heads], rows, chunk)
            weight = self.softmax(self.scores(q, keys.reshape(kept)) + mask)
            mixed = self.tokens_first(self.mix(weight, values.reshape(kept)), rows, chunk)
            x = x + self.matmul(mixed, wo)
            x = x + self.feed_forward(self.normed(x), w13, w2)
        return x

    def feed_forward(self, h: Any, w13: Any, w2: Any) -> Any:
        """SwiGLU (Shazeer, 2020)."""
        if self.in_first:
            gate, up = self.halves(self.matmul(h, w13))
            return self.plain(ops.silu(gate) * up, w2)
        gate, up = self.upper_and_lower(self.matmul(w13, h))
        return self.turn(self.plain(w2, ops.silu(gate) * up), (1, 0))

    def normed(self, x: Any) -> Any:
        """RMSNorm without its gain."""
        return x * ops.rsqrt(self.mean(ops.square(x), -1) + self.eps)

    def rows_of(self, cache: Any, places: Any, capacity: int) -> Any:
        """The rows of a cache that this batch has."""
        if not self.gather_rows:
            return cache
        whole = cache.reshape(-1, self.kv_heads * capacity * self.head_dim)
        return self.gather(whole, places, 0)

    def heads_first(self, q: Any, rows: int, chunk: int) -> Any:
        """(rows * chunk, heads, head_dim) to (rows * kv_heads, chunk * group, head_dim)."""
        if chunk > 1:
            q = q.reshape(rows, chunk, self.kv_heads, self.group * self.head_dim)
            q = q.transpose(0, 2, 1, 3)
        return q.reshape(rows * self.kv_heads, chunk * self.group, self.head_dim)

    def tokens_first(self, mixed: Any, rows: int, chunk: int) -> Any:
        """(rows * kv_heads, chunk * group, head_dim) to (rows * chunk, heads * head_dim)."""
        if chunk > 1:
            mixed = mixed.reshape(rows, self.kv_heads, chunk, self.group * self.head_dim)
            mixed = mixed.transpose(0, 2, 1, 3)
        return mixed.reshape(rows * chunk, self.heads * self.head_dim)


class Output(nn.Cell):
    """The final norm, the output matrix and the likeliest token."""

    def __init__(self, shape: LlamaShape, in_first: bool) -> None:
        super().__init__()
        self.eps = shape.rms_norm_eps
        self.matmul = ops.MatMul(transpose_b=not in_first)
        self.mean = ops.ReduceMean(keep_dims=True)
        self.argmax = ops.Argmax()

    def construct(self, x: Any, weight: Any) -> Any:
        """(tokens (rows,), logits (rows, vocabulary)) of hidden states (rows, hidden)."""
        x = x * ops.rsqrt(self.mean(ops.square(x), -1) + self.eps)
        logits = self.matmul(x, weight)
        return self.argmax(logits), logits


class Copy(nn.Cell):
    """Caches whose row i is row sources[i] of the old ones."""

    def __init__(self) -> None:
        super().__init__()
        self.gather = ops.Gather()

    def construct(self, caches: Any, sources: Any) -> Any:
        copied = []
        for keys, values in caches:
            shape = (sources.shape[0], -1)
            copied.append(
                (
                    self.gather(keys.reshape(shape), sources, 0).reshape(keys.shape),
                    self.gather(values.reshape(shape), sources, 0).reshape(values.shape),
                )
            )
        return tuple(copied)
