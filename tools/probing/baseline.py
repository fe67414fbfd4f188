"""What a matrix of independent random numbers shows: the spectrum to compare others with.

A random matrix has no structure, yet its singular values are far from equal: those of a square
one fall from 2 to 0. Marchenko and Pastur (1967): for independent entries of one variance and
β = m / n ≤ 1, the eigenvalues of W Wᵀ / n tend to the density √((b − λ)(λ − a)) / (2πβλ)
between a = (1 − √β)² and b = (1 + √β)². Their mean is 1, the mean of their squares 1 + β.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

_GRID = 200_001


@lru_cache(maxsize=64)
def random_spectrum(rows: int, columns: int) -> np.ndarray:
    """Expected singular values of a (rows, columns) random matrix, largest first, of scale 1.

    The i-th of r is the root of the density's quantile (i − 1/2) / r. With
    λ = 1 + β + 2 √β cos θ the density over θ in (0, π) is 2 sin²θ / (π λ), which is smooth; at
    β = 1 its limit in θ = π is taken from sin²θ / λ = (1 − cos θ) / 2.
    """
    count, ratio = min(rows, columns), min(rows, columns) / max(rows, columns)
    angle = np.linspace(0.0, math.pi, _GRID)
    places = 1 + ratio + 2 * math.sqrt(ratio) * np.cos(angle)
    if ratio == 1:
        density = (1 - np.cos(angle)) / math.pi
    else:
        density = 2 * np.sin(angle) ** 2 / (math.pi * places)
    steps = (density[1:] + density[:-1]) / 2 * (angle[1] - angle[0])
    below = np.concatenate([[0.0], np.cumsum(steps)])
    quantiles = np.interp((np.arange(count) + 0.5) / count, below / below[-1], angle)
    spectrum = np.sqrt(np.maximum(1 + ratio + 2 * math.sqrt(ratio) * np.cos(quantiles), 0.0))
    spectrum.setflags(write=False)  # shared by all who ask
    return spectrum


def random_product_spectrum(rows: int, columns: int, rank: int) -> np.ndarray:
    """Singular values of a product of random (rows, rank) and (rank, columns), largest first.

    One draw of a fixed seed: with rank far below both sides all draws are nearly alike.
    """
    from tools.probing.spectra import singular_values_of_product

    generator = np.random.default_rng(0)
    b, a = generator.standard_normal((rows, rank)), generator.standard_normal((rank, columns))
    return singular_values_of_product(b, a, "a random product")
