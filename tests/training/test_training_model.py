"""MindFormers' own model against our decoder: what is trained is what is evaluated.

Runs in a process of its own, since MindSpore's mode and MindFormers' output folder are global.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

_FORWARD = """
import json, sys
import numpy as np
import mindspore as ms
from mindformers.models.llama import LlamaConfig, LlamaForCausalLM
config, checkpoint, ids, output = sys.argv[1:]
ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
values = json.load(open(config))
model = LlamaForCausalLM(LlamaConfig(**values))
missing, extra = ms.load_param_into_net(model, ms.load_checkpoint(checkpoint), strict_load=True)
assert not missing and not extra, (missing, extra)
model.set_train(False)
np.save(output, model(ms.Tensor(np.load(ids), ms.int32))[0].asnumpy())
"""


def test_mindformers_and_the_decoder_give_the_same_logits(tmp_path: Path) -> None:
    from tools.llama.base import convert_weights
    from tools.llama.checkpoint import Checkpoint
    from tools.llama.decoder import Decoder
    from tools.llama.shape import LlamaShape
    from tools.settings.native import read_finetune
    from tools.settings.resolve import resolve

    resolve(tmp_path / "config", "tiny", "quick", "plain", 3, 1)
    base = tmp_path / "base" / "model.ckpt"
    convert_weights(tmp_path / "config" / "model.json", tmp_path, base)
    config = read_finetune(tmp_path / "config" / "finetune.yaml")["model"]["model_config"]
    length = 24
    values = {k: v for k, v in config.items() if k not in ("type", "pet_config")}
    values.update(batch_size=2, seq_length=length)
    (tmp_path / "model.json").write_text(json.dumps(values))
    ids = np.random.default_rng(0).integers(3, config["vocab_size"], (2, length))
    np.save(tmp_path / "ids.npy", ids)
    done = subprocess.run(
        [sys.executable, "-c", _FORWARD, "model.json", str(base), "ids.npy", "logits.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    expected = np.load(tmp_path / "logits.npy").reshape(2, length, -1)

    decoder = Decoder(LlamaShape.load(base.with_name("model.json")), 2)
    decoder.load(Checkpoint(base))
    decoder.reserve(64)
    for position in range(length):
        _, logits = decoder.step(ids[:, position], np.full(2, position))
        np.testing.assert_allclose(logits.asnumpy(), expected[:, position], atol=1e-4)
