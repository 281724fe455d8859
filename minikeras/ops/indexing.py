"""Parts of arrays by position, and their adjoints.

`cut` and `paste` handle what a view can show: whole numbers and slices. `paste` adds
into the gradient that is being collected, so a loop over slices costs no dense array
for each. `pick_flat` and `place_flat` handle any positions, numbered as in the
flattened array; they are each other's derivative.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from autograd.extend import def_linear, defjvp, defvjp, vspace
from autograd.numpy.numpy_vjps import SparseObject  # autograd.core's

from minikeras.ops.base import Array, constant_like, convert, primitive
from minikeras.ops.numpy import (
    Axis,
    _axes,
    _where,
    convert_to_numpy,
    reshape,
)
from minikeras.ops.numpy import sum as sum_over
from minikeras.validation import shape_text


@primitive
def cut(x, *, key):
    """x[key] for a tuple of whole numbers, slices, None and `...`."""
    return np.asarray(x[key])


@primitive
def paste(g, *, key, space):
    """Zeros with g at `key`, as something to be added to an array."""

    def add_to(total):
        total[key] += g
        return total

    return SparseObject(space, add_to)


defvjp(cut, lambda y, x, key: lambda g: paste(g, key=key, space=vspace(x)))
defvjp(paste, lambda y, g, key, space: lambda u: cut(u, key=key))
def_linear(cut)
defjvp(paste, "same")


@primitive
def pick_flat(x, *, index, distinct=False):
    """The numbers of `x` at those positions; `distinct` if none occurs twice."""
    return np.asarray(np.take(x, index))


@primitive
def place_flat(g, *, index, shape, distinct=False):
    """Each g added to zeros of that shape, at its position."""
    if not distinct:  # faster than np.add.at, and adds up in float64
        sums = np.bincount(index.reshape(-1), g.reshape(-1), prod(shape))
        return sums.astype(g.dtype).reshape(shape)
    x = np.zeros(prod(shape), g.dtype)
    x[index] = g
    return x.reshape(shape)


defvjp(
    pick_flat,
    lambda y, x, index, distinct=False: (
        lambda g: place_flat(g, index=index, shape=np.shape(x), distinct=distinct)
    ),
)
defvjp(
    place_flat,
    lambda x, g, index, shape, distinct=False: (
        lambda u: pick_flat(u, index=index, distinct=distinct)
    ),
)
def_linear(pick_flat)
def_linear(place_flat)


def positions(shape: Sequence[int]) -> np.ndarray:
    """The number of each cell in the flattened array."""
    return np.arange(prod(shape)).reshape(shape)


def get_item(x: Any, key: Any) -> Array:
    """x[key], for keys as NumPy takes them.

    Raises:
        IndexError: for a position that `x` does not have.

    >>> get_item([1.0, 2.0, 3.0], slice(0, 2))
    array([1., 2.], dtype=float32)
    """
    x = convert(x)
    parts = tuple(map(_key_part, key if isinstance(key, tuple) else (key,)))
    try:
        if not any(isinstance(part, np.ndarray) for part in parts):
            return cut(x, key=parts)
        index = positions(x.shape)[parts]
    except IndexError as error:
        raise IndexError(
            f"get_item: {error}. Received: key={key!r} for an array of shape "
            f"{shape_text(x.shape)}"
        ) from None
    mask = len(parts) == 1 and parts[0].dtype == bool
    return pick_flat(x, index=index, distinct=mask)


def _key_part(part):
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    part = convert_to_numpy(part)
    if part.size == 0 and part.dtype.kind == "f":
        part = part.astype(np.intp)
    return int(part) if part.ndim == 0 and part.dtype.kind in "iu" else part


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Array:
    """One number for each index: y[i, j] = x[i, indices[i, j]] along the last axis.

    Args:
        x: the array.
        indices: whole numbers; negative ones count from the end. The other axes are
            as long as those of `x`, or either is 1.
        axis: the axis; None for that of the flattened array.

    Raises:
        ValueError: for indices out of range (Keras gives NaN or the nearest, according
            to its backend), or of other shapes.
        TypeError: for indices that are not whole numbers.

    >>> take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]], axis=1)
    array([[2.],
           [3.]], dtype=float32)
    """
    x, index = convert(x), convert_to_numpy(indices)
    if index.dtype.kind not in "iu":
        raise TypeError(
            "take_along_axis: `indices` must be whole numbers. Received: an array of "
            f"dtype {index.dtype}"
        )
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    (axis,) = _axes(axis, x.ndim)
    if index.ndim != x.ndim:
        raise ValueError(
            f"take_along_axis: `indices` must have {x.ndim} axes, as `x` has. "
            f"Received: shapes {shape_text(index.shape)} and {shape_text(x.shape)}"
        )
    size = x.shape[axis]
    wrong = index[(index < -size) | (index >= size)]
    if wrong.size:
        raise ValueError(
            f"take_along_axis: index {wrong[0]} is out of range: axis {axis} of `x`, "
            f"of shape {shape_text(x.shape)}, has {size} entries."
        )

    def others(shape, length):
        return (*shape[:axis], length, *shape[axis + 1 :])

    shape = np.broadcast_shapes(others(x.shape, 1), others(index.shape, 1))
    cells = np.broadcast_to(positions(x.shape), others(shape, size))
    index = np.broadcast_to(index, others(shape, index.shape[axis]))
    return pick_flat(x, index=np.take_along_axis(cells, index % size, axis))


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonals of the matrices that two axes span, along a last axis.

    Args:
        x: array of two or more axes.
        offset: how far to the right of the main diagonal.
        axis1: the axis of the rows.
        axis2: the axis of the columns.

    Raises:
        ValueError: if there are not two different axes.
    """
    x = convert(x)
    if x.ndim < 2 or _axes(axis1, x.ndim) == _axes(axis2, x.ndim):
        raise ValueError(
            "diagonal: `axis1` and `axis2` must be two axes of `x`. Received: "
            f"axis1={axis1}, axis2={axis2} and shape {shape_text(x.shape)}"
        )
    index = np.diagonal(positions(x.shape), offset, axis1, axis2)
    return pick_flat(x, index=index, distinct=True)


