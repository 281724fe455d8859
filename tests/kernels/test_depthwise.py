"""Depthwise convolution and its gradients against loops over windows and cells.

Arrays hold small whole numbers, so every sum is exact in either float type and results
must be equal, whatever the order of the additions.
"""

from itertools import product

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import blocking, depthwise
from minikeras.kernels.windows import geometry

GRID = [
    (sizes, kernel, stride, dilation, padding)
    for sizes, kernel, stride, dilation, padding in product(
        [(1,), (7,), (1, 5), (6, 4), (3, 4, 5)],
        (1, 2, 3),
        (1, 2, 3),
        (1, 2, 3),
        ("valid", "same", "causal"),
    )
    if padding != "valid" or (kernel - 1) * dilation < min(sizes)
]
CHANNELS = [(1, 1), (3, 1), (2, 3)]


@pytest.fixture(params=["long runs", "short runs"], autouse=True)
def run(request, monkeypatch):
    """Whether a row is one inner loop, or several and a rest, in slices of an image."""
    if request.param == "short runs":
        monkeypatch.setattr(depthwise, "RUN", 5)
        monkeypatch.setattr(blocking, "SLICE_BYTES", 1)
        monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1)


def whole(rng, *shape, dtype="float64"):
    return rng.integers(-4, 5, shape).astype(dtype)


def meetings(where):
    """(output place, window cell, input place) wherever the cell is not padding."""
    for o in np.ndindex(*where.out):
        for k in np.ndindex(*where.kernel):
            at = tuple(
                i * s + c * d - before
                for i, s, c, d, (before, _) in zip(
                    o, where.strides, k, where.dilation, where.pads, strict=True
                )
            )
            if all(0 <= i < size for i, size in zip(at, where.sizes, strict=True)):
                yield (slice(None), *o), k, (slice(None), *at)


@pytest.mark.parametrize("channels, depth", CHANNELS)
@pytest.mark.parametrize("sizes, kernel, stride, dilation, padding", GRID)
def test_products(sizes, kernel, stride, dilation, padding, channels, depth):
    rank = len(sizes)
    where = geometry(
        sizes, (kernel,) * rank, (stride,) * rank, padding, (dilation,) * rank
    )
    rng = np.random.default_rng(0)
    x = whole(rng, 2, *sizes, channels)
    w = whole(rng, *where.kernel, channels, depth)
    g = whole(rng, 2, *where.out, channels * depth)
    y = np.zeros((2, *where.out, channels, depth))
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    g_split = g.reshape(y.shape)
    for o, k, i in meetings(where):
        y[o] += x[i][:, :, None] * w[k]
        dx[i] += (g_split[o] * w[k]).sum(-1)
        dw[k] += (x[i][:, :, None] * g_split[o]).sum(0)
    y = y.reshape(g.shape)
    np.testing.assert_array_equal(depthwise.convolve(x, w, None, where), y)
    np.testing.assert_array_equal(depthwise.input_gradient(g, w, where), dx)
    np.testing.assert_array_equal(depthwise.filter_gradient(x, g, where), dw)
    bias = whole(rng, channels * depth)
    np.testing.assert_array_equal(
        depthwise.convolve(x, w, bias, where, relu=True), np.maximum(y + bias, 0)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_stay(dtype):
    rng = np.random.default_rng(0)
    where = geometry((5, 4), (2, 3), (2, 1), "same")
    x = whole(rng, 2, 5, 4, 3, dtype=dtype)
    w = whole(rng, 2, 3, 3, 2, dtype=dtype)
    y = depthwise.convolve(x, w, np.ones(6, dtype), where)
    assert y.dtype == dtype
    assert depthwise.input_gradient(y, w, where).dtype == dtype
    assert depthwise.filter_gradient(x, y, where).dtype == dtype


@pytest.mark.parametrize("stride", [1, 2])
def test_arrays_of_any_layout(stride):
    rng = np.random.default_rng(0)
    where = geometry((5, 4), (2, 3), (stride, stride), "same")
    x, w = whole(rng, 2, 5, 4, 3), whole(rng, 2, 3, 3, 2)
    y = depthwise.convolve(x, w, None, where)
    for layout in (np.asfortranarray, lambda a: a[::-1][::-1], lambda a: a.T.copy().T):
        x2, w2, y2 = layout(x), layout(w), layout(y)
        np.testing.assert_array_equal(depthwise.convolve(x2, w2, None, where), y)
        np.testing.assert_array_equal(
            depthwise.input_gradient(y2, w2, where),
            depthwise.input_gradient(y, w, where),
        )
        np.testing.assert_array_equal(
            depthwise.filter_gradient(x2, y2, where),
            depthwise.filter_gradient(x, y, where),
        )


def test_arguments_are_not_written_to():
    rng = np.random.default_rng(0)
    where = geometry((5,), (3,), (1,), "valid")
    x, w, g = whole(rng, 2, 5, 3), whole(rng, 3, 3, 1), whole(rng, 2, 3, 3)
    bias = np.ones(3)
    copies = [a.copy() for a in (x, w, g, bias)]
    depthwise.convolve(x, w, bias, where, relu=True)
    depthwise.input_gradient(g, w, where)
    depthwise.filter_gradient(x, g, where)
    for now, before in zip((x, w, g, bias), copies, strict=True):
        np.testing.assert_array_equal(now, before)


def test_an_empty_batch():
    where = geometry((5,), (3,), (1,), "valid")
    x, w = np.ones((0, 5, 2)), np.ones((3, 2, 1))
    assert depthwise.convolve(x, w, None, where).shape == (0, 3, 2)
    assert depthwise.input_gradient(np.ones((0, 3, 2)), w, where).shape == x.shape
    np.testing.assert_array_equal(
        depthwise.filter_gradient(x, np.ones((0, 3, 2)), where), np.zeros((3, 2, 1))
    )


@pytest.mark.parametrize("stride, depth", [(1, 1), (2, 2)])
def test_bits_do_not_depend_on_threads(stride, depth):
    rng = np.random.default_rng(0)
    where = geometry((17, 16), (3, 3), (stride, stride), "same")
    x = rng.normal(size=(33, 17, 16, 5)).astype("float32")
    w = rng.normal(size=(3, 3, 5, depth)).astype("float32")
    results = []
    for threads in (1, 2, 5):
        config.set_threads(threads)
        try:
            y = depthwise.convolve(x, w, None, where)
            gradients = depthwise.input_gradient(y, w, where)
            results.append((y, gradients, depthwise.filter_gradient(x, y, where)))
        finally:
            config.set_threads(None)
    for other in results[1:]:
        for ours, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(ours, expected)
