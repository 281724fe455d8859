"""Transposed convolution: the input gradient of a convolution that goes the other way.

Letters as in `kernels/conv_transpose.py`: x (N, I, C), w (K, F, C), bias (F,),
g (N, O, F). Its derivatives are those of convolution, so any order works.
"""

from typing import Any

import numpy as np

from minikeras.kernels import conv_transpose as kernels
from minikeras.kernels.windows import Geometry, transposed_geometry
from minikeras.ops.base import Array, primitive
from minikeras.ops.convolution import (
    channels_last,
    convolve,
    define_biased,
    filter_gradient,
    input_gradient,
)
from minikeras.ops.numpy import moveaxis
from minikeras.validation import choice, int_tuple


@primitive
def conv_transpose_bias(x, w, bias, *, geometry: Geometry, relu: bool):
    """Transposed convolution, bias and ReLU; w (K, F, C), bias may be None.

    `geometry` is that of the convolution from y to x.
    """
    return kernels.convolve_transposed(x, w, bias, geometry, relu)


define_biased(
    conv_transpose_bias,
    lambda x, w, where: input_gradient(x, w, geometry=where, groups=1),
    lambda g, x, w, where: convolve(g, w, geometry=where),
    lambda g, x, w, where: filter_gradient(g, x, geometry=where, groups=1),
    lambda g, x, w, where, y, wanted: kernels.backward(x, w, y, g, where, wanted),
)


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """Transposed convolution, as `keras.ops.conv_transpose`: adds kernels up.

    y[n, i*stride + k*dilation - cut, f] += x[n,i,c] kernel[k,f,c] over all i, k, c.

    Args:
        inputs: (N, S..., C), or (N, C, S...) with `data_format="channels_first"`.
        kernel: (K..., F, C).
        strides: cells of the output between neighbouring cells of the input.
        padding: `"valid"` or `"same"` (edges cut, so that the output has
            size * stride cells).
        output_padding: cells to add after each axis, less than its stride; None for
            the sizes above.
        data_format: layout of the input; the configured default for None.
        dilation_rate: cells between neighbouring cells of the kernel.

    >>> conv_transpose(np.ones((1, 2, 1)), [[[1.0]], [[2.0]]], strides=2)[0, :, 0]
    array([1., 2., 1., 2.])
    """
    name = "conv_transpose"
    x, w, first = channels_last(name, inputs, kernel, data_format)
    rank = w.ndim - 2
    if x.shape[-1] != w.shape[-1]:
        raise ValueError(
            f"{name}: {x.shape[-1]} input channels, but a kernel (sizes, filters, "
            f"channels) of shape {w.shape} for {w.shape[-1]} channels"
        )
    steps = int_tuple(strides, rank, "strides", name)
    where = transposed_geometry(
        x.shape[1:-1],
        w.shape[:-2],
        steps,
        choice(padding, ("valid", "same"), "padding", name),
        output_padding_tuple(output_padding, steps, name),
        int_tuple(dilation_rate, rank, "dilation_rate", name),
    )
    if 0 in where.sizes:
        raise ValueError(
            f"{name}: inputs of shape {x.shape} give an output without cells, with "
            f"kernel sizes {w.shape[:-2]}, strides={steps}, padding={padding!r} and "
            f"output_padding={output_padding}; leave `output_padding` out"
        )
    y = conv_transpose_bias(x, w, None, geometry=where, relu=False)
    return moveaxis(y, -1, 1) if first else y


def output_padding_tuple(
    value: Any, strides: tuple[int, ...], owner: str
) -> tuple[int, ...] | None:
    """`value`, None or integers from 0 to below each stride, as a tuple or None.

    Raises:
        ValueError: if it is anything else.
    """
    if value is None:
        return None
    rank = len(strides)
    given = (value,) * rank if isinstance(value, int | np.integer) else value
    if (
        not isinstance(given, list | tuple)
        or len(given) != rank
        or not all(isinstance(v, int | np.integer) for v in given)
        or not all(0 <= v < s for v, s in zip(given, strides, strict=True))
    ):
        raise ValueError(
            f"{owner}: `output_padding` must be None, or an integer or {rank} of them, "
            "each at least 0 and less than the stride along its axis. Received: "
            f"output_padding={value!r}, strides={strides}"
        )
    return tuple(int(v) for v in given)
