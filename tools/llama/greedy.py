"""Greedy decoding of many prompts on a few places: who sits where, what is computed when.

A finished row leaves its place to the next prompt. Prompts are cached in chunks of fixed forms;
what a prompt shares with one that is in the cache already (the passage of a question, the frame
of a problem) is copied, not computed again.

An answer may have a draft, what it would be if it is right: then a chunk of the draft is computed
at once and kept as far as it is what the model writes (the verification of speculative decoding,
Leviathan et al., 2023). Each token is still the model's likeliest behind those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import numpy as np

# Called with a prompt's index, its answer's tokens, and why it ended.
Done = Callable[[int, "list[int]", str], object]
# (rows, tokens) of a chunk, 256 tokens each: where the matrix products run at full speed. With
# one place there is no more than one row.
FORMS = ((4, 64), (1, 256))
ONE_ROW = ((1, 64), (1, 256))
# A form is compiled when first used, which takes as long as some chunks: it has to be so much
# fuller than one that is there.
_FULLER = 2
# A common beginning shorter than this is computed again: copying the cache costs a step's time.
_WORTH_COPYING = 32
# Prompts are let in together, so that their chunks are full.
_LET_IN = 4
# A chunk of a draft takes as long as some steps: one that gave fewer tokens is the last.
_WORTH_DRAFTING = 5
# A capacity of its own costs the compilation of its graphs, which so many rows pay for.
_WORTH_COMPILING = 64


@dataclass(frozen=True)
class Limits:
    """When a row ends.

    max_new_tokens  at most so many tokens are produced.
    min_new_tokens  before so many, the end-of-sequence token is passed over.
    eos_id          the end-of-sequence token, which is not part of the result.
    stop            tells from a row's tokens so far whether it has ended; None: never.
    draft           tokens that each answer may well be; they change its time, not the answer.
    capacity        positions that the cache has at least: prompts of other lengths that are to
                    come then share its graphs.
    """

    max_new_tokens: int
    min_new_tokens: int
    eos_id: int
    stop: Optional[Callable[[list[int]], bool]] = None
    draft: Sequence[int] = ()
    capacity: int = 0


@dataclass
class _Row:
    """A prompt in its place: what is cached, what is awaited, what was produced."""

    index: int
    prompt: np.ndarray
    place: int
    filled: int = 0  # positions in the cache; those of the prompt but the last come from prefill
    source: Optional[_Row] = None  # whose beginning is copied when it is there
    shared: int = 0  # how long that beginning is
    produced: list[int] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Tokens of the prompt to be cached; the last one is fed to the first step instead."""
        return max(0, len(self.prompt) - 1 - self.filled)


def capacity_of(length: int) -> int:
    """The smallest capacity from 64, 96, 128, 192, 256, 384, ... that holds `length` positions."""
    capacity = 64
    while capacity < length:
        capacity = capacity * 3 // 2 if capacity & (capacity - 1) == 0 else capacity * 4 // 3
    return capacity


def split_by_capacity(
    prompts: Sequence[np.ndarray], max_new_tokens: int, least: int = 0
) -> list[tuple[int, list[int]]]:
    """(`capacity`, indices of prompts) by growing capacity; too few join the next larger one.

    least   positions that each capacity holds at least
    """
    groups: dict[int, list[int]] = {}
    for index, prompt in enumerate(prompts):
        capacity = capacity_of(max(len(prompt) + max_new_tokens, least))
        groups.setdefault(capacity, []).append(index)
    merged: list[tuple[int, list[int]]] = []
    carried: list[int] = []
    for capacity in sorted(groups):
        carried = carried + groups[capacity]
        if len(carried) >= _WORTH_COMPILING or capacity == max(groups):
            merged.append((capacity, carried))
            carried = []
    return merged


