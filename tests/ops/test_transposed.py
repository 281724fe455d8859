"""Transposed convolution against a loop, real Keras' sizes, and its derivatives."""

import json
from itertools import product
from pathlib import Path

import autograd
import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras import config
from minikeras.kernels import blocking, conv_transpose
from minikeras.kernels.windows import transposed_geometry, transposed_size
from minikeras.ops import transposed as ops

GOLDEN = Path(__file__).parents[1] / "golden"
SHAPES = json.loads((GOLDEN / "convolutional.json").read_text())["transposed_shapes"]

GRID = [
    (sizes, kernel, stride, dilation, padding, extra)
    for sizes, kernel, stride, dilation, padding, extra in product(
        [(1,), (4,), (2, 3)],
        (1, 2, 3, 4),
        (1, 2, 3),
        (1, 2),
        ("valid", "same"),
        (None, 0, 1),
    )
    if (extra or 0) < stride
    and transposed_size(min(sizes), kernel, stride, padding, extra, dilation)
]
every_window = pytest.mark.parametrize("window", GRID, ids=str)


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


def whole(rng, *shape):
    return rng.integers(-4, 5, shape).astype("float64")


def arrays(window, channels=2, filters=3):
    sizes, kernel, stride, dilation, padding, extra = window
    rank = len(sizes)
    where = transposed_geometry(
        sizes,
        (kernel,) * rank,
        (stride,) * rank,
        padding,
        None if extra is None else (extra,) * rank,
        (dilation,) * rank,
    )
    rng = np.random.default_rng(0)
    x = whole(rng, 2, *sizes, channels)
    w = whole(rng, *where.kernel, filters, channels)
    return where, x, w, whole(rng, filters)


@pytest.mark.parametrize("row", SHAPES, ids=str)
def test_sizes_are_those_of_keras(row):
    size, kernel, stride, padding, extra, dilation, expected = row
    window = (kernel, stride, padding, extra, dilation)
    assert transposed_size(size, *window) == expected
    assert transposed_size(None, *window) is None
    extras = None if extra is None else (extra,)
    where = transposed_geometry(
        (size,), (kernel,), (stride,), padding, extras, (dilation,)
    )
    assert (where.sizes, where.out) == ((expected,), (size,))


@every_window
@pytest.mark.parametrize("cut", [False, True])
def test_every_input_cell_adds_a_kernel(window, cut, monkeypatch):
    if cut:
        monkeypatch.setattr(blocking, "SLICE_BYTES", 1)
        monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1)
    where, x, w, bias = arrays(window)
    expected = np.zeros((2, *where.sizes, 3))
    for i in np.ndindex(*where.out):
        for k in np.ndindex(*where.kernel):
            at = tuple(
                p * s + c * d - before
                for p, s, c, d, (before, _) in zip(
                    i, where.strides, k, where.dilation, where.pads, strict=True
                )
            )
            if all(0 <= p < n for p, n in zip(at, where.sizes, strict=True)):
                expected[(slice(None), *at)] += x[(slice(None), *i)] @ w[k].T
    y = conv_transpose.convolve_transposed(x, w, None, where)
    np.testing.assert_array_equal(y, expected)
    y = conv_transpose.convolve_transposed(x, w, bias, where, relu=True)
    np.testing.assert_array_equal(y, np.maximum(expected + bias, 0))
    _, _, stride, dilation, padding, extra = window
    y = ops.conv_transpose(x, w, stride, padding, extra, None, dilation)
    np.testing.assert_array_equal(y, expected)


@every_window
@pytest.mark.parametrize("relu", [False, True])
def test_derivatives_of_any_order(window, relu):
    where, x, w, bias = arrays(window)
    rng = np.random.default_rng(1)  # off the whole numbers, where a ReLU may bend
    x, w, bias = (a + 0.1 * rng.normal(size=a.shape) for a in (x, w, bias))

    def layer(x, w, bias):
        return ops.conv_transpose_bias(x, w, bias, geometry=where, relu=relu)

    check_grads(layer, (0, 1, 2), modes=["fwd", "rev"], order=2)(x, w, bias)
    no_bias = check_grads(lambda x, w: layer(x, w, None), modes=["rev"], order=2)
    no_bias(x, w)


@pytest.mark.parametrize("window", GRID[::7], ids=str)
def test_float32_stays(window):
    where, x, w, bias = arrays(window)
    x, w, bias = (a.astype("float32") for a in (x, w, bias))

    def loss(*arguments):
        y = ops.conv_transpose_bias(*arguments, geometry=where, relu=True)
        assert y.dtype == "float32"
        return y.sum()

    for argument, gradient in zip(
        (x, w, bias), autograd.grad(loss, (0, 1, 2))(x, w, bias), strict=True
    ):
        assert (gradient.dtype, gradient.shape) == (argument.dtype, argument.shape)


@pytest.mark.parametrize("stride", [1, 2])
def test_bits_do_not_depend_on_threads(stride):
    where = transposed_geometry((9, 8), (3, 3), (stride, stride), "same")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(33, 9, 8, 5)).astype("float32")
    w = rng.normal(size=(3, 3, 4, 5)).astype("float32")
    results = []
    for threads in (1, 2, 5):
        config.set_threads(threads)
        try:
            y = conv_transpose.convolve_transposed(x, w, None, where)
            results.append((y, *conv_transpose.backward(x, w, y, y, where)))
        finally:
            config.set_threads(None)
    for other in results[1:]:
        for ours, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_channels_first():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 3, 4, 2)), rng.normal(size=(3, 2, 5, 2))
    last = ops.conv_transpose(x, w, (1, 2), "same")
    first = ops.conv_transpose(
        np.moveaxis(x, -1, 1), w, (1, 2), "same", data_format="channels_first"
    )
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


@pytest.mark.parametrize(
    "x, w, options, message",
    [
        ((1, 4, 2), (2, 2, 3), {}, "2 input channels.* for 3 channels"),
        ((1, 4, 4, 2), (2, 2, 2), {}, "must have 3 axes"),
        ((1, 4, 2), (2, 1, 2), {"padding": "causal"}, "`padding` must be one of"),
        ((1, 4, 2), (2, 1, 2), {"output_padding": 1}, "less than the stride"),
        ((1, 4, 2), (2, 1, 2), {"strides": (2, 2)}, "`strides` must be a positive"),
        ((1, 4, 2), (2, 1, 2), {"data_format": "last"}, "`data_format` must be"),
        (
            (1, 1, 2),
            (2, 1, 2),
            {"strides": 2, "padding": "same", "output_padding": 0},
            "output without cells",
        ),
    ],
)
def test_wrong_arguments(x, w, options, message):
    with pytest.raises(ValueError, match=message):
        ops.conv_transpose(np.ones(x), np.ones(w), **options)
