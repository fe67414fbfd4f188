"""The schedule of places, on a decoder that only remembers: no row sees another's tokens."""

from __future__ import annotations

import zlib
from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.llama.greedy import (
    FORMS,
    ONE_ROW,
    Limits,
    capacity_of,
    decode_greedily,
    split_by_capacity,
)

VOCABULARY, EOS = 11, 10


def following(context: list[int]) -> np.ndarray:
    """Logits after `context`: every token of it counts, and nothing else."""
    seed = zlib.crc32(bytes(context))
    return np.random.default_rng(seed).permutation(VOCABULARY).astype(np.float32)


class _Logits:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def asnumpy(self) -> np.ndarray:
        return self.values


class RememberingDecoder:
    """`decoder.Decoder`'s interface; a cache position holds the token that was fed there."""

    def __init__(self, places: int) -> None:
        self.places, self.capacity = places, 0
        self.cache: list[list[Optional[int]]] = []
        self.fed = 0
        self.copies = 0
        self.steps = 0

    def reserve(self, capacity: int) -> None:
        self.capacity = capacity
        self.cache = [[None] * capacity for _ in range(self.places)]

    def prefill(self, places: Any, tokens: Any, starts: Any, form: tuple[int, int]) -> Any:
        assert (
            form in (FORMS if self.places > 1 else ONE_ROW)
            and len(places) <= form[0]
            and len(set(places)) == len(places)
        )
        assert max(map(len, tokens)) <= form[1]
        for place, row, start in zip(places, tokens, starts):
            assert None not in self.cache[place][:start]
            self.cache[place][start : start + len(row)] = [int(token) for token in row]
            assert len(self.cache[place]) == self.capacity
            self.fed += len(row)
        first = self.cache[places[0]]
        return [first[: starts[0] + count] for count in range(1, len(tokens[0]) + 1)]

    def output(self, hidden: Any) -> tuple[np.ndarray, None]:
        """Of prefill's first row."""
        return np.array([following(context).argmax() for context in hidden]), None

    def step(self, tokens: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, _Logits]:
        self.steps += 1
        logits = np.zeros((self.places, VOCABULARY), np.float32)
        for place, (token, position) in enumerate(zip(tokens, positions)):
            self.cache[place][position] = int(token)
            if position < self.capacity - 1:
                context = self.cache[place][: position + 1]
                assert None not in context
                logits[place] = following(context)  # type: ignore[arg-type]
        return logits.argmax(-1), _Logits(logits)

    def copy(self, sources: list[int]) -> None:
        self.copies += 1
        self.cache = [list(self.cache[source]) for source in sources]


def alone(prompt: list[int], limits: Limits) -> tuple[list[int], str]:
    """What one prompt gives, without cache or company."""
    produced: list[int] = []
    while True:
        logits = following(prompt + produced)
        if len(produced) < limits.min_new_tokens:
            logits[limits.eos_id] = -1
        token = int(logits.argmax())
        if token == limits.eos_id:
            return produced, "eos"
        produced.append(token)
        if limits.stop and limits.stop(produced):
            return produced, "stop"
        if len(produced) == limits.max_new_tokens:
            return produced, "length"


def decode(prompts: list[list[int]], limits: Limits, places: int) -> tuple[Any, dict]:
    decoder, found = RememberingDecoder(places), {}

    def done(index: int, tokens: list[int], reason: str) -> None:
        assert index not in found
        found[index] = (list(tokens), reason)

    decode_greedily(decoder, [np.array(prompt) for prompt in prompts], limits, done)
    return decoder, found


