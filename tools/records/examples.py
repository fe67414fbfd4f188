"""Training examples: prompt and answer as ids, and the arrays that MindFormers trains on."""

from __future__ import annotations

from itertools import chain
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tools.files.errors import UserError
from tools.records.tokenizers import Tokenizer

# MindFormers' `ignore_token_id`: no loss is taken where a label has this value.
IGNORED = -100


class Examples(NamedTuple):
    """Examples one after another: the ids of a prompt, those of its answer, EOS.

    ids       int32, (tokens in all,)
    prompts   int32, (examples,): tokens of each prompt
    answers   int32, (examples,): tokens of each answer, EOS included
    """

    ids: np.ndarray
    prompts: np.ndarray
    answers: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Tokens of each example, int32."""
        return self.prompts + self.answers

    def take(self, indices: np.ndarray) -> Examples:
        """Give the examples at `indices`, int (m,), in that order."""
        sizes = self.sizes.astype(np.int64)
        starts = (np.cumsum(sizes) - sizes)[indices]
        ids = self.ids[np.repeat(starts, sizes[indices]) + _within(sizes[indices])]
        return Examples(ids, self.prompts[indices], self.answers[indices])


def join(parts: Sequence[Examples]) -> Examples:
    """Put several batches one after another."""
    return Examples(*(np.concatenate(arrays) for arrays in zip(*parts)))


def gather(prompts: Sequence[List[int]], answers: Sequence[List[int]]) -> Examples:
    """Put ids into arrays; an answer's end with its EOS."""
    sizes = [np.fromiter(map(len, lists), np.int32, len(prompts)) for lists in (prompts, answers)]
    total = int(sum(part.sum(dtype=np.int64) for part in sizes))
    pairs = chain.from_iterable(zip(prompts, answers))
    ids = np.fromiter(chain.from_iterable(pairs), np.int32, total)
    return Examples(ids, *sizes)


def encode_examples(
    prompts: Sequence[str], answers: Sequence[str], tokenizer: Tokenizer
) -> Examples:
    """Encode rendered prompts and answers (`records.prompts`) into examples, no BOS.

    Each is encoded on its own: the example's ids start with exactly `encode(prompt)`, which is
    what inference sends. Raises UserError where the tokenizer has no EOS.
    """
    if tokenizer.eos_id is None:
        raise UserError("no end-of-sequence id is known", "tokenizer", "give --eos-id or --model")
    ids = tokenizer.encode_batch([*prompts, *answers])
    taught = ids[len(prompts) :]
    for answer in taught:
        answer.append(tokenizer.eos_id)
    return gather(ids[: len(prompts)], taught)


def layout(
    examples: Examples, seq_length: int, pad_id: int, rows: Optional[np.ndarray] = None
) -> Tuple[np.ndarray, np.ndarray]:
    """Lay examples out as `input_ids` and `labels`, int32, (rows, seq_length + 1) each.

    rows   int (examples,): in which row each stands, ascending from 0, none left out; those of
           one row follow each other. By default each has a row of its own.

    ids hold prompt, answer, EOS of each example, then padding. labels hold the answers and EOS at
    the places where the ids hold them and IGNORED elsewhere. MindFormers shifts both by one: it
    feeds ids[:, :-1] and compares the output with labels[:, 1:].

    It also takes no loss at a position whose *input* is the pad id. With pad == EOS that is
    still right, because the input EOS stands only before padding or the next prompt; it would be
    wrong for a pad id inside an example, hence a UserError for one that stands before a token with
    a label. ValueError where the examples of a row do not fit into it.
    """
    room = seq_length + 1
    sizes = examples.sizes.astype(np.int64)
    rows = np.arange(len(sizes)) if rows is None else rows
    starts = np.cumsum(sizes) - sizes
    first = np.searchsorted(rows, rows)  # the first example of each one's row
    offsets = starts - starts[first]
    if np.any(offsets + sizes > room):
        longest = int((offsets + sizes).max())
        raise ValueError(f"{longest} tokens in a row of {room}")
    within = _within(sizes)
    places = np.repeat(rows * room + offsets, sizes) + within
    ids = np.full((int(rows[-1]) + 1 if len(rows) else 0, room), pad_id, dtype=np.int32)
    labels = np.full_like(ids, IGNORED)
    ids.ravel()[places] = examples.ids
    taught = within >= np.repeat(examples.prompts, sizes)
    labels.ravel()[places[taught]] = examples.ids[taught]
    if np.any((ids[:, :-1] == pad_id) & (labels[:, 1:] != IGNORED)):
        raise UserError(
            f"the pad id {pad_id} occurs inside an example, where MindFormers drops its loss",
            "tokenizer",
            "give a --pad-id that no text contains",
        )
    return ids, labels


def _within(sizes: np.ndarray) -> np.ndarray:
    """Count each part from 0: sizes 2, 3 → 0 1 0 1 2."""
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
