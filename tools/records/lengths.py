"""How long examples are, overall and by kind, from counts of each length."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from tools.records.prompts import render_answer, render_prompt
from tools.records.tokenizers import PathLike, open_tokenizer

PERCENTILES = (50, 90, 95, 99)
# Lengths are counted exactly below this; percentiles from here on are given as the longest.
_MOST = 1 << 16

# A kind, its problem and its solution.
Text = Tuple[str, str, str]


class Lengths:
    """Counts of lengths by kind; `room` is the most that fits. Memory is 0.5 MB a kind at most."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._counts: Dict[str, np.ndarray] = {}
        self._tokens: Dict[str, int] = defaultdict(int)
        self._longest: Dict[str, int] = defaultdict(int)
        self._over: Dict[str, int] = defaultdict(int)

    @property
    def kinds(self) -> List[str]:
        """The kinds that were counted."""
        return list(self._counts)

    def add(self, kind: str, sizes: np.ndarray) -> None:
        """Count examples of one kind, int (n,) tokens each, n at least 1."""
        counts = np.bincount(np.minimum(sizes, _MOST))
        known = self._counts.get(kind, counts[:0])
        shorter, longer = sorted((known, counts), key=len)
        self._counts[kind] = longer.copy()
        self._counts[kind][: len(shorter)] += shorter
        self._tokens[kind] += int(sizes.sum(dtype=np.int64))
        self._longest[kind] = max(self._longest[kind], int(sizes.max()))
        self._over[kind] += int(np.count_nonzero(sizes > self._room))

    def summary(self, order: Sequence[str]) -> Dict[str, Any]:
        """Give {"lengths", "over"}, each by "all" and by kind in the given order.

        lengths   count, mean, max and percentiles p50 to p99: the least length that so many
                  percent of the examples do not exceed.
        over      share of the examples that do not fit.
        """
        kinds = [kind for kind in order if kind in self._counts]
        groups = {"all": kinds, **{kind: [kind] for kind in kinds}} if kinds else {}
        lengths, over = {}, {}
        for name, members in groups.items():
            counts = np.zeros(max(len(self._counts[kind]) for kind in members), np.int64)
            for kind in members:
                counts[: len(self._counts[kind])] += self._counts[kind]
            total, longest = int(counts.sum()), max(self._longest[kind] for kind in members)
            below = np.cumsum(counts)
            found = {"count": total}
            for percent in PERCENTILES:
                # Whole numbers: 0.95 * 20 is more than 19.
                place = int(np.searchsorted(below, -(-percent * total // 100)))
                found[f"p{percent}"] = place if place < _MOST else longest
            mean = sum(self._tokens[kind] for kind in members) / total
            lengths[name] = {**found, "max": longest, "mean": round(mean, 2)}
            over[name] = round(sum(self._over[kind] for kind in members) / total, 6)
        return {"lengths": lengths, "over": over}


def measure(
    rows: Sequence[Text], tokenizer: PathLike, frame: str, seq_length: int
) -> Dict[str, Any]:
    """Measure (kind, problem, solution) rows: {"seq_length", "lengths", "over"}, see `Lengths`.

    An example's length is prompt, answer and EOS; seq_length + 1 fit. Raises UserError as
    `open_tokenizer` and `render_prompt` do.
    """
    prompts = [render_prompt(frame, problem) for _, problem, _ in rows]
    answers = [render_answer(frame, solution) for _, _, solution in rows]
    ids = open_tokenizer(tokenizer).encode_batch(prompts + answers)
    by_kind: Dict[str, List[int]] = defaultdict(list)
    for (kind, _, _), prompt, answer in zip(rows, ids, ids[len(rows) :]):
        by_kind[kind].append(len(prompt) + len(answer) + 1)
    lengths = Lengths(seq_length + 1)
    for kind, sizes in by_kind.items():
        lengths.add(kind, np.array(sizes))
    return {"seq_length": seq_length, **lengths.summary(list(by_kind))}
