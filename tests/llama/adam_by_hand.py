"""FP32StateAdamWeightDecay, four steps, beside the same by hand; run by test_llama_stack.py.

A file of its own: MindSpore compiles what stands in a file alone.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import nn

ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")

from tools.training.lora_plus import register_optimizer  # noqa: E402

register_optimizer("FP32StateAdamWeightDecay")

from tools.llama.stack import adamw, fp32_state_adam  # noqa: E402

# An optimiser to derive from, not the one under the same name that chooses among several.
assert issubclass(adamw(), nn.Optimizer)


class Net(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.w = ms.Parameter(ms.Tensor([1.0, -2.0], ms.float32), "w")

    def construct(self, x):
        return (self.w * x).sum()


net = Net()
optimizer = fp32_state_adam()([net.w], 0.1, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.01)
step = nn.TrainOneStepCell(net, optimizer)
gradient = np.array([3.0, -0.5], np.float32)
w, m, v = np.array([1.0, -2.0]), 0.0, 0.0
for _ in range(4):
    step(ms.Tensor(gradient))
    m, v = 0.9 * m + 0.1 * gradient, 0.95 * v + 0.05 * gradient**2
    w = w - 0.1 * (m / (np.sqrt(v) + 1e-8) + 0.01 * w)
assert np.allclose(net.w.asnumpy(), w, rtol=1e-5), (net.w.asnumpy(), w)
