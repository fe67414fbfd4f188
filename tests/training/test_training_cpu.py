"""The CPU's cells and optimiser beside MindFormers' own, and beside numpy in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

_SCRIPT = """
import sys
import numpy as np
import mindspore as ms
from mindformers.core.clip_grad import ClipGradNorm as TheirClip
from mindformers.core.loss.loss import CrossEntropyLoss
from mindformers.core.optim.adamw import AdamW
from mindformers.models.llama.llama_layer import LlamaRMSNorm, LlamaSiLU
from mindformers.modules.layers import FreqsMgr, RotaryEmbedding
from mindspore import nn, ops
from tools.training.cpu import cells
from tools.training.cpu.optimizer import FusedAdamW
from tools.training.cpu.step import ClipGradNorm, GlobalNorm

ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
random = np.random.default_rng(1)
made = {}


def tensor(*shape):
    return ms.Tensor(random.standard_normal(shape), ms.float32)


class Gradients(nn.Cell):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell
        self.gradient = ops.GradOperation(get_all=True, sens_param=True)

    def construct(self, *inputs):
        return self.gradient(self.cell)(*inputs)


def both(name, theirs, ours, inputs, sens):
    # Value and derivatives by each input that is not whole numbers.
    for who, cell in (("theirs", theirs), ("ours", ours)):
        made[f"{name}-{who}-value"] = cell(*inputs).asnumpy()
        for i, item in enumerate(Gradients(cell)(*inputs, sens)):
            if "Float" in str(inputs[i].dtype):
                made[f"{name}-{who}-d{i}"] = item.asnumpy()


norm = LlamaRMSNorm(48, 1e-5, fused_kernel=False)
norm.weight.set_data(tensor(48))
both("norm", norm, cells.RmsNorm(norm), [tensor(3, 5, 48)], tensor(3, 5, 48))
x = tensor(2, 3, 7, 7) * 4
both("softmax", nn.Softmax(-1), cells.Softmax(), [x], tensor(2, 3, 7, 7))
both("silu", LlamaSiLU(), cells.Silu(), [tensor(4, 9) * 3], tensor(4, 9))
logits, labels = tensor(6, 50) * 4, ms.Tensor([3, 0, 49, 7, -100, -100], ms.int32)
counts = ms.Tensor([1, 1, 0, 1, 0, 0], ms.float32)
both("loss", CrossEntropyLoss(), cells.CrossEntropy(), [logits, labels, counts], ms.Tensor(1.0))


class OneOfTwo(nn.Cell):
    def __init__(self, cell, which):
        super().__init__()
        self.cell, self.which = cell, which
        self.frequencies = FreqsMgr(16, 32, rotary_dtype=ms.float32)

    def construct(self, query, key):
        return self.cell(query, key, self.frequencies(7))[self.which]


theirs = RotaryEmbedding(16, ms.float32, use_rope_slice=True)
for which, heads in ((0, 4), (1, 2)):
    inputs = [tensor(3, 4, 7, 16), tensor(3, 2, 7, 16)]
    pair = OneOfTwo(theirs, which), OneOfTwo(cells.Rotary(16), which)
    both(f"rotary{which}", *pair, inputs, tensor(3, heads, 7, 16))


class Tiled(nn.Cell):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def construct(self, x):
        return self.cell(x, (1, 1, 3, 1))


pair = Tiled(ops.Tile()), Tiled(cells.RepeatedHeads(3))
both("heads", *pair, [tensor(2, 4, 1, 10)], tensor(2, 4, 3, 10))


