"""Adapters to PEFT's form and back; what LoRA is not is refused."""

from __future__ import annotations

import json
import math

import exported_model as made
import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.peft import export_adapter, import_adapter


@pytest.fixture
def exported(tmp_path):
    adapter = made.write_adapter(tmp_path / "adapter.ckpt")
    assert export_adapter(adapter, made.SHAPE, made.LORA, tmp_path / "peft", "org/base") == 6
    return tmp_path / "peft"


def test_names_shapes_and_config(tmp_path, exported):
    assert {path.name for path in exported.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    found = load_file(exported / "adapter_model.safetensors")
    ours = Checkpoint(tmp_path / "adapter.ckpt")
    assert len(found) == len(ours.names()) == 12
    for theirs, own, dims in (
        ("layers.1.self_attn.q_proj.lora_A", "layers.1.attention.wq.mindpet_delta_lora_a", (2, 32)),
        ("layers.0.mlp.down_proj.lora_B", "layers.0.feed_forward.w2.mindpet_delta_lora_b", (32, 2)),
    ):
        tensor = found[f"base_model.model.model.{theirs}.weight"]
        assert tensor.shape == dims and np.array_equal(tensor, ours.read(f"model.{own}"))
    config = json.loads((exported / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (2, 4)
    assert config["target_modules"] == ["down_proj", "q_proj", "v_proj"]
    assert config["base_model_name_or_path"] == "org/base"


@pytest.mark.parametrize("targets", [".*wq|.*wv|.*w2", "w1", ".*w.*", "lm_head|wo"])
@pytest.mark.parametrize("alpha", [4.0, 2 * math.sqrt(2)])
def test_there_and_back(tmp_path, targets, alpha):
    lora = LoraConfig(2, alpha, targets)
    adapter = made.write_adapter(tmp_path / "adapter.ckpt", lora)
    export_adapter(adapter, made.SHAPE, lora, tmp_path / "peft")
    found = import_adapter(tmp_path / "peft", made.SHAPE, tmp_path / "back")
    assert found.scaling == lora.scaling
    assert adapter_parameters(made.SHAPE, found) == adapter_parameters(made.SHAPE, lora)
    assert (tmp_path / "back" / "adapter.ckpt").read_bytes() == adapter.read_bytes()
    pet = yaml.safe_load((tmp_path / "back" / "pet_config.yaml").read_text())
    assert LoraConfig.from_pet_config(pet, "x") == found


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_rslora_is_another_alpha(tmp_path, exported):
    change(exported / "adapter_config.json", use_rslora=True)
    found = import_adapter(exported, made.SHAPE, tmp_path / "back")
    assert found.scaling == pytest.approx(4 / math.sqrt(2))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
        ({"use_dora": True}, "use_dora is"),
        ({"bias": "all"}, "bias is"),
        ({"lora_bias": True}, "lora_bias is 'True'; only plain LoRA can be converted"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save is"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern is"),
        ({"r": 0}, "lora_rank"),
        ({"r": 4}, "lora_A.weight is .* r makes it"),
        ({"r": 10**400}, "lora_rank"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is"),
        ({"use_rslora": "no"}, "use_rslora is"),
        ({"use_qalora": True}, "use_qalora is"),
        ({"lora_dropout": "abc"}, "lora_dropout is"),
    ],
)
def test_what_is_no_plain_lora(tmp_path, exported, values, fault):
    change(exported / "adapter_config.json", **values)
    with pytest.raises(UserError, match=fault):
        import_adapter(exported, made.SHAPE, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_adapters_of_some_layers_and_of_other_models(tmp_path, exported):
    path = exported / "adapter_model.safetensors"
    found = load_file(path)
    some = {name: value for name, value in found.items() if ".0.self_attn.q_proj" not in name}
    save_file(some, path)
    with pytest.raises(UserError, match=r"lacks .*layers\.0\.self_attn\.q_proj\.lora_A"):
        import_adapter(exported, made.SHAPE, tmp_path / "back")
    for name, told in (
        ("model.layers.0.mlp.experts.lora_A.weight", r"experts.*, which this model has not"),
        ("model.layers.0.self_attn.q_proj.lora_A.default.weight", r"default.* save_pretrained"),
        ("lm_head.weight", r"holds base_model\.model\.lm_head\.weight; .*save_embedding_layers"),
        ("model.embed_tokens.lora_embedding_A", "only LoRA of linear layers"),
    ):
        save_file({**found, f"base_model.model.{name}": np.zeros((2, 32), np.float32)}, path)
        with pytest.raises(UserError, match=told):
            import_adapter(exported, made.SHAPE, tmp_path / "back")
    assert not (tmp_path / "back").exists()
