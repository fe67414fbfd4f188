"""Train, valid and test held apart by problem.

All rows of one group (same kind, same operands, whatever the wording or the order of operands
that may be exchanged) stand in one split. Which one follows from the group's rank, a hash of the
seed and the problem: neither the order of the rows nor the machine plays a part.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Container, Dict, List, Mapping, Optional, Sequence, Tuple

from tools.corpus.sample import proportional
from tools.files.errors import UserError

SPLITS = ("train", "valid", "test")


def rank(group: str, seed: int) -> bytes:
    """Give the group's place in the seed's random order: 16 bytes, equal for equal groups."""
    return hashlib.blake2b(f"{seed}/{group}".encode(), digest_size=16).digest()


def quotas(
    available: Mapping[str, int],
    sizes: Mapping[str, Optional[int]],
    weights: Optional[Mapping[str, int]] = None,
    natural: Optional[Mapping[str, int]] = None,
    repeat: int = 1,
    trainable: Optional[Mapping[str, int]] = None,
) -> Dict[str, Dict[str, int]]:
    """Say how many rows of each kind each split takes.

    available   rows by kind.
    sizes       rows by split; None for train means all that the others leave.
    weights     train's proportions by kind, `natural` by default.
    natural     proportions of valid and test, `available` by default: what is measured stays the
                same whatever a recipe trains on.
    repeat      how many times a row may stand in train, where a kind has fewer than its share.
    trainable   rows of those kinds of which not all may stand in train.

    A kind with few rows serves train first, then test, then valid. Raises UserError where the
    rows do not suffice.
    """
    natural = available if natural is None else natural
    weights = natural if weights is None else weights
    left = {kind: available.get(kind, 0) for kind in (*available, *natural, *weights)}
    for name in SPLITS:
        size = sizes[name]
        if not (size is None and name == "train") and (size is None or size < 0):
            raise UserError(f"{size} is no number of rows", name)
    trainable = trainable or {}
    result: Dict[str, Dict[str, int]] = {}
    for name, reserve in (("valid", 2), ("test", 1), ("train", 0)):
        size = sizes[name]
        if size is None:
            # No limit: rows of groups too large for the other quotas come here as well.
            most = {**available, **trainable}
            result[name] = {kind: most.get(kind, 0) for kind, part in weights.items() if part}
            continue
        if name == "train":
            # The others may have taken none but those that it could have had.
            taken = {kind: available.get(kind, 0) - left[kind] for kind in trainable}
            left.update({kind: max(0, trainable[kind] - taken[kind]) for kind in trainable})
        copies, mix = (repeat, weights) if name == "train" else (1, natural)
        room = {kind: max(0, count - reserve) * copies for kind, count in left.items()}
        result[name] = proportional(size, mix, room)
        for kind, count in result[name].items():
            left[kind] -= count
    return {name: result[name] for name in SPLITS}


def split(
    items: Sequence[Tuple[str, bytes]],
    counts: Mapping[str, Mapping[str, int]],
    untrained: Container[int] = (),
) -> Dict[str, List[int]]:
    """Share out rows, given as (kind, rank); return the indices of each split's rows.

    Each split's rows come in the order of their ranks, that is, mixed. Groups are never divided:
    where the next one has more rows than a quota has room for, a later one takes the place, and
    a split may stay short of its quota only if none fits.

    items      kind, and the place in the order in which groups are chosen, equal within a group.
    untrained  indices of rows that must not stand in train; whole groups.
    """
    groups: Dict[Tuple[str, bytes], List[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(item, []).append(index)
    chosen: Dict[str, List[int]] = {name: [] for name in SPLITS}
    taken: Counter = Counter()
    for (kind, _), indices in sorted(groups.items(), key=lambda entry: entry[0][1]):
        # The smaller splits choose first, so that train gets what does not fit elsewhere.
        for name in ("test", "valid", "train"):
            if name == "train" and indices[0] in untrained:
                break
            if taken[name, kind] + len(indices) <= counts[name].get(kind, 0):
                taken[name, kind] += len(indices)
                chosen[name].extend(indices)
                break
    return chosen
