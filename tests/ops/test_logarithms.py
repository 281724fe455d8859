"""logsumexp and logaddexp: values, derivatives, infinities, number types."""

import autograd
import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.ops.logarithms import logaddexp, logsumexp

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), [1]])
@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1, 1), (3, 1, 2)])
def test_logsumexp(shape, axis, keepdims):
    x = RNG.normal(size=shape)
    axes = tuple(axis) if isinstance(axis, list) else axis
    expected = np.log(np.exp(x).sum(axis=axes, keepdims=keepdims))
    value = logsumexp(x, axis, keepdims)
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)
    check_grads(lambda x: logsumexp(x, axis, keepdims), modes=["fwd", "rev"], order=2)(
        x
    )


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((2, 3), (3,)), ((), (2,)), ((2, 1), (1, 3)), ((), ())]
)
def test_logaddexp(shapes):
    x, y = (RNG.normal(size=shape) for shape in shapes)
    value = logaddexp(x, y)
    np.testing.assert_allclose(value, np.log(np.exp(x) + np.exp(y)), rtol=1e-12)
    check_grads(logaddexp, [0, 1], modes=["fwd", "rev"], order=2)(x, y)


def test_no_overflow():
    for size in (1e3, -1e3, 1e30):
        x = np.array([size, size], "float32")
        np.testing.assert_allclose(logsumexp(x), size + np.log(2), rtol=1e-6)
        np.testing.assert_allclose(logaddexp(x, x), size + np.log(2), rtol=1e-6)


def test_nothing_is_minus_infinity_and_has_no_slope():
    x = np.array([[-np.inf, -np.inf], [-np.inf, 2.0]])
    np.testing.assert_array_equal(logsumexp(x, -1), [-np.inf, 2.0])
    np.testing.assert_array_equal(logaddexp(x[:, 0], x[:, 1]), [-np.inf, 2.0])
    slope = autograd.grad(lambda x: ops.sum(logsumexp(x, -1)[1:] * 3.0))(x)
    np.testing.assert_array_equal(slope, [[0, 0], [0, 3]])
    slope = autograd.grad(lambda x: ops.sum(ops.exp(logsumexp(x, -1))))(x)
    np.testing.assert_array_equal(slope, [[0, 0], [0, np.exp(2.0)]])
    slope = autograd.grad(lambda x: ops.sum(ops.exp(logaddexp(x, x))))(x[0])
    np.testing.assert_array_equal(slope, [0, 0])


def test_empty_sum_is_minus_infinity():
    np.testing.assert_array_equal(logsumexp(np.zeros((2, 0)), -1), [-np.inf, -np.inf])


@pytest.mark.parametrize("shape", [(2, 3), ()])
def test_float32_stays(shape):
    x = RNG.normal(size=shape).astype("float32")
    for function in (logsumexp, lambda x: logaddexp(x, 1.0)):
        value = function(x)
        slope = autograd.grad(lambda x, f=function: ops.sum(f(x)))(x)
        second = autograd.grad(
            lambda x, f=function: ops.sum(autograd.grad(lambda x: ops.sum(f(x)))(x))
        )(x)
        assert value.dtype == slope.dtype == second.dtype == np.float32
        assert slope.shape == second.shape == shape


def test_integers_become_floats():
    assert logsumexp([1, 2]).dtype == np.float32
    assert logaddexp([1, 2], [3, 4]).dtype == np.float32