# Few beginnings, some longer than is worth copying, so that prompts share them.
_BEGINNINGS = [[], [1] * 40, [1] * 40 + [2] * 33, [1] * 40 + [2] * 150, [3] * 300]
_PROMPTS = st.lists(
    st.builds(
        lambda beginning, rest: beginning + rest,
        st.sampled_from(_BEGINNINGS),
        st.lists(st.integers(0, 9), min_size=1, max_size=40),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(
    prompts=_PROMPTS,
    places=st.integers(1, 9),
    max_new=st.integers(1, 12),
    min_new=st.integers(0, 4),
)
@example(
    prompts=[[1] * 40 + [4], [1] * 40 + [4], [1] * 40 + [4, 5]], places=3, max_new=3, min_new=0
)
def test_every_row_is_what_it_would_be_alone(
    prompts: list[list[int]], places: int, max_new: int, min_new: int
) -> None:
    limits = Limits(max_new, min_new, EOS, stop=lambda tokens: tokens[-2:] == [7, 7])
    _, found = decode(prompts, limits, places)
    assert found == {index: alone(prompt, limits) for index, prompt in enumerate(prompts)}


@settings(max_examples=60, deadline=None)
@given(
    prompts=_PROMPTS,
    places=st.integers(1, 3),
    max_new=st.integers(1, 90),
    min_new=st.integers(0, 4),
    slips=st.lists(st.integers(0, 89), max_size=4),
    longer=st.lists(st.integers(0, 9), max_size=3),
)
def test_a_draft_changes_no_answer(
    prompts: list[list[int]],
    places: int,
    max_new: int,
    min_new: int,
    slips: list[int],
    longer: list[int],
) -> None:
    limits = Limits(max_new, min_new, EOS)
    expected = {index: alone(prompt, limits) for index, prompt in enumerate(prompts)}
    # The first prompt's own answer, at some places another token, and more behind it.
    draft = [*(expected[0][0] if prompts else []), *longer]
    for slip in slips:
        if slip < len(draft):
            draft[slip] = (draft[slip] + 1) % EOS
    drafted = Limits(max_new, min_new, EOS, draft=draft)
    assert decode(prompts, drafted, places)[1] == expected


def test_a_right_draft_takes_a_few_chunks() -> None:
    # No token ends the answer: it is as long as it may be.
    limits = Limits(120, 0, VOCABULARY)
    answer, reason = alone([1, 2], limits)
    assert reason == "length"
    decoder, found = decode([[1, 2]], Limits(120, 0, VOCABULARY, draft=answer), 1)
    assert found[0] == (answer, "length") and decoder.steps == 0
    decoder, found = decode([[1, 2]], Limits(120, 0, VOCABULARY, draft=answer[:50]), 1)
    assert found[0] == (answer, "length") and decoder.steps == 120 - 51
    # One token in the middle costs a chunk; a draft of another answer is left at once.
    slipped = [*answer[:60], (answer[60] + 1) % VOCABULARY, *answer[61:]]
    assert decode([[1, 2]], Limits(120, 0, VOCABULARY, draft=slipped), 1)[0].steps == 0
    other = [(token + 1) % VOCABULARY for token in answer]
    assert decode([[1, 2]], Limits(120, 0, VOCABULARY, draft=other), 1)[0].steps == 119


def test_a_shared_passage_is_computed_once() -> None:
    passage = list(range(10)) * 20
    prompts = [[*passage, 9, index, 9] for index in range(8)]
    decoder, _ = decode(prompts, Limits(4, 0, EOS), places=4)
    assert decoder.fed < 1.2 * len(passage) and decoder.copies


def test_prompts_without_common_beginning_are_not_copied() -> None:
    prompts = [[index] * 50 for index in range(8)]
    decoder, _ = decode(prompts, Limits(4, 0, EOS), places=4)
    assert decoder.fed == 8 * 49 and not decoder.copies


@pytest.mark.parametrize(
    ("length", "capacity"), [(1, 64), (64, 64), (65, 96), (97, 128), (129, 192), (257, 384)]
)
def test_capacity(length: int, capacity: int) -> None:
    assert capacity_of(length) == capacity


@given(st.lists(st.integers(1, 600), max_size=300))
def test_each_prompt_has_one_capacity_that_holds_it(lengths: list[int]) -> None:
    groups = split_by_capacity([np.zeros(length, int) for length in lengths], 20)
    assert sorted(index for _, indices in groups for index in indices) == [*range(len(lengths))]
    for capacity, indices in groups:
        assert all(lengths[index] + 20 <= capacity for index in indices)
    for capacity, _ in split_by_capacity([np.zeros(length, int) for length in lengths], 20, 300):
        assert capacity >= 300
    # Only the last may be small: the others pay for the compilation of their graphs.
    assert all(len(indices) >= 64 for _, indices in groups[:-1])
