"""Padding, repeating, reversing and interpolating, and their derivatives."""

import autograd
import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras import config
from minikeras.kernels import resample
from minikeras.ops import resampling
from minikeras.ops import reshaping as ops

BOTH = {"modes": ["fwd", "rev"], "order": 2}
METHODS = ["bilinear", "bicubic", "lanczos3", "lanczos5"]


def values(*shape):
    return np.random.default_rng(0).normal(size=shape)


# --- pad ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ops.PAD_MODES)
@pytest.mark.parametrize(
    "shape, width", [((3, 4), ((0, 2), (3, 1))), ((2, 5, 3), 1), ((4,), (2, 0))]
)
def test_pad_as_numpy(mode, shape, width):
    x = values(*shape)
    np.testing.assert_array_equal(ops.pad(x, width, mode), np.pad(x, width, mode))
    check_grads(lambda x: ops.pad(x, width, mode), **BOTH)(x)


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("reflect", [0, 1, 2, 1, 0, 1, 2, 1, 0]),
        ("symmetric", [2, 2, 1, 0, 0, 1, 2, 2, 1]),
        ("wrap", [2, 0, 1, 2, 0, 1, 2, 0, 1]),
        ("edge", [0, 0, 0, 0, 0, 1, 2, 2, 2]),
    ],
)
def test_pad_further_than_the_array_is_long(mode, expected):
    np.testing.assert_array_equal(ops.pad(np.arange(3.0), (4, 2), mode), expected)


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "wrap", "edge"])
def test_pad_from_a_single_cell(mode):
    np.testing.assert_array_equal(ops.pad(np.float32([7]), 2, mode), [7] * 5)


def test_pad_with_a_value():
    x = np.array([[1.0, 2.0]], "f")
    y = ops.pad(x, ((1, 0), (0, 1)), constant_values=5)
    np.testing.assert_array_equal(y, [[5, 5, 5], [1, 2, 5]])
    assert y.dtype == np.float32
    check_grads(lambda x: ops.pad(x, 1, constant_values=5.0), **BOTH)(values(2, 1))


@pytest.mark.parametrize("width", [0, (0, 0), ((0, 0), (0, 0)), ((0,), (0,))])
def test_pad_by_nothing(width):
    x = values(2, 3)
    np.testing.assert_array_equal(ops.pad(x, width), x)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"pad_width": -1}, "pad_width=-1"),
        ({"pad_width": 1.5}, "none of them negative"),
        ({"pad_width": ((1, 2), (3, 4), (5, 6))}, "each of the 2 axes"),
        ({"pad_width": ((1, 2), (3,))}, "pad: `pad_width`"),
        ({"pad_width": 1, "mode": "mean"}, "pad: `mode` must be one of"),
        ({"pad_width": 1, "mode": "edge", "constant_values": 1}, "mode='edge'"),
        ({"pad_width": 1, "constant_values": [1, 2]}, "one number"),
    ],
)
def test_pad_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        ops.pad(np.ones((2, 3)), **arguments)


def test_pad_refuses_to_mirror_nothing():
    with pytest.raises(ValueError, match="axis 1 has no cells.*mode='constant'"):
        ops.pad(np.ones((2, 0)), 1, "reflect")
    assert ops.pad(np.ones((2, 0)), 1).shape == (4, 2)


def test_crop_and_its_derivatives():
    x = values(3, 4)
    widths = ((1, 0), (0, 2))
    np.testing.assert_array_equal(ops.crop(x, widths=widths), x[1:, :2])
    check_grads(lambda x: ops.crop(x, widths=widths), **BOTH)(x)


# --- repeat, flip ---------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("repeats", [0, 1, 3, [2]])
def test_repeat_as_numpy(axis, repeats):
    x = values(2, 3, 2)
    expected = np.repeat(x, repeats, axis)
    np.testing.assert_array_equal(ops.repeat(x, repeats, axis), expected)
    if repeats:
        check_grads(lambda x: ops.repeat(x, repeats, axis), **BOTH)(x)


@pytest.mark.parametrize("repeats", [[2, 0, 1], [0, 0, 0], [1, 1, 1]])
def test_repeat_each_cell_differently(repeats):
    x = values(2, 3)
    expected = np.repeat(x, repeats, 1)
    np.testing.assert_array_equal(ops.repeat(x, repeats, 1), expected)
    dx = autograd.grad(lambda x: ops.repeat(x, repeats, 1).sum())(x)
    np.testing.assert_array_equal(dx, [repeats, repeats])
    if any(repeats):
        check_grads(lambda x: ops.repeat(x, repeats, 1), **BOTH)(x)


@pytest.mark.parametrize("repeats", [-1, 1.5, [1, 2], [[1], [2], [3]]])
def test_repeat_refuses(repeats):
    with pytest.raises(ValueError, match="repeat: `repeats` must be an integer"):
        ops.repeat(np.ones((2, 3)), repeats, axis=1)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_flip_as_numpy(axis):
    x = values(2, 3)
    np.testing.assert_array_equal(ops.flip(x, axis), np.flip(x, axis))
    check_grads(lambda x: ops.flip(x, axis), **BOTH)(x)


