"""Derivatives of dropout with a given mask."""

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras.ops.dropout import _drop, drop

rng = np.random.default_rng(0)


@pytest.mark.parametrize("mask_shape", [(4, 5), (4, 1), (1, 5)])
def test_derivatives(mask_shape):
    kept = rng.random(mask_shape) < 0.6
    x = rng.standard_normal((4, 5))
    check_grads(lambda x: _drop(x, kept=kept, scale=2.5), order=2)(x)


@pytest.mark.parametrize("rate, factors", [(0.2, [0, 1.25]), (1, [0])])
def test_the_gradient_passes_where_numbers_stay(rate, factors):
    x = np.ones((30, 40), "float32")
    results = []

    def total(x):
        y = drop(x, rate, np.random.Generator(np.random.SFC64(0)), x.shape)
        results.append(y._value)
        return np.sum(y)

    gradient = grad(total)(x)
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, results[0])
    np.testing.assert_allclose(np.unique(gradient), factors)
