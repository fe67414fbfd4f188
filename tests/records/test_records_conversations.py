"""Conversations: the organisers' bytes out, faults of what comes in by file:line."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_organisers import write

from tools.files.errors import UserError
from tools.files.json_lines import read_blocks
from tools.records.conversations import block_conversations, write_conversations
from tools.records.prompts import fill, render_answer, render_conversation, render_prompt

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def read(path):
    return [turns for block in read_blocks(path) for turns in block_conversations(block, path)]


def as_the_organisers_write(pairs, path):
    """What data_converter.py does with its rows, of which entries hold the text."""
    rows = [
        {
            "id": str(number),
            "conversations": [{"from": "human", "value": s}, {"from": "gpt", "value": t}],
        }
        for number, (s, t) in enumerate(pairs, start=1)
    ]
    with path.open("w", encoding="utf-8") as handle:
        json.dump(rows, handle, ensure_ascii=False, indent=2)


@given(pairs=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_the_bytes_that_json_dump_writes_and_the_same_turns_back(pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    lines = [json.dumps({"problem": problem, "solution": text}) for problem, text in pairs]
    (folder / "train.json").write_text("\n".join(lines), encoding="utf-8")
    assert write_conversations(folder / "train.json", folder / "ours.json", "stanford") == len(
        pairs
    )
    framed = [(fill("stanford", problem), text) for problem, text in pairs]
    as_the_organisers_write(framed, folder / "theirs.json")
    assert (folder / "ours.json").read_bytes() == (folder / "theirs.json").read_bytes()
    assert read(folder / "ours.json") == framed


def test_a_first_turn_of_the_assistant_is_left_out(tmp_path):
    conversations = [
        [("gpt", "Hello."), ("human", "1?"), ("gpt", "1"), ("human", "2?")],
        [("human", "1?"), ("gpt", "1")],
        [("gpt", "alone")],
    ]
    path = write(tmp_path / "c.json", conversations)
    assert read(path) == [("1?", "1", "2?"), ("1?", "1"), ()]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({}, '"conversations" is not a list of objects'),
        ({"conversations": "x"}, '"conversations" is not a list of objects'),
        ({"conversations": ["x"]}, '"conversations" is not a list of objects'),
        ({"conversations": []}, "the conversation has no turn"),
        ({"conversations": [{"from": "human"}]}, '"value" is missing'),
        ({"conversations": [{"from": "human", "value": 5}]}, '"value" is not a string'),
        ({"conversations": [{"from": "human", "value": "\ud800"}]}, "half of a surrogate pair"),
        ({"conversations": [{"from": "system", "value": "x"}]}, "'system' speaks, who is neither"),
        (
            {"conversations": [{"from": "human", "value": "x"}] * 2},
            "the speakers do not take turns",
        ),
        (
            {"conversations": [{"from": "gpt", "value": "x"}] * 2},
            "the speakers do not take turns",
        ),
    ],
)
def test_a_row_that_is_no_conversation_is_named(tmp_path, row, fault):
    good = {"conversations": [{"from": "human", "value": "x"}]}
    path = tmp_path / "c.json"
    path.write_text(f"[{json.dumps(good)},\n{json.dumps(row)}]", encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(fault)) as caught:
        read(path)
    assert caught.value.where == f"{path}:2"


def test_a_source_without_a_solution_leaves_no_file(tmp_path):
    source, output = tmp_path / "train.json", tmp_path / "out.json"
    source.write_text('{"problem": "1?", "solution": "1"}\n{"problem": "2?"}\n')
    with pytest.raises(UserError, match=r'train\.json:2: "solution" is missing'):
        write_conversations(source, output, "stanford")
    with pytest.raises(UserError, match="would replace what it is made of"):
        write_conversations(source, source, "stanford")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.json"]


@given(problem=TEXT, solution=TEXT)
def test_a_conversation_is_the_frame_vicuna_and_its_end(problem, solution):
    text = render_conversation([problem, solution])
    try:
        framed = render_prompt("vicuna", problem) + render_answer("vicuna", solution)
    except UserError:  # the frame takes no empty text and no control token
        assert not problem.strip() or not solution.strip() or "<|" in problem + solution
    else:
        assert text == framed + "</s>"


def test_turns_that_are_empty_or_without_an_answer():
    system = render_conversation([])
    assert render_conversation(["", "5"]) == f"{system}USER:ASSISTANT: 5</s>"
    assert render_conversation(["1?", ""]) == f"{system}USER: 1? ASSISTANT:"
    assert render_conversation(["1?", "1", "2?"]) == (f"{system}USER: 1? ASSISTANT: 1</s>USER: 2? ")
