"""A published adapter merged where all is as its run.json says, and refused where it is not."""

from __future__ import annotations

import json

import exported_model as made
import numpy as np
import pytest
import yaml

from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import adapter_parameters
from tools.llama.merging import merge_all, merge_one, read_config
from tools.llama.peft import export_adapter
from tools.llama.safetensors import SafetensorsFile
from tools.llama.tensors import cast, widen


@pytest.fixture
def folder(tmp_path):
    made.write_model(tmp_path / "base")
    adapter = tmp_path / "adapter.ckpt"
    exact = made.tensors(adapter_parameters(made.SHAPE, made.LORA))
    # No longer multiples of 1/1024, which bfloat16 holds exactly.
    write_checkpoint(adapter, [(name, array * 1.003, kind) for name, array, kind in exact])
    target = tmp_path / "published"
    export_adapter(adapter, made.SHAPE, made.LORA, target, type_name="BFloat16")
    made.write_config(target / "finetune.yaml")
    files = {path.name: vars(content_of(path)) for path in target.iterdir()}
    base = {"profile": "tiny", "sha256": content_of(tmp_path / "base" / "model.ckpt").sha256}
    (target / "run.json").write_text(json.dumps({"files": files, "base": base}))
    return target


def merge(folder):
    base, output = folder.parent / "base" / "model.ckpt", folder.parent / "merged"
    return merge_all(base, folder, folder / "finetune.yaml", output)


def edit(path, change):
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


def test_the_numbers_are_rounded_once(tmp_path, folder):
    ours = Checkpoint(tmp_path / "adapter.ckpt")
    theirs = SafetensorsFile(folder / "adapter_model.safetensors")
    assert {entry.type_name for entry in theirs.entries.values()} == {"BFloat16"}
    name = "layers.1.self_attn.q_proj.lora_B"
    rounded = theirs.read(f"base_model.model.model.{name}.weight")
    exact = ours.read("model.layers.1.attention.wq.mindpet_delta_lora_b")
    assert np.array_equal(rounded, widen(cast(exact, "BFloat16"), "BFloat16"))
    assert 0 < np.abs(rounded - exact).max() <= np.abs(exact).max() / 256


def test_what_is_merged_are_the_rounded_numbers(tmp_path, folder):
    assert merge(folder) == 1
    assert {path.name for path in (tmp_path / "merged").iterdir()} == {"1"}
    found = Checkpoint(tmp_path / "merged" / "1" / "model.ckpt")
    base = Checkpoint(tmp_path / "base" / "model.ckpt")
    theirs = SafetensorsFile(folder / "adapter_model.safetensors")
    a, b = (
        theirs.read(f"base_model.model.model.layers.0.mlp.down_proj.lora_{side}.weight")
        for side in "AB"
    )
    name = "model.layers.0.feed_forward.w2.weight"
    np.testing.assert_allclose(found.read(name), base.read(name) + 2 * b @ a, atol=1e-6)
    merge_one(
        tmp_path / "base" / "model.ckpt",
        tmp_path / "adapter.ckpt",
        tmp_path / "exact.ckpt",
        *read_config(folder / "finetune.yaml"),
    )
    exact = Checkpoint(tmp_path / "exact.ckpt").read(name)
    assert 0 < np.abs(found.read(name) - exact).max() < 0.01


def test_a_folder_of_peft_s_own_is_taken_as_it_is(folder):
    (folder / "run.json").unlink()
    (folder / "notes.txt").write_text("anything")
    assert merge(folder) == 1


def cut(path):
    path.write_bytes(path.read_bytes()[:-2])


def alter(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def other_base(folder):
    alter(folder.parent / "base" / "model.ckpt")


def other_alpha(folder):
    (folder / "run.json").unlink()
    edit(folder / "adapter_config.json", lambda told: told.update(lora_alpha=8))


def other_rank(folder):
    (folder / "run.json").unlink()
    config = yaml.safe_load((folder / "finetune.yaml").read_text())
    config["model"]["model_config"]["pet_config"]["lora_rank"] = 4
    (folder / "finetune.yaml").write_text(yaml.safe_dump(config))


def other_model(folder):
    (folder / "run.json").unlink()
    config = yaml.safe_load((folder / "finetune.yaml").read_text())
    config["model"]["model_config"]["num_layers"] = 3
    (folder / "finetune.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda folder: cut(folder / "adapter_model.safetensors"), "safetensors: truncated: its"),
        (lambda folder: alter(folder / "adapter_model.safetensors"), "safetensors: altered: its"),
        (lambda folder: alter(folder / "finetune.yaml"), "finetune.yaml: altered: its"),
        (lambda folder: (folder / "adapter_config.json").unlink(), "config.json: no such file"),
        (lambda folder: (folder / "run.json").write_text("{"), "run.json: not JSON"),
        (lambda folder: edit(folder / "run.json", lambda x: x.pop("base")), "run.json: lacks base"),
        (
            lambda folder: edit(folder / "run.json", lambda x: x.update(files=["a"])),
            "run.json: does not say what was published",
        ),
        (other_base, "model.ckpt: is another base .* make it with PROFILE=tiny"),
        (other_alpha, "has rank 2 and alpha 8; the config says 2 and 4"),
        (other_rank, "has rank 2 and alpha 4; the config says 4 and 4"),
        (other_model, "lacks .*layers.2.*, and other layers have theirs"),
    ],
)
def test_what_is_not_as_it_was_published(tmp_path, folder, change, fault):
    change(folder)
    with pytest.raises(UserError, match=fault) as refused:
        merge(folder)
    assert refused.value.exit_code == 2 and "\n" not in str(refused.value)
    assert not (tmp_path / "merged").exists()
