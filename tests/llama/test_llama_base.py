"""Base weights: from a seed, from a GGUF file, as MindSpore has them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tools.files.errors import UserError
from tools.llama.base import convert_weights
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.shape import LlamaShape

SHAPE = LlamaShape(2, 32, 48, 4, 2, 100, 10000.0, 1e-5, 1, 2, 2)


@pytest.fixture
def convert(tmp_path):
    (tmp_path / "material").mkdir()

    def run(output="base/model.ckpt", **changed):
        settings = {"source": "seed", "file": None, "tied": False, "denominator": None, "seed": 1}
        settings = {**settings, "model_config": SHAPE.to_dict(), **changed}
        config = tmp_path / "model.json"
        config.write_text(json.dumps(settings))
        return convert_weights(config, tmp_path / "material", tmp_path / output)

    return run


def test_from_a_seed(convert, tmp_path):
    done = convert()
    assert done["source"] == "seed" and done["parameters"] == SHAPE.count()
    found = Checkpoint(tmp_path / "base" / "model.ckpt")
    assert {n: e.shape for n, e in found.entries.items()} == SHAPE.parameters()
    embedding = found.read("model.tok_embeddings.embedding_weight")
    assert abs(embedding.mean()) < 0.002 and 0.019 < embedding.std() < 0.021
    assert (found.read("model.norm_out.weight") == 1).all()
    assert LlamaShape.load(tmp_path / "base" / "model.json") == SHAPE
    assert sorted(path.name for path in (tmp_path / "base").iterdir()) == [
        "model.ckpt",
        "model.json",
        "parameters.json",
    ]


def test_a_seed_decides_every_bit(convert, tmp_path):
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        convert(f"{name}/model.ckpt", seed=seed)
    a, b, c = ((tmp_path / name / "model.ckpt").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("tied, denominator", [(False, None), (True, None), (False, 8030000000)])
def test_parameters(convert, tmp_path, tied, denominator):
    convert(tied=tied, denominator=denominator)
    total = SHAPE.count() - (100 * 32 if tied else 0)
    assert json.loads((tmp_path / "base" / "parameters.json").read_text()) == {
        "trained": 0,
        "total": total,
        "denominator": denominator or total,
    }


def mindspore_file(tmp_path, shape=SHAPE, leave_out=()):
    tensors = [
        (name, np.ones(dims), "BFloat16")
        for name, dims in shape.parameters().items()
        if name not in leave_out
    ]
    write_checkpoint(tmp_path / "material" / "base.ckpt", tensors)
    return tmp_path / "material" / "base.ckpt"


def test_from_mindspore(convert, tmp_path):
    path = mindspore_file(tmp_path)
    convert(source="mindspore", file="base.ckpt")
    assert (tmp_path / "base" / "model.ckpt").read_bytes() == path.read_bytes()


def test_from_mindspore_across_file_systems(convert, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    path = mindspore_file(tmp_path)
    monkeypatch.setattr("os.link", refuse)
    convert(source="mindspore", file="base.ckpt")
    output = tmp_path / "base" / "model.ckpt"
    assert output.read_bytes() == path.read_bytes() and not output.samefile(path)


def test_from_mindspore_refused(convert, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        convert(source="mindspore", file="base.ckpt")
    mindspore_file(tmp_path, leave_out=["lm_head.weight"])
    with pytest.raises(UserError, match=r"lm_head\.weight is missing"):
        convert(source="mindspore", file="base.ckpt")
    mindspore_file(tmp_path, LlamaShape(**{**SHAPE.to_dict(), "vocab_size": 99}))
    with pytest.raises(UserError, match=r"is \(99, 32\), the config makes it \(100, 32\)"):
        convert(source="mindspore", file="base.ckpt")
    assert not (tmp_path / "base" / "model.ckpt").exists()


def test_from_gguf(convert, tmp_path):
    gguf = pytest.importorskip("gguf")
    from tools.llama.names import gguf_name

    writer = gguf.GGUFWriter(tmp_path / "material" / "m.gguf", "llama")
    writer.add_block_count(SHAPE.num_layers)
    writer.add_embedding_length(SHAPE.hidden_size)
    writer.add_feed_forward_length(SHAPE.intermediate_size)
    writer.add_head_count(SHAPE.num_heads)
    writer.add_head_count_kv(SHAPE.n_kv_heads)
    writer.add_vocab_size(SHAPE.vocab_size)
    writer.add_rope_freq_base(SHAPE.theta)
    writer.add_layer_norm_rms_eps(SHAPE.rms_norm_eps)
    writer.add_bos_token_id(SHAPE.bos_token_id)
    writer.add_eos_token_id(SHAPE.eos_token_id)
    writer.add_pad_token_id(SHAPE.pad_token_id)
    for name, dims in SHAPE.parameters().items():
        if name != "lm_head.weight":
            writer.add_tensor(gguf_name(name), np.full(dims, 0.5, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    convert(source="gguf", file="m.gguf", tied=True)
    found = Checkpoint(tmp_path / "base" / "model.ckpt")
    assert {n: e.shape for n, e in found.entries.items()} == SHAPE.parameters()
    assert all((found.read(name) == 0.5).all() for name in found.names())
    other = {**SHAPE.to_dict(), "num_heads": 8, "theta": 5.0}
    with pytest.raises(UserError) as caught:
        convert("other/model.ckpt", source="gguf", file="m.gguf", model_config=other)
    assert "head_count is 4, the config says 8; " in str(caught.value)
    assert "freq_base" in str(caught.value)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"source": "seed"}'])
def test_configs_that_are_none(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(UserError, match="make it again"):
        convert_weights(tmp_path / "model.json", tmp_path, tmp_path / "out.ckpt")
