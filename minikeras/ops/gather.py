"""Picking along an axis by an array of indices, and its adjoint.

`_take` and `_put` are linear and each other's derivative, so any order works. Both
treat an array as a table (R, D): axes up to the picked one are counted in R, those
behind it in D.
"""

from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defvjp

from minikeras.kernels import embedding as kernels
from minikeras.ops.base import Array, convert, getval, primitive
from minikeras.validation import shape_text


@primitive
def _take(x, *, index, axis):
    before, size, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    table = x.reshape(prod(before) * size, prod(after))
    rows = kernels.gather(table, _row_numbers(index, prod(before), size))
    return rows.reshape((*before, *index.shape, *after))


@primitive
def _put(g, *, index, axis, size):
    before, after = g.shape[:axis], g.shape[axis + index.ndim :]
    rows = g.reshape(prod(before) * index.size, prod(after))
    places = _row_numbers(index, prod(before), size)
    table = kernels.scatter_add(rows, places, prod(before) * size)
    return table.reshape((*before, size, *after))


def _row_numbers(index, repeats, size):
    """Rows of the table: the index, again for each position on the axes before."""
    index = index.reshape(-1)
    if repeats == 1:
        return index
    return (np.arange(repeats)[:, None] * size + index).reshape(-1)


defvjp(
    _take,
    lambda ans, x, index, axis: (
        lambda g: _put(g, index=index, axis=axis, size=anp.shape(x)[axis])
    ),
)
defvjp(
    _put,
    lambda ans, g, index, axis, size: lambda u: _take(u, index=index, axis=axis),
)
def_linear(_take)
def_linear(_put)


def take_rows(table: Any, index: np.ndarray) -> Array:
    """table[index] along the first axis, for intp indices known to be in range."""
    return _take(convert(table), index=index, axis=0)


def take(x: Any, indices: Any, axis: int | None = None) -> Array:
    """Parts of `x` along an axis, in the order of `indices`: y[i] = x[indices[i]].

    Args:
        x: the array.
        indices: whole numbers in any shape; negative ones count from the end.
        axis: axis to pick along; None for that of the flattened array.

    Output shape: that of `x`, with the axis replaced by the shape of `indices`.

    Raises:
        ValueError: for an index out of range (Keras may give NaN, according to its
            backend) or an axis that `x` does not have.
        TypeError: for indices that are not whole numbers.

    >>> take([1.0, 2.0, 3.0], [2, 0, -1])
    array([3., 1., 3.], dtype=float32)
    """
    x = convert(x)
    index = np.asarray(getval(convert(indices)))
    if index.dtype.kind not in "iu" and index.size:
        raise TypeError(
            "take: `indices` must be whole numbers. Received: an array of dtype "
            f"{index.dtype}. Convert it with `ops.cast(indices, 'int32')`."
        )
    if axis is None:
        x, axis = anp.reshape(x, (-1,)), 0
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"take: axis {axis} does not exist in `x` of shape {shape_text(x.shape)}."
        )
    axis %= x.ndim
    size = x.shape[axis]
    wrong = (index < -size) | (index >= size)
    if wrong.any():
        raise ValueError(
            f"take: index {index[wrong][0]} is out of range: axis {axis} of `x`, of "
            f"shape {shape_text(x.shape)}, has {size} entries."
        )
    index = index.astype(np.intp)
    index[index < 0] += size
    return _take(x, index=index, axis=axis)
