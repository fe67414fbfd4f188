"""Several whole examples a row, as full as a window of them allows."""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List, Tuple

import numpy as np

from tools.records.examples import Examples, join

# Examples that are combined with each other, and the most of their ids: some 30 MB.
WINDOW_EXAMPLES = 32_768
WINDOW_IDS = 8_000_000

# What one row is made of: how many pieces of each size.
Pattern = List[Tuple[int, int]]


def pack(
    batches: Iterable[Examples], room: int, window: int = WINDOW_EXAMPLES
) -> Iterator[Tuple[Examples, np.ndarray]]:
    """Put examples of at most `room` tokens into rows of `room`; each appears exactly once.

    Yields (examples, rows): int64 (examples,), the row of each, ascending from 0, for `layout`.
    `window` examples at a time are combined, fewer where they are long, so memory does not grow
    with the corpus. Rows come in the order of their first example. The same examples give the
    same rows, however they come in batches.
    """
    for examples in _windows(batches, window):
        rows = fill_rows(examples.sizes, room)
        order = np.argsort(rows, kind="stable")
        yield examples.take(order), rows[order]


def fill_rows(sizes: np.ndarray, room: int) -> np.ndarray:
    """Choose a row for each example, int64 (n,), numbered in the order of their first examples.

    sizes   int (n,), each at most room.

    Sizes are few where examples are many, so rows are not filled one by one but cut like stock:
    a seed with what fills its row best, as often as there are such pieces. Seeds are the largest
    pieces left, or the smallest, whichever takes fewer rows: the smallest where rows of one piece
    more can be had, the largest where they are hard to place.
    """
    order = np.argsort(sizes, kind="stable")
    values, starts, counts = np.unique(sizes[order], return_index=True, return_counts=True)
    pieces = list(zip(values.tolist(), counts.tolist()))
    cuts = min((_cut(pieces[::-1], room), _cut(pieces, room)), key=lambda c: sum(t for _, t in c))
    next_places = dict(zip(values.tolist(), starts.tolist()))
    rows = np.empty(len(sizes), dtype=np.int64)
    count = 0
    for pattern, times in cuts:
        for size, number in pattern:
            start = next_places[size]
            next_places[size] = end = start + times * number
            rows[order[start:end]] = count + np.repeat(np.arange(times), number)
        count += times
    _, first, old = np.unique(rows, return_index=True, return_inverse=True)
    new = np.empty(count, dtype=np.int64)
    new[np.argsort(first)] = np.arange(count)
    return new[old]


def _cut(pieces: List[Tuple[int, int]], room: int) -> List[Tuple[Pattern, int]]:
    """Cut all (size, count) pieces into patterns, each with how many rows it is for."""
    left = dict(pieces)
    cuts = []
    while left:
        pattern = best_pattern(left, room)
        times = min(left[size] // number for size, number in pattern)
        for size, number in pattern:
            left[size] -= times * number
            if not left[size]:
                del left[size]
        cuts.append((pattern, times))
    return cuts


def best_pattern(left: Dict[int, int], room: int) -> Pattern:
    """Give the first size and what fills its row best; of equals, what comes earlier.

    left   how many pieces there are of each size.

    Subset sums: bit n of `reached[i]` says whether n tokens can be made of the first i sizes.
    """
    seed = next(iter(left))
    gap = room - seed
    within = (1 << (gap + 1)) - 1
    reached = [1]
    tried = []
    for size, count in left.items():
        most = min(count - (size == seed), gap // size)
        sums = reached[-1]
        for _ in range(most):
            sums |= (sums << size) & within
        reached.append(sums)
        tried.append(size)
        if sums >> gap:
            break
    rest = reached[-1].bit_length() - 1
    pattern = {seed: 1}
    for size, before in zip(reversed(tried), reversed(reached[:-1])):
        # The fewest of the later sizes with which the earlier ones make up the rest.
        while not before >> rest & 1:
            pattern[size] = pattern.get(size, 0) + 1
            rest -= size
    return list(pattern.items())


def _windows(batches: Iterable[Examples], window: int) -> Iterator[Examples]:
    """Join and cut batches into windows, at the same examples however the batches were cut."""
    waiting: List[Examples] = []
    count = ids = 0
    for batch in batches:
        start, sizes = 0, batch.sizes.astype(np.int64)
        reach = np.concatenate([[0], np.cumsum(sizes)])
        while start < len(sizes):
            fitting = int(np.searchsorted(reach, reach[start] + WINDOW_IDS - ids, "right")) - 1
            end = max(min(len(sizes), start + window - count, fitting), start + (not count))
            waiting.append(
                Examples(
                    batch.ids[reach[start] : reach[end]],
                    batch.prompts[start:end],
                    batch.answers[start:end],
                )
            )
            count, ids = count + end - start, ids + int(reach[end] - reach[start])
            if end < len(sizes) or count == window:
                yield join(waiting)
                waiting, count, ids = [], 0, 0
            start = end
    if count:
        yield join(waiting)
