"""Derivatives of pooling.

Letters as in `kernels/pool.py`: x (N, S, C), y, g and index (N, O, C). For a given
index `gather` and `scatter` are adjoint, and so are the average and its backward, so
any order works. Ties go to the first cell of the window, row by row.
"""

from typing import Any

from autograd.extend import def_linear, defjvp, defvjp

from minikeras import config
from minikeras.kernels import pool as kernels
from minikeras.kernels.windows import Geometry, geometry
from minikeras.ops.base import Array, float_array, getval, plain, primitive
from minikeras.ops.numpy import moveaxis
from minikeras.validation import choice, int_tuple


@primitive
def gather(x, *, index, geometry: Geometry):
    return kernels.gather(x, index, geometry)


@primitive
def scatter(g, *, index, geometry: Geometry):
    return kernels.scatter(g, index, geometry)


defvjp(
    gather,
    lambda y, x, index, geometry: lambda g: scatter(g, index=index, geometry=geometry),
)
defvjp(
    scatter,
    lambda dx, g, index, geometry: lambda u: gather(u, index=index, geometry=geometry),
)
def_linear(gather)
def_linear(scatter)


@primitive
def max_windows(x, *, geometry: Geometry):
    return kernels.max_pool(x, geometry)


def _first_max(x, y, geometry: Geometry):
    return kernels.first_max(getval(x), getval(y), geometry)


def _max_windows_vjp(y, x, geometry):
    def vjp(g):
        if plain(g, x):
            return kernels.max_backward(x, getval(y), g, geometry)
        return scatter(g, index=_first_max(x, y, geometry), geometry=geometry)

    return vjp


defvjp(max_windows, _max_windows_vjp)
defjvp(
    max_windows,
    lambda d, y, x, geometry: gather(
        d, index=_first_max(x, y, geometry), geometry=geometry
    ),
)


@primitive
def average_windows(x, *, geometry: Geometry):
    return kernels.average_pool(x, geometry)


@primitive
def average_backward(g, *, geometry: Geometry):
    return kernels.average_backward(g, geometry)


defvjp(
    average_windows,
    lambda y, x, geometry: lambda g: average_backward(g, geometry=geometry),
)
defvjp(
    average_backward,
    lambda dx, g, geometry: lambda u: average_windows(u, geometry=geometry),
)
def_linear(average_windows)
def_linear(average_backward)


def max_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The largest value of each window, as `keras.ops.max_pool`.

    Args:
        inputs: (N, S..., C), or (N, C, S...) with `data_format="channels_first"`.
        pool_size: cells of a window; one number or one per axis.
        strides: cells between neighbouring windows; `pool_size` for None.
        padding: `"valid"` or `"same"` (padded with -inf, so padding never wins).
        data_format: layout of the input; the configured default for None.

    >>> import numpy as np
    >>> max_pool(np.arange(4.0).reshape(1, 4, 1), 2)[0, :, 0]
    array([1., 3.])
    """
    where = pool_size, strides, padding, data_format
    return _pool("max_pool", max_windows, inputs, *where)


def average_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The mean of each window's real cells, as `keras.ops.average_pool`.

    Arguments as for `max_pool`; padding is not counted.

    >>> import numpy as np
    >>> average_pool(np.arange(3.0).reshape(1, 3, 1), 2, padding="same")[0, :, 0]
    array([0.5, 2. ])
    """
    where = pool_size, strides, padding, data_format
    return _pool("average_pool", average_windows, inputs, *where)


def _pool(name, windows, inputs, pool_size, strides, padding, data_format):
    x = float_array(inputs)
    rank = x.ndim - 2
    first = config.standardize_data_format(data_format) == "channels_first"
    if first:
        x = moveaxis(x, 1, -1)
    kernel = int_tuple(pool_size, rank, "pool_size", name)
    step = kernel if strides is None else strides
    where = geometry(
        x.shape[1:-1],
        kernel,
        int_tuple(step, rank, "strides", name),
        choice(padding, ("valid", "same"), "padding", name),
    )
    y = windows(x, geometry=where)
    return moveaxis(y, -1, 1) if first else y
