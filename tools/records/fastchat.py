"""Conversations as ids and labels the way the organisers' `llama_preprocess.py` makes them.

It takes FastChat's training code to LLaMA-3's tokenizer. Its rows are reproduced to the id, and so
is what it does to some of them without a word:

- a row that is too long is *cut*: it loses its end and EOS;
- where its two counts of a row's tokens differ (an empty answer, a mark of the frame or the
  padding token in a text), the whole row is *masked* and teaches nothing;
- each turn's last token before the answer, the space of `ASSISTANT: `, has a label too, since with
  the vocabulary that FastChat was written for it belongs to the answer.

A row that is cut and masked stops the organisers' script, unless it is the file's only one. It is
cut and masked here. Texts are brought into Unicode's NFC, as the organisers' tokenizer does.
"""

from __future__ import annotations

import unicodedata
from itertools import chain
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from tools.records.examples import IGNORED
from tools.records.prompts import VICUNA_ANSWER, VICUNA_END
from tools.records.tokenizers import Tokenizer


class Rows(NamedTuple):
    """Rows one after another, without their padding.

    ids, labels   int32 (tokens in all,)
    sizes         int64 (rows,): tokens of each, no more than its row has room for
    lengths       int64 (rows,): tokens of each before it was cut
    masked        bool (rows,): masked whole, since the counts differ
    """

    ids: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray
    lengths: np.ndarray
    masked: np.ndarray

    @property
    def cut(self) -> np.ndarray:
        """Whether each lost its end, bool (rows,)."""
        return self.lengths > self.sizes

    @property
    def label_counts(self) -> np.ndarray:
        """Labels of each row, int64 (rows,)."""
        counted = np.concatenate([[0], np.cumsum(self.labels != IGNORED)])
        ends = np.cumsum(self.sizes)
        return counted[ends] - counted[ends - self.sizes]


def encode_conversations(texts: Sequence[str], tokenizer: Tokenizer, room: int) -> Rows:
    """Encode conversations (`prompts.render_conversation`) into rows of `room` ids at most.

    The tokenizer has to know BOS, EOS and padding: BOS stands before a conversation, EOS in the
    place of each VICUNA_END.
    """
    rounds = [_rounds(text) for text in texts]
    asked = [_questions(row) for row in rounds]
    pieces = [unicodedata.normalize("NFC", piece) for piece in chain(*rounds, *asked)]
    found = iter(tokenizer.encode_batch(pieces))
    encoded = [[next(found) for _ in row] for row in rounds]
    questions = [[len(next(found)) for _ in row] for row in asked]
    rows = [_label(row, counts, tokenizer) for row, counts in zip(encoded, questions)]
    masked = [len(taught) < room and not agrees for _, taught, agrees in rows]
    labels = [[] if gone else taught[:room] for gone, (_, taught, _) in zip(masked, rows)]
    return _gather([ids for ids, *_ in rows], labels, masked, room)


def _rounds(text: str) -> List[str]:
    """A question and its answer each, up to the first that is empty."""
    rounds = text.split(VICUNA_END)
    return rounds[: rounds.index("")] if "" in rounds else rounds


def _questions(rounds: Sequence[str]) -> List[str]:
    """The text before the answer of each round, up to the first that has not one mark."""
    found = []
    for text in rounds:
        parts = text.split(VICUNA_ANSWER)
        if len(parts) != 2:
            break
        found.append(parts[0] + VICUNA_ANSWER)
    return found


def _label(
    rounds: Sequence[List[int]], questions: Sequence[int], tokenizer: Tokenizer
) -> Tuple[List[int], List[int], bool]:
    """Give ids, the labels of the rounds that were counted, and whether the counts agree.

    questions   tokens before the answer of the rounds that were counted.
    """
    ids = [tokenizer.bos_id]
    for turn in rounds:
        ids += [*turn, tokenizer.eos_id]
    labels, counted = [IGNORED, *ids[1:]], 1
    for turn, before in zip(rounds, questions):
        # Less one: see above. The mark's tokens need not be those that the answer follows.
        end = min(counted + before - 1, len(ids))
        labels[counted:end] = [IGNORED] * (end - counted)
        counted += len(turn) + 1
    del labels[counted:]
    return ids, labels, counted == len(ids) - ids.count(tokenizer.pad_id)


def _gather(
    ids: Sequence[List[int]], labels: Sequence[List[int]], masked: Sequence[bool], room: int
) -> Rows:
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    sizes = np.minimum(lengths, room)
    total = int(sizes.sum())
    kept = (row[:room] for row in ids)
    padded = (row + [IGNORED] * (size - len(row)) for row, size in zip(labels, sizes.tolist()))
    return Rows(
        np.fromiter(chain.from_iterable(kept), np.int32, total),
        np.fromiter(chain.from_iterable(padded), np.int32, total),
        sizes,
        lengths,
        np.array(masked, dtype=bool),
    )


def lay_out(rows: Rows, room: int, pad_id: int) -> Tuple[np.ndarray, np.ndarray]:
    """Lay rows out as `input_ids` and `labels`, int32 (rows, room) each."""
    places = np.arange(room) < rows.sizes[:, None]
    ids = np.full(places.shape, pad_id, dtype=np.int32)
    labels = np.full_like(ids, IGNORED)
    ids[places], labels[places] = rows.ids, rows.labels
    return ids, labels
