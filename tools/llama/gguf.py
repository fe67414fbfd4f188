"""GGUF → MindFormers: weights without the rotary permutation, and the tokenizer beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

import numpy as np

from tools.files.errors import UserError
from tools.llama.names import gguf_name
from tools.llama.shape import OUTPUT, LlamaShape


def open_gguf(path: Union[str, Path]) -> Any:
    """A `gguf.GGUFReader` on `path`; UserError where the file is not a whole GGUF file."""
    import gguf

    if not Path(path).is_file():
        raise UserError("no such file", path, "run `make fetch`")
    try:
        reader = gguf.GGUFReader(path)
    except (ValueError, IndexError, OverflowError, KeyError) as error:
        raise UserError(f"not a whole GGUF file ({error})", path, "run `make fetch`") from error
    size = Path(path).stat().st_size
    end = max((t.data_offset + t.n_bytes for t in reader.tensors), default=0)
    if not reader.tensors or end > size:
        raise UserError("the GGUF file ends before its tensors do", path, "run `make fetch`")
    return reader


def field(reader: Any, key: str) -> Any:
    """The value of a metadata key, or None; UserError where it is no UTF-8 text."""
    found = reader.get_field(key)
    try:
        return None if found is None else found.contents()
    except UnicodeDecodeError as error:
        raise UserError(f"{key} is no text", reader.data.filename, "run `make fetch`") from error


def shape_differences(reader: Any, shape: LlamaShape) -> list[str]:
    """What the file's metadata and the config disagree on, one line a key; empty if nothing."""
    expected = {
        "general.architecture": "llama",
        "llama.block_count": shape.num_layers,
        "llama.embedding_length": shape.hidden_size,
        "llama.feed_forward_length": shape.intermediate_size,
        "llama.attention.head_count": shape.num_heads,
        "llama.attention.head_count_kv": shape.n_kv_heads,
        "llama.vocab_size": shape.vocab_size,
        "llama.rope.freq_base": shape.theta,
        "llama.attention.layer_norm_rms_epsilon": shape.rms_norm_eps,
        "tokenizer.ggml.bos_token_id": shape.bos_token_id,
        "tokenizer.ggml.eos_token_id": shape.eos_token_id,
        "tokenizer.ggml.padding_token_id": shape.pad_token_id,
    }
    lines = []
    for key, value in expected.items():
        found = field(reader, key)
        close = isinstance(value, float) and isinstance(found, (int, float))
        same = np.isclose(found, value) if close else found == value
        if not same:
            lines.append(f"{key} is {found}, the config says {value}")
    return lines


def undo_rotary_permutation(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key matrix, (heads * head_dim, hidden), back from llama.cpp's order.

    llama.cpp interleaves the two halves of each head, since its RoPE turns neighbouring pairs;
    MindFormers turns element i with element i + head_dim / 2.
    """
    split = weight.reshape(heads, weight.shape[0] // heads // 2, 2, -1)
    return split.swapaxes(1, 2).reshape(weight.shape)


def read_weights(reader: Any, shape: LlamaShape, path: str) -> Iterator[tuple[str, np.ndarray]]:
    """(`name`, float32 array) of every parameter, in MindFormers' names and order, dequantised.

    A file without an output tensor has it tied to the embedding, which is then given twice.
    """
    from gguf import quants

    stored = {tensor.name: tensor for tensor in reader.tensors}
    for name, dims in shape.parameters().items():
        source = gguf_name(name)
        if name == OUTPUT and source not in stored:
            source = "token_embd.weight"
        if source not in stored:
            raise UserError(f"has no tensor {source} (for {name})", path, "fetch the right model")
        tensor = stored[source]
        try:
            weight = quants.dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError as error:
            raise UserError(f"{source}: {error}", path, "fetch the right model") from error
        weight = weight.astype(np.float32, copy=False)
        if weight.shape != dims:
            raise UserError(f"{source} has shape {weight.shape}, the config wants {dims}", path)
        if name.endswith("attention.wq.weight"):
            weight = undo_rotary_permutation(weight, shape.num_heads)
        elif name.endswith("attention.wk.weight"):
            weight = undo_rotary_permutation(weight, shape.n_kv_heads)
        yield name, weight


def tokenizer_json(reader: Any, path: str) -> str:
    """The text of a tokenizer.json (Hugging Face `tokenizers`) for a GGUF's BPE vocabulary.

    Pre-tokenizer `smollm`: every digit a token of its own, then GPT-2's byte-level split.
    Tokens of type 3 (control) are special and are matched before anything else.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    kind = (field(reader, "tokenizer.ggml.model"), field(reader, "tokenizer.ggml.pre"))
    if kind != ("gpt2", "smollm"):
        raise UserError(
            f"its tokenizer is {kind}, known is ('gpt2', 'smollm')",
            path,
            "add the pre-tokenizer to tools/llama/gguf.py",
        )
    tokens, types, merges = (
        field(reader, f"tokenizer.ggml.{key}") for key in ("tokens", "token_type", "merges")
    )
    vocabulary = {token: index for index, token in enumerate(tokens or [])}
    if not tokens or not types or not merges or not len(types) == len(tokens) == len(vocabulary):
        raise UserError(
            "its tokens, their types and the merges do not fit together", path, "run `make fetch`"
        )
    try:
        pairs = [tuple(merge.split(" ", 1)) for merge in merges]
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    except Exception as error:  # `tokenizers` raises this very class
        raise UserError(f"its merges are unfit ({error})", path, "run `make fetch`") from error
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, type_ in zip(tokens, types)
            if type_ == 3
        ]
    )
    return tokenizer.to_str(pretty=True)
