"""MindFormers' LLaMA cells in forms that MindSpore's CPU kernels run well.

An elementwise CPU kernel that stretches one operand over the other keeps an index of 16 bytes an
element and walks through it on one core: at (4, 256) tokens of SmolLM2 those indices were 4 GB,
and making them 12 s of the first step. Row sums are quick in two dimensions only. So the cells
below stretch by matrix products and by Tile, sum in two dimensions, and give their derivatives in
closed form, where the derived ones stretch again. What they compute is what MindFormers' cells
compute; parameters and their names are the same.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import nn, ops


class ScaledToUnit(nn.Cell):
    """y = x * rsqrt(mean(x²) + eps) * weight over rows: RMSNorm (arXiv 1910.07467)."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.mul = ops.Mul()
        self.mean = ops.ReduceMean(keep_dims=True)
        self.rsqrt = ops.Rsqrt()
        self.outer = ops.MatMul()
        self.inner = ops.MatMul(transpose_a=True)

    def construct(self, x, weight):
        """x (rows, width), weight (1, width) → (rows, width)."""
        factor = self.rsqrt(self.mean(self.mul(x, x), -1) + self.eps)
        return self.mul(x, self.outer(factor, weight))

    def bprop(self, x, weight, out, dout):
        """dx = factor · (weight · dy) − x · factor² · mean(dy · y); dweight = factorᵀ (dy · x)."""
        factor = self.rsqrt(self.mean(self.mul(x, x), -1) + self.eps)
        along = self.mean(self.mul(dout, out), -1) * factor * factor
        ones = ops.ones_like(weight)
        dx = self.mul(dout, self.outer(factor, weight)) - self.mul(x, self.outer(along, ones))
        return dx, self.inner(factor, self.mul(dout, x))


