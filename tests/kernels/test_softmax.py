"""Softmax against its formula, where nothing overflows and where it would."""

import numpy as np
import pytest

from minikeras.kernels.softmax import softmax, softmax_backward


@pytest.mark.parametrize("axis", [-1, 0, (0, 2)])
def test_formula(axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    total = np.exp(x).sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(softmax(x, axis), np.exp(x) / total, rtol=1e-12)


def test_large_numbers():
    np.testing.assert_array_equal(softmax(np.array([1e4, -1e4])), [1, 0])


@pytest.mark.parametrize("axis", [-1, 0, (0, 2)])
def test_gradient_is_the_product_with_the_jacobian(axis):
    rng = np.random.default_rng(0)
    x, g, change = rng.normal(size=(3, 3, 4, 5))
    dx = softmax_backward(g, softmax(x, axis), axis)
    slope = (softmax(x + 1e-6 * change, axis) - softmax(x - 1e-6 * change, axis)) / 2e-6
    np.testing.assert_allclose((dx * change).sum(), (slope * g).sum(), 1e-7, 1e-8)
