"""LoRA on the CPU: the thin products of matrices that share their input are one product.

MindPet's LoRADense adds (x Aᵀ) Bᵀ to x Wᵀ for each adapted matrix by itself. A product with the
16 rows of one A takes nearly as long as one with the 48 of three, in both derivatives too.
So wq, wk and wv take theirs together, and so do w1 and w3. Parameters and their names stay.
"""

from __future__ import annotations

import mindspore as ms
from mindspore import nn, ops

from tools.llama.stack import LLamaAttention, LlamaFeedForward


class Products(nn.Cell):
    """x Wᵀ + s (x Aᵀ) Bᵀ for several W, A and B: what as many LoRADense give, of one x."""

    def __init__(self, count: int, scaling: float) -> None:
        super().__init__()
        self.scaling = scaling
        self.stack = ops.Concat(0)
        self.split = ops.Split(1, count)
        self.product = ops.MatMul(transpose_b=True)
        self.reshape = ops.Reshape()

    def construct(self, x, weights, lora_a, lora_b):
        """x (…, in), weights (out, in), lora_a (rank, in), lora_b (out, rank) → a (…, out) each."""
        rows = self.reshape(x, (-1, x.shape[-1]))
        thin = self.split(self.product(rows, self.stack(lora_a)) * self.scaling)
        found = ()
        for part, weight, out_matrix in zip(thin, weights, lora_b):
            y = self.product(rows, weight) + self.product(part, out_matrix)
            found += (self.reshape(y, (*x.shape[:-1], -1)),)
        return found


class JoinedAttention(LLamaAttention):
    """LLamaAttention as it trains on the CPU: no cache, no flash attention, one device."""

    def construct(self, x, freqs_cis, mask=None, *args, **kwargs):
        """x (batch, length, hidden) → the same shape; what is for other devices is passed over."""
        batch, length, _ = x.shape
        query, key, value = self.joined(
            x,
            (self.wq.weight, self.wk.weight, self.wv.weight),
            (
                self.wq.mindpet_delta_lora_a,
                self.wk.mindpet_delta_lora_a,
                self.wv.mindpet_delta_lora_a,
            ),
            (
                self.wq.mindpet_delta_lora_b,
                self.wk.mindpet_delta_lora_b,
                self.wv.mindpet_delta_lora_b,
            ),
        )
        heads, kv_heads = (batch, length, self.n_head, -1), (batch, length, self.n_kv_head, -1)
        query = self.transpose(self.reshape(query, heads), (0, 2, 1, 3))
        key = self.transpose(self.reshape(key, kv_heads), (0, 2, 1, 3))
        value = self.transpose(self.reshape(value, kv_heads), (0, 2, 1, 3))
        query, key = self.apply_rotary_emb(query, key, freqs_cis)
        key, value = self._repeat_kv(key, self.n_rep), self._repeat_kv(value, self.n_rep)
        return self.wo(self._attn(query, key, value, mask))


class JoinedFeedForward(LlamaFeedForward):
    """LlamaFeedForward, w2 (silu(w1 x) · w3 x)."""

    def construct(self, x):
        """x (batch, length, hidden) → the same shape."""
        gate, hidden = self.joined(
            x,
            (self.w1.weight, self.w3.weight),
            (self.w1.mindpet_delta_lora_a, self.w3.mindpet_delta_lora_a),
            (self.w1.mindpet_delta_lora_b, self.w3.mindpet_delta_lora_b),
        )
        return self.w2(self.mul(hidden, self.w1.activation(gate)))


def join(network: nn.Cell) -> None:
    """Let the layers of a network take their thin products together where all of them have LoRA."""
    for _, cell in network.cells_and_names():
        if type(cell) is LLamaAttention:
            dense, joined = (cell.wq, cell.wk, cell.wv), JoinedAttention
        elif type(cell) is LlamaFeedForward:
            dense, joined = (cell.w1, cell.w3), JoinedFeedForward
        else:
            continue
        if all(_is_plain(one) for one in dense):
            cell.joined = Products(len(dense), dense[0].scaling)
            cell.__class__ = joined


def _is_plain(dense: nn.Cell) -> bool:
    """Tell whether it is a LoRADense in float32 without bias and without a dropout of its own."""
    is_lora = hasattr(dense, "mindpet_delta_lora_a")
    return is_lora and not dense.has_bias and not dense.lora_dropout.p and dense.dtype == ms.float32
