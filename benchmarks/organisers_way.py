"""Rows → MindRecord row by row, as the contest's baseline does it.

Written afresh after MindFormers' research/llama3 (`llama_preprocess.py`, `qa`, and its
`Llama3Tokenizer`): a tokenizer of MindFormers' own class over tiktoken, FastChat's way of masking
(the conversation is encoded, then each round and each question again to count their tokens), one
`write_raw_data` a row.
"""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Dict, List

import numpy as np
import tiktoken
from mindformers.models.tokenization_utils import PreTrainedTokenizer
from mindspore.mindrecord import FileWriter
from tiktoken.load import load_tiktoken_bpe

from tools.corpus.rows import read_rows

IGNORED = -100
PAD, EOS = "<|reserved_special_token_0|>", "<|end_of_text|>"
SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Llama3Tokenizer(PreTrainedTokenizer):
    """LLaMA-3's vocabulary behind MindFormers' interface for tokenizers written in Python."""

    model_input_names = ("input_ids", "attention_mask")

    def __init__(self, vocab_file: str) -> None:
        ranks = load_tiktoken_bpe(vocab_file)
        names = ["<|begin_of_text|>", EOS, *(f"<|reserved_special_token_{i}|>" for i in range(254))]
        special = {name: len(ranks) + i for i, name in enumerate(names)}
        self.tokenizer = tiktoken.Encoding(
            "llama3", pat_str=_SPLIT, mergeable_ranks=ranks, special_tokens=special
        )
        self.special = special
        self.decoder = {index: token for token, index in {**ranks, **special}.items()}
        super().__init__(pad_token=PAD, eos_token=EOS)

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.n_vocab

    def get_vocab(self) -> Dict[str, int]:
        return self.special

    def _tokenize(self, text: str, **kwargs) -> List[bytes]:
        ids = self.tokenizer.encode(text, allowed_special="all", disallowed_special=())
        return [self.decoder[index] for index in ids]

    def _convert_token_to_id(self, token) -> int:
        if token in self.special:
            return self.special[token]
        return self.tokenizer.encode_single_token(token)

    def _convert_id_to_token(self, index: int):
        return self.decoder[index]


def tokenize_row(problem: str, solution: str, tokenizer, seq_length: int) -> Dict[str, np.ndarray]:
    """One conversation: ids padded to seq_length + 1, labels on the assistant's turn alone."""
    conversation = f"{SYSTEM} USER: {problem} ASSISTANT: {solution}{EOS}"
    size = seq_length + 1
    ids = tokenizer(conversation)["input_ids"]
    ids = (ids + [tokenizer.pad_token_id] * (size - len(ids)))[:size]
    labels = np.array(ids, dtype=np.int32)
    at = 0
    for turn in conversation.split(EOS):
        if not turn:
            break
        question = turn.split(" ASSISTANT: ")[0] + " ASSISTANT: "
        length = len(tokenizer(turn)["input_ids"]) + 1
        labels[at : at + len(tokenizer(question)["input_ids"])] = IGNORED
        at += length
    labels[at:] = IGNORED
    return {"input_ids": np.array(ids, dtype=np.int32), "labels": labels}


def convert(
    rows: str, vocab_file: str, output: str, count: int, seq_length: int
) -> Dict[str, float]:
    """Convert the first `count` rows; seconds from the opened tokenizer to the committed file."""
    tokenizer = Llama3Tokenizer(vocab_file)
    chosen = list(islice(read_rows(Path(rows)), count))
    began = time.perf_counter()
    writer = FileWriter(output, shard_num=1)
    column = {"type": "int32", "shape": [-1]}
    writer.add_schema({"input_ids": column, "labels": column}, "conversations")
    for row in chosen:
        writer.write_raw_data([tokenize_row(row.problem, row.solution, tokenizer, seq_length)])
    writer.commit()
    return {"rows": len(chosen), "seconds": time.perf_counter() - began}
