"""SQuAD 1.1 → a MindRecord file with the organisers' rows (squad8192.mindrecord)."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.files.outputs import keep_apart
from tools.records.prompts import fill
from tools.records.reading import Question, read_questions
from tools.records.tokenizers import SpecialIds, Tokenizer, open_complete, tokenizer_facts
from tools.records.writer import ArrayWriter, record_files

PathLike = Union[str, Path]

_UNKNOWN = SpecialIds()
# Of 8192 ids each: 4 MB with the labels.
_TOGETHER = 64


def write_squad_records(
    source: PathLike,
    tokenizer: PathLike,
    output: PathLike,
    seq_length: int,
    given: SpecialIds = _UNKNOWN,
) -> Dict[str, Any]:
    """Convert a SQuAD file; return the summary, which is also written to OUTPUT.json.

    A row for the first question of each paragraph, as `squad_data_process.py` makes it for
    evaluation: `input_ids` the prompt without BOS, `labels` the first answer without EOS, int32
    of exactly seq_length, both filled up with the padding id. A prompt that is longer loses its
    end (`cut` in the summary).

    Raises UserError for a file of another form and an answer longer than a row.
    """
    output = Path(output)
    keep_apart(output, Path(source))
    opened = open_complete(tokenizer, given)
    rows = cut = longest = answer_tokens = 0
    with record_files(output) as (record, summary_path):
        questions = list(read_questions(source))
        with ArrayWriter(record, output, seq_length) as writer:
            for start in range(0, len(questions), _TOGETHER):
                part = questions[start : start + _TOGETHER]
                prompts, answers = encode_questions(part, opened)
                for item, answer in zip(part, answers):
                    if len(answer) > seq_length:
                        where = f"{source}, question {item.id[:40]}"
                        what = f"its answer has {len(answer)} tokens, {seq_length} fit"
                        raise UserError(what, where, "choose a greater --seq-length")
                columns = (fill_up(ids, seq_length, opened.pad_id) for ids in (prompts, answers))
                writer.write_arrays(*columns)
                rows += len(part)
                cut += sum(len(prompt) > seq_length for prompt in prompts)
                longest = max(longest, *map(len, prompts))
                answer_tokens += sum(map(len, answers))
        summary = {
            "source": Path(source).name,
            "rows": rows,
            "cut": cut,
            "longest": longest,
            "answer_tokens": answer_tokens,
            "seq_length": seq_length,
            "frame": "squad",
            "tokenizer": tokenizer_facts(tokenizer, opened),
        }
        write_json(summary_path, summary)
    return summary


def encode_questions(
    questions: Sequence[Question], tokenizer: Tokenizer
) -> Tuple[List[List[int]], List[List[int]]]:
    """Give the ids of each prompt and of each first answer, in Unicode's NFC."""
    texts = [fill("squad", item.passage, item.question) for item in questions]
    texts += [item.answers[0] for item in questions]
    ids = tokenizer.encode_batch([unicodedata.normalize("NFC", text) for text in texts])
    return ids[: len(questions)], ids[len(questions) :]


def fill_up(lists: Sequence[List[int]], length: int, pad_id: int) -> np.ndarray:
    """Lay ids out as int32 (lists, length), cut at the end or filled up with padding."""
    rows = np.full((len(lists), length), pad_id, dtype=np.int32)
    for row, ids in zip(rows, lists):
        kept = ids[:length]
        row[: len(kept)] = kept
    return rows
