"""Examples start with what inference sends; the loss falls on answer and EOS alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.records.examples import IGNORED, Example, encode_examples, fits, layout
from tools.records.prompts import PROBLEM_FRAMES, render_answer, render_prompt
from tools.records.tokenizers import open_tokenizer


@pytest.mark.parametrize("frame", PROBLEM_FRAMES)
def test_training_ids_start_with_those_that_inference_sends(frame, tokenizer, rows):
    prompts = [render_prompt(frame, row.problem) for row in rows]
    answers = [render_answer(frame, row.solution) for row in rows]
    examples = encode_examples(prompts, answers, tokenizer)
    ids, labels = layout(examples, 2000, tokenizer.pad_id)
    for row, example, prompt, answer in zip(range(len(rows)), examples, prompts, answers):
        sent = tokenizer.encode(prompt)
        assert ids[row, : len(sent)].tolist() == sent
        taught = labels[row][labels[row] != IGNORED].tolist()
        assert taught == ids[row, len(sent) : example.size].tolist()
        assert taught[-1] == tokenizer.eos_id
        if tokenizer.kind != "tokenizer.json":  # the golden's vocabulary lacks some characters
            assert tokenizer.decode(taught[:-1]) == answer
            assert tokenizer.decode(ids[row, : example.size - 1]) == prompt + answer


def test_reading_prompts_end_where_the_answer_begins(tokenizer):
    prompt, answer = render_prompt("squad", "A 1.", "B?"), render_answer("squad", "1")
    (example,) = encode_examples([prompt], [answer], tokenizer)
    assert example.prompt == tokenizer.encode(prompt)
    assert example.answer == [*tokenizer.encode(" 1"), tokenizer.eos_id]


def mindformers_mask(ids, labels, pad_id):
    """The positions that count, as LlamaForCausalLM.construct (mindformers 1.9.0) has them."""
    tokens, targets = ids[:, :-1], labels[:, 1:]
    return (tokens != pad_id) & (targets != -100)


IDS = st.lists(st.integers(10, 99), min_size=1, max_size=6)


@given(
    st.lists(st.tuples(IDS, IDS), min_size=1, max_size=4),
    st.integers(12, 20),
    st.sampled_from([2, 3]),
)
def test_layout(pairs, seq_length, pad_id):
    examples = [Example(prompt, [*answer, 2]) for prompt, answer in pairs]
    ids, labels = layout(examples, seq_length, pad_id)
    assert ids.shape == labels.shape == (len(pairs), seq_length + 1)
    assert ids.dtype == labels.dtype == np.int32
    mask = mindformers_mask(ids, labels, pad_id)
    for row, example in enumerate(examples):
        whole = example.prompt + example.answer
        assert ids[row].tolist() == whole + [pad_id] * (seq_length + 1 - len(whole))
        # Whether or not pad is EOS: every answer token and the EOS are taught, nothing else.
        assert labels[row, 1:][mask[row]].tolist() == example.answer
        before = [IGNORED] * len(example.prompt)
        after = [IGNORED] * (seq_length + 1 - len(whole))
        assert labels[row].tolist() == before + example.answer + after


def test_an_example_fits_to_the_last_place():
    example = Example([5] * 4, [6, 6, 2])
    assert fits(example, 6)
    assert not fits(example, 5)
    ids, labels = layout([example], 6, 2)
    assert ids[0].tolist() == [5, 5, 5, 5, 6, 6, 2]
    assert labels[0].tolist() == [IGNORED] * 4 + [6, 6, 2]
    with pytest.raises(ValueError, match="7 tokens in a row of 6"):
        layout([example], 5, 2)


def test_a_pad_id_inside_an_example():
    with pytest.raises(UserError, match="pad id 7 occurs inside"):
        layout([Example([5], [7, 6, 2])], 9, 7)
    with pytest.raises(UserError, match="pad id 7 occurs inside"):
        layout([Example([5, 7], [6, 2])], 9, 7)
    # In the prompt, before its last token, no loss is taken anyway: SmolLM2's <|im_end|>.
    layout([Example([7, 5], [6, 2])], 9, 7)


def test_without_eos(smollm2_file):
    with pytest.raises(UserError, match="end-of-sequence"):
        encode_examples(["a"], ["b"], open_tokenizer(smollm2_file))
