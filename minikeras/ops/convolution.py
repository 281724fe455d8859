"""Derivatives of convolution.

Letters as in `kernels/conv.py`: x (N, S, C), w (K, C/G, F), bias (F,), g (N, O, F).
The three products are closed under differentiation, so any order works.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.extend import def_linear, defjvp_argnum, defvjp, defvjp_argnums

from minikeras import config
from minikeras.kernels import conv as kernels
from minikeras.kernels.windows import Geometry, geometry
from minikeras.ops.base import Array, float_array, getval, plain, primitive
from minikeras.ops.numpy import (
    _common,
    masked,
    moveaxis,
    multiply,
    reshape,
    sum_leading,
)
from minikeras.validation import choice, int_tuple

ENOUGH_CHANNELS = 16  # in a group, for a matmul


@primitive
def convolve(x, w, *, geometry: Geometry):
    return kernels.convolve(x, w, None, geometry, _groups(x, w))


@primitive
def input_gradient(g, w, *, geometry: Geometry, groups: int):
    return kernels.input_gradient(g, w, geometry, groups)


@primitive
def filter_gradient(x, g, *, geometry: Geometry, groups: int):
    return kernels.filter_gradient(x, g, geometry, groups)


def _groups(x, w) -> int:
    return x.shape[-1] // w.shape[-2]


defvjp(
    convolve,
    lambda y, x, w, geometry: (
        lambda g: input_gradient(g, w, geometry=geometry, groups=_groups(x, w))
    ),
    lambda y, x, w, geometry: (
        lambda g: filter_gradient(x, g, geometry=geometry, groups=_groups(x, w))
    ),
)
defvjp(
    input_gradient,
    lambda dx, g, w, geometry, groups: lambda u: convolve(u, w, geometry=geometry),
    lambda dx, g, w, geometry, groups: (
        lambda u: filter_gradient(u, g, geometry=geometry, groups=groups)
    ),
)
defvjp(
    filter_gradient,
    lambda dw, x, g, geometry, groups: (
        lambda u: input_gradient(g, u, geometry=geometry, groups=groups)
    ),
    lambda dw, x, g, geometry, groups: lambda u: convolve(x, u, geometry=geometry),
)
for _product in (convolve, input_gradient, filter_gradient):
    def_linear(_product)


Rule = Callable[..., Array]


def define_biased(
    biased: Any, product: Rule, for_x: Rule, for_w: Rule, fused: Any = None
) -> None:
    """Derivatives of `biased`(x, w, bias) = relu(product(x, w) + bias).

    Args:
        biased: the primitive, with the keywords `geometry` and `relu`.
        product: of (x, w, geometry), linear in x and in w.
        for_x: of (g, x, w, geometry): the adjoint of `product` in x.
        for_w: of (g, x, w, geometry): the adjoint of `product` in w.
        fused: of (g, x, w, geometry, output of a ReLU or None, wanted): all wanted
            gradients at once, while nothing is boxed; see `kernels.conv.backward`.
    """

    def vjp_maker(argnums, y, args, kwargs):
        x, w, bias = args
        where: Geometry = kwargs["geometry"]
        relu = kwargs["relu"]

        def vjp(g):
            if fused is not None and plain(g, x, w):
                wanted = "".join("xwb"[n] for n in argnums)
                output = getval(y) if relu else None
                all_three = fused(g, x, w, where, output, wanted)
                return tuple(all_three[n] for n in argnums)
            if relu:
                g = masked(g, keep=getval(y) > 0)
            makers = (
                lambda: for_x(g, x, w, where),
                lambda: for_w(g, x, w, where),
                lambda: sum_leading(g),
            )
            return tuple(makers[n]() for n in argnums)

        return vjp

    def jvp(argnum, d, y, args, kwargs):
        x, w, _ = args
        where, relu = kwargs["geometry"], kwargs["relu"]
        if argnum == 2:
            tangent = d + np.zeros(y.shape, y.dtype)
        else:
            tangent = product(*((d, w) if argnum == 0 else (x, d)), where)
        return masked(tangent, keep=getval(y) > 0) if relu else tangent

    defvjp_argnums(biased, vjp_maker)
    defjvp_argnum(biased, jvp)


@primitive
def conv_bias(x, w, bias, *, geometry: Geometry, relu: bool):
    """Convolution, bias and ReLU while the data is in cache; bias may be None."""
    return kernels.convolve(x, w, bias, geometry, _groups(x, w), relu)


define_biased(
    conv_bias,
    lambda x, w, where: convolve(x, w, geometry=where),
    lambda g, x, w, where: input_gradient(g, w, geometry=where, groups=_groups(x, w)),
    lambda g, x, w, where: filter_gradient(x, g, geometry=where, groups=_groups(x, w)),
    lambda g, x, w, where, y, wanted: kernels.backward(
        x, w, y, g, where, _groups(x, w), wanted
    ),
)


def merge_groups(w: Array, groups: int) -> Array:
    """The kernel (K, C/G, F) of fewer groups, zero where they mix the old ones.

    A matmul needs some channels to pay: two in each of 32 groups took three times as
    long as 16 in each of 4, the zeros included (benchmarks/kernels.py, case "groups").
    """
    *kernel, size, filters = w.shape
    merged = next(
        b
        for b in range(1, groups + 1)
        if not groups % b and b * size >= ENOUGH_CHANNELS or b == groups
    )
    if merged == 1:
        return w
    old = (*kernel, 1, size, groups // merged, merged, filters // groups)
    same = np.eye(merged, dtype=w.dtype).reshape(merged, 1, 1, merged, 1)
    return reshape(multiply(reshape(w, old), same), (*kernel, merged * size, filters))


def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """Convolution in one, two or three dimensions, as `keras.ops.conv`.

    Args:
        inputs: (N, S..., C), or (N, C, S...) with `data_format="channels_first"`.
        kernel: (K..., C / groups, F); the number of groups follows from C.
        strides: cells between neighbouring windows; one number or one per axis.
        padding: `"valid"` or `"same"`.
        data_format: layout of the input; the configured default for None.
        dilation_rate: cells between neighbouring cells of a window.

    >>> conv(np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[4., 4.],
           [4., 4.]])
    """
    x, w, first = channels_last("conv", inputs, kernel, data_format)
    rank = w.ndim - 2
    if x.shape[-1] % w.shape[-2] or w.shape[-1] % (x.shape[-1] // w.shape[-2] or 1):
        raise ValueError(
            f"conv: {x.shape[-1]} input channels and {w.shape[-1]} filters do not fall "
            f"into groups of {w.shape[-2]} channels (kernel of shape {w.shape})"
        )
    where = geometry(
        x.shape[1:-1],
        w.shape[:-2],
        int_tuple(strides, rank, "strides", "conv"),
        choice(padding, ("valid", "same"), "padding", "conv"),
        int_tuple(dilation_rate, rank, "dilation_rate", "conv"),
    )
    y = convolve(x, merge_groups(w, _groups(x, w)), geometry=where)
    return moveaxis(y, -1, 1) if first else y


def channels_last(
    name: str, inputs: Any, kernel: Any, data_format: str | None
) -> tuple[Array, Array, bool]:
    """Both as arrays of one type, channels last, and whether they were first.

    Raises:
        ValueError: if the numbers of axes do not fit.
    """
    x, w = _common(float_array(inputs), float_array(kernel))
    rank = w.ndim - 2
    if rank < 1 or x.ndim != w.ndim:
        raise ValueError(
            f"{name}: a kernel of shape {w.shape} slides over {rank} axes, so `inputs` "
            f"must have {rank + 2} axes. Received: inputs of shape {x.shape}"
        )
    first = config.standardize_data_format(data_format) == "channels_first"
    return moveaxis(x, 1, -1) if first else x, w, first
