"""Warps and resizing against loops over pixels and dense matrices."""

from itertools import product

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import image as kernels
from minikeras.kernels import resample

PADS = {"nearest": "edge", "wrap": "wrap", "mirror": "reflect", "reflect": "symmetric"}
SHAPES = [(2, 4, 5, 3), (1, 1, 3, 1), (3, 3, 1, 2), (2, 2, 2, 9)]


def rows(count, seed=0):
    turn = np.random.default_rng(seed).normal(size=(count, 6)) * [1, 1, 3, 1, 1, 3]
    return np.concatenate([turn, np.zeros((count, 2))], 1)


def warped(x, places_of, order, mode, fill, out):
    """Each pixel by itself, from a widely padded image."""
    count, height, width, channels = x.shape
    wide = 60
    pads = ((wide, wide), (wide, wide), (0, 0))
    y = np.zeros((count, *out, channels))
    for n in range(count):
        if mode == "constant":
            padded = np.pad(x[n], pads, constant_values=fill)
        else:
            padded = np.pad(x[n], pads, mode=PADS[mode])
        for i, j in product(*map(range, out)):
            r, c = places_of(n, i, j)
            r, c = r + wide, c + wide
            if order == 0:
                y[n, i, j] = padded[int(np.floor(r + 0.5)), int(np.floor(c + 0.5))]
                continue
            for p, q in product((int(r), int(r) + 1), (int(c), int(c) + 1)):
                y[n, i, j] += (1 - abs(r - p)) * (1 - abs(c - q)) * padded[p, q]
    return y


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", kernels.FILL_MODES)
def test_projective_equals_a_loop_over_pixels(shape, order, mode):
    x = np.random.default_rng(1).random(shape)
    count, height, width, _ = shape
    matrix = rows(count)
    matrix[0, 6:] = 0.01, -0.02  # seen from aside

    def places_of(n, y, x):
        a0, a1, a2, b0, b1, b2, c0, c1 = matrix[n]
        k = c0 * x + c1 * y + 1
        return (b0 * x + b1 * y + b2) / k, (a0 * x + a1 * y + a2) / k

    grid = kernels.Projective(matrix, height, width)
    y = kernels.warp(x, grid, order, mode, 0.5)
    expected = warped(x, places_of, order, mode, 0.5, (height, width))
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", kernels.FILL_MODES)
def test_given_places_make_an_image_of_their_size(order, mode):
    rng = np.random.default_rng(2)
    x = rng.random((2, 4, 3, 2))
    r, c = rng.uniform(-9, 9, (2, 2, 3, 5))
    y = kernels.warp(x, kernels.Given(r, c), order, mode)
    expected = warped(x, lambda *at: (r[at], c[at]), order, mode, 0.0, (3, 5))
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", kernels.FILL_MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_unwarp_is_the_adjoint(shape, order, mode):
    rng = np.random.default_rng(3)
    x, g = rng.random((2, *shape))
    grid = kernels.Projective(rows(shape[0]), *shape[1:3])
    back = kernels.unwarp(g, grid, order, mode, shape[1:3])
    there = kernels.warp(x, grid, order, mode)
    np.testing.assert_allclose(np.vdot(back, x), np.vdot(g, there), rtol=1e-12)


def test_fill_does_not_leak_into_the_image():
    x = np.float32(np.random.default_rng(4).random((1, 6, 6, 1)))
    grid = kernels.Projective(np.float32([[1, 0, 0.3, 0, 1, 0.7, 0, 0]]), 6, 6)
    with_fill = kernels.warp(x, grid, 1, "constant", 1e9)
    without = kernels.warp(x, grid, 1, "constant")
    np.testing.assert_array_equal(with_fill[:, :5, :5], without[:, :5, :5])
    assert (with_fill[:, 5:] > 1e8).all() and (with_fill[:, :, 5:] > 1e8).all()


@pytest.mark.parametrize("mode", kernels.FILL_MODES)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_cells_inside(mode, size):
    cells = np.arange(-11.0, 12.0)
    found = kernels.inside(cells, size, mode)
    pad_mode = PADS.get(mode, "edge")
    line = np.pad(np.arange(size), 15, mode=pad_mode)
    np.testing.assert_array_equal(found, line[cells.astype(int) + 15])


def test_halves_go_away_from_zero():
    x = np.float32([-2.5, -0.5, 0.49999997, 0.5, 1.5, 8388609.0])
    expected = [-3, -1, 0, 1, 2, 8388609]
    np.testing.assert_array_equal(kernels.half_away(x), expected)


def test_results_do_not_depend_on_threads():
    rng = np.random.default_rng(5)
    x = np.float32(rng.random((9, 40, 30, 3)))
    grid = kernels.Projective(np.float32(rows(9)), 40, 30)
    results = []
    for threads in (1, 3):
        config.set_threads(threads)
        try:
            y = kernels.warp(x, grid, 1, "reflect")
            back = kernels.unwarp(y, grid, 1, "reflect", (40, 30))
            small = resample.interpolate(x, "bicubic", 1, 7, antialias=True)
            turned = kernels.flip_some(x, np.arange(9) % 2 == 0, (1, 2))
            results.append((y, back, small, turned))
        finally:
            config.set_threads(None)
    for one, many in zip(*results, strict=True):
        np.testing.assert_array_equal(one, many)


def test_an_empty_batch():
    x = np.zeros((0, 4, 5, 3), np.float32)
    grid = kernels.Projective(np.zeros((0, 8), np.float32), 4, 5)
    assert kernels.warp(x, grid, 1, "reflect").shape == x.shape
    assert kernels.unwarp(x, grid, 1, "reflect", (4, 5)).shape == x.shape
    assert kernels.flip_some(x, np.zeros(0, bool), (1,)).shape == x.shape


def test_flip_some_turns_only_those():
    x = np.arange(24.0).reshape(3, 2, 4)
    y = kernels.flip_some(x, np.array([True, False, True]), (2,))
    np.testing.assert_array_equal(y, [x[0, :, ::-1], x[1], x[2, :, ::-1]])


def triangle(x):
    return max(0.0, 1 - abs(x))


def test_antialias_widens_the_kernel():
    size, out = 7, 3
    matrix = np.zeros((out, size))
    for o, s in product(range(out), range(size)):
        matrix[o, s] = triangle(((o + 0.5) * size / out - 0.5 - s) / (size / out))
    matrix /= matrix.sum(1, keepdims=True)
    found = resample.weights("bilinear", size, out, "float64", True)
    np.testing.assert_allclose(found, matrix, atol=1e-12)
    larger = resample.weights("bilinear", 3, 7, "float64", True)
    np.testing.assert_array_equal(larger, resample.weights("bilinear", 3, 7, "float64"))


@pytest.mark.parametrize("method", list(resample.KERNELS))
@pytest.mark.parametrize("sizes", [(5, 9), (100, 3), (40, 39), (1, 4), (4, 1)])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("after", [(), (3,), (4, 5)])
def test_resize_axis_is_a_matrix(method, sizes, antialias, after):
    size, out = sizes
    x = np.random.default_rng(6).random((2, size, *after))
    matrix = resample.weights(method, size, out, "float64", antialias)
    y = resample.interpolate(x, method, 1, out, False, antialias)
    np.testing.assert_allclose(y, np.einsum("os,ns...->no...", matrix, x), atol=1e-12)
    back = resample.interpolate(y, method, 1, size, True, antialias)
    expected = np.einsum("os,no...->ns...", matrix, y)
    np.testing.assert_allclose(back, expected, atol=1e-12)
