"""The organisers' rows: id for id what their script made, and what it does to some of them."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_organisers import EDGES, GOLDEN, random_conversations, write

from tools.files.json_lines import read_blocks
from tools.records.conversations import block_conversations, write_conversations
from tools.records.examples import IGNORED
from tools.records.fastchat import encode_conversations, lay_out
from tools.records.prompts import render_answer, render_conversation, render_prompt
from tools.records.reading import read_questions
from tools.records.squad_records import encode_questions, fill_up
from tools.records.tokenizers import open_tokenizer

ROOM = 231
PLAIN = st.text(st.sampled_from("计算 12+3.\n:=x"), min_size=1).filter(str.strip)


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text("utf-8"))


@pytest.fixture(scope="module")
def tiktoken(tiktoken_file):
    return open_tokenizer(tiktoken_file)


def texts_of(path):
    return [
        render_conversation(turns)
        for block in read_blocks(path)
        for turns in block_conversations(block, path)
    ]


def test_rows_of_the_organisers_script(golden, tiktoken, tmp_path):
    texts = texts_of(write(tmp_path / "c.json", EDGES))
    rows = encode_conversations(texts, tiktoken, ROOM)
    ids, labels = lay_out(rows, ROOM, tiktoken.pad_id)
    assert len(texts) == len(golden["small"]) == len(ids)
    for found, taught, expected in zip(ids, labels, golden["small"]):
        padding = ROOM - len(expected["ids"])
        assert found.tolist() == expected["ids"] + [tiktoken.pad_id] * padding
        spans = [range(*span) for span in expected["labelled"]]
        wanted = {place: expected["ids"][place] for span in spans for place in span}
        assert taught.tolist() == [wanted.get(place, IGNORED) for place in range(ROOM)]
    # The golden shows each of the quirks.
    assert rows.cut.sum() == 6
    assert rows.masked.sum() == sum(not row["labelled"] for row in golden["small"]) == 14


def digest(ids, labels):
    return {
        "rows": len(ids),
        "input_ids": hashlib.sha256(ids.astype("<i4").tobytes()).hexdigest(),
        "labels": hashlib.sha256(labels.astype("<i4").tobytes()).hexdigest(),
    }


@pytest.mark.shared
@pytest.mark.parametrize("name", ["problems", "random", "cuts"])
def test_rows_with_the_real_vocabulary(golden, shared, tmp_path, name):
    tokenizer = open_tokenizer(shared / "llama3" / "tokenizer.model")
    expected = golden["sha256"][name]
    room, path = expected["seq_length"] + 1, tmp_path / "c.json"
    if name == "problems":
        write_conversations(shared / "contest" / "problems-200.json", path, "none")
    else:
        write(path, random_conversations(1000))
    rows = encode_conversations(texts_of(path), tokenizer, room)
    ids, labels = lay_out(rows, room, tokenizer.pad_id)
    if name == "cuts":
        kept = ~(rows.cut & rows.masked)
        ids, labels = ids[kept], labels[kept]
        assert rows.cut[kept].any() and rows.masked[kept].any() and not kept.all()
    assert {"seq_length": room - 1, **digest(ids, labels)} == expected


@pytest.mark.shared
def test_reading_rows_with_the_real_vocabulary(golden, shared):
    tokenizer = open_tokenizer(shared / "llama3" / "tokenizer.model")
    expected = golden["sha256"]["squad"]
    questions = list(read_questions(shared / "squad" / "dev-v1.1-super-bowl-50.json"))
    columns = [
        fill_up(lists, expected["seq_length"], tokenizer.pad_id)
        for lists in encode_questions(questions, tokenizer)
    ]
    assert {"seq_length": 8192, **digest(*columns)} == expected


@given(problem=PLAIN, solution=PLAIN)
def test_the_answer_and_one_token_before_it_have_labels(tiktoken, problem, solution):
    text = render_conversation([problem, solution])
    rows = encode_conversations([text], tiktoken, 1000)
    # The whole text is encoded at once: where the prompt ends is told by its own count.
    whole = tiktoken.encode(text[: -len("</s>")])
    asked = len(tiktoken.encode(render_prompt("vicuna", problem) + " "))
    assert rows.ids.tolist() == [tiktoken.bos_id, *whole, tiktoken.eos_id]
    assert rows.labels.tolist() == [IGNORED] * asked + rows.ids[asked:].tolist()
    assert rows.label_counts.tolist() == [len(whole) + 2 - asked]
    assert text.endswith(render_answer("vicuna", solution) + "</s>")
    assert not rows.cut.any() and not rows.masked.any()


@given(room=st.integers(1, 260))
def test_a_cut_row_is_the_beginning_of_the_whole_one(tiktoken, room):
    texts = [render_conversation([problem, "5" * size]) for problem, size in (("1?", 9), ("x", 60))]
    whole, cut = (encode_conversations(texts, tiktoken, size) for size in (1000, room))
    pairs = zip(*(lay_out(rows, 1000, tiktoken.pad_id) for rows in (whole, cut)))
    for long, short in pairs:
        assert np.array_equal(long[:, :room], short[:, :room])
    assert cut.lengths.tolist() == whole.lengths.tolist() == whole.sizes.tolist()
    assert cut.cut.tolist() == [size > room for size in whole.lengths]
    assert not cut.masked.any()


@pytest.mark.parametrize(
    ("question", "answer", "when_cut"),
    [
        ("1?", "", True),
        ("1?", "a mark ASSISTANT: 1", True),
        ("a mark ASSISTANT: 1", "1", True),
        ("the end</s>1", "1", True),
        # What is counted before the fault fills a row that is cut: theirs looks no further.
        ("1?", "the end</s>1", False),
        ("<|reserved_special_token_0|>", "1", False),
        ("1?", "<|reserved_special_token_0|>", False),
    ],
)
def test_a_row_whose_counts_differ_is_masked(tiktoken, question, answer, when_cut):
    texts = [render_conversation([question, answer])]
    rows = encode_conversations(texts, tiktoken, 1000)
    assert rows.masked.tolist() == [True]
    assert rows.label_counts.tolist() == [0]
    short = encode_conversations(texts, tiktoken, 20)
    assert short.cut.tolist() == [True]
    assert short.masked.tolist() == [when_cut]


def test_no_conversation_and_nothing_but_a_system_text(tiktoken):
    none = encode_conversations([], tiktoken, 9)
    assert [len(part) for part in none] == [0] * 5
    assert lay_out(none, 9, 0)[0].shape == (0, 9)
    alone = encode_conversations([render_conversation([])], tiktoken, 1000)
    assert alone.masked.tolist() == [True]