def diag(x: Any, k: int = 0) -> Array:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal.

    >>> diag([1.0, 2.0])
    array([[1., 0.],
           [0., 2.]], dtype=float32)

    Raises:
        ValueError: for an array of another number of axes.
    """
    x = convert(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(
            "diag: `x` must be a vector or a matrix. Received: shape "
            f"{shape_text(x.shape)}"
        )
    n = x.shape[0] + abs(k)
    index = np.diagonal(positions((n, n)), k)
    return place_flat(x, index=index, shape=(n, n), distinct=True)


def diagflat(x: Any, k: int = 0) -> Array:
    """The matrix with all numbers of `x` on its diagonal."""
    return diag(reshape(x, (-1,)), k)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The sum of each diagonal."""
    return sum_over(diagonal(x, offset, axis1, axis2), -1)


def _triangle(x, k, owner, lower):
    x = convert(x)
    if x.ndim < 2:
        raise ValueError(
            f"{owner}: `x` must have two axes or more. Received: shape "
            f"{shape_text(x.shape)}"
        )
    below = np.tri(x.shape[-2], x.shape[-1], k, bool)
    return _where(x, constant_like(0, x), condition=below if lower else ~below)


def tril(x: Any, k: int = 0) -> Array:
    """`x` with zeros above the diagonal number k of each matrix."""
    return _triangle(x, k, "tril", True)


def triu(x: Any, k: int = 0) -> Array:
    """`x` with zeros below the diagonal number k of each matrix."""
    return _triangle(x, k - 1, "triu", False)


@primitive
def _roll(x, *, shift, axis):
    return np.roll(x, shift, axis)


defvjp(
    _roll,
    lambda y, x, shift, axis: lambda g: _roll(g, shift=np.negative(shift), axis=axis),
)
def_linear(_roll)


def roll(x: Any, shift: int | Sequence[int], axis: Axis = None) -> Array:
    """Cells moved along axes; those that leave at one end come in at the other.

    >>> roll([1.0, 2.0, 3.0], 1)
    array([3., 1., 2.], dtype=float32)
    """
    axis = tuple(axis) if isinstance(axis, list) else axis
    return _roll(convert(x), shift=shift, axis=axis)


def nonzero(x: Any) -> tuple[np.ndarray, ...]:
    """Positions of all numbers but 0: an int32 array for each axis.

    Raises:
        ValueError: for a single number, which has no axis.
    """
    x = convert_to_numpy(x)
    if x.ndim == 0:
        raise ValueError(f"nonzero: `x` must have an axis. Received: {x}")
    return tuple(index.astype("int32") for index in np.nonzero(x))


def unravel_index(indices: Any, shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Positions of cells by their numbers in the flattened array, an array an axis.

    Raises:
        ValueError: for numbers out of range (Keras on JAX gives the last cell).

    >>> [int(i) for i in unravel_index(5, (2, 3))]
    [1, 2]
    """
    index, size = convert_to_numpy(indices), prod(shape)
    if ((index < -size) | (index >= size)).any():
        raise ValueError(
            f"unravel_index: `indices` must be from {-size} to {size - 1} for shape "
            f"{shape_text(shape)}. Received: indices={indices!r}"
        )
    places = np.unravel_index(index % size, tuple(shape))
    return tuple(np.asarray(place, index.dtype) for place in places)