@pytest.mark.parametrize("axis", [0, 1])
def test_pick_and_place_are_adjoint(axis):
    index = np.array([2, 0, 2, 1, 2])
    x, g = values(3, 3), values(*((5, 3) if axis == 0 else (3, 5)))
    expected = np.zeros((3, 3))
    np.add.at(np.moveaxis(expected, axis, 0), index, np.moveaxis(g, axis, 0))
    placed = ops.place_cells(g, index=index, axis=axis, size=3)
    np.testing.assert_allclose(placed, expected)
    check_grads(lambda x: ops.pick_cells(x, index=index, axis=axis), **BOTH)(x)
    check_grads(lambda g: ops.place_cells(g, index=index, axis=axis, size=3), **BOTH)(g)


# --- enlarge --------------------------------------------------------------------


@pytest.mark.parametrize("times", [(1, 2, 3, 1), (2, 1, 1, 2), (1, 1, 1, 1)])
def test_repeat_cells_along_several_axes(times):
    x = values(2, 3, 1, 2)
    expected = x
    for axis, count in enumerate(times):
        expected = np.repeat(expected, count, axis)
    np.testing.assert_array_equal(resampling.repeat_cells(x, times=times), expected)
    check_grads(lambda x: resampling.repeat_cells(x, times=times), **BOTH)(x)
    g = values(*expected.shape)
    check_grads(lambda g: resampling.fold_cells(g, times=times), **BOTH)(g)


def by_formula(method, size, out):
    """The matrix of an interpolation, cell by cell."""
    kernels = {
        "bilinear": (1, lambda x: 1 - x),
        "bicubic": (
            2,
            lambda x: (
                1 - 2.5 * x**2 + 1.5 * x**3
                if x < 1
                else 2 - 4 * x + 2.5 * x**2 - 0.5 * x**3
            ),
        ),
        "lanczos3": (3, lambda x: np.sinc(x) * np.sinc(x / 3)),
        "lanczos5": (5, lambda x: np.sinc(x) * np.sinc(x / 5)),
    }
    radius, kernel = kernels[method]
    matrix = np.zeros((out, size))
    for o in range(out):
        place = (o + 0.5) * size / out - 0.5
        for s in range(size):
            if abs(place - s) < radius:
                matrix[o, s] = kernel(abs(place - s))
        matrix[o] /= matrix[o].sum()
    return matrix


SIZES = [(1, 3), (2, 4), (3, 9), (5, 10), (20, 40), (40, 120)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size, out", SIZES)
@pytest.mark.parametrize("after", [1, 3, 8, 9])
def test_interpolation_is_a_matrix(method, size, out, after):
    matrix = by_formula(method, size, out)
    x = values(2, size, after)
    y = resample.interpolate(x, method, 1, out)
    np.testing.assert_allclose(y, matrix @ x, atol=1e-12)
    g = values(2, out, after)
    back = resample.interpolate(g, method, 1, size, adjoint=True)
    np.testing.assert_allclose(back, matrix.T @ g, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("shape, axis", [((2, 3), 1), ((1, 2, 9), 1), ((3, 1, 2), 0)])
def test_interpolation_derivatives(method, adjoint, shape, axis):
    size = shape[axis] * 2
    start = values(*(size if i == axis else n for i, n in enumerate(shape)))
    x, out = (start, shape[axis]) if adjoint else (values(*shape), size)

    def function(x):
        return resampling.interpolate(
            x, method=method, axis=axis, out=out, adjoint=adjoint
        )

    check_grads(function, **BOTH)(x)


@pytest.mark.parametrize("method", ["nearest", *METHODS])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_enlarge_keeps_the_float_type(method, dtype):
    x = values(1, 3, 2, 2).astype(dtype)

    def total(x):
        return resampling.enlarge(x, {1: 2, 2: 3}, method).sum()

    assert resampling.enlarge(x, {1: 2, 2: 3}, method).dtype == dtype
    assert autograd.grad(total)(x).dtype == dtype


@pytest.mark.parametrize("method", ["nearest", "bicubic"])
def test_threads_do_not_change_a_bit(method):
    x = values(8, 40, 30, 16).astype("f")

    def both():
        y = resampling.enlarge(x, {1: 2, 2: 2}, method)
        dx = autograd.grad(
            lambda x: (resampling.enlarge(x, {1: 2, 2: 2}, method) ** 2).sum()
        )(x)
        return y, dx

    try:
        config.set_threads(1)
        one = both()
        config.set_threads(3)
        three = both()
    finally:
        config.set_threads(None)
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a, b)


def test_enlarge_refuses():
    with pytest.raises(ValueError, match="enlarge: `factors` must be a positive"):
        resampling.enlarge(np.ones((2, 3)), {1: 0})
    with pytest.raises(ValueError, match="enlarge: `interpolation`.*Did you mean"):
        resampling.enlarge(np.ones((2, 3)), {1: 2}, "bilinar")


def test_a_wrong_adjoint_would_be_noticed():
    from autograd.extend import defvjp, primitive

    planted = primitive(lambda x: resample.interpolate(x, "bilinear", 0, 6))
    wrong = resample.weights("bicubic", 3, 6, "float64").T
    defvjp(planted, lambda y, x: lambda g: wrong @ g)
    with pytest.raises(AssertionError):
        check_grads(planted, modes=["rev"], order=1)(values(3, 2))
