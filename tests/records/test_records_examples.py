"""Examples start with what inference sends; the loss falls on answer and EOS alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.records.examples import IGNORED, encode_examples, gather, join, layout
from tools.records.prompts import PROBLEM_FRAMES, render_answer, render_prompt
from tools.records.tokenizers import open_tokenizer


@pytest.mark.parametrize("frame", PROBLEM_FRAMES)
def test_training_ids_start_with_those_that_inference_sends(frame, tokenizer, rows):
    prompts = [render_prompt(frame, row.problem) for row in rows]
    answers = [render_answer(frame, row.solution) for row in rows]
    examples = encode_examples(prompts, answers, tokenizer)
    ids, labels = layout(examples, 2000, tokenizer.pad_id)
    for row, size, prompt, answer in zip(range(len(rows)), examples.sizes, prompts, answers):
        sent = tokenizer.encode(prompt)
        assert ids[row, : len(sent)].tolist() == sent
        taught = labels[row][labels[row] != IGNORED].tolist()
        assert taught == ids[row, len(sent) : size].tolist()
        assert taught[-1] == tokenizer.eos_id
        if tokenizer.kind != "tokenizer.json":  # the golden's vocabulary lacks some characters
            assert tokenizer.decode(taught[:-1]) == answer
            assert tokenizer.decode(ids[row, : size - 1]) == prompt + answer


def test_reading_prompts_end_where_the_answer_begins(tokenizer):
    prompt, answer = render_prompt("squad", "A 1.", "B?"), render_answer("squad", "1")
    example = encode_examples([prompt], [answer], tokenizer)
    assert example.ids.tolist() == [
        *tokenizer.encode(prompt),
        *tokenizer.encode(" 1"),
        tokenizer.eos_id,
    ]
    assert example.prompts.tolist() == [len(tokenizer.encode(prompt))]
    assert example.answers.tolist() == [len(tokenizer.encode(" 1")) + 1]


def mindformers_mask(ids, labels, pad_id):
    """The positions that count, as LlamaForCausalLM.construct (mindformers 1.9.0) has them."""
    tokens, targets = ids[:, :-1], labels[:, 1:]
    return (tokens != pad_id) & (targets != -100)


IDS = st.lists(st.integers(10, 99), min_size=1, max_size=6)
PAIRS = st.lists(st.tuples(IDS, IDS), min_size=1, max_size=8)


def examples_of(pairs):
    """Examples whose answers end in 2."""
    return gather([prompt for prompt, _ in pairs], [[*answer, 2] for _, answer in pairs])


@given(PAIRS, st.integers(12, 20), st.sampled_from([2, 3]))
def test_layout(pairs, seq_length, pad_id):
    ids, labels = layout(examples_of(pairs), seq_length, pad_id)
    assert ids.shape == labels.shape == (len(pairs), seq_length + 1)
    assert ids.dtype == labels.dtype == np.int32
    mask = mindformers_mask(ids, labels, pad_id)
    for row, (prompt, answer) in enumerate(pairs):
        answer = [*answer, 2]
        padding = seq_length + 1 - len(prompt + answer)
        assert ids[row].tolist() == prompt + answer + [pad_id] * padding
        # Whether or not pad is EOS: every answer token and the EOS are taught, nothing else.
        assert labels[row, 1:][mask[row]].tolist() == answer
        assert labels[row].tolist() == [IGNORED] * len(prompt) + answer + [IGNORED] * padding


@given(PAIRS, st.lists(st.booleans(), min_size=8, max_size=8), st.sampled_from([2, 3]))
def test_layout_of_several_in_a_row(pairs, breaks, pad_id):
    rows = np.cumsum([0, *breaks[: len(pairs) - 1]])
    ids, labels = layout(examples_of(pairs), 110, pad_id, rows)
    mask = mindformers_mask(ids, labels, pad_id)
    for row in range(rows[-1] + 1):
        mine = [pair for pair, place in zip(pairs, rows) if place == row]
        whole = [token for prompt, answer in mine for token in [*prompt, *answer, 2]]
        assert ids[row].tolist() == whole + [pad_id] * (111 - len(whole))
        answers = [token for _, answer in mine for token in [*answer, 2]]
        assert labels[row, 1:][mask[row]].tolist() == answers


@given(PAIRS, st.randoms(use_true_random=False))
def test_examples_are_taken_and_joined(pairs, random):
    chosen = [random.randrange(len(pairs)) for _ in range(5)]
    found = examples_of(pairs).take(np.array(chosen))
    parts = [examples_of([pairs[index]]) for index in chosen]
    for left, right in zip(found, join(parts)):
        assert left.tolist() == right.tolist()
        assert left.dtype == right.dtype == np.int32


def test_an_example_fits_to_the_last_place():
    example = gather([[5] * 4], [[6, 6, 2]])
    ids, labels = layout(example, 6, 2)
    assert ids[0].tolist() == [5, 5, 5, 5, 6, 6, 2]
    assert labels[0].tolist() == [IGNORED] * 4 + [6, 6, 2]
    with pytest.raises(ValueError, match="7 tokens in a row of 6"):
        layout(example, 5, 2)
    with pytest.raises(ValueError, match="14 tokens in a row of 13"):
        layout(join([example, example]), 12, 2, np.array([0, 0]))


def test_a_pad_id_inside_an_example():
    with pytest.raises(UserError, match="pad id 7 occurs inside"):
        layout(gather([[5]], [[7, 6, 2]]), 9, 7)
    with pytest.raises(UserError, match="pad id 7 occurs inside"):
        layout(gather([[5, 7]], [[6, 2]]), 9, 7)
    # In the prompt, before its last token, no loss is taken anyway: SmolLM2's <|im_end|>.
    layout(gather([[7, 5]], [[6, 2]]), 9, 7)


def test_without_eos(smollm2_file):
    with pytest.raises(UserError, match="end-of-sequence"):
        encode_examples(["a"], ["b"], open_tokenizer(smollm2_file))
