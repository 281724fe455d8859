"""Primitives behind the activations, against formulas of the standard library."""

import math

import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras.ops import activation as ops


def exact_cdf(x):
    return np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x.ravel()]).reshape(
        x.shape
    )


@pytest.mark.parametrize("dtype, limit", [("float64", 1e-13), ("float32", 5e-6)])
def test_normal_cdf_is_relatively_exact_in_the_left_tail_too(dtype, limit):
    low = -12 if dtype == "float32" else -37  # below lie denormal numbers
    x = np.linspace(low, 8, 100_001).astype(dtype)
    exact = exact_cdf(x.astype("float64"))
    error = np.abs(ops._normal_cdf(x) / exact - 1)
    near_middle = np.abs(x) < 3
    assert error[near_middle].max() < limit / 4
    assert error.max() < limit * max(1, abs(low) / 12) ** 2


def test_normal_cdf_far_out_and_at_infinity():
    x = np.float32([-np.inf, -1e4, -50, 0, 50, 1e4, np.inf])
    np.testing.assert_array_equal(ops._normal_cdf(x), [0, 0, 0, 0.5, 1, 1, 1])
    assert np.isnan(ops._normal_cdf(np.float32([np.nan])))


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (3, 5), (70_001,), (2, 3, 4)])
def test_normal_cdf_of_any_shape(shape):
    x = np.random.default_rng(0).normal(size=shape)
    y = ops._normal_cdf(x)
    assert y.shape == shape
    np.testing.assert_allclose(y, exact_cdf(x), rtol=1e-13)


def test_normal_cdf_of_a_transposed_array():
    x = np.random.default_rng(0).normal(size=(3, 5)).T
    np.testing.assert_allclose(ops._normal_cdf(x), exact_cdf(x), rtol=1e-13)


@pytest.mark.parametrize("function", [ops._normal_cdf, ops._normal_density, ops._gelu])
def test_derivatives_of_third_order(function):
    check_grads(function, modes=["fwd", "rev"], order=3)(np.linspace(-3, 3, 7))


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_celu_derivatives(alpha):
    x = np.array([-3.0, -0.5, 0.5, 3.0])
    check_grads(lambda x: ops._celu(x, alpha=alpha), modes=["fwd", "rev"], order=3)(x)
    check_grads(lambda x: ops._decay(x, alpha=alpha), modes=["fwd", "rev"], order=2)(x)


@pytest.mark.parametrize("edge", [0, 0.5, 1])
def test_clipped_derivative_at_the_ends(edge):
    slope = ops._clipped_slope(np.float32([-1, 0, 1, 2, 3]), 0, 2, edge)
    np.testing.assert_array_equal(slope, [0, edge, 1, edge, 0])


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("second", [0, 1])
def test_halves_are_adjoint(axis, second):
    x = np.random.default_rng(0).normal(size=(4, 6))
    check_grads(lambda x: ops._half(x, axis=axis % 2, second=second), order=2)(x)
    check_grads(lambda x: ops._from_half(x, axis=axis % 2, second=second), order=2)(x)
    half = ops._half(x, axis=axis % 2, second=second)
    back = ops._from_half(half, axis=axis % 2, second=second)
    assert back.shape == x.shape
    np.testing.assert_allclose((back * x).sum(), (half * half).sum())


def test_gelu_default_is_approximate_as_in_keras_ops():
    x = np.linspace(-4, 4, 9)
    cubic = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    np.testing.assert_allclose(ops.gelu(x), x * (1 + np.tanh(cubic)) / 2, rtol=1e-11)


def test_a_wrong_derivative_would_be_noticed():
    def wrong(x):
        return ops._celu(x, alpha=1.0)

    from autograd.extend import defvjp, primitive

    planted = primitive(wrong)
    defvjp(planted, lambda y, x: lambda g: g * ops._decay(x, alpha=1.01))
    with pytest.raises(AssertionError):
        check_grads(planted, modes=["rev"], order=1)(np.array([-1.0, 2.0]))
