"""Derivatives of repeating and interpolating: linear maps, each with its adjoint."""

from typing import Any

import numpy as np
from autograd.extend import def_linear, defvjp

from minikeras.kernels import resample as kernels
from minikeras.ops.base import Array, convert, float_array, getval, primitive
from minikeras.validation import choice, positive_int

INTERPOLATIONS = ("nearest", *kernels.KERNELS)


@primitive
def repeat_cells(x, *, times: tuple[int, ...]):
    """Each cell `times` times in a row, along each axis."""
    return kernels.repeat(x, times)


@primitive
def fold_cells(g, *, times: tuple[int, ...]):
    return kernels.fold(g, times)


defvjp(repeat_cells, lambda y, x, times: lambda g: fold_cells(g, times=times))
defvjp(fold_cells, lambda x, g, times: lambda u: repeat_cells(u, times=times))
def_linear(repeat_cells)
def_linear(fold_cells)


@primitive
def interpolate(x, *, method: str, axis: int, out: int, adjoint=False, antialias=False):
    """x with `out` cells along an axis, interpolated; or the adjoint of that."""
    return kernels.interpolate(x, method, axis, out, adjoint, antialias)


def _transposed(y, x, *, method, axis, out, adjoint=False, antialias=False):
    back = {"axis": axis, "out": x.shape[axis], "antialias": antialias}
    return lambda g: interpolate(g, method=method, adjoint=not adjoint, **back)


defvjp(interpolate, _transposed)
def_linear(interpolate)


def enlarge(x: Any, factors: dict[int, int], interpolation: str = "nearest") -> Array:
    """`x` with more cells along some axes.

    Args:
        x: array of numbers; interpolated integers are rounded to integers again.
        factors: axis -> how many cells there are then for each one, at least 1.
        interpolation: `"nearest"` repeats cells; `"bilinear"`, `"bicubic"` (Keys),
            `"lanczos3"` and `"lanczos5"` weigh the neighbours, as `jax.image.resize`.

    Raises:
        ValueError: for a factor below 1 and an unknown interpolation.

    >>> import numpy as np
    >>> enlarge(np.array([[0.0, 4.0]]), {1: 2}, "bilinear")
    array([[0., 1., 3., 4.]])
    """
    x = convert(x)
    method = choice(interpolation, INTERPOLATIONS, "interpolation", "enlarge")
    for factor in factors.values():
        positive_int(factor, "factors", "enlarge")
    if method == "nearest":
        return repeat_cells(x, times=tuple(factors.get(i, 1) for i in range(x.ndim)))
    y = float_array(x)
    for axis, factor in factors.items():
        if factor != 1:
            y = interpolate(y, method=method, axis=axis, out=y.shape[axis] * factor)
    return y if x.dtype == y.dtype else np.rint(getval(y)).astype(x.dtype)
