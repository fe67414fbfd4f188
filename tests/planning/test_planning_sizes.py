"""Parameters by where they lie, for any shape."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools.llama.lora import LoraConfig
from tools.llama.shape import LlamaShape
from tools.planning.sizes import adapted_of, sizes_of, trained_of


@st.composite
def shapes(draw) -> LlamaShape:
    heads = draw(st.sampled_from([1, 2, 4, 8]))
    return LlamaShape(
        num_layers=draw(st.integers(1, 4)),
        hidden_size=heads * draw(st.sampled_from([8, 16])),
        intermediate_size=draw(st.integers(1, 90)),
        num_heads=heads,
        n_kv_heads=draw(st.sampled_from([n for n in (1, 2, 4, 8) if heads % n == 0])),
        vocab_size=draw(st.integers(3, 500)),
        theta=1e4,
        rms_norm_eps=1e-5,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )


@given(shape=shapes(), rank=st.integers(1, 9))
def test_sizes_add_up_and_lora_grows_with_its_rank(shape: LlamaShape, rank: int) -> None:
    sizes = sizes_of(shape)
    assert sum(sizes) == shape.count()
    hidden, key_value = shape.hidden_size, shape.n_kv_heads * shape.head_dim
    layer = 2 * hidden * (hidden + key_value) + 3 * hidden * shape.intermediate_size
    assert sizes.layers == shape.num_layers * layer
    assert sizes.norms == (2 * shape.num_layers + 1) * hidden
    lora = LoraConfig(rank, 1.0, ".*wk|.*w2")
    a_rank = hidden + key_value + hidden + shape.intermediate_size
    assert trained_of(shape, lora) == shape.num_layers * rank * a_rank
    assert adapted_of(shape, lora) == {"wk", "w2"}
    assert trained_of(shape, LoraConfig(rank, 1.0, "none")) == 0
