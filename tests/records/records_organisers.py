"""Conversations on which the organisers' scripts and ours were compared.

golden/organisers-rows.json holds what theirs made of them. It was made with the scripts of the
contest's frozen MindFormers (mid 2024) under Python 3.9 and mindspore 2.7.0, unchanged but for
`nn.Cell.cast`, which that mindspore lacks and they need to be imported:

- `small`: research/llama3/llama_preprocess.py --dataset_type qa --seq_length 230 on EDGES, with the
  vocabulary of the fixture `tiktoken_file`; ids without their padding, labels as spans [first, end)
  of positions where they are the ids (elsewhere -100), read back through MindDataset;
- `sha256`: of all `input_ids` and all `labels` as int32, little-endian, in order, with LLaMA-3's
  tokenizer.model; squad by mindformers/tools/dataset_preprocess/llama/squad_data_process.py
  --mode eval --max_length 8192. `cuts` are those rows of `random_conversations` at which the script
  does not stop. `train` and `conversations` are of generated rows that the project no longer makes.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden" / "organisers-rows.json"

_LONG = "A train leaves the station at noon and travels east. "


def _pair(question, answer):
    return [("human", question), ("gpt", answer)]


EDGES = [
    _pair("计算 4204.22 + -2369.17 等于多少？", "4204.22 + -2369.17 = 1835.05"),
    _pair("What is $\\frac{1}{2}$?", "It is $\\boxed{\\frac{1}{2}}$."),
    _pair("A number that starts with a digit:", "5"),
    _pair("A line break", "\n\n5"),
    _pair("Spaces   ", "   5"),
    _pair("CRLF\r\n", "1\r\n2\r\n"),
    _pair("tab\tand\u00a0no-break space", "\u3000全角"),
    _pair("👩‍👧 🧮", "½ ² ✓"),
    _pair("decomposed e\u0301", "A\u030a, \u212b"),
    _pair("no answer", ""),
    _pair("", "no question"),
    _pair("", ""),
    _pair("a mark ASSISTANT: inside", "5"),
    _pair("no mark:ASSISTANT:", "5"),
    _pair("the answer", "a mark ASSISTANT: 5"),
    _pair("the question </s> ends", "5"),
    _pair("the answer has", "two</s>ends"),
    _pair("the answer ends in", "it</s>"),
    _pair("begins", "</s>with it"),
    _pair("<|end_of_text|> in the question", "5"),
    _pair("control", "<|begin_of_text|>5<|eot_id|>"),
    _pair("<|reserved_special_token_0|> pads", "5"),
    _pair("pads", "5<|reserved_special_token_0|>"),
    _pair("no token <|end_of_text >", "<|>"),
    _pair("USER: again ", " ASSISTANT"),
    _pair(_LONG, "An answer behind the end."),
    _pair("A long answer", _LONG),
    _pair("Long <|reserved_special_token_0|>", _LONG),
    # 230 to 233 tokens, where 231 fit.
    *[_pair("digits", "7" * count) for count in (51, 52, 53, 54)],
    [*_pair("1 + 1?", "2"), *_pair("1 more?", "3"), *_pair("stop", "4")],
    [*_pair("1 + 1?", "2"), ("human", "no answer")],
    [("gpt", "I speak first."), *_pair("1 + 1?", "2")],
    [*_pair("first", "a mark ASSISTANT: "), *_pair("second", "2")],
    [*_pair("first", ""), *_pair("second", "2")],
    [("human", "a question alone")],
    [("gpt", "an answer alone")],
]

_MARKS = (
    *(" ASSISTANT: ", " ASSISTANT:", "ASSISTANT: ", "</s>", "USER: "),
    *("<|end_of_text|>", "<|reserved_special_token_0|>", "<|begin_of_text|>"),
)
_WORDS = (
    *("计算", "等于多少？", " 4204.22", "-17", " ", "  ", "\n", "\r\n", "\t", "e\u0301", "\u212b"),
    *("👩‍👧", "½", "x^2", "$\\frac{1}{2}$", "solve", " the", "The", ":", "5", "00", "。", "\u00a0"),
)


def random_conversations(count):
    """Conversations of one to five turns, with whatever may upset the masking in them."""
    chance = random.Random(11)

    def text():
        return "".join(
            chance.choice(_MARKS) if chance.random() < 0.04 else chance.choice(_WORDS)
            for _ in range(chance.randint(0, 30))
        )

    found = []
    for _ in range(count):
        turns = chance.choice([1, 2, 2, 2, 2, 2, 3, 4, 5])
        said = [(("human", "gpt")[index % 2], text()) for index in range(turns)]
        found.append([("gpt", text()), *said] if chance.random() < 0.05 else said)
    return found


def write(path, conversations):
    """As train-data-conversation.json has them."""
    rows = [
        {
            "id": str(number),
            "conversations": [{"from": who, "value": text} for who, text in conversation],
        }
        for number, conversation in enumerate(conversations, start=1)
    ]
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=2), encoding="utf-8")
    return path
