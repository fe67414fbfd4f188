"""One number for a spectrum: the usual measures of how many directions a matrix uses.

docs/probing.md gives their definitions with sources, and what each of them tells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

ENERGY = 0.9
# Where cumulative energy is kept for the picture: shares of the smaller side.
POINTS = np.linspace(0.0, 1.0, 65)


class Measures(NamedTuple):
    """Of the singular values σ₁ ≥ … ≥ σᵣ of one matrix.

    frobenius      √Σσ²
    spectral       σ₁
    stable_rank    Σσ² / σ₁²
    participation  (Σσ²)² / Σσ⁴
    entropy_rank   exp(−Σ p ln p), p = σ / Σσ (Roy and Vetterli, 2007)
    r90            the least k with σ₁² + … + σₖ² ≥ 0.9 Σσ²

    The last four lie between 1 and r, and are r where all σ are equal (r90: 0.9 r, rounded up).
    """

    frobenius: float
    spectral: float
    stable_rank: float
    participation: float
    entropy_rank: float
    r90: int


RANKS = ("stable_rank", "participation", "entropy_rank", "r90")


def measure(values: np.ndarray) -> Measures:
    """values (r,), largest first, the first of them positive."""
    relative = values / values[0]  # so that no power overflows or vanishes
    energies = relative**2
    total = float(energies.sum())
    shares = relative[relative > 0] / relative.sum()
    return Measures(
        frobenius=float(values[0]) * total**0.5,
        spectral=float(values[0]),
        stable_rank=total,
        participation=total**2 / float((energies**2).sum()),
        entropy_rank=float(np.exp(-(shares * np.log(shares)).sum())),
        r90=int(np.searchsorted(np.cumsum(energies), ENERGY * total)) + 1,
    )


def cumulative_energy(values: np.ndarray) -> np.ndarray:
    """values (r,) → the share of Σσ² that the first POINTS · r directions hold, (len(POINTS),)."""
    sums = np.concatenate([[0.0], np.cumsum(values**2)])
    return np.interp(POINTS * len(values), np.arange(len(sums)), sums / sums[-1])
