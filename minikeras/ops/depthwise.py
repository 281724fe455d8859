"""Derivatives of depthwise convolution.

Letters as in `kernels/depthwise.py`: x (N, S, C), w (K, C, M), bias (C * M,),
g (N, O, C * M). The three products are closed under differentiation, so any order
works.
"""

from typing import Any

from autograd.extend import def_linear, defvjp

from minikeras.kernels import depthwise as kernels
from minikeras.kernels.windows import Geometry, geometry
from minikeras.ops.base import Array, primitive
from minikeras.ops.convolution import channels_last, conv_bias, define_biased
from minikeras.ops.numpy import moveaxis
from minikeras.validation import choice, int_tuple


@primitive
def depthwise(x, w, *, geometry: Geometry):
    return kernels.convolve(x, w, None, geometry)


@primitive
def depthwise_input_gradient(g, w, *, geometry: Geometry):
    return kernels.input_gradient(g, w, geometry)


@primitive
def depthwise_filter_gradient(x, g, *, geometry: Geometry):
    return kernels.filter_gradient(x, g, geometry)


defvjp(
    depthwise,
    lambda y, x, w, geometry: (
        lambda g: depthwise_input_gradient(g, w, geometry=geometry)
    ),
    lambda y, x, w, geometry: (
        lambda g: depthwise_filter_gradient(x, g, geometry=geometry)
    ),
)
defvjp(
    depthwise_input_gradient,
    lambda dx, g, w, geometry: lambda u: depthwise(u, w, geometry=geometry),
    lambda dx, g, w, geometry: (
        lambda u: depthwise_filter_gradient(u, g, geometry=geometry)
    ),
)
defvjp(
    depthwise_filter_gradient,
    lambda dw, x, g, geometry: (
        lambda u: depthwise_input_gradient(g, u, geometry=geometry)
    ),
    lambda dw, x, g, geometry: lambda u: depthwise(x, u, geometry=geometry),
)
for _product in (depthwise, depthwise_input_gradient, depthwise_filter_gradient):
    def_linear(_product)


@primitive
def depthwise_bias(x, w, bias, *, geometry: Geometry, relu: bool):
    """Depthwise convolution, bias and ReLU in the cache; bias may be None."""
    return kernels.convolve(x, w, bias, geometry, relu)


define_biased(
    depthwise_bias,
    lambda x, w, where: depthwise(x, w, geometry=where),
    lambda g, x, w, where: depthwise_input_gradient(g, w, geometry=where),
    lambda g, x, w, where: depthwise_filter_gradient(x, g, geometry=where),
)


def pointwise_bias(x, w, bias, *, relu: bool) -> Array:
    """Convolution with a window of one cell, bias and ReLU: mixes the channels."""
    ones = (1,) * (x.ndim - 2)
    where = geometry(x.shape[1:-1], ones, ones, "valid")
    return conv_bias(x, w, bias, geometry=where, relu=relu)


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """Convolution of every channel by itself, as `keras.ops.depthwise_conv`.

    Args:
        inputs: (N, S..., C), or (N, C, S...) with `data_format="channels_first"`.
        kernel: (K..., C, M): M filters of each channel.
        strides: cells between neighbouring windows; one number or one per axis.
        padding: `"valid"` or `"same"`.
        data_format: layout of the input; the configured default for None.
        dilation_rate: cells between neighbouring cells of a window.

    Returns:
        C * M channels; the filters of one channel are neighbours.

    >>> import numpy as np
    >>> depthwise_conv(np.ones((1, 3, 2)), [[[1.0], [2.0]], [[0.0], [1.0]]])[0]
    array([[1., 3.],
           [1., 3.]])
    """
    x, w, first = channels_last("depthwise_conv", inputs, kernel, data_format)
    y = _depthwise("depthwise_conv", x, w, strides, padding, dilation_rate)
    return moveaxis(y, -1, 1) if first else y


def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """`depthwise_conv`, then a mix of the channels, as `keras.ops.separable_conv`.

    Args:
        inputs: (N, S..., C), or (N, C, S...) with `data_format="channels_first"`.
        depthwise_kernel: (K..., C, M).
        pointwise_kernel: (1..., C * M, F).
        strides: cells between neighbouring windows; one number or one per axis.
        padding: `"valid"` or `"same"`.
        data_format: layout of the input; the configured default for None.
        dilation_rate: cells between neighbouring cells of a window.

    >>> import numpy as np
    >>> depth = np.ones((2, 2, 1))
    >>> separable_conv(np.ones((1, 3, 2)), depth, np.ones((1, 2, 1)))[0]
    array([[4.],
           [4.]])
    """
    name = "separable_conv"
    x, w, first = channels_last(name, inputs, depthwise_kernel, data_format)
    x, mix, _ = channels_last(name, x, pointwise_kernel, "channels_last")
    channels = w.shape[-2] * w.shape[-1]
    if mix.shape[:-1] != (1,) * (w.ndim - 2) + (channels,):
        raise ValueError(
            f"{name}: `pointwise_kernel` must have a window of one cell and "
            f"{channels} channels (those of `depthwise_kernel` times its filters of "
            f"each). Received: shapes {w.shape} and {mix.shape}"
        )
    y = _depthwise(name, x, w, strides, padding, dilation_rate)
    y = pointwise_bias(y, mix, None, relu=False)
    return moveaxis(y, -1, 1) if first else y


def _depthwise(name, x, w, strides, padding, dilation_rate):
    rank = w.ndim - 2
    if x.shape[-1] != w.shape[-2]:
        raise ValueError(
            f"{name}: {x.shape[-1]} input channels, but a kernel (sizes, channels, "
            f"filters of each) of shape {w.shape} for {w.shape[-2]} channels"
        )
    where = geometry(
        x.shape[1:-1],
        w.shape[:-2],
        int_tuple(strides, rank, "strides", name),
        choice(padding, ("valid", "same"), "padding", name),
        int_tuple(dilation_rate, rank, "dilation_rate", name),
    )
    return depthwise(x, w, geometry=where)
