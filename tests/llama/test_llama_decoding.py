"""The decoder against a LLaMA in plain numpy, which has no cache, no batch and no padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.greedy import Limits, decode_greedily
from tools.llama.shape import EMBEDDING, FINAL_NORM, OUTPUT, LlamaShape

pytest.importorskip("mindspore")
from tools.llama.decoder import Decoder

SHAPE = LlamaShape(
    num_layers=2,
    hidden_size=32,
    intermediate_size=48,
    num_heads=4,
    n_kv_heads=2,
    vocab_size=61,
    theta=10000.0,
    rms_norm_eps=1e-5,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
PLACES = 5
Weights = dict[str, np.ndarray]


def make_weights(seed: int) -> Weights:
    generator = np.random.default_rng(seed)
    return {
        name: (
            generator.uniform(0.5, 1.5, dims) if len(dims) == 1 else generator.normal(0, 0.3, dims)
        ).astype(np.float32)
        for name, dims in SHAPE.parameters().items()
    }


def save(path: Path, weights: Weights, type_name: str = "Float32") -> Checkpoint:
    write_checkpoint(path, ((name, array, type_name) for name, array in weights.items()))
    return Checkpoint(path)


def forward(weights: Weights, ids: list[int]) -> np.ndarray:
    """Logits (positions, vocabulary) in float64, written from the papers: RMSNorm (Zhang and
    Sennrich, 2019), RoPE (Su et al., 2021), grouped queries (Ainslie et al., 2023), SwiGLU
    (Shazeer, 2020); the halves of a head are rotated against each other."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    dim, count = SHAPE.head_dim, len(ids)

    def norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + SHAPE.rms_norm_eps) * gain

    def rotate(x: np.ndarray) -> np.ndarray:
        turned = np.empty_like(x)
        for position in range(count):
            for i in range(dim // 2):
                angle = position * SHAPE.theta ** (-2 * i / dim)
                a, b = x[position, :, i], x[position, :, i + dim // 2]
                turned[position, :, i] = a * np.cos(angle) - b * np.sin(angle)
                turned[position, :, i + dim // 2] = b * np.cos(angle) + a * np.sin(angle)
        return turned

    def product(x: np.ndarray, module: str) -> np.ndarray:
        return x @ w[f"{module}.weight"].T

    x = w[EMBEDDING][ids]
    for index in range(SHAPE.num_layers):
        layer = f"model.layers.{index}."
        h = norm(x, w[layer + "attention_norm.weight"])
        q = rotate(product(h, layer + "attention.wq").reshape(count, -1, dim))
        k = rotate(product(h, layer + "attention.wk").reshape(count, -1, dim))
        v = product(h, layer + "attention.wv").reshape(count, -1, dim)
        mixed = np.empty_like(q)
        for head in range(SHAPE.num_heads):
            group = head // (SHAPE.num_heads // SHAPE.n_kv_heads)
            for position in range(count):
                scores = k[: position + 1, group] @ q[position, head] / np.sqrt(dim)
                share = np.exp(scores - scores.max())
                mixed[position, head] = share / share.sum() @ v[: position + 1, group]
        x = x + product(mixed.reshape(count, -1), layer + "attention.wo")
        h = norm(x, w[layer + "ffn_norm.weight"])
        gate, up = (h @ w[layer + f"feed_forward.{name}.weight"].T for name in ("w1", "w3"))
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[layer + "feed_forward.w2.weight"].T
    return norm(x, w[FINAL_NORM]) @ w[OUTPUT].T


def continued(weights: Weights, prompt: list[int], limits: Limits) -> list[int]:
    produced: list[int] = []
    while len(produced) < limits.max_new_tokens:
        logits = forward(weights, prompt + produced)[-1]
        if len(produced) < limits.min_new_tokens:
            logits[limits.eos_id] = -np.inf
        token = int(logits.argmax())
        if token == limits.eos_id:
            break
        produced.append(token)
    return produced


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    # One for all tests: its graphs take most of their time.
    return Decoder(SHAPE, PLACES)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return save(tmp_path / "model.ckpt", make_weights(0))


def ragged_prompts(seed: int = 1, count: int = 9) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    shared = generator.integers(3, 61, 36).tolist()
    lengths = [1, 2, 3, 7, 12, 20, 33, 1, 5][:count]
    return [
        (shared if index % 3 == 2 else []) + generator.integers(3, 61, length).tolist()
        for index, length in enumerate(lengths)
    ]


def decode(decoder: Decoder, prompts: list[list[int]], limits: Limits) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    arrays = [np.array(prompt) for prompt in prompts]
    decode_greedily(decoder, arrays, limits, lambda i, tokens, _: found.update({i: tokens}))
    return [found[index] for index in range(len(prompts))]


def test_logits_of_every_position_by_steps(decoder: Decoder, checkpoint: Checkpoint) -> None:
    decoder.load(checkpoint)
    decoder.reserve(64)
    ids = np.random.default_rng(2).integers(0, 61, (PLACES, 12))
    found = []
    for position in range(12):
        likeliest, logits = decoder.step(ids[:, position], np.full(PLACES, position))
        found.append(logits.asnumpy())
        assert (likeliest == found[-1].argmax(-1)).all()
    for place in range(PLACES):
        expected = forward(make_weights(0), ids[place].tolist())
        np.testing.assert_allclose([row[place] for row in found], expected, atol=1e-4)


def test_prefill_of_ragged_rows_equals_steps(decoder: Decoder, checkpoint: Checkpoint) -> None:
    decoder.load(checkpoint)
    decoder.reserve(64)
    rows = [np.array(prompt[:30]) for prompt in ragged_prompts(count=3)]
    hidden = decoder.prefill([4, 0, 2], rows, [0, 0, 0], (4, 64))
    logits = decoder.output(hidden)[1].asnumpy().reshape(4, 64, -1)
    for row, ids in enumerate(rows):
        expected = forward(make_weights(0), ids.tolist())
        np.testing.assert_allclose(logits[row, : len(ids)], expected, atol=1e-4)
    # Place 2 goes on by a second chunk, after what the first one left.
    more = np.arange(3, 13)
    hidden = decoder.prefill([2], [more], [len(rows[2])], (4, 64))
    logits = decoder.output(hidden)[1].asnumpy()[:10]
    expected = forward(make_weights(0), [*rows[2], *more])[-10:]
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_greedy_tokens(decoder: Decoder, checkpoint: Checkpoint) -> None:
    decoder.load(checkpoint)
    prompts, limits = ragged_prompts(), Limits(8, 0, 2)
    expected = [continued(make_weights(0), prompt, limits) for prompt in prompts]
    assert decode(decoder, prompts, limits) == expected


def test_end_and_shortest_answer(decoder: Decoder, tmp_path: Path) -> None:
    weights = make_weights(0)
    prompts, free = ragged_prompts(count=6), Limits(6, 0, 2)
    # What the first prompt would give first is made the end of sequence.
    end = continued(weights, prompts[0], free)[0]
    decoder.load(save(tmp_path / "model.ckpt", weights))
    for least in (0, 1, 4):
        limits = Limits(6, least, end)
        expected = [continued(weights, prompt, limits) for prompt in prompts]
        assert decode(decoder, prompts, limits) == expected
        assert min(map(len, expected)) >= least
        assert least or expected[0] == []


def test_other_weights_without_compiling(decoder: Decoder, tmp_path: Path) -> None:
    prompts, limits = ragged_prompts(count=5), Limits(5, 0, 2)
    decoder.load(save(tmp_path / "0.ckpt", make_weights(0)))
    first = decode(decoder, prompts, limits)
    graphs = sum(len(layers.compile_cache) for layers in decoder._layers.values())
    assert graphs
    decoder.load(save(tmp_path / "1.ckpt", make_weights(1)))
    second = decode(decoder, prompts, limits)
    assert second == [continued(make_weights(1), prompt, limits) for prompt in prompts]
    assert second != first
    assert sum(len(layers.compile_cache) for layers in decoder._layers.values()) == graphs


def test_a_row_does_not_depend_on_its_company(decoder: Decoder, checkpoint: Checkpoint) -> None:
    decoder.load(checkpoint)
    prompts, limits = ragged_prompts(), Limits(6, 0, 2)
    together = decode(decoder, prompts, limits)
    assert together == [decode(decoder, [prompt], limits)[0] for prompt in prompts]


def test_one_place_whose_weights_lie_the_other_way(checkpoint: Checkpoint) -> None:
    decoder = Decoder(SHAPE, 1)
    decoder.load(checkpoint)
    prompts, limits = ragged_prompts(count=3), Limits(9, 0, 2)
    expected = [continued(make_weights(0), prompt, limits) for prompt in prompts]
    assert decode(decoder, prompts, limits) == expected
    for draft in (expected[0], [*expected[1][:6], 7]):
        assert decode(decoder, prompts, Limits(9, 0, 2, draft=draft)) == expected


def test_bfloat16_is_widened(decoder: Decoder, tmp_path: Path) -> None:
    checkpoint = save(tmp_path / "model.ckpt", make_weights(0), "BFloat16")
    weights = {name: checkpoint.read(name) for name in checkpoint.names()}
    decoder.load(checkpoint)
    prompts, limits = ragged_prompts(count=2), Limits(4, 0, 2)
    expected = [continued(weights, prompt, limits) for prompt in prompts]
    assert decode(decoder, prompts, limits) == expected


def test_a_checkpoint_of_another_shape_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    weights = make_weights(0)
    missing = {name: array for name, array in weights.items() if name != OUTPUT}
    with pytest.raises(UserError, match=rf"{OUTPUT} is missing"):
        decoder.load(save(tmp_path / "missing.ckpt", missing))
    other = {**weights, FINAL_NORM: np.ones(33, np.float32)}
    with pytest.raises(UserError, match=rf"{FINAL_NORM} is \(33,\), model.json makes it \(32,\)"):
        decoder.load(save(tmp_path / "other.ckpt", other))
