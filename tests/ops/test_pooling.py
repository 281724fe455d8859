"""Derivatives of pooling; the values are those of the kernels, tested there."""

from itertools import product

import numpy as np
import pytest
from autograd import grad
from autograd.core import make_jvp, make_vjp
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.kernels import pool as kernels
from minikeras.kernels.windows import geometry
from minikeras.ops import pooling
from minikeras.training.step import backpropagate
from minikeras.variables import Variable

GRID = [
    ((size,), (k,), (stride,), padding)
    for size, k, stride, padding in product(
        (1, 4, 7), (1, 2, 3), (1, 2, 4), ("valid", "same")
    )
    if k <= size or padding == "same"
]
GRID += [
    (sizes, kernel, strides, padding)
    for sizes, kernel, strides, padding in product(
        ((3, 4), (5, 5)),
        ((2, 2), (3, 1)),
        ((1, 1), (2, 2), (1, 4)),
        ("valid", "same"),
    )
]
GRID += [
    ((1, 3), (1, 2), (1, 1), "same"),
    ((3, 2, 4), (2, 2, 2), (2, 2, 2), "same"),
    ((3, 2, 4), (2, 1, 3), (1, 1, 2), "valid"),
]


def name(case):
    *parts, padding = case
    return "-".join([*("x".join(map(str, n)) for n in parts), padding])


each_case = pytest.mark.parametrize("case", GRID, ids=name)


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


def apart(*shape):
    """Numbers of both signs that are all different: no window has a tie."""
    size = int(np.prod(shape))
    numbers = np.random.default_rng(0).permutation(size) - size / 2 - 0.25
    return (numbers / 10).reshape(shape)


def check(function, array):
    check_grads(function, modes=["fwd", "rev"], order=2)(array)


@each_case
def test_max_windows(case):
    place = geometry(*case)
    x = apart(2, *place.sizes, 2)
    check(lambda x: pooling.max_windows(x, geometry=place), x)
    # Linear in x as long as no maximum changes: the square bends it.
    check(lambda x: ops.square(pooling.max_windows(x, geometry=place)), x)


@each_case
def test_average_windows_and_its_backward(case):
    place = geometry(*case)
    x, g = apart(2, *place.sizes, 2), apart(2, *place.out, 2)
    check(lambda x: ops.square(pooling.average_windows(x, geometry=place)), x)
    check(lambda g: ops.square(pooling.average_backward(g, geometry=place)), g)


@each_case
def test_gather_and_scatter(case):
    place = geometry(*case)
    x, g = apart(2, *place.sizes, 2), apart(2, *place.out, 2)
    index = kernels.first_max(x, kernels.max_pool(x, place), place)
    options = {"index": index, "geometry": place}
    check(lambda x: ops.square(pooling.gather(x, **options)), x)
    check(lambda g: ops.square(pooling.scatter(g, **options)), g)


CASES = [
    ((5, 4), (2, 2), (2, 2), "same"),
    ((5, 4), (3, 2), (1, 1), "valid"),
    ((6,), (2,), (3,), "valid"),
]
few_cases = pytest.mark.parametrize("case", CASES, ids=name)


@few_cases
def test_the_fused_first_order_path_equals_the_composed_one(case, monkeypatch):
    place = geometry(*case)
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, (3, *place.sizes, 2)).astype(float)  # with ties
    g = rng.integers(-4, 5, (3, *place.out, 2)).astype(float)
    calls = []
    backward = kernels.max_backward
    monkeypatch.setattr(
        kernels, "max_backward", lambda *a: (calls.append(1), backward(*a))[1]
    )

    def pool(x):
        return pooling.max_windows(x, geometry=place)

    fused = make_vjp(pool, x)[0](g)
    assert calls == [1]
    boxed = make_jvp(lambda g: make_vjp(pool, x)[0](g), g)(np.zeros_like(g))[0]
    assert calls == [1]
    np.testing.assert_array_equal(boxed, fused)


@few_cases
def test_a_constant_gradient_meets_a_traced_input(case):
    place = geometry(*case)
    x, g = apart(2, *place.sizes, 2), apart(2, *place.out, 2)

    def backward_times_x(x):
        vjp = make_vjp(lambda x: pooling.max_windows(x, geometry=place), x)[0]
        return ops.multiply(vjp(g), x)

    check(backward_times_x, x)


@few_cases
@pytest.mark.parametrize("windows", ["max_windows", "average_windows"])
def test_float32_stays_float32(case, windows):
    place = geometry(*case)
    x = apart(2, *place.sizes, 2).astype("float32")

    def loss(x):
        y = getattr(pooling, windows)(x, geometry=place)
        assert y.dtype == np.float32
        return ops.sum(ops.square(ops.square(y)))

    assert grad(loss)(x).dtype == np.float32
    second = grad(lambda x: ops.sum(ops.square(grad(loss)(x))))
    assert second(x).dtype == np.float32


