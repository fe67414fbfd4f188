"""GGUF files: written with the gguf library, read back, altered and cut."""

from __future__ import annotations

import contextlib
import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.llama.gguf import (
    field,
    open_gguf,
    read_weights,
    shape_differences,
    tokenizer_json,
    undo_rotary_permutation,
)
from tools.llama.names import gguf_name
from tools.llama.shape import EMBEDDING, OUTPUT, LlamaShape

gguf = pytest.importorskip("gguf")

SHAPE = LlamaShape(1, 64, 32, 4, 2, 40, 10000.0, 1e-5, 1, 2, 2)
BYTES = [*"!\"#$%&'()*+,-./0123456789:;<=>?", "Ġ", *"abcde"]
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *BYTES, "Ġa", "ab"]


def permute(weight, heads):
    """llama.cpp's convert_hf_to_gguf.py, LlamaModel.permute: the order that is to be undone."""
    return (
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
        .swapaxes(1, 2)
        .reshape(weight.shape)
    )


def make_weights(shape=SHAPE):
    random = np.random.default_rng(3)
    return {
        name: random.standard_normal(dims).astype(np.float32)
        for name, dims in shape.parameters().items()
    }


def write(path, weights, shape=SHAPE, leave_out=(), kind=None, tokenizer=True, **changed):
    """`weights` as a GGUF file; kind: quantise matrices; changed: other tokenizer lists."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(shape.num_layers)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_heads)
    writer.add_head_count_kv(shape.n_kv_heads)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_rope_freq_base(shape.theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    writer.add_bos_token_id(shape.bos_token_id)
    writer.add_eos_token_id(shape.eos_token_id)
    writer.add_pad_token_id(shape.pad_token_id)
    if tokenizer:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(changed.get("pre", "smollm"))
        writer.add_token_list(changed.get("tokens", TOKENS))
        writer.add_token_types(changed.get("types", [3] * 3 + [1] * (len(TOKENS) - 3)))
        writer.add_token_merges(changed.get("merges", ["Ġ a", "a b"]))
    for name, array in weights.items():
        if name in leave_out:
            continue
        if ".attention.wq." in name:
            array = permute(array, shape.num_heads)
        elif ".attention.wk." in name:
            array = permute(array, shape.n_kv_heads)
        if kind is not None and array.ndim == 2:
            data = gguf.quants.quantize(array, kind)
            writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
        else:
            writer.add_tensor(gguf_name(name), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read(path, shape=SHAPE):
    return dict(read_weights(open_gguf(path), shape, str(path)))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_the_permutation_is_undone(heads, half, columns):
    weight = np.arange(heads * 2 * half * columns).reshape(heads * 2 * half, columns)
    assert np.array_equal(undo_rotary_permutation(permute(weight, heads), heads), weight)


def test_the_permutation_by_hand():
    # One head of four: llama.cpp has the pairs side by side, (0, 2) and (1, 3).
    stored = np.array([[0], [2], [1], [3]])
    assert undo_rotary_permutation(stored, 1).ravel().tolist() == [0, 1, 2, 3]


def test_round_trip(tmp_path):
    weights = make_weights()
    found = read(write(tmp_path / "m.gguf", weights))
    assert list(found) == list(SHAPE.parameters())
    for name, array in weights.items():
        assert found[name].dtype == np.float32 and np.array_equal(found[name], array), name


def test_tied_output_is_the_embedding(tmp_path):
    found = read(write(tmp_path / "m.gguf", make_weights(), leave_out=[OUTPUT]))
    assert np.array_equal(found[OUTPUT], found[EMBEDDING])


@pytest.mark.parametrize("kind, step", [("Q8_0", 1 / 127), ("Q4_0", 1 / 7), ("F16", 2**-11)])
def test_quantised(tmp_path, kind, step):
    shape = dataclasses.replace(SHAPE, intermediate_size=64, vocab_size=64)
    random = np.random.default_rng(4)
    weights = {n: random.uniform(-1, 1, d).astype("f4") for n, d in shape.parameters().items()}
    kind = gguf.GGMLQuantizationType[kind]
    found = read(write(tmp_path / "m.gguf", weights, shape, kind=kind), shape)
    for name, array in weights.items():
        assert np.abs(found[name] - array).max() <= step, name


def test_a_missing_tensor(tmp_path):
    path = write(tmp_path / "m.gguf", make_weights(), leave_out=["model.norm_out.weight"])
    with pytest.raises(UserError, match=r"has no tensor output_norm\.weight"):
        read(path)


def test_a_tensor_of_another_shape(tmp_path):
    weights = make_weights()
    weights["model.norm_out.weight"] = np.ones(65, np.float32)
    with pytest.raises(UserError, match=r"output_norm\.weight has shape"):
        read(write(tmp_path / "m.gguf", weights))


def test_shape_differences(tmp_path):
    path = write(tmp_path / "m.gguf", make_weights())
    reader = open_gguf(path)
    assert shape_differences(reader, SHAPE) == []
    assert field(reader, "llama.block_count") == 1 and field(reader, "nothing") is None
    for name in SHAPE.to_dict():
        value = getattr(SHAPE, name)
        another = not value if isinstance(value, bool) else value * 2
        lines = shape_differences(reader, dataclasses.replace(SHAPE, **{name: another}))
        assert len(lines) == 1 and str(another) in lines[0], name


def test_metadata_of_another_type(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "bert")
    writer.add_string("llama.rope.freq_base", "10000")
    writer.add_tensor("x", np.ones(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    lines = shape_differences(open_gguf(tmp_path / "m.gguf"), SHAPE)
    assert len(lines) == 12 and lines[0].startswith("general.architecture is bert")


def test_cut_files_are_refused(tmp_path):
    whole = write(tmp_path / "m.gguf", make_weights(), tokenizer=False).read_bytes()
    path = tmp_path / "cut.gguf"
    head = 1200  # all of the metadata and of the tensor index, then the weights in steps
    for size in [*range(0, head, 3), *range(head, len(whole) - 32, 997)]:
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="GGUF file") as caught:
            open_gguf(path)
        assert "make fetch" in str(caught.value)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_altered_metadata_is_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    if not (folder / "whole.gguf").exists():
        write(folder / "whole.gguf", make_weights())
    content = bytearray((folder / "whole.gguf").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 2400))] = data.draw(st.integers(0, 255))
    path = folder / "altered.gguf"
    path.write_bytes(content)
    with contextlib.suppress(UserError):
        reader = open_gguf(path)
        shape_differences(reader, SHAPE)
        assert len(dict(read_weights(reader, SHAPE, str(path)))) == len(SHAPE.parameters())
    with contextlib.suppress(UserError):
        tokenizer_json(open_gguf(path), str(path))


def test_text_that_is_none(tmp_path):
    path = write(tmp_path / "m.gguf", make_weights())
    path.write_bytes(path.read_bytes().replace("Ġa".encode(), b"\xff\xfea"))
    with pytest.raises(UserError, match=r"tokenizer\.ggml\.tokens is no text") as caught:
        tokenizer_json(open_gguf(path), str(path))
    assert str(caught.value.where) == str(path)


def test_what_is_no_gguf_file(tmp_path):
    path = tmp_path / "m.gguf"
    with pytest.raises(UserError, match="no such file"):
        open_gguf(path)
    for content in (b"", b"GGUF", b"PK\x03\x04" * 20, b"GGUF" + b"\xff" * 60):
        path.write_bytes(content)
        with pytest.raises(UserError, match="GGUF file"):
            open_gguf(path)


def tokenizer(path, **changed):
    write(path, {EMBEDDING: np.ones((40, 64), np.float32)}, **changed)
    return tokenizer_json(open_gguf(path), str(path))


def test_tokenizer(tmp_path):
    from tokenizers import Tokenizer

    made = Tokenizer.from_str(tokenizer(tmp_path / "m.gguf"))

    def split(text):
        return made.encode(text).tokens

    assert split("12+345") == ["1", "2", "+", "3", "4", "5"]  # every digit by itself
    assert split("ab ab a") == ["ab", "Ġa", "b", "Ġa"]  # merges in their order: "Ġ a" is first
    assert split("a<|im_end|>b") == ["a", "<|im_end|>", "b"]  # a control token is matched whole
    assert made.encode("<|im_end|>").ids == [2]
    for text in ("12 + 3 = ab", "c d\te", "(a-b)*c/d"):
        known = "".join(character for character in text if character != "\t")
        assert made.decode(made.encode(known).ids) == known
    assert json.loads(made.to_str())["model"]["vocab"] == {t: i for i, t in enumerate(TOKENS)}


@pytest.mark.parametrize(
    "changed, fault",
    [
        ({"pre": "llama-bpe"}, r"its tokenizer is \('gpt2', 'llama-bpe'\)"),
        ({"tokenizer": False}, r"its tokenizer is \(None, None\)"),
        ({"types": [3, 1]}, "do not fit together"),
        ({"tokens": ["a"] * len(TOKENS)}, "do not fit together"),
        ({"merges": ["ab"]}, "merges are unfit"),
        ({"merges": ["a z"]}, "merges are unfit"),
    ],
)
def test_tokenizers_that_are_none(tmp_path, changed, fault):
    with pytest.raises(UserError, match=fault):
        tokenizer(tmp_path / "m.gguf", **changed)
