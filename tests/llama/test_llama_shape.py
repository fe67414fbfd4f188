"""The shape of a LLaMA: counts that are published, and configs that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tools.files.errors import UserError
from tools.llama.shape import EMBEDDING, OUTPUT, LlamaShape
from tools.settings.contest import read_contest

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
TINY = {
    "num_layers": 2,
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_heads": 4,
    "n_kv_heads": 2,
    "vocab_size": 10,
    "theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}


def shape_of(profile: str) -> LlamaShape:
    config = yaml.safe_load((CONFIGS / profile / "finetune.yaml").read_text("utf-8"))
    return LlamaShape.from_model_config(config["model"]["model_config"], profile)


def test_published_counts():
    # 8 030 261 248: Meta's LLaMA-3-8B, every tensor counted.
    assert shape_of("llama3-8b").count() == 8_030_261_248 == read_contest().model_parameters
    # 134 515 008: SmolLM2-135M, whose output matrix is its embedding.
    smol = shape_of("smollm2-135m")
    assert smol.count() - smol.vocab_size * smol.hidden_size == 134_515_008


def test_names_and_shapes():
    shapes = LlamaShape.from_model_config(TINY, "x").parameters()
    assert len(shapes) == 3 + 9 * 2
    assert next(iter(shapes)) == EMBEDDING and list(shapes)[-1] == OUTPUT
    assert shapes["model.layers.1.attention.wq.weight"] == (8, 8)
    assert shapes["model.layers.1.attention.wk.weight"] == (4, 8)
    assert shapes["model.layers.1.feed_forward.w2.weight"] == (8, 12)
    assert shapes["model.layers.0.ffn_norm.weight"] == (8,)


def test_round_trip(tmp_path):
    shape = LlamaShape.from_model_config({**TINY, "use_past": False}, "x")
    path = tmp_path / "model.json"
    path.write_text(json.dumps(shape.to_dict()))
    assert LlamaShape.load(path) == shape and shape.head_dim == 2


def test_defaults():
    config = {k: v for k, v in TINY.items() if k not in ("n_kv_heads", "theta")}
    shape = LlamaShape.from_model_config(config, "x")
    assert shape.n_kv_heads == 4 and shape.theta == 10000.0


@pytest.mark.parametrize("name", sorted(TINY.keys() - {"n_kv_heads", "theta"}))
def test_a_missing_key_is_named(name):
    config = {k: v for k, v in TINY.items() if k != name}
    with pytest.raises(UserError, match=f"lacks {name}"):
        LlamaShape.from_model_config(config, "x")


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"hidden_size": 9}, "multiple of num_heads"),
        ({"n_kv_heads": 3}, "n_kv_heads"),
        ({"num_heads": 0}, "num_heads is 0"),
        ({"num_layers": -1}, "num_layers is -1"),
        ({"hidden_size": "8"}, "hidden_size is '8', not a whole number"),
        ({"hidden_size": 8.0}, "hidden_size"),
        ({"vocab_size": True}, "vocab_size"),
        ({"vocab_size": 1 << 40}, "vocab_size"),
        ({"rms_norm_eps": "1e-5"}, "rms_norm_eps is '1e-5', not a number"),  # as YAML reads it
        ({"theta": float("nan")}, "theta"),
        ({"theta": float("inf")}, "theta"),
        ({"pad_token_id": [2]}, "pad_token_id"),
    ],
)
def test_values_that_are_none(change, fault):
    with pytest.raises(UserError, match=fault) as caught:
        LlamaShape.from_model_config({**TINY, **change}, "finetune.yaml")
    assert caught.value.where == "finetune.yaml"


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "\udcff"])
def test_files_that_are_no_shape(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError):
        LlamaShape.load(path)
