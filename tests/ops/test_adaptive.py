"""Adaptive pooling: against loops over windows, and its derivatives."""

import itertools

import autograd
import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras import config
from minikeras.ops import adaptive as ops

AXES = [(1, 1), (1, 4), (2, 3), (4, 2), (5, 3), (6, 4), (7, 7), (9, 1), (12, 5)]


def looped(x, out, reduce):
    """Pooling of (N, S..., C) by the definition of the windows."""
    sizes = x.shape[1:-1]
    y = np.empty((len(x), *out, x.shape[-1]))
    for where in itertools.product(*map(range, out)):
        window = tuple(
            slice(int(np.floor(i * s / o)), int(np.ceil((i + 1) * s / o)))
            for i, s, o in zip(where, sizes, out, strict=True)
        )
        cells = x[(slice(None), *window)]
        y[(slice(None), *where)] = reduce(cells, axis=tuple(range(1, x.ndim - 1)))
    return y


def values(*shape):
    """Far enough apart that no finite difference changes the order."""
    rng = np.random.default_rng(0)
    return rng.permutation(int(np.prod(shape))).reshape(shape) / 10.0


@pytest.mark.parametrize("size, out", AXES)
@pytest.mark.parametrize("pool", ["max", "average"])
def test_one_axis_against_a_loop(size, out, pool):
    x = values(2, size, 3)
    function = getattr(ops, f"adaptive_{pool}_pool")
    expected = looped(x, (out,), {"max": np.max, "average": np.mean}[pool])
    np.testing.assert_allclose(function(x, out), expected, rtol=1e-14)
    first = function(np.moveaxis(x, 1, 2), out, "channels_first")
    np.testing.assert_allclose(np.moveaxis(first, 1, 2), expected, rtol=1e-14)


@pytest.mark.parametrize("pool", ["max", "average"])
@pytest.mark.parametrize("sizes, out", [((5, 7), (3, 2)), ((3, 4, 5), (2, 4, 1))])
def test_more_axes_against_a_loop(sizes, out, pool):
    x = values(2, *sizes, 3)
    function = getattr(ops, f"adaptive_{pool}_pool")
    expected = looped(x, out, {"max": np.max, "average": np.mean}[pool])
    if pool == "max":
        np.testing.assert_array_equal(function(x, out), expected)
    else:  # a mean of means: all windows of an axis have the same height
        np.testing.assert_allclose(function(x, out), expected, rtol=1e-13)


@pytest.mark.parametrize("size, out", AXES)
@pytest.mark.parametrize("axis", [1, 2])
def test_derivatives(size, out, axis):
    x = values(2, *((size, 3) if axis == 1 else (3, size)))
    g = np.random.default_rng(1).normal(
        size=(2, *((out, 3) if axis == 1 else (3, out)))
    )
    both = {"modes": ["fwd", "rev"], "order": 2}
    check_grads(lambda x: ops.max_windows(x, axis=axis, out=out), **both)(x)
    check_grads(lambda x: ops.average_windows(x, axis=axis, out=out), **both)(x)
    check_grads(lambda g: ops.average_backward(g, axis=axis, size=size), **both)(g)
    index = ops._first_max(x, ops.max_windows(x, axis=axis, out=out), axis)
    check_grads(lambda x: ops.gather(x, index=index, axis=axis), **both)(x)
    check_grads(lambda g: ops.scatter(g, index=index, axis=axis, size=size), **both)(g)


@pytest.mark.parametrize("pool", ["max", "average"])
def test_derivatives_over_images(pool):
    function = getattr(ops, f"adaptive_{pool}_pool")
    x = values(1, 4, 5, 2)
    check_grads(lambda x: function(x, (3, 2)) ** 2, modes=["fwd", "rev"], order=2)(x)


@pytest.mark.parametrize("shape", [(2, 5, 3), (1, 1, 4, 2), (2, 3, 1, 2, 1), (0, 2, 3)])
def test_sum_of_all_cells(shape):
    x = values(*shape)
    y = ops.sum_cells(x)
    np.testing.assert_allclose(y, x.sum(axis=tuple(range(1, x.ndim - 1))))
    assert ops.sum_cells(x.astype("float32")).dtype == np.float32
    if x.size:
        check_grads(lambda x: ops.sum_cells(x) ** 2, modes=["fwd", "rev"], order=2)(x)


def test_equal_maxima_go_to_the_first_column_and_its_first_row():
    x = np.float32([[0, 1, 1], [1, 1, 0]]).reshape(1, 2, 3, 1)
    dx = autograd.grad(lambda x: ops.adaptive_max_pool(x, 1).sum())(x)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize("size, out", [(300, 1), (6, 2), (5, 3)])
def test_first_maximum_of_many_equal_ones(size, out):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (4, size, 5)).astype("f")
    x[0], x[1, :-1] = 1, -np.inf
    y = ops.max_windows(x, axis=1, out=out)
    expected = np.zeros_like(x)
    for n, o, c in np.ndindex(*y.shape):
        first = o * size // out
        window = x[n, first : -(-(o + 1) * size // out), c]
        expected[n, first + np.argmax(window), c] += 1
    dx = autograd.grad(lambda x: ops.max_windows(x, axis=1, out=out).sum())(x)
    np.testing.assert_array_equal(dx, expected)


def test_nan_reaches_only_the_windows_that_hold_it():
    x = np.zeros((1, 6, 1), "f")
    x[0, 0] = np.nan
    for pool in (ops.adaptive_max_pool, ops.adaptive_average_pool):
        np.testing.assert_array_equal(np.isnan(pool(x, 3)).ravel(), [True, 0, 0])


@pytest.mark.parametrize("pool", ["max", "average"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_float_type_stays(pool, dtype):
    function = getattr(ops, f"adaptive_{pool}_pool")
    x = values(1, 5, 3, 2).astype(dtype)
    assert function(x, 2).dtype == dtype
    assert autograd.grad(lambda x: function(x, 2).sum())(x).dtype == dtype


@pytest.mark.parametrize("pool", ["max", "average"])
def test_threads_do_not_change_a_bit(pool):
    function = getattr(ops, f"adaptive_{pool}_pool")
    x = np.random.default_rng(0).normal(size=(16, 60, 50, 8)).astype("f")

    def both():
        return function(x, 7), autograd.grad(lambda x: (function(x, 7) ** 2).sum())(x)

    try:
        config.set_threads(1)
        one = both()
        config.set_threads(3)
        three = both()
    finally:
        config.set_threads(None)
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 2, 2, 2, 1), (1, 0, 2)])
def test_refused_shapes(shape):
    with pytest.raises(ValueError, match="adaptive_max_pool: `inputs` must have"):
        ops.adaptive_max_pool(np.ones(shape), 1)


def test_refused_output_size():
    with pytest.raises(ValueError, match="adaptive_average_pool: `output_size`"):
        ops.adaptive_average_pool(np.ones((1, 2, 2, 1)), (1, 0))
