"""erf, erfc, erfinv and rsqrt: accuracy, derivatives, number types."""

import math

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras.ops.numpy import add, multiply, square
from minikeras.ops.numpy import sum as sum_over
from minikeras.ops.special import erf, erfc, erfinv, rsqrt

RANDOM = np.random.default_rng(1)
LINE = np.concatenate(
    [RANDOM.normal(size=5000) * 3, np.linspace(-7, 27, 5001), [0.46875, 4.0, 0.0]]
)
SMALL = 10.0 ** -np.arange(1, 300, 13)


def relative(found, wanted):
    return np.abs(found - wanted) / np.maximum(np.abs(wanted), 1e-300)


@pytest.mark.parametrize(
    "function, exact", [(erf, math.erf), (erfc, math.erfc)], ids=["erf", "erfc"]
)
def test_accuracy(function, exact):
    x = np.concatenate([LINE, SMALL, -SMALL])
    x = x[x < 26]  # below that erfc is a normal number
    wanted = np.array([exact(v) for v in x])
    assert relative(function(x), wanted).max() < 2e-15
    single = x[(np.abs(x) < 9) & (np.abs(x) > 1e-37)].astype("float32")
    wanted = np.array([exact(float(v)) for v in single])
    assert relative(function(single), wanted).max() < 2.0**-24 * 1.001
    assert function(single).dtype == np.float32
    assert function(single.astype("float16")).dtype == np.float16


def test_accuracy_of_the_inverse():
    y = np.concatenate(
        [RANDOM.uniform(-1, 1, 5000), 1 - 10.0 ** -np.arange(1, 16, 0.1), SMALL, [0.85]]
    )
    x = erfinv(y)
    # One step of Newton's method from there shows the error.
    near = np.array([math.erf(v) for v in x]) - y
    far = (1 - np.abs(y)) - np.array([math.erfc(abs(v)) for v in x])
    error = np.where(np.abs(y) < 0.5, near, far) * math.sqrt(math.pi) / 2
    assert (np.abs(error) * np.exp(x * x) / np.abs(x)).max() < 2e-15
    np.testing.assert_allclose(erf(erfinv(y.astype("float32"))), y, atol=1e-7)


def test_ends():
    ends = np.array([np.inf, -np.inf, np.nan, 30, -30])
    np.testing.assert_array_equal(erf(ends), [1, -1, np.nan, 1, -1])
    np.testing.assert_array_equal(erfc(ends), [0, 2, np.nan, 0, 2])
    found = erfinv(np.array([1, -1, 1.5, -2, np.nan, 0]))
    np.testing.assert_array_equal(found, [np.inf, -np.inf, np.nan, np.nan, np.nan, 0])
    assert np.signbit(erf(np.array(-0.0)))
    assert erf(np.zeros((0, 2))).shape == (0, 2)


FUNCTIONS = {
    "erf": erf,
    "erfc": erfc,
    "erfinv": lambda x: erfinv(multiply(0.25, x)),
    "rsqrt": lambda x: rsqrt(add(x, 5)),
}


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name, shape):
    x = RANDOM.uniform(-2, 2, shape)
    function = FUNCTIONS[name]
    check_grads(function, modes=["fwd", "rev"], order=3)(x)
    single = np.asarray(x, "float32")
    slope = grad(lambda x: sum_over(square(function(x))))(single)
    assert slope.dtype == np.float32
    assert slope.shape == shape


def test_integers_become_floats():
    assert erf([1, 2]).dtype == np.float32
    assert rsqrt([4]).dtype == np.float32


def test_threads_make_no_difference():
    x = RANDOM.normal(size=100_000).astype("float32")
    parts = [erf(x[n : n + 777]) for n in range(0, len(x), 777)]
    np.testing.assert_array_equal(erf(x), np.concatenate(parts))
    np.testing.assert_array_equal(erf(x.reshape(100, -1).T), erf(x).reshape(100, -1).T)
