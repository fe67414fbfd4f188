"""Singular values by the Gram matrix and of products, beside numpy's decomposition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.probing import spectra
from tools.probing.spectra import singular_values, singular_values_of_product

SIDES = st.integers(1, 40)


@given(SIDES, SIDES, st.integers(0, 2**32 - 1), st.sampled_from([np.float16, np.float32]))
def test_values_are_those_of_the_decomposition(rows, columns, seed, dtype):
    matrix = np.random.default_rng(seed).standard_normal((rows, columns)).astype(dtype)
    expected = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
    found = singular_values(matrix, "here")
    assert found.shape == (min(rows, columns),)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=3e-8 * expected[0])


def test_the_error_is_that_of_a_root_of_squares():
    """Known values over twelve decades: the decomposition finds them all, the roots to 1e-8."""
    wanted = np.logspace(0, -12, 13)
    generator = np.random.default_rng(1)
    left, right = (np.linalg.qr(generator.standard_normal((n, 13)))[0] for n in (50, 30))
    matrix = left * wanted @ right.T
    by_svd = np.abs(np.linalg.svd(matrix, compute_uv=False)[:13] - wanted).max()
    by_gram = np.abs(singular_values(matrix, "here")[:13] - wanted).max()
    assert by_svd < 1e-15 < by_gram < 1e-7


def test_blocks_of_the_longer_side_add_up(monkeypatch):
    matrix = np.random.default_rng(2).standard_normal((23, 7)).astype(np.float32)
    whole = singular_values(matrix, "here")
    monkeypatch.setattr(spectra, "_BLOCK", 4)
    for each in (matrix, matrix.T):
        np.testing.assert_allclose(singular_values(each, "here"), whole, rtol=1e-12)


@given(SIDES, SIDES, st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_product_s_values_need_no_product(rows, columns, rank, seed):
    generator = np.random.default_rng(seed)
    b, a = generator.standard_normal((rows, rank)), generator.standard_normal((rank, columns))
    expected = np.linalg.svd(b @ a, compute_uv=False)
    found = singular_values_of_product(b, a, "here")
    assert len(found) == min(rank, rows, columns)
    np.testing.assert_allclose(found, expected[: len(found)], rtol=1e-9, atol=1e-9 * expected[0])
    assert (expected[len(found) :] < 1e-9 * expected[0]).all()


@pytest.mark.parametrize(
    ("value", "fault"), [(np.nan, "NaN or infinity"), (np.inf, "NaN or infinity"), (0.0, "is zero")]
)
def test_what_has_no_spectrum_is_named(value, fault):
    matrix = np.zeros((3, 2), np.float32)
    matrix[1, 1] = value
    with pytest.raises(UserError, match=f"model.ckpt: wq: .*{fault}"):
        singular_values(matrix, "model.ckpt: wq")
    with pytest.raises(UserError, match=f"model.ckpt: wq: .*{fault}"):
        singular_values_of_product(matrix, np.ones((2, 4), np.float32), "model.ckpt: wq")