def decode_greedily(
    decoder: Any,
    prompts: Sequence[np.ndarray],
    limits: Limits,
    done: Done,
) -> None:
    """Decode every prompt; call `done(index, tokens, reason)` for each as it ends.

    decoder  a `decoder.Decoder` with its weights loaded.
    prompts  token ids, each (length,) with length >= 1, in any order.
    reason   "eos", "stop" or "length".
    A row's tokens are what it would give alone, up to the rounding of sums.
    """
    for capacity, indices in split_by_capacity(prompts, limits.max_new_tokens, limits.capacity):
        decoder.reserve(capacity)
        # Side by side in this order stand those with a common beginning.
        indices.sort(key=lambda index: prompts[index].tolist())
        _Schedule(decoder, prompts, indices, limits, done).run()


class _Schedule:
    """The places of one decoder while one list of prompts is worked off."""

    def __init__(
        self,
        decoder: Any,
        prompts: Sequence[np.ndarray],
        indices: list[int],
        limits: Limits,
        done: Done,
    ) -> None:
        self.decoder, self.limits, self.done = decoder, limits, done
        self.queue = [(index, np.asarray(prompts[index])) for index in reversed(indices)]
        # What each place holds, its row still at work or not.
        self.held: list[Optional[_Row]] = [None] * decoder.places
        self.live: list[Optional[_Row]] = [None] * decoder.places
        self.compiled: set[tuple[int, int]] = set()

    def run(self) -> None:
        while self.queue or any(self.live):
            free = [place for place, row in enumerate(self.live) if row is None]
            wanted = min(_LET_IN, len(self.queue), len(self.live))
            if self.queue and len(free) >= wanted:
                self._let_in(free)
            if any(self.live):  # a draft may have ended them all
                self._step()

    def _let_in(self, free: list[int]) -> None:
        """Give the free places to the next prompts and cache these."""
        rows: list[_Row] = []
        sources = list(range(len(self.held)))
        for place in free[: len(self.queue)]:
            index, prompt = self.queue.pop()
            row = _Row(index, prompt, place)
            self._share(row, rows, sources)
            rows.append(row)
        self._copy(sources)
        for row in rows:
            self.held[row.place] = self.live[row.place] = row
        self._prefill(rows)
        if self.limits.draft:
            for row in rows:
                self._follow(row, list(self.limits.draft))

    def _follow(self, row: _Row, draft: list[int]) -> None:
        """Take the tokens that the model writes along a draft, until it leaves that for good."""
        form = (FORMS if len(self.held) > 1 else ONE_ROW)[0]
        before = -_WORTH_DRAFTING
        while draft and self.live[row.place] and len(row.produced) - before >= _WORTH_DRAFTING:
            before = len(row.produced)
            left = self.limits.max_new_tokens - before
            last = row.produced[-1] if row.produced else row.prompt[-1]
            chunk = np.array([last, *draft[: min(form[1], left) - 1]], np.int64)
            hidden = self.decoder.prefill([row.place], [chunk], [row.filled], form)
            likeliest, _ = self.decoder.output(hidden)
            for token in likeliest[: len(chunk)].tolist():
                if token == self.limits.eos_id and len(row.produced) < self.limits.min_new_tokens:
                    return  # a step knows what is second
                self._advance(row, token)
                if not draft or draft.pop(0) != token or not self.live[row.place]:
                    break

    def _share(self, row: _Row, earlier: list[_Row], sources: list[int]) -> None:
        """Find the longest beginning of `row` that is cached, or will be with this company."""
        common = [_common(row.prompt, held) for held in self.held]
        best = max(range(len(common)), key=lambda place: common[place])
        own = common[row.place]
        # What the place itself holds is free; another's has to be better by what copying costs.
        place = best if common[best] >= own + _WORTH_COPYING else row.place
        row.filled, sources[row.place] = common[place], place
        if earlier:
            # The prompts are sorted: none shares more than the one before.
            source, shared = earlier[-1], _common(row.prompt, earlier[-1], planned=True)
            while source.source is not None and source.shared >= shared:
                source = source.source
            if shared >= row.filled + _WORTH_COPYING:
                row.source, row.shared = source, shared
                row.filled, sources[row.place] = 0, row.place

    def _copy(self, sources: list[int]) -> None:
        if sources != list(range(len(sources))):
            self.decoder.copy(sources)

    def _prefill(self, rows: list[_Row]) -> None:
        while True:
            self._copy_ready(rows)
            # A row that waits for another's beginning is not computed meanwhile.
            ready = [row for row in rows if row.missing and row.source is None]
            if not ready:
                return
            ready.sort(key=lambda row: -row.missing)
            form = self._fullest(ready)
            chosen, counts = ready[: form[0]], _chunks(ready, form)
            self.decoder.prefill(
                [row.place for row in chosen],
                [row.prompt[row.filled : row.filled + n] for row, n in zip(chosen, counts)],
                [row.filled for row in chosen],
                form,
            )
            for row, count in zip(chosen, counts):
                row.filled += count

    def _fullest(self, ready: list[_Row]) -> tuple[int, int]:
        def worth(form: tuple[int, int]) -> int:
            known = not self.compiled or form in self.compiled
            return sum(_chunks(ready, form)) * (_FULLER if known else 1)

        form = max(FORMS if len(self.held) > 1 else ONE_ROW, key=worth)
        self.compiled.add(form)
        return form

    def _copy_ready(self, rows: list[_Row]) -> None:
        sources = list(range(len(self.held)))
        for row in rows:
            if row.source is not None and row.source.filled >= row.shared:
                sources[row.place] = row.source.place
                row.filled, row.source = row.shared, None
        self._copy(sources)

    def _step(self) -> None:
        tokens = np.zeros(len(self.live), np.int64)
        positions = np.full(len(self.live), self.decoder.capacity - 1, np.int64)
        for row in filter(None, self.live):
            tokens[row.place] = row.produced[-1] if row.produced else row.prompt[-1]
            positions[row.place] = row.filled
        likeliest, logits = self.decoder.step(tokens, positions)
        for row in list(filter(None, self.live)):
            token = int(likeliest[row.place])
            if token == self.limits.eos_id and len(row.produced) < self.limits.min_new_tokens:
                token = _second(logits.asnumpy()[row.place], self.limits.eos_id)
            self._advance(row, token)

    def _advance(self, row: _Row, token: int) -> None:
        """Add the token behind what is cached; a row that ends with it leaves its place."""
        row.filled += 1
        reason = self._take(row, token)
        if reason:
            self.live[row.place] = None
            self.done(row.index, row.produced, reason)

    def _take(self, row: _Row, token: int) -> Optional[str]:
        """Add a token; say why the row ends with it, None if it goes on."""
        if token == self.limits.eos_id:
            return "eos"
        row.produced.append(token)
        if self.limits.stop and self.limits.stop(row.produced):
            return "stop"
        return "length" if len(row.produced) >= self.limits.max_new_tokens else None


def _chunks(rows: list[_Row], form: tuple[int, int]) -> list[int]:
    """How many tokens each of the first rows puts into a chunk of this form."""
    return [min(row.missing, form[1]) for row in rows[: form[0]]]


def _common(prompt: np.ndarray, other: Optional[_Row], planned: bool = False) -> int:
    """Length of the common beginning, the last token of `prompt` aside.

    planned   count what `other` will have cached, not only what it has.
    """
    if other is None:
        return 0
    cached = len(other.prompt) - 1 if planned else min(other.filled, len(other.prompt))
    length = max(0, min(len(prompt) - 1, cached))
    differ = np.flatnonzero(prompt[:length] != other.prompt[:length])
    return int(differ[0]) if len(differ) else length


def _second(logits: np.ndarray, passed_over: int) -> int:
    logits = logits.copy()
    logits[passed_over] = -np.inf
    return int(logits.argmax())