@few_cases
@pytest.mark.parametrize("windows", ["max_windows", "average_windows"])
def test_a_vjp_does_not_write_into_its_gradient(case, windows):
    place = geometry(*case)
    x, g = apart(2, *place.sizes, 2), apart(2, *place.out, 2)
    before = g.copy()
    g.setflags(write=False)

    def pool(x):
        return getattr(pooling, windows)(x, geometry=place)

    result = make_vjp(pool, x)[0](g)
    assert result.shape == x.shape and result.dtype == x.dtype
    make_jvp(lambda g: make_vjp(pool, x)[0](g), g)(np.zeros_like(g))
    np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize("composed", [False, True])
def test_a_tie_goes_to_the_first_maximum_row_by_row(composed):
    x = np.array([[0.0, 7, 7], [7, 7, 7], [7, 7, 0]]).reshape(1, 3, 3, 1)
    g = np.array([[1.0, 2], [3, 4]]).reshape(1, 2, 2, 1)

    def pool(x):
        return ops.max_pool(x, 2, strides=1)

    vjp = make_vjp(pool, x)[0]
    if composed:
        dx = make_jvp(lambda g: make_vjp(pool, x)[0](g), g)(np.zeros_like(g))[0]
    else:
        dx = vjp(g)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 3, 0], [3, 4, 0], [0, 0, 0]])


# --- the public functions -------------------------------------------------------


def test_values():
    x = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]).reshape(1, 3, 3, 1)
    got = {
        (f, padding): getattr(ops, f)(x, 2, padding=padding)[0, :, :, 0].tolist()
        for f in ("max_pool", "average_pool")
        for padding in ("valid", "same")
    }
    assert got == {
        ("max_pool", "valid"): [[5]],
        ("max_pool", "same"): [[5, 6], [8, 9]],
        ("average_pool", "valid"): [[3]],
        ("average_pool", "same"): [[3, 4.5], [7.5, 9]],
    }


@pytest.mark.parametrize("function", [ops.max_pool, ops.average_pool])
def test_strides_default_to_the_window(function):
    x = apart(2, 7, 9, 2)
    np.testing.assert_array_equal(
        function(x, (2, 3)), function(x, (2, 3), strides=(2, 3))
    )
    np.testing.assert_array_equal(function(x, 2, 1), function(x, (2, 2), (1, 1)))


@pytest.mark.parametrize("function", [ops.max_pool, ops.average_pool])
@pytest.mark.parametrize("sizes", [(5,), (5, 4), (3, 4, 5)])
def test_channels_first_moves_the_axis(function, sizes):
    x = apart(2, *sizes, 3)
    wanted = function(x, 2, 1, "same")
    first = function(np.moveaxis(x, -1, 1), 2, 1, "same", "channels_first")
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), wanted)
    check(lambda x: function(x, 2, 1, "same", "channels_first"), apart(1, 2, *sizes))


@pytest.mark.parametrize("function", [ops.max_pool, ops.average_pool])
def test_whole_numbers_become_floats(function):
    y = function(np.array([[[1], [4]]]), 2)
    assert y.dtype == np.float32


@pytest.mark.parametrize("function", [ops.max_pool, ops.average_pool])
def test_handles_in_place_of_arrays(function):
    x = apart(2, 5, 4, 2)
    handle = Variable(x)
    np.testing.assert_array_equal(function(handle, 2), function(x, 2))

    def loss(x):
        return ops.sum(ops.square(function(x, 2)))

    gradient = backpropagate(lambda: (loss(handle), None), [handle])[2][0]
    np.testing.assert_array_equal(gradient, grad(loss)(x))


MISTAKES = [
    (
        {"pool_size": 0},
        "`pool_size` must be a positive integer. Received: pool_size=0",
    ),
    (
        {"pool_size": (2, 2, 2)},
        r"`pool_size` must be a positive integer or a tuple of 2 of them. "
        r"Received: pool_size=\(2, 2, 2\)",
    ),
    (
        {"pool_size": 2, "strides": -1},
        "`strides` must be a positive integer. Received: strides=-1",
    ),
    (
        {"pool_size": 2, "padding": "vaild"},
        "`padding` must be one of 'valid', 'same'. Received: padding='vaild'. "
        r"Did you mean 'valid'\?",
    ),
    (
        {"pool_size": 2, "padding": "causal"},
        "`padding` must be one of 'valid', 'same'. Received: padding='causal'",
    ),
]


@pytest.mark.parametrize("options, message", MISTAKES)
@pytest.mark.parametrize("function", ["max_pool", "average_pool"])
def test_mistakes_are_named(function, options, message):
    with pytest.raises(ValueError, match=f"{function}: {message}"):
        getattr(ops, function)(np.ones((1, 4, 4, 1)), **options)


def test_an_unknown_layout_is_named():
    with pytest.raises(ValueError, match="`data_format` must be 'channels_last' or"):
        ops.max_pool(np.ones((1, 4, 1)), 2, data_format="NWC")
