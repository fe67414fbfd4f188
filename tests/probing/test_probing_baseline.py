"""The expected spectrum of a random matrix: its known moments, and real draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tools.probing.baseline import random_product_spectrum, random_spectrum
from tools.probing.measures import RANKS, measure

SHAPES = [(576, 576), (192, 576), (576, 1536), (1536, 576)]


@pytest.mark.parametrize(("rows", "columns"), [*SHAPES, (4096, 4096), (14336, 4096)])
def test_moments_are_those_of_marchenko_and_pastur(rows, columns):
    count, ratio = min(rows, columns), min(rows, columns) / max(rows, columns)
    values = random_spectrum(rows, columns)
    assert values.shape == (count,) and (np.diff(values) <= 0).all()
    assert (values**2).mean() == pytest.approx(1, rel=1e-4)
    assert (values**4).mean() == pytest.approx(1 + ratio, rel=1e-3)
    found = measure(values)
    assert found.participation == pytest.approx(count / (1 + ratio), rel=1e-3)
    assert found.stable_rank == pytest.approx(count / (1 + math.sqrt(ratio)) ** 2, rel=0.03)


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_a_draw_has_these_ranks(rows, columns):
    drawn = np.random.default_rng(3).standard_normal((rows, columns))
    found = measure(np.linalg.svd(drawn, compute_uv=False))
    expected = measure(random_spectrum(rows, columns))
    for rank in RANKS:
        assert getattr(found, rank) == pytest.approx(getattr(expected, rank), rel=0.03)


def test_no_shape_is_too_small():
    assert random_spectrum(1, 1).shape == (1,) and random_spectrum(1, 9)[0] > 0


def test_a_random_product_of_low_rank_is_nearly_flat():
    values = random_product_spectrum(400, 900, 8)
    assert values.shape == (8,) and values[-1] > 0.6 * values[0]
    assert measure(values).entropy_rank > 7.9
    assert (random_product_spectrum(400, 900, 8) == values).all()
