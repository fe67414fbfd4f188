"""Singular values of large matrices and of low-rank products, in little memory.

They are the roots of the eigenvalues of the Gram matrix of the smaller side, summed in float64
over blocks of the longer side: a 14336 × 4096 matrix needs 134 MB for that beside itself, and some
tenth of the time of a singular value decomposition. The decomposition is the more exact: its error
is about 1e-16 of the largest singular value, that of the roots about 1e-8 of it (the root of the
rounding of the squares). bfloat16 stores numbers to 4e-3, 4-bit blocks to 3e-2.
"""

from __future__ import annotations

import numpy as np

from tools.files.errors import UserError

# Rows or columns that are widened to float64 at a time.
_BLOCK = 1024


def singular_values(matrix: np.ndarray, where: str) -> np.ndarray:
    """matrix (m, n) of any float type → its min(m, n) singular values, float64, largest first.

    UserError, naming `where`, for NaN, infinities and a matrix of zeros: it has no spectrum.
    """
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    gram = np.zeros((tall.shape[1], tall.shape[1]))
    with np.errstate(invalid="ignore"):  # told below, in one line
        for start in range(0, tall.shape[0], _BLOCK):
            block = tall[start : start + _BLOCK].astype(np.float64)
            gram += block.T @ block
    _require_spectrum(float(np.trace(gram)), where)
    return np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0))


def singular_values_of_product(b: np.ndarray, a: np.ndarray, where: str) -> np.ndarray:
    """b (m, r), a (r, n) → the singular values of b @ a, at most r, without the product.

    With b = Q_b R_b and aᵀ = Q_a R_a the product is Q_b (R_b R_aᵀ) Q_aᵀ, and factors with
    orthonormal columns leave singular values as they are.
    """
    left = np.linalg.qr(b.astype(np.float64), mode="r")
    right = np.linalg.qr(a.T.astype(np.float64), mode="r")
    with np.errstate(invalid="ignore"):
        core = left @ right.T
        _require_spectrum(float((core * core).sum()), where)
    return np.linalg.svd(core, compute_uv=False)


def _require_spectrum(energy: float, where: str) -> None:
    if not np.isfinite(energy):
        raise UserError("holds NaN or infinity", where, "take an earlier checkpoint")
    if energy == 0:
        raise UserError("is zero, so that it has no spectrum", where, "train first")
