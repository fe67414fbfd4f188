"""A training that begins with an adapter: what fits, what is refused, and what is written down."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.peft import export_adapter
from tools.llama.shape import LlamaShape
from tools.settings.profile import CONFIGS
from tools.training.initial import open_initial

LORA = LoraConfig(2, 4.0, ".*wq|.*w2")
BASE = "ab" * 32


@pytest.fixture
def shape():
    native = yaml.safe_load((CONFIGS / "tiny" / "finetune.yaml").read_text("utf-8"))
    return LlamaShape.from_model_config(native["model"]["model_config"], "tiny")


@pytest.fixture
def trained(tmp_path, shape):
    """What a training leaves: adapters 2 and 10, run.json."""
    folder = tmp_path / "finetune"
    (folder / "adapters").mkdir(parents=True)
    for number in (2, 10):
        rng = np.random.default_rng(number)
        tensors = [
            (name, rng.normal(size=dims).astype(np.float32), "Float32")
            for name, dims in adapter_parameters(shape, LORA).items()
        ]
        write_checkpoint(folder / "adapters" / f"{number}.ckpt", tensors)
    told = {"base": {"sha256": BASE}, "init": {"sha256": "first"}}
    (folder / "run.json").write_text(json.dumps(told))
    return folder


@pytest.fixture
def opening(shape, tmp_path):
    def run(source, lora=LORA, base=BASE):
        return open_initial(source, shape, lora, base, tmp_path / "scratch")

    return run


@pytest.mark.parametrize("name", ["", "adapters", "adapters/10.ckpt"])
def test_the_last_adapter_of_a_training_is_taken(opening, trained, name):
    last = trained / "adapters" / "10.ckpt"
    found = opening(trained / name)
    assert found.path == last
    assert found.record["sha256"] == content_of(last).sha256
    assert (found.record["base"], found.record["init"]) == (BASE, {"sha256": "first"})


def test_a_peft_folder_gives_the_same_matrices(opening, trained, shape, tmp_path):
    adapter = trained / "adapters" / "2.ckpt"
    export_adapter(adapter, shape, LORA, tmp_path / "peft")
    found = opening(tmp_path / "peft")
    ours, theirs = Checkpoint(adapter), Checkpoint(found.path)
    assert set(ours.names()) == set(theirs.names())
    assert all(np.array_equal(ours.read(name), theirs.read(name)) for name in ours.names())
    assert (found.record["base"], found.record["init"]) == (None, None)
    file = tmp_path / "peft" / "adapter_model.safetensors"
    assert found.record["sha256"] == content_of(file).sha256


@pytest.mark.parametrize(
    ("lora", "base", "message"),
    [
        (replace(LORA, rank=3), BASE, r"does not fit this training: .*give the profile's own"),
        (replace(LORA, targets=".*wq"), BASE, "does not fit this training"),
        (LORA, "cd" * 32, "was trained on a base of sha256 abababababab…, this one has cdcd"),
    ],
)
def test_what_does_not_fit_is_refused(opening, trained, lora, base, message):
    with pytest.raises(UserError, match=message) as caught:
        opening(trained, lora, base)
    assert caught.value.exit_code == 2 and "10.ckpt" in str(caught.value)


def test_another_alpha_is_refused_where_it_is_told(opening, trained, shape, tmp_path):
    export_adapter(trained / "adapters" / "2.ckpt", shape, LORA, tmp_path / "peft")
    with pytest.raises(UserError, match="has rank 2, alpha 4; this training has 2, 8"):
        opening(tmp_path / "peft", replace(LORA, alpha=8.0))


def test_no_adapter_and_half_a_file(opening, trained, tmp_path):
    with pytest.raises(UserError, match="holds no adapter"):
        opening(tmp_path)
    last = trained / "adapters" / "10.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"10\.ckpt"):
        opening(trained)
