"""Derivatives of pooling to a given number of windows, one or more.

Adaptive pooling goes axis by axis, first height, then width, as Keras does: of equal
maxima the one in the first column wins, and in that column the first.
"""

from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defjvp, defvjp

from minikeras import config
from minikeras.kernels import adaptive as kernels
from minikeras.kernels.session import single_threaded_blas
from minikeras.ops.base import Array, float_array, getval, primitive
from minikeras.ops.numpy import broadcast_to
from minikeras.validation import int_tuple


@primitive
def gather(x, *, index, axis: int):
    return kernels.gather(x, index, axis)


@primitive
def scatter(g, *, index, axis: int, size: int):
    return kernels.scatter(g, index, axis, size)


defvjp(
    gather,
    lambda y, x, index, axis: (
        lambda g: scatter(g, index=index, axis=axis, size=np.shape(x)[axis])
    ),
)
defvjp(
    scatter,
    lambda dx, g, index, axis, size: lambda u: gather(u, index=index, axis=axis),
)
def_linear(gather)
def_linear(scatter)


@primitive
def max_windows(x, *, axis: int, out: int):
    return kernels.max_pool(x, axis, out)


def _first_max(x, y, axis: int):
    return kernels.first_max(getval(x), getval(y), axis)


defvjp(
    max_windows,
    lambda y, x, axis, out: (
        lambda g: scatter(
            g, index=_first_max(x, y, axis), axis=axis, size=x.shape[axis]
        )
    ),
)
defjvp(
    max_windows,
    lambda d, y, x, axis, out: gather(d, index=_first_max(x, y, axis), axis=axis),
)


@primitive
def average_windows(x, *, axis: int, out: int):
    return kernels.average_pool(x, axis, out)


@primitive
def average_backward(g, *, axis: int, size: int):
    return kernels.average_backward(g, axis, size)


defvjp(
    average_windows,
    lambda y, x, axis, out: (
        lambda g: average_backward(g, axis=axis, size=x.shape[axis])
    ),
)
defvjp(
    average_backward,
    lambda dx, g, axis, size: (
        lambda u: average_windows(u, axis=axis, out=g.shape[axis])
    ),
)
def_linear(average_windows)
def_linear(average_backward)


@primitive
def sum_cells(x):
    """(N, S..., C) summed to (N, C): a product with ones for each axis.

    Twice as fast as np.sum over axes in the middle (benchmarks/kernels.py, case
    "sum-cells"), and sums of sums lose fewer digits than one long sum.
    """
    total = x
    with single_threaded_blas:
        for axis in range(1, x.ndim - 1):
            rows = total.reshape(len(x), x.shape[axis], prod(x.shape[axis + 1 :]))
            total = np.matmul(np.ones((1, x.shape[axis]), x.dtype), rows)
    return total.reshape(len(x), x.shape[-1])


def _to_cells(g, x):
    return broadcast_to(
        anp.reshape(g, (len(x), *(1,) * (x.ndim - 2), x.shape[-1])), x.shape
    )


defvjp(sum_cells, lambda y, x: lambda g: _to_cells(g, x))
def_linear(sum_cells)


def adaptive_max_pool(
    inputs: Any, output_size: Any, data_format: str | None = None
) -> Array:
    """The largest value of each of `output_size` windows along each axis.

    Window i of O on S cells has the cells from floor(i S / O) up to, not including,
    ceil((i + 1) S / O). Of equal maxima in a window the one in the first column gets
    the gradient, and in that column the first.

    Args:
        inputs: (N, S..., C), or (N, C, S...) with `data_format="channels_first"`.
        output_size: windows along each axis; one number or one per axis.
        data_format: layout of the input; the configured default for None.

    Raises:
        ValueError: for an input without one to three such axes, or without cells.

    >>> import numpy as np
    >>> adaptive_max_pool(np.arange(5.0).reshape(1, 5, 1), 3)[0, :, 0]
    array([1., 3., 4.])
    """
    return _pool("adaptive_max_pool", max_windows, inputs, output_size, data_format)


def adaptive_average_pool(
    inputs: Any, output_size: Any, data_format: str | None = None
) -> Array:
    """The mean of each of `output_size` windows along each axis.

    Windows, arguments and errors as for `adaptive_max_pool`.

    >>> import numpy as np
    >>> adaptive_average_pool(np.arange(5.0).reshape(1, 5, 1), 3)[0, :, 0]
    array([0.5, 2. , 3.5])
    """
    return _pool(
        "adaptive_average_pool", average_windows, inputs, output_size, data_format
    )


def _pool(name, windows, inputs, output_size, data_format):
    x = float_array(inputs)
    first = 2 if config.standardize_data_format(data_format) == "channels_first" else 1
    rank = x.ndim - 2
    if not 1 <= rank <= 3 or 0 in x.shape[first : first + rank]:
        raise ValueError(
            f"{name}: `inputs` must have a batch axis, one to three axes with at least "
            f"one cell to pool over, and channels. Received: shape {x.shape}"
        )
    for i, out in enumerate(int_tuple(output_size, rank, "output_size", name)):
        x = windows(x, axis=first + i, out=out)
    return x
