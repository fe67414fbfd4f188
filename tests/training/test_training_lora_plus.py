"""LoRA+: a step by hand, the rates under a schedule, what it refuses.

MindSpore runs in a process of its own, since its mode is global.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
_SCRIPT = """
import json, sys
import mindspore as ms
import numpy as np
from mindspore import nn, ops
ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
from mindformers.core.lr import CosineWithWarmUpLR, LinearWithWarmUpLR
from tools.training.lora_plus import split_groups
from tools.training.lora_plus_adamw import LoraPlusAdamW

class Net(nn.Cell):
    def __init__(self):
        super().__init__()
        self.a = ms.Parameter(ms.Tensor([[0.5, -0.25]], ms.float32), "wq.mindpet_delta_lora_a")
        self.b = ms.Parameter(ms.Tensor([[0.75], [-1.5]], ms.float32), "wq.mindpet_delta_lora_b")

    def construct(self, x):
        return (ops.matmul(ops.matmul(x, self.a.T), self.b.T) * ms.Tensor([[1.0, 2.0]])).sum()

SCHEDULES = {
    "constant": lambda: 0.001,
    "cosine": lambda: CosineWithWarmUpLR(learning_rate=0.001, warmup_steps=2, total_steps=8),
    "linear": lambda: LinearWithWarmUpLR(learning_rate=0.001, warmup_steps=3, total_steps=8),
}
found = {}
for name, make in SCHEDULES.items():
    net = Net()
    rate = make()
    groups = [{"params": net.trainable_params(), "weight_decay": 0.1}]
    optimizer = LoraPlusAdamW(groups, rate, betas=[0.9, 0.999], eps=1e-8, lora_plus_ratio=16.0)
    step = nn.TrainOneStepCell(net, optimizer)
    rows = []
    for number in range(8):
        step(ms.Tensor([[1.0, 3.0]], ms.float32))
        plain = rate if name == "constant" else float(rate(ms.Tensor(number)).asnumpy())
        rows.append([plain, *optimizer.rates.asnumpy().tolist()])
        if number == 0:
            found[f"{name} step"] = [net.a.asnumpy().tolist(), net.b.asnumpy().tolist()]
    found[name] = rows
refused = []
net = Net()
for groups in ([net.a], [net.b], [{"params": [net.a, net.b], "lr": 0.1}]):
    try:
        split_groups(groups, 0.1, 0.0, 16.0)
    except ValueError as error:
        refused.append(str(error))
try:
    LoraPlusAdamW([net.a, net.b], 0.1, lora_plus_ratio=0.0)
except ValueError as error:
    refused.append(str(error))
found["refused"] = refused
json.dump(found, open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory, run_alone):
    folder = tmp_path_factory.mktemp("lora_plus")
    run_alone(folder, _SCRIPT, "found.json")
    return json.loads((folder / "found.json").read_text())


def test_one_step_by_hand(found):
    """AdamW's first step goes by rate * sign of the gradient; decay takes rate * 0.1 of a weight.

    With x = (1, 3) and weights (1, 2) of the outputs: dL/db = (x.a, 2 x.a) with x.a = -0.25, and
    dL/da = (b1 + 2 b2) x = -2.25 (1, 3). Decay is the same for both matrices, whatever the ratio.
    """
    a, b = found["constant step"]
    kept = 1 - 0.001 * 0.1
    assert np.allclose(a, np.array([[0.5, -0.25]]) * kept + 0.001, atol=1e-6)
    assert np.allclose(b, np.array([[0.75], [-1.5]]) * kept + 0.016, atol=1e-6)


@pytest.mark.parametrize("name", ["constant", "cosine", "linear"])
def test_the_out_matrices_learn_sixteen_times_as_fast_at_every_step(found, name):
    for plain, slow, fast in found[name]:
        assert slow == pytest.approx(plain, rel=1e-6)
        assert fast == pytest.approx(16 * plain, rel=1e-6)
    assert name == "constant" or len({slow for _, slow, _ in found[name]}) > 4


def test_what_it_refuses(found):
    both = "lora_plus_ratio needs the in and out matrices of LoRA to be trained"
    assert found["refused"] == [
        both,
        both,
        "lora_plus_ratio does not go with grouped_lr_schedule: choose one of them",
        "lora_plus_ratio is 0.0, not a positive number",
    ]
