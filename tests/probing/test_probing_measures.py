"""The measures against spectra whose ranks are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.probing.measures import POINTS, RANKS, cumulative_energy, measure

VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50)


@pytest.mark.parametrize("count", [1, 2, 10, 64])
def test_equal_values_have_full_rank(count):
    found = measure(np.full(count, 3.0))
    assert found.frobenius == pytest.approx(3 * math.sqrt(count)) and found.spectral == 3
    ranks = (found.stable_rank, found.participation, found.entropy_rank)
    assert ranks == pytest.approx((count, count, count))
    assert found.r90 == math.ceil(0.9 * count)


def test_two_values_by_hand():
    found = measure(np.array([3.0, 1.0, 0.0]))
    assert found.frobenius == pytest.approx(math.sqrt(10))
    assert found.stable_rank == pytest.approx(10 / 9)
    assert found.participation == pytest.approx(100 / 82)
    # p = 3/4, 1/4: H = ln 4 − (3/4) ln 3.
    assert found.entropy_rank == pytest.approx(4 / 3**0.75)
    assert found.r90 == 1  # 9 of 10


@given(VALUES, st.floats(1e-100, 1e100))
def test_ranks_are_ordered_and_know_no_scale(values, scale):
    values = np.sort(values)[::-1]
    found = measure(values)
    for rank in RANKS:
        assert 1 - 1e-9 <= getattr(found, rank) <= len(values) + 1e-9
        assert getattr(measure(values * scale), rank) == pytest.approx(
            getattr(found, rank), rel=1e-6, abs=1
        )
    # Rényi's entropies fall with their order: ∞, 2 (of σ²), and of σ rather than σ².
    assert found.stable_rank <= found.participation + 1e-9
    assert found.participation <= found.entropy_rank + 1e-6


@given(VALUES)
def test_r90_is_the_least(values):
    values = np.sort(values)[::-1]
    energies = (values / values[0]) ** 2
    rank, total = measure(values).r90, energies.sum()
    assert energies[:rank].sum() >= 0.9 * total * (1 - 1e-12)
    assert energies[: rank - 1].sum() < 0.9 * total * (1 + 1e-12)


def test_energy_gathers_from_nothing_to_all():
    curve = cumulative_energy(np.array([2.0, 1.0, 0.0, 0.0]))
    assert curve.shape == POINTS.shape and (np.diff(curve) >= 0).all()
    assert (curve[0], curve[16], curve[32], curve[-1]) == pytest.approx((0, 0.8, 1, 1))
