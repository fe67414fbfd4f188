"""A model folder of random weights whose vocabulary is the bytes, for tests of the scripts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tools.llama.checkpoint import write_checkpoint
from tools.llama.shape import LlamaShape

SHAPE = LlamaShape(2, 16, 24, 2, 1, 258, 10000.0, 1e-5, 256, 257, 257)


def make_model(folder: Path, seed: int) -> Path:
    """A model folder: random weights, a token for each byte, BOS and EOS."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    write_checkpoint(
        folder / "model.ckpt",
        (
            (name, generator.normal(0, 0.4, dims).astype(np.float32), "Float32")
            for name, dims in SHAPE.parameters().items()
        ),
    )
    (folder / "model.json").write_text(json.dumps(SHAPE.to_dict()))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: index for index, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in ("<s>", "</s>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
