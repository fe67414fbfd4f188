"""Ranks for a budget of trained parameters: where a unit of rank keeps the most energy.

By Eckart and Young (1936) the best rank-r stand-in for a matrix keeps its r largest singular
values and loses the sum of the other squares. A unit of rank of an (out, in) matrix costs
out + in parameters and keeps the next σ².
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tools.llama.lora import LoraConfig, adapter_parameters, count
from tools.llama.shape import LlamaShape
from tools.probing.sources import ATTENTION, FEED_FORWARD, KINDS, Matrix, matrices_of

Spectrum = Tuple[Matrix, np.ndarray]


class Allocation(NamedTuple):
    """ranks in the order of the gains; the parameters they cost; the energy they keep.

    bound   no allocation within the budget keeps more: the optimum where ranks may be fractions
    """

    ranks: List[int]
    cost: int
    kept: float
    bound: float


def allocate(gains: Sequence[np.ndarray], costs: Sequence[int], budget: int) -> Allocation:
    """Choose ranks rⱼ with Σ costsⱼ rⱼ ≤ budget that keep much of Σⱼ Σ_{i ≤ rⱼ} gainsⱼᵢ.

    gains   for each matrix what each further unit of rank keeps, never rising
    costs   of one unit of each

    Units are taken in the order of gain / cost, and one that no longer fits is passed over. The
    gains of a matrix never rise, so that this order takes its units from the first on. With
    fractions of units allowed, filling the budget in this order is the optimum (Dantzig, 1957:
    moving parameters from a unit of a higher ratio to one of a lower cannot gain), and whole
    units can only keep less: that is `bound`. Up to the first unit that does not fit both are the
    same, so that the ranks are optimal where the budget is used up there, and always where all
    costs are equal; elsewhere they lose less than that one unit's gain.
    """
    owners = np.concatenate([np.full(len(own), at) for at, own in enumerate(gains)])
    flat = np.concatenate(gains).astype(np.float64)
    prices = np.asarray(costs, np.int64)[owners]
    ranks, left, kept = [0] * len(gains), budget, 0.0
    bound: Optional[float] = None
    cheapest = min(costs)
    for unit in np.argsort(-flat / prices, kind="stable"):  # equal ones stay in order
        gain, price = float(flat[unit]), int(prices[unit])
        if left < cheapest and bound is not None:
            break
        if price > left:
            bound = kept + gain * left / price if bound is None else bound
            continue
        ranks[owners[unit]] += 1
        left, kept = left - price, kept + gain
    return Allocation(ranks, budget - left, kept, kept if bound is None else bound)


def allocate_exactly(gains: Sequence[np.ndarray], costs: Sequence[int], budget: int) -> List[int]:
    """The ranks of `allocate`'s problem that keep the most, by dynamic programming.

    For few owners of dear units, where greedy misses by much: time and memory grow with the
    budget in units of the costs' greatest common divisor.
    """
    step = math.gcd(*costs)
    # Of no use is more than all ranks cost: a slip of some zeros asks for no terabytes.
    room = min(budget, sum(cost * len(own) for own, cost in zip(gains, costs))) // step
    kept = np.zeros(room + 1)
    choices = []
    for own, cost in zip(gains, costs):
        price = cost // step
        best, chosen = kept.copy(), np.zeros(room + 1, np.int64)
        for rank, gain in enumerate(np.cumsum(own)[: room // price], 1):
            value = kept[: room + 1 - rank * price] + gain
            better = value > best[rank * price :]
            best[rank * price :][better] = value[better]
            chosen[rank * price :][better] = rank
        kept = best
        choices.append(chosen)
    ranks: List[int] = []
    for chosen, cost in zip(choices[::-1], costs[::-1]):
        ranks.append(int(chosen[room]))
        room -= ranks[-1] * (cost // step)
    return ranks[::-1]


def by_matrix(spectra: Sequence[Spectrum], budget: int) -> Allocation:
    """A rank for each matrix, in the order of `spectra`: the ideal, which no regex can say."""
    gains = [values**2 for _, values in spectra]
    return allocate(gains, [matrix.cost for matrix, _ in spectra], budget)


def by_kind(spectra: Sequence[Spectrum], budget: int) -> Tuple[Dict[str, int], int, float]:
    """A rank for each kind that is there, the same in all layers: (ranks, cost, kept), the best."""
    members = _members(spectra)
    gains = [_summed(own) for own in members.values()]
    costs = [sum(matrix.cost for matrix, _ in own) for own in members.values()]
    ranks = allocate_exactly(gains, costs, budget)
    kept = float(sum(own[:rank].sum() for own, rank in zip(gains, ranks)))
    return dict(zip(members, ranks)), int(np.dot(ranks, costs)), kept


class Uniform(NamedTuple):
    """One rank for all matrices of some kinds, as MindFormers' pet_config says it."""

    kinds: Tuple[str, ...]
    rank: int
    parameters: int
    kept: float

    @property
    def target_modules(self) -> str:
        return "|".join(f".*{kind}" for kind in self.kinds)


def uniform(spectra: Sequence[Spectrum], budget: int) -> List[Uniform]:
    """Every set of kinds with the highest rank that the budget allows, the best set first.

    Sets of which not even rank 1 fits are left out; a rank ends where a matrix has no more.
    """
    members = _members(spectra)
    costs = {kind: sum(matrix.cost for matrix, _ in own) for kind, own in members.items()}
    sums = {kind: np.cumsum(_summed(own)) for kind, own in members.items()}
    found = []
    for kinds in _subsets(list(members)):
        price = sum(costs[kind] for kind in kinds)
        rank = min(budget // price, *(len(sums[kind]) for kind in kinds))
        if rank:
            kept = float(sum(sums[kind][rank - 1] for kind in kinds))
            found.append(Uniform(kinds, rank, rank * price, kept))
    return sorted(found, key=lambda one: (-one.kept, one.parameters))


def within_budget(shape: LlamaShape, budget: int) -> List[Uniform]:
    """The usual sets of kinds with the highest rank that fits, from the shape alone; kept is 0.

    Counted as `tools.finetune` counts what it will train.
    """
    smallest = {
        kind: min(min(matrix.shape) for matrix in matrices_of(shape) if matrix.kind == kind)
        for kind in KINDS
    }
    found = []
    for kinds in (("wq", "wv"), ATTENTION, FEED_FORWARD, KINDS):
        one = Uniform(kinds, 1, 0, 0.0)
        price = count(adapter_parameters(shape, LoraConfig(1, 1.0, one.target_modules)))
        rank = min(budget // price, *(smallest[kind] for kind in kinds))
        found.append(one._replace(rank=rank, parameters=rank * price))
    return found


def _members(spectra: Sequence[Spectrum]) -> Dict[str, List[Spectrum]]:
    members: Dict[str, List[Spectrum]] = {}
    for matrix, values in spectra:
        members.setdefault(matrix.kind, []).append((matrix, values))
    return {kind: members[kind] for kind in KINDS if kind in members}


def _summed(spectra: Sequence[Spectrum]) -> np.ndarray:
    """What each unit of rank keeps in all layers together: sums of falling rows fall."""
    return np.sum([values**2 for _, values in spectra], axis=0)


def _subsets(kinds: Sequence[str]) -> Iterator[Tuple[str, ...]]:
    for size in range(1, len(kinds) + 1):
        yield from combinations(kinds, size)
