"""Ranks for a budget, beside every allocation that there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.llama.lora import LoraConfig, adapter_parameters, count
from tools.llama.shape import LlamaShape
from tools.probing.allocation import (
    allocate,
    allocate_exactly,
    by_kind,
    by_matrix,
    uniform,
    within_budget,
)
from tools.probing.sources import Matrix, matrices_of

SHAPE = LlamaShape(2, 8, 12, 4, 2, 16, 10000.0, 1e-5, 1, 2, 0)
LLAMA3 = LlamaShape(32, 4096, 14336, 32, 8, 128256, 5e5, 1e-5, 128000, 128001, 128002)
GAINS = st.lists(
    st.lists(st.integers(0, 50), min_size=1, max_size=4).map(lambda own: sorted(own)[::-1]),
    min_size=1,
    max_size=4,
)


def best_of_all(gains, costs, budget):
    """The energy kept by the best allocation, all of them tried."""
    return max(
        sum(sum(own[:rank]) for own, rank in zip(gains, ranks))
        for ranks in product(*(range(len(own) + 1) for own in gains))
        if sum(rank * cost for rank, cost in zip(ranks, costs)) <= budget
    )


@given(GAINS, st.data())
def test_beside_every_allocation(gains, data):
    costs = data.draw(st.lists(st.integers(1, 9), min_size=len(gains), max_size=len(gains)))
    budget = data.draw(st.integers(0, 60))
    found = allocate([np.array(own, float) for own in gains], costs, budget)
    assert found.cost == sum(rank * cost for rank, cost in zip(found.ranks, costs)) <= budget
    assert found.kept == sum(sum(own[:rank]) for own, rank in zip(gains, found.ranks))
    best = best_of_all(gains, costs, budget)
    assert found.kept <= best <= found.bound + 1e-9
    if found.kept < best:  # then by less than the one unit that did not fit
        assert best - found.kept < max(own[0] for own in gains)


@given(GAINS, st.integers(1, 5), st.integers(0, 60))
def test_optimal_where_all_cost_the_same(gains, cost, budget):
    found = allocate([np.array(own, float) for own in gains], [cost] * len(gains), budget)
    assert found.kept == best_of_all(gains, [cost] * len(gains), budget)


@given(GAINS, st.data())
def test_optimal_where_the_bound_is_met(gains, data):
    """The budget is one at which the order of ratios ends: greedy, optimum and bound are one."""
    costs = data.draw(st.lists(st.integers(1, 9), min_size=len(gains), max_size=len(gains)))
    units = sorted(
        ((-gain / cost, cost) for own, cost in zip(gains, costs) for gain in own),
        key=lambda unit: unit[0],
    )
    budget = sum(cost for _, cost in units[: data.draw(st.integers(0, len(units)))])
    found = allocate([np.array(own, float) for own in gains], costs, budget)
    if found.kept == pytest.approx(found.bound):
        assert found.kept == best_of_all(gains, costs, budget)
    assert found.bound - found.kept <= max(own[0] for own in gains)


def test_greedy_is_not_always_the_optimum():
    """Why the bound is told: of a budget of 3, ratio 2 takes 2 and leaves 1 that buys nothing."""
    found = allocate([np.array([4.0]), np.array([5.0])], [2, 3], 3)
    assert (found.ranks, found.kept) == ([1, 0], 4.0)
    assert best_of_all([[4], [5]], [2, 3], 3) == 5 <= found.bound == pytest.approx(4 + 5 / 3)


@given(GAINS, st.data())
def test_the_exact_one_is_the_best_of_all(gains, data):
    costs = data.draw(st.lists(st.integers(1, 9), min_size=len(gains), max_size=len(gains)))
    factor, budget = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 300))
    costs = [cost * factor for cost in costs]
    ranks = allocate_exactly([np.array(own, float) for own in gains], costs, budget)
    assert sum(rank * cost for rank, cost in zip(ranks, costs)) <= budget
    kept = sum(sum(own[:rank]) for own, rank in zip(gains, ranks))
    assert kept == best_of_all(gains, costs, budget)


def spectra():
    """wq of layer 0 needs many directions, w1 of layer 1 a strong one, the rest little."""
    values = {
        matrix: np.linspace(0.2, 0.1, min(matrix.shape)) / (1 + matrix.layer)
        for matrix in matrices_of(SHAPE)
    }
    for matrix in values:
        if (matrix.kind, matrix.layer) == ("wq", 0):
            values[matrix] = np.full(8, 2.0)
        if (matrix.kind, matrix.layer) == ("w1", 1):
            values[matrix] = np.array([9.0, *[0.01] * 7])
    return list(values.items())


def test_a_rank_for_each_matrix_follows_the_energy():
    own = spectra()
    ranks = {(m.kind, m.layer): rank for (m, _), rank in zip(own, by_matrix(own, 148).ranks)}
    # w1 costs 20 and wq 16 a unit: 20 + 8 · 16 = 148.
    assert {key: rank for key, rank in ranks.items() if rank} == {("wq", 0): 8, ("w1", 1): 1}


def test_a_rank_for_each_kind_pays_for_all_its_layers():
    ranks, cost, kept = by_kind(spectra(), 40 + 3 * 32)
    assert ranks == {**dict.fromkeys(["wk", "wv", "wo", "w2", "w3"], 0), "wq": 3, "w1": 1}
    in_wq, in_w1 = 3 * 4, 81 + 0.2**2
    others = (np.linspace(0.2, 0.1, 8)[:3] ** 2).sum() / 4  # wq of layer 1
    assert cost == 136 and kept == pytest.approx(in_wq + in_w1 + others)


def test_uniform_sets_are_all_and_exact():
    own, budget = spectra(), 500
    sets = uniform(own, budget)
    assert len({one.kinds for one in sets}) == len(sets) == 2**7 - 1
    assert sets[0].kept == max(one.kept for one in sets)
    for one in sets:
        lora = LoraConfig(one.rank, 1.0, one.target_modules)
        assert one.parameters == count(adapter_parameters(SHAPE, lora)) <= budget
        chosen = [values for matrix, values in own if matrix.kind in one.kinds]
        assert one.kept == pytest.approx(sum((v[: one.rank] ** 2).sum() for v in chosen))
        smallest = min(map(len, chosen))
        more = count(adapter_parameters(SHAPE, LoraConfig(one.rank + 1, 1.0, one.target_modules)))
        assert one.rank == smallest or more > budget
    # The ideal is no worse than what one regex and one rank can say.
    assert by_matrix(own, budget).bound >= sets[0].kept


def test_a_budget_below_rank_1_leaves_no_set():
    assert uniform(spectra(), 20) == []
    assert {one.kinds for one in uniform(spectra(), 24)} == {("wk",), ("wv",)}


def test_llama3_s_shape_alone():
    """3 407 872 is what the organisers' log of rank 8 on wq and wv says: Network Parameters."""
    found = {
        one.target_modules: (one.rank, one.parameters) for one in within_budget(LLAMA3, 3407872)
    }
    assert found == {
        ".*wq|.*wv": (8, 3407872),
        ".*wq|.*wk|.*wv|.*wo": (4, 3407872),
        ".*w1|.*w2|.*w3": (1, 1769472),
        ".*wq|.*wk|.*wv|.*wo|.*w1|.*w2|.*w3": (1, 2621440),
    }
    assert [one.rank for one in within_budget(LLAMA3, 10)] == [0, 0, 0, 0]
    # No rank above the smaller side of the smallest matrix.
    assert within_budget(SHAPE, 10**9)[0].rank == 4


def test_cost_is_that_of_a_unit_of_rank():
    assert Matrix("x", "w1", 0, (14336, 4096)).cost == 18432


def test_a_budget_beyond_all_ranks_takes_no_memory():
    gains = [np.array([4.0, 1.0]), np.array([3.0])]
    assert allocate_exactly(gains, [5, 7], 10**18) == [2, 1]