def trained(kind, groups, decay):
    # Two matrices after ten steps of one kind of optimiser, with its moments.
    a = ms.Parameter(ms.Tensor(np.linspace(-1, 1, 12).reshape(3, 4), ms.float32), name="a")
    b = ms.Parameter(ms.Tensor(np.linspace(2, -1, 6).reshape(3, 2), ms.float32), name="b")
    params = [a, b]
    if groups == "decay":
        params = [{"params": [a], "weight_decay": 0.1}, {"params": [b], "weight_decay": 0.0}]
    elif groups == "rate":
        rates = [nn.CosineDecayLR(0.0, 0.1, 10), nn.CosineDecayLR(0.0, 0.4, 10)]
        params = [{"params": [a], "lr": rates[0]}, {"params": [b], "lr": rates[1]}]
    optimizer = kind(params, nn.CosineDecayLR(0.0, 0.1, 10), (0.9, 0.95), 1e-3, decay)
    steps = np.random.default_rng(2)
    for _ in range(10):
        optimizer(tuple(ms.Tensor(steps.standard_normal(p.shape), ms.float32) for p in (a, b)))
    names = sorted(item.name for item in optimizer.get_parameters())
    return names, [a, b, *optimizer.exp_avg, *optimizer.exp_avg_sq]


for groups in ("none", "decay", "rate"):
    for decay in (0.0, 0.2):
        names = []
        for who, kind in (("theirs", AdamW), ("ours", FusedAdamW)):
            found, values = trained(kind, groups, decay)
            names.append(found)
            for i, value in enumerate(values):
                made[f"adamw-{groups}-{decay}-{who}-{i}"] = value.asnumpy()
        assert names[0] == names[1], names

for scale in (0.01, 100.0):
    gradients = (tensor(4, 5) * scale, tensor(7) * scale)
    for who, cell in (("theirs", TheirClip(1.5)), ("ours", ClipGradNorm(1.5))):
        clipped, norm = cell(gradients)
        for i, value in enumerate((*clipped, norm)):
            made[f"clip-{scale}-{who}-{i}"] = value.asnumpy().reshape(-1)
made["finite"] = np.array([
    bool(ops.isfinite(GlobalNorm()((tensor(3), ms.Tensor([1.0, value], ms.float32)))).asnumpy())
    for value in (1.0, float("nan"), float("inf"), float("-inf"))
])
np.savez(sys.argv[1], **made)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, run_alone):
    folder = tmp_path_factory.mktemp("cells")
    run_alone(folder, _SCRIPT, "made.npz")
    return dict(np.load(folder / "made.npz"))


def pairs(made, start):
    names = [name for name in made if name.startswith(start) and "-theirs-" in name]
    return [(name, made[name], made[name.replace("-theirs-", "-ours-")]) for name in names]


# A value of the one side does not depend on the other.
_NOT_TOUCHED = {("rotary0", "d1"), ("rotary1", "d0")}


@pytest.mark.parametrize(
    "cell, derivatives",
    [("norm", 1), ("softmax", 1), ("silu", 1), ("loss", 1), ("rotary0", 2), ("rotary1", 2),
     ("heads", 1)],
)  # fmt: skip
def test_a_cell_computes_what_mindformers_computes(made, cell, derivatives):
    found = pairs(made, f"{cell}-")
    assert len(found) >= 1 + derivatives
    for name, theirs, ours in found:
        if cell == "loss" and name.endswith("d2"):
            continue  # the mask does not learn
        assert theirs.dtype == ours.dtype
        np.testing.assert_allclose(ours, theirs.reshape(ours.shape), rtol=2e-5, atol=2e-6)
        assert np.abs(theirs).max() > 0 or (cell, name[-2:]) in _NOT_TOUCHED


@pytest.mark.parametrize("groups", ["none", "decay", "rate"])
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_ten_steps_of_the_fused_optimiser(made, groups, decay):
    found = pairs(made, f"adamw-{groups}-{decay}-")
    assert len(found) == 6
    for _, theirs, ours in found:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_clipping(made):
    for scale in (0.01, 100.0):
        found = pairs(made, f"clip-{scale}-")
        assert len(found) == 3
        for _, theirs, ours in found:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert np.sqrt(sum((made[f"clip-100.0-ours-{i}"] ** 2).sum() for i in (0, 1))) < 1.5001


def test_a_gradient_that_is_not_finite_is_told(made):
    assert made["finite"].tolist() == [True, False, False, False]
