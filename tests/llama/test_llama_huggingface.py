"""Models to Hugging Face's form and back, and the golden that transformers and peft gave."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import exported_model as made
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.huggingface import export_model, import_model, read_shape
from tools.llama.merging import merge_one, read_config
from tools.llama.peft import export_adapter
from tools.llama.safetensors import SafetensorsFile
from tools.records.tokenizers import LLAMA3_SPECIAL

GOLDEN = json.loads((Path(__file__).parent / "golden" / "exported-logits.json").read_text())
FILES = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def exported(tmp_path):
    export_model(made.write_model(tmp_path / "model"), tmp_path / "exported")
    return tmp_path / "exported"


def test_every_matrix_under_its_other_name(tmp_path, exported):
    assert {path.name for path in exported.iterdir()} == FILES
    ours = Checkpoint(tmp_path / "model" / "model.ckpt")
    theirs = load_file(exported / "model.safetensors")
    assert len(theirs) == len(ours.names())
    for name, other in {
        "model.tok_embeddings.embedding_weight": "model.embed_tokens.weight",
        "model.norm_out.weight": "model.norm.weight",
        "lm_head.weight": "lm_head.weight",
        "model.layers.1.attention_norm.weight": "model.layers.1.input_layernorm.weight",
        "model.layers.1.ffn_norm.weight": "model.layers.1.post_attention_layernorm.weight",
        "model.layers.1.attention.wq.weight": "model.layers.1.self_attn.q_proj.weight",
        "model.layers.1.attention.wk.weight": "model.layers.1.self_attn.k_proj.weight",
        "model.layers.1.attention.wv.weight": "model.layers.1.self_attn.v_proj.weight",
        "model.layers.1.attention.wo.weight": "model.layers.1.self_attn.o_proj.weight",
        "model.layers.1.feed_forward.w1.weight": "model.layers.1.mlp.gate_proj.weight",
        "model.layers.1.feed_forward.w2.weight": "model.layers.1.mlp.down_proj.weight",
        "model.layers.1.feed_forward.w3.weight": "model.layers.1.mlp.up_proj.weight",
    }.items():
        assert np.array_equal(ours.read(name), theirs[other])
    config = json.loads((exported / "config.json").read_text())
    assert config["torch_dtype"] == "float32" and config["tie_word_embeddings"] is False
    tokens = json.loads((exported / "tokenizer_config.json").read_text())
    assert [tokens[f"{name}_token"] for name in ("bos", "eos", "pad")] == ["<s>", "</s>", "<pad>"]


@pytest.mark.parametrize("type_name", ["Float32", "Float16", "BFloat16"])
@pytest.mark.parametrize("tied", [False, True])
def test_there_and_back(tmp_path, type_name, tied):
    model = made.write_model(tmp_path / "model", type_name, tied)
    done = export_model(model, tmp_path / "exported")
    assert done == {"tensors": 21 - tied, "tied": tied}
    written = SafetensorsFile(tmp_path / "exported" / "model.safetensors")
    assert ("lm_head.weight" in written) != tied
    assert import_model(tmp_path / "exported", tmp_path / "back") == {"tensors": 21, "tied": tied}
    before, after = contents(model), contents(tmp_path / "back")
    counts = json.loads(after.pop("parameters.json"))
    assert counts["total"] == made.SHAPE.count() - tied * 64 * 32
    assert after == before


def test_shards(tmp_path, exported):
    whole = load_file(exported / "model.safetensors")
    (exported / "model.safetensors").unlink()
    places = {}
    for number, start in enumerate((0, 9)):
        part = dict(list(whole.items())[start : 9 if start == 0 else None])
        save_file(part, exported / f"model-{number}.safetensors")
        places.update(dict.fromkeys(part, f"model-{number}.safetensors"))
    index = {"metadata": {}, "weight_map": places}
    (exported / "model.safetensors.index.json").write_text(json.dumps(index))
    import_model(exported, tmp_path / "back")
    assert contents(tmp_path / "back")["model.ckpt"] == contents(tmp_path / "model")["model.ckpt"]


def change(path, **values):
    config = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({key: value for key, value in config.items() if value != "gone"}))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"model_type": "mistral"}, "model_type is 'mistral'"),
        ({"rope_scaling": {"factor": 8}}, "its rotation is"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "its rotation is"),
        ({"attention_bias": True}, "attention_bias is 'True', a plain LLaMA has False"),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantization_config is .*'fp8'"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"head_dim": 16}, "head_dim is 16, hidden_size / heads 8"),
        ({"hidden_size": "gone"}, "lacks hidden_size"),
        ({"num_attention_heads": 5}, "must be a multiple"),
        ({"num_hidden_layers": 3}, "has no tensor model.layers.2"),
        ({"intermediate_size": 40}, r"is \(48, 32\) of Float32, \(40, 32\) of floats"),
    ],
)
def test_what_is_no_plain_llama(tmp_path, exported, values, fault):
    change(exported / "config.json", **values)
    with pytest.raises(UserError, match=fault):
        import_model(exported, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_special_ids_of_a_config(exported):
    config = json.loads((exported / "config.json").read_text())
    assert read_shape(config, exported) == made.SHAPE
    newer = {"rope_type": "default", "rope_theta": 77.0}
    assert read_shape({**config, "rope_parameters": newer}, exported).theta == 77.0
    config.update(eos_token_id=[7, 9], pad_token_id=None)
    shape = read_shape(config, exported)
    assert (shape.eos_token_id, shape.pad_token_id) == (7, 7)


def test_llama_3_s_own_padding_where_the_config_has_none(tmp_path, exported):
    path = exported / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    words = tokenizer["model"]["vocab"]
    for place, name in enumerate(LLAMA3_SPECIAL[:3], start=60):
        words[name] = words.pop(f"w{place}")
    path.write_text(json.dumps(tokenizer))
    for pad, expected in ((None, 62), (0, 0)):
        change(exported / "config.json", pad_token_id=pad)
        import_model(exported, tmp_path / "back")
        model = json.loads((tmp_path / "back" / "model.json").read_text())
        assert model["pad_token_id"] == expected


def test_llama_3_is_the_profile_s():
    """config.json of meta-llama/Meta-Llama-3-8B, what of it tells the shape."""
    config = {
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "rope_theta": 500000.0,
        "rope_scaling": None,
        "rms_norm_eps": 1e-05,
        "attention_bias": False,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "tie_word_embeddings": False,
    }
    found = read_shape(config, Path("config.json"))
    ours, _ = read_config(made.CONFIGS / "llama3-8b" / "finetune.yaml")
    assert found.parameters() == ours.parameters() and found.count() == 8_030_261_248
    same = ("theta", "rms_norm_eps", "num_heads", "n_kv_heads", "bos_token_id", "eos_token_id")
    assert [getattr(found, key) for key in same] == [getattr(ours, key) for key in same]


@pytest.mark.parametrize("name", ["model.ckpt", "model.json", "tokenizer.json"])
def test_a_model_folder_that_lacks_something(tmp_path, name):
    model = made.write_model(tmp_path / "model")
    (model / name).unlink()
    with pytest.raises(UserError):
        export_model(model, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_an_output_never_replaces_what_it_is_made_of(tmp_path, exported):
    model = tmp_path / "model"
    before = contents(model), contents(exported)
    for convert, source in ((export_model, model), (import_model, exported)):
        for output in (source, tmp_path, source / ".." / source.name):
            with pytest.raises(UserError, match="would replace what it is made of"):
                convert(source, output)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "mine.txt").write_text("kept")
    for convert, source in ((export_model, model), (import_model, exported)):
        with pytest.raises(UserError, match="no earlier output"):
            convert(source, notes)
    assert contents(notes) == {"mine.txt": b"kept"}
    export_model(model, exported)  # an earlier output is replaced
    assert (contents(model), contents(exported)) == before


def test_what_would_be_lost_is_told(tmp_path, exported):
    path = exported / "model.safetensors"
    tensors = load_file(path)
    old = {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(4, np.float32)}
    save_file({**tensors, **old}, path)
    import_model(exported, tmp_path / "back")
    bias = {"model.layers.0.self_attn.q_proj.bias": np.ones(32, np.float32)}
    save_file({**tensors, **bias}, path)
    with pytest.raises(UserError, match=r"holds model.layers.0.self_attn.q_proj.bias and 0 more"):
        import_model(exported, tmp_path / "again")


def test_whole_numbers_are_no_weights(tmp_path):
    model = made.write_model(tmp_path / "model")
    write_checkpoint(model / "model.ckpt", made.tensors(made.SHAPE.parameters(), "Int32"))
    with pytest.raises(UserError, match="of Int32"):
        export_model(model, tmp_path / "exported")


def test_the_files_that_the_golden_was_made_of(tmp_path, exported):
    """What transformers and peft loaded when they gave the logits below, byte for byte."""
    adapter = made.write_adapter(tmp_path / "adapter.ckpt")
    export_adapter(adapter, made.SHAPE, made.LORA, tmp_path / "peft")
    for path, name in ((exported, "model"), (tmp_path / "peft", "adapter_model")):
        data = (path / f"{name}.safetensors").read_bytes()
        assert hashlib.sha256(data).hexdigest() == GOLDEN["sha256"][name]
    assert json.loads((exported / "config.json").read_text()) == GOLDEN["config"]
    assert json.loads((tmp_path / "peft" / "adapter_config.json").read_text()) == GOLDEN["adapter"]


@pytest.mark.slow
@pytest.mark.parametrize("merged", [False, True])
def test_our_decoder_gives_the_logits_of_transformers_and_peft(tmp_path, merged):
    from tools.llama.decoder import Decoder

    path = made.write_model(tmp_path / "model") / "model.ckpt"
    if merged:
        adapter = made.write_adapter(tmp_path / "adapter.ckpt")
        merge_one(path, adapter, tmp_path / "merged.ckpt", made.SHAPE, made.LORA)
        path = tmp_path / "merged.ckpt"
    decoder = Decoder(made.SHAPE, 1)
    decoder.load(Checkpoint(path))
    decoder.reserve(len(made.IDS))
    for position, token in enumerate(made.IDS):
        _, logits = decoder.step(np.array([token]), np.array([position]))
        expected = GOLDEN["adapted" if merged else "base"][position]
        np.testing.assert_allclose(logits.asnumpy()[0], expected, atol=2e-3)
    assert np.abs(np.subtract(GOLDEN["adapted"], GOLDEN["base"])).max() > 0.1