class RmsNorm(nn.Cell):
    """LlamaRMSNorm, around the parameter of the one that it replaces."""

    def __init__(self, norm: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.weight = norm.weight
        self.scale = ScaledToUnit(norm.eps)
        self.reshape = ops.Reshape()

    def construct(self, x):
        """x (…, width) → the same shape."""
        width = x.shape[-1]
        weight = self.reshape(self.weight, (1, width))
        return self.reshape(self.scale(self.reshape(x, (-1, width)), weight), x.shape)


class Softmax(nn.Cell):
    """Softmax over the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.softmax = ops.Softmax(-1)
        self.mul = ops.Mul()
        self.sum = ops.ReduceSum(keep_dims=True)
        self.tile = ops.Tile()
        self.reshape = ops.Reshape()

    def construct(self, x):
        """x (…, width) → the same shape."""
        return self.softmax(x)

    def bprop(self, x, out, dout):
        """dx = p · (dp − Σ p · dp), sums over rows."""
        width = x.shape[-1]
        p = self.reshape(out, (-1, width))
        dp = self.reshape(dout, (-1, width))
        along = self.tile(self.sum(self.mul(p, dp), -1), (1, width))
        return (self.reshape(self.mul(p, dp - along), x.shape),)


class Silu(nn.Cell):
    """x · sigmoid(x)."""

    def __init__(self) -> None:
        super().__init__()
        self.sigmoid = ops.Sigmoid()
        self.mul = ops.Mul()

    def construct(self, x):
        """x of any shape → the same shape."""
        return self.mul(x, self.sigmoid(x))

    def bprop(self, x, out, dout):
        """dx = dy · (s + y − s · y)."""
        s = self.sigmoid(x)
        return (self.mul(dout, s + out - self.mul(s, out)),)


class Turned(nn.Cell):
    """x · cos + (x @ swap) · sin: every pair of coordinates is turned by its position's angle."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half, swap = width // 2, np.zeros((width, width), np.float32)
        swap[np.arange(half) + half, np.arange(half)] = -1.0
        swap[np.arange(half), np.arange(half) + half] = 1.0
        self.swap = ms.Tensor(swap)
        self.width = width
        self.mul = ops.Mul()
        self.swapped = ops.MatMul()
        self.swapped_back = ops.MatMul(transpose_b=True)
        self.reshape = ops.Reshape()

    def construct(self, x, cos, sin):
        """x, cos and sin (batch, heads, length, width) → the same shape."""
        swapped = self.swapped(self.reshape(x, (-1, self.width)), self.swap)
        return self.mul(x, cos) + self.mul(self.reshape(swapped, x.shape), sin)

    def bprop(self, x, cos, sin, out, dout):
        """dx = dy · cos + (dy · sin) @ swapᵀ; the angles do not learn."""
        flat = self.reshape(self.mul(dout, sin), (-1, self.width))
        dx = self.mul(dout, cos) + self.reshape(self.swapped_back(flat, self.swap), x.shape)
        return dx, ops.zeros_like(cos), ops.zeros_like(sin)


class Rotary(nn.Cell):
    """RotaryEmbedding, both halves of a head paired as LLaMA pairs them."""

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.turn = Turned(head_dim)
        self.tile = ops.Tile()

    def construct(self, query, key, freqs_cis):
        """query and key (batch, heads, length, head_dim), turned."""
        cos, sin, _ = freqs_cis
        return self._turned(query, cos, sin), self._turned(key, cos, sin)

    def _turned(self, x, cos, sin):
        # The same for all layers, of which the compiler makes one.
        stretch = (x.shape[0], x.shape[1], 1, 1)
        return self.turn(x, self.tile(cos, stretch), self.tile(sin, stretch))


class MaskOfAllHeads(nn.Cell):
    """A mask (batch, 1, length, length) given once for each head, to be added as it is."""

    def __init__(self, mask: nn.Cell, heads: int) -> None:
        super().__init__()
        self.mask = mask
        self.heads = heads
        self.tile = ops.Tile()

    def construct(self, tokens):
        """tokens (batch, length) → (batch, heads, length, length)."""
        return self.tile(self.mask(tokens), (1, self.heads, 1, 1))


class Repeated(nn.Cell):
    """`times` copies along axis 2."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.tile = ops.Tile()
        self.slice = ops.StridedSlice()
        self.sum = ops.AddN()

    def construct(self, x):
        """x (batch, heads, 1, width) → (batch, heads, times, width)."""
        return self.tile(x, (1, 1, self.times, 1))

    def bprop(self, x, out, dout):
        """dx, the sum over the copies: slices added up, since a sum over an axis inside is slow."""
        batch, heads, _, width = x.shape
        parts = ()
        for copy in range(self.times):
            end = (batch, heads, copy + 1, width)
            parts += (self.slice(dout, (0, 0, copy, 0), end, (1, 1, 1, 1)),)
        return (self.sum(parts),)


class RepeatedHeads(nn.Cell):
    """ops.Tile, as MindFormers calls it to give every head of queries its keys and values."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.repeated = Repeated(times)

    def construct(self, x, multiples):
        """x (batch, heads, 1, width), multiples (1, 1, times, 1) → (batch, heads, times, width)."""
        return self.repeated(x)


class NegativeLogLikelihood(nn.Cell):
    """−log p(label) of each row.

    MindSpore's SoftmaxCrossEntropyWithLogits computes it on one core, and 1e-4 off.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_softmax = ops.LogSoftmax(-1)
        self.of_label = ops.GatherD()
        self.exp = ops.Exp()
        self.mul = ops.Mul()
        self.tile = ops.Tile()
        self.one_hot = ops.OneHot()
        self.on = ms.Tensor(1.0, ms.float32)
        self.off = ms.Tensor(0.0, ms.float32)
        self.reshape = ops.Reshape()

    def construct(self, logits, label):
        """logits (rows, vocabulary), label (rows,) → (rows,)."""
        column = self.reshape(label, (-1, 1))
        return -self.reshape(self.of_label(self.log_softmax(logits), 1, column), (-1,))

    def bprop(self, logits, label, out, dout):
        """dlogits = (p − one-hot) · dy."""
        vocabulary = logits.shape[-1]
        p = self.exp(self.log_softmax(logits))
        wide = self.tile(self.reshape(dout, (-1, 1)), (1, vocabulary))
        labelled = self.one_hot(label, vocabulary, self.on, self.off)
        return self.mul(p - labelled, wide), ops.zeros_like(label)


class CrossEntropy(nn.Cell):
    """MindFormers' CrossEntropyLoss: the mean of −log p(label) over the positions that count."""

    def __init__(self) -> None:
        super().__init__()
        self.each = NegativeLogLikelihood()

    def construct(self, logits, label, input_mask):
        """logits (rows, vocabulary), label and input_mask (rows,) → ()."""
        # A label that does not count may be no id at all.
        losses = self.each(logits, ops.maximum(label, 0))
        return (losses * input_mask).sum() / (input_mask.sum() + 1e-8)


def fit(model: nn.Cell) -> None:
    """Put the cells above in the place of MindFormers' in a LlamaForCausalLM, in this process."""
    inner = model.model
    names = [(parameter, parameter.name) for parameter in model.get_parameters()]
    inner.casual_mask = MaskOfAllHeads(inner.casual_mask, model.config.num_heads)
    inner.norm_out = RmsNorm(inner.norm_out)
    for layer in inner.layers:
        layer.attention_norm = RmsNorm(layer.attention_norm)
        layer.ffn_norm = RmsNorm(layer.ffn_norm)
        attention = layer.attention
        attention.apply_rotary_emb = Rotary(attention.head_dim)
        attention.softmax = Softmax()
        attention.tile_kv = RepeatedHeads(attention.n_rep)
        layer.feed_forward.w1.activation = Silu()
    model.loss = CrossEntropy()
    for parameter, name in names:  # a cell put into another renames what it holds
        parameter.name = name
