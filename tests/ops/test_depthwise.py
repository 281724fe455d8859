"""Derivatives of depthwise convolution, and the functions of `keras.ops`."""

from itertools import product

import autograd
import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras.kernels.windows import geometry
from minikeras.ops import convolution, depthwise

GRID = [
    (sizes, kernel, stride, dilation, padding, depth)
    for sizes, kernel, stride, dilation, padding, depth in product(
        [(1,), (5,), (3, 4)],
        (1, 2, 3),
        (1, 2),
        (1, 2),
        ("valid", "same"),
        (1, 2),
    )
    if padding == "same" or (kernel - 1) * dilation < min(sizes)
]
every_window = pytest.mark.parametrize("window", GRID, ids=str)


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


def arrays(window, channels=2):
    sizes, kernel, stride, dilation, padding, depth = window
    rank = len(sizes)
    where = geometry(
        sizes, (kernel,) * rank, (stride,) * rank, padding, (dilation,) * rank
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *sizes, channels))
    w = rng.normal(size=(*where.kernel, channels, depth))
    g = rng.normal(size=(2, *where.out, channels * depth))
    return where, x, w, g


def check(function, *arguments):
    argnums = tuple(range(len(arguments)))
    check_grads(function, argnums, modes=["fwd", "rev"], order=2)(*arguments)


@every_window
def test_products_have_derivatives_of_any_order(window):
    where, x, w, g = arrays(window)
    check(lambda x, w: depthwise.depthwise(x, w, geometry=where), x, w)
    check(lambda g, w: depthwise.depthwise_input_gradient(g, w, geometry=where), g, w)
    check(lambda x, g: depthwise.depthwise_filter_gradient(x, g, geometry=where), x, g)


@every_window
@pytest.mark.parametrize("relu", [False, True])
def test_bias_and_relu(window, relu):
    where, x, w, g = arrays(window)
    bias = np.random.default_rng(1).normal(size=g.shape[-1])
    check(
        lambda x, w, b: depthwise.depthwise_bias(x, w, b, geometry=where, relu=relu),
        *(x, w, bias),
    )
    check(
        lambda x, w: depthwise.depthwise_bias(x, w, None, geometry=where, relu=relu),
        *(x, w),
    )


@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 3, 2, 4)])
def test_pointwise(shape):
    rng = np.random.default_rng(0)
    x, bias = rng.normal(size=shape), rng.normal(size=2)
    w = rng.normal(size=(*(1,) * (len(shape) - 2), shape[-1], 2))
    expected = np.maximum(x @ w.reshape(-1, 2) + bias, 0)
    y = depthwise.pointwise_bias(x, w, bias, relu=True)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    check(lambda *a: depthwise.pointwise_bias(*a, relu=True), x, w, bias)


@pytest.mark.parametrize("window", GRID[::5], ids=str)
def test_float32_stays(window):
    where, x, w, g = (
        a if isinstance(a, tuple) else a.astype("float32") for a in arrays(window)
    )
    bias = np.ones(g.shape[-1], "float32")

    def loss(*arguments):
        return depthwise.depthwise_bias(*arguments, geometry=where, relu=True).sum()

    for argument, gradient in zip(
        (x, w, bias), autograd.grad(loss, (0, 1, 2))(x, w, bias), strict=True
    ):
        assert (gradient.dtype, gradient.shape) == (argument.dtype, argument.shape)


def by_grouped_convolution(x, w, **window):
    """Keras computes it as a convolution with a group for each channel."""
    channels, depth = w.shape[-2:]
    kernel = w.reshape(*w.shape[:-2], 1, channels * depth)
    return convolution.conv(x, kernel, **window)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides, dilation", [(1, 1), (2, 1), ((1, 2), 1), (1, 2)])
def test_depthwise_conv(padding, strides, dilation):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 6, 7, 3)), rng.normal(size=(3, 2, 3, 2))
    window = dict(strides=strides, padding=padding, dilation_rate=dilation)
    expected = by_grouped_convolution(x, w, **window)
    y = depthwise.depthwise_conv(x, w, **window)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    first = np.moveaxis(x, -1, 1)
    y = depthwise.depthwise_conv(first, w, data_format="channels_first", **window)
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), expected, rtol=1e-10, atol=1e-12)
    mix = rng.normal(size=(1, 1, 6, 4))
    expected = expected @ mix[0, 0]
    y = depthwise.separable_conv(x, w, mix, **window)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    y = depthwise.separable_conv(first, w, mix, data_format="channels_first", **window)
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), expected, rtol=1e-10, atol=1e-12)


def test_lists_and_integers_become_float32():
    y = depthwise.depthwise_conv([[[1], [2], [3]]], [[[1]], [[10]]])
    assert y.dtype == "float32"
    np.testing.assert_array_equal(y, [[[21], [32]]])


@pytest.mark.parametrize(
    "x, w, options, message",
    [
        ((1, 4, 2), (2, 3, 1), {}, "2 input channels.* for 3 channels"),
        ((1, 4, 4, 2), (2, 2, 1), {}, "must have 3 axes"),
        ((1, 2), (2, 1), {}, "slides over 0 axes"),
        ((1, 4, 2), (2, 2, 1), {"padding": "causal"}, "`padding` must be one of"),
        ((1, 4, 2), (2, 2, 1), {"strides": 0}, "`strides` must be a positive"),
        ((1, 4, 2), (2, 2, 1), {"dilation_rate": (1, 2)}, "`dilation_rate` must be"),
        ((1, 4, 2), (2, 2, 1), {"data_format": "last"}, "`data_format` must be"),
    ],
)
def test_wrong_arguments(x, w, options, message):
    with pytest.raises(ValueError, match=message):
        depthwise.depthwise_conv(np.ones(x), np.ones(w), **options)
    mix = np.ones((*(1,) * (len(w) - 2), w[-2] * w[-1], 1))
    with pytest.raises(ValueError, match=message):
        depthwise.separable_conv(np.ones(x), np.ones(w), mix, **options)


@pytest.mark.parametrize("mix", [(1, 2, 1), (2, 4, 1)])
def test_wrong_pointwise_kernel(mix):
    with pytest.raises(
        ValueError, match="`pointwise_kernel` must have a window of one"
    ):
        depthwise.separable_conv(np.ones((1, 4, 2)), np.ones((2, 2, 2)), np.ones(mix))
