"""The converted SmolLM2-135M against transformers; the golden names its origin."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.greedy import Limits, decode_greedily
from tools.llama.shape import LlamaShape

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = Path(__file__).parent / "golden"
GOLDEN = json.loads((GOLDENS / "smollm2-logits.json").read_text())
# 24 reading prompts and 40 problems, as `make convert` makes them, and up to 40 tokens of each.
ANSWERS = json.loads((GOLDENS / "smollm2-greedy.json").read_text())
# By so much may logits of two programmes differ: a smaller lead over the second choice is a tie.
TIE = 1e-3
SHAPE = LlamaShape(30, 576, 1536, 9, 3, 49152, 100000.0, 1e-5, 1, 2, 2)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory):
    """SmolLM2 from the GGUF file that SMOLLM2_GGUF names, or that `make fetch` has brought."""
    given = os.environ.get("SMOLLM2_GGUF")
    found = [Path(given)] if given else sorted((ROOT / "material/smollm2-135m").glob("*.gguf"))
    if not found:
        pytest.skip("SmolLM2 is not on this machine: run `make fetch`, or set SMOLLM2_GGUF")
    from tools.llama.decoder import Decoder
    from tools.llama.gguf import open_gguf, read_weights

    assert hashlib.sha256(found[0].read_bytes()).hexdigest() == GOLDEN["gguf_sha256"]
    path = tmp_path_factory.mktemp("smollm2") / "model.ckpt"
    tensors = read_weights(open_gguf(found[0]), SHAPE, str(found[0]))
    write_checkpoint(path, ((name, array, "Float32") for name, array in tensors))
    decoder = Decoder(SHAPE, places=4)
    decoder.load(Checkpoint(path))
    path.unlink()
    return decoder


@pytest.mark.slow
def test_logits_and_argmax(decoder) -> None:
    """Prefilled in two chunks, then the last positions again by single steps."""
    ids = np.array(GOLDEN["ids"])
    decoder.reserve(192)
    parts = []
    for start in (0, 64):
        hidden = decoder.prefill([0], [ids[start : start + 64]], [start], (4, 64))
        parts.append(decoder.output(hidden[:64])[1].asnumpy())
    logits = np.concatenate(parts)
    assert logits.argmax(-1).tolist() == GOLDEN["argmax"]
    found = [logits[position, token] for position, token, _ in GOLDEN["samples"]]
    np.testing.assert_allclose(found, [value for *_, value in GOLDEN["samples"]], atol=1e-3)
    for position in range(120, 128):
        likeliest, stepped = decoder.step(np.full(4, ids[position]), np.full(4, position))
        assert likeliest[0] == GOLDEN["argmax"][position]
        np.testing.assert_allclose(stepped.asnumpy()[0], logits[position], atol=1e-3)


@pytest.mark.slow
def test_greedy_continuations(decoder) -> None:
    prompts = [np.array(row["prompt"]) for row in GOLDEN["greedy"]]
    found: dict[int, list[int]] = {}
    limits = Limits(24, 0, SHAPE.eos_token_id)
    decode_greedily(decoder, prompts, limits, lambda i, tokens, _: found.update({i: tokens}))
    assert [found[index] for index in range(3)] == [row["tokens"] for row in GOLDEN["greedy"]]


@pytest.mark.slow
def test_64_real_prompts_token_for_token(decoder) -> None:
    assert ANSWERS["gguf_sha256"] == GOLDEN["gguf_sha256"] and len(ANSWERS["prompts"]) == 64
    found: dict[int, list[int]] = {}
    limits = Limits(ANSWERS["max_new_tokens"], 0, SHAPE.eos_token_id)
    prompts = [np.array(prompt) for prompt in ANSWERS["prompts"]]
    decode_greedily(decoder, prompts, limits, lambda i, tokens, _: found.update({i: tokens}))
    ties = []
    for index, (tokens, margins) in enumerate(zip(ANSWERS["tokens"], ANSWERS["margins"])):
        if found[index] != tokens:
            at = next(
                i for i in range(len(margins)) if found[index][i : i + 1] != tokens[i : i + 1]
            )
            assert margins[at] < TIE, f"prompt {index}, token {at}: a lead of {margins[at]}"
            ties.append((index, at, margins[at]))
    print("ties:", ties)
    assert len(ties) < 4
