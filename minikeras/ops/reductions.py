"""Products, running sums and the like, over axes."""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defvjp

from minikeras.ops.base import Array, constant_like, convert, plain, primitive
from minikeras.ops.indexing import cut
from minikeras.ops.numpy import (
    Axis,
    _axes,
    _divide,
    _kept,
    _spread,
    concatenate,
    convert_to_numpy,
    max,
    mean,
    min,
    reshape,
    subtract,
    transpose,
)
from minikeras.ops.numpy import sum as sum_over
from minikeras.ops.promotion import float_operands
from minikeras.validation import shape_text


def amax(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest value, as `max`."""
    return max(x, axis, keepdims)


def amin(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest value, as `min`."""
    return min(x, axis, keepdims)


def ptp(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """From the smallest to the largest value; ties share the gradient.

    Raises:
        TypeError: for booleans.
    """
    if convert(x).dtype == bool:
        raise TypeError("ptp: `x` must be numbers. Received: an array of dtype bool")
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


def _widened(x: Any, dtype: Any) -> Array:
    """`x` in that type; for None, booleans and short whole numbers in 32 bits."""
    x = convert(x, dtype)
    if dtype is None and x.dtype.kind in "biu" and x.dtype.itemsize < 4:
        x = x.astype("uint32" if x.dtype.kind == "u" else "int32")
    return x


def last_axis(x: Array, axes: tuple[int, ...]) -> Array:
    """`x` with the given axes merged into one, which is the last."""
    rest = [i for i in range(x.ndim) if i not in axes]
    length = int(np.prod([x.shape[i] for i in axes], dtype=np.int64))
    shape = (*(x.shape[i] for i in rest), length)
    return reshape(transpose(x, (*rest, *axes)), shape)


def slice_of(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    """Cells `start` to `stop` along an axis."""
    return cut(x, key=(slice(None),) * axis + (slice(start, stop),))


def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Array:
    """Product over the given axes, all by default; the derivative is right at zeros.

    >>> float(prod([2.0, 3.0]))
    6.0
    """
    x = _widened(x, dtype)
    axes = _axes(axis, x.ndim)
    if plain(x):
        return np.asarray(
            np.prod(convert_to_numpy(x), axes, x.dtype, keepdims=keepdims)
        )
    shape = _kept(x.shape, axes)
    x = last_axis(x, axes)
    if x.shape[-1] == 0:
        return np.ones(shape if keepdims else x.shape[:-1], x.dtype)
    while (n := x.shape[-1]) > 1:  # each half by the other, the odd one is left over
        half = n // 2
        parts = [cut(x, key=(..., slice(i * half, i * half + half))) for i in (0, 1)]
        y = anp.multiply(*parts)
        x = concatenate([y, cut(x, key=(..., slice(n - 1, n)))], -1) if n % 2 else y
    return reshape(x, shape if keepdims else x.shape[:-1])


@primitive
def _cumsum(x, *, axis, reverse=False):
    if reverse:
        return np.flip(np.cumsum(np.flip(x, axis), axis, x.dtype), axis)
    return np.cumsum(x, axis, x.dtype)


defvjp(
    _cumsum,
    lambda y, x, axis, reverse=False: (
        lambda g: _cumsum(g, axis=axis, reverse=not reverse)
    ),
)
def_linear(_cumsum)


def _running(x: Any, axis: int | None, dtype: Any) -> tuple[Array, int]:
    x = _widened(x, dtype)
    x, axis = (reshape(x, (-1,)), 0) if axis is None else (x, axis)
    return x, _axes(axis, x.ndim)[0]


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Sum of the numbers up to each, along an axis or of the flattened array.

    >>> cumsum([1.0, 2.0, 3.0])
    array([1., 3., 6.], dtype=float32)
    """
    x, axis = _running(x, axis, dtype)
    return _cumsum(x, axis=axis)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Product of the numbers up to each; the derivative is right at zeros.

    >>> cumprod([1.0, 2.0, 3.0])
    array([1., 2., 6.], dtype=float32)
    """
    x, axis = _running(x, axis, dtype)
    if plain(x):
        return np.cumprod(convert_to_numpy(x), axis, x.dtype)
    step = 1
    while step < x.shape[axis]:  # by the product of the `step` numbers before them
        done = slice_of(x, axis, None, step)
        more = anp.multiply(
            slice_of(x, axis, step, None), slice_of(x, axis, None, -step)
        )
        x, step = concatenate([done, more], axis), 2 * step
    return x


def diff(a: Any, n: int = 1, axis: int = -1) -> Array:
    """Each number less the one before it, n times over.

    Raises:
        ValueError: if `n` is negative.

    >>> diff([1.0, 3.0, 7.0])
    array([2., 4.], dtype=float32)
    """
    a = convert(a)
    if n < 0:
        raise ValueError(f"diff: `n` must be at least 0. Received: n={n}")
    (axis,) = _axes(axis, a.ndim)
    for _ in range(n):
        after, before = slice_of(a, axis, 1, None), slice_of(a, axis, None, -1)
        a = after != before if a.dtype == bool else anp.subtract(after, before)
    return a


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """Integral of y along an axis, by straight lines between its points.

    Args:
        y: values of the function.
        x: where they are: a vector, or an array in the shape of `y`; None for `dx`.
        dx: distance between them.
        axis: the axis.

    >>> float(trapezoid([1.0, 2.0, 3.0]))
    4.0
    """
    if x is None:
        (y,) = float_operands(y)
    else:
        y, x = float_operands(y, x)
    (axis,) = _axes(axis, y.ndim)
    if x is None:
        step = convert(dx, y.dtype)
    elif x.ndim == 1:
        step = reshape(diff(x), (-1,) + (1,) * (y.ndim - 1 - axis))
    else:
        step = diff(x, axis=axis)
    total = anp.add(slice_of(y, axis, 1, None), slice_of(y, axis, None, -1))
    area = sum_over(anp.multiply(step, total), axis)
    return anp.multiply(constant_like(0.5, y), area)


def average(x: Any, axis: Axis = None, weights: Any = None) -> Array:
    """Mean over the given axes, each number counted as often as its weight says.

    Args:
        x: array of numbers.
        axis: the axes; None for all.
        weights: array in the shape of `x`, or a vector for a single axis; None for
            equal weights.

    Raises:
        ValueError: if the weights have another shape.

    >>> float(average([1.0, 4.0], weights=[2.0, 1.0]))
    2.0
    """
    if weights is None:
        return mean(x, axis)
    x, w = float_operands(x, weights)
    axes = _axes(axis, x.ndim)
    if w.shape != x.shape:
        lengths = tuple(x.shape[a] for a in axes)
        if axis is None or len(axes) != 1 or w.shape != lengths:
            raise ValueError(
                "average: `weights` must have the shape of `x`, or be a vector for one "
                f"axis. Received: shapes {shape_text(w.shape)} and "
                f"{shape_text(x.shape)}, axis={axis}"
            )
        line = tuple(n if i in axes else 1 for i, n in enumerate(x.shape))
        w = _spread(reshape(w, line), shape=x.shape)
    return _divide(sum_over(anp.multiply(x, w), axes), sum_over(w, axes))
