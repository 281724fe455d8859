"""Rows of an array put together by number: sums, products, largest and smallest.

Rows n of (N, ...) with ids[n] = s make row s of (S, ...). Ids outside 0 ... S - 1 do
not count.
"""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp

from minikeras.ops.base import Array, constant_like, convert, getval, primitive
from minikeras.ops.gather import _put, _take
from minikeras.ops.numpy import _where, convert_to_numpy
from minikeras.ops.reshaping import pick_cells
from minikeras.validation import shape_text


def _prepared(data, segment_ids, num_segments, owner):
    """The rows that count, their ids, and the number of segments."""
    data, ids = convert(data), convert_to_numpy(segment_ids)
    if ids.dtype.kind not in "iu" and ids.size:
        raise TypeError(
            f"{owner}: `segment_ids` must be whole numbers. Received: an array of "
            f"dtype {ids.dtype}"
        )
    if ids.ndim != 1 or data.shape[:1] != ids.shape:
        raise ValueError(
            f"{owner}: `segment_ids` must have one axis, as long as the first of "
            f"`data`. Received: segment_ids of shape {shape_text(ids.shape)}, data of "
            f"shape {shape_text(data.shape)}"
        )
    if num_segments is None:
        num_segments = int(ids.max(initial=-1)) + 1
    elif not isinstance(num_segments, int | np.integer) or num_segments < 0:
        raise ValueError(
            f"{owner}: `num_segments` must be a whole number, at least 0, or None. "
            f"Received: num_segments={num_segments!r}"
        )
    inside = (ids >= 0) & (ids < num_segments)
    ids = ids.astype(np.intp)
    if not inside.all():
        kept = np.flatnonzero(inside)
        data, ids = pick_cells(data, index=kept, axis=0), ids[kept]
    return data, ids, int(num_segments)


def segment_sum(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Array:
    """The sum of the rows of each segment, 0 of none.

    Args:
        data: array (N, ...).
        segment_ids: the segment of each row, (N,), whole numbers; rows whose number is
            not from 0 to `num_segments` - 1 do not count.
        num_segments: how many segments there are; the largest number + 1 for None.
        sorted: whether `segment_ids` are in order. Results are the same.

    Output shape: (num_segments, ...).

    Raises:
        ValueError: for shapes that do not fit, or a negative `num_segments`.
        TypeError: for ids that are no whole numbers.

    >>> segment_sum([1.0, 2.0, 3.0], [0, 0, 2])
    array([3., 0., 3.], dtype=float32)
    """
    data, ids, count = _prepared(data, segment_ids, num_segments, "segment_sum")
    return _put(data, index=ids, axis=0, size=count)


@primitive
def _extreme_rows(data, *, ids, count, largest):
    table = np.full((count, *data.shape[1:]), _worst(data.dtype, largest), data.dtype)
    combine = np.maximum if largest else np.minimum
    if len(ids):
        order = np.argsort(ids, kind="stable")
        found, starts = np.unique(ids[order], return_index=True)
        table[found] = combine.reduceat(data[order], starts, axis=0)
    return table


def _worst(dtype, largest):
    if dtype.kind == "f":
        return -np.inf if largest else np.inf
    if dtype.kind == "b":
        return not largest
    return np.iinfo(dtype).min if largest else np.iinfo(dtype).max


def _share(data, table, ids):
    """One for a row that is the result; one over their number where several are."""
    data, table = getval(data), getval(table)
    equal = data == table[ids]
    number = np.zeros(table.shape, data.dtype)
    np.add.at(number, ids, equal)
    return equal / np.maximum(number, constant_like(1, number))[ids]


defvjp(
    _extreme_rows,
    lambda table, data, ids, count, largest: (
        lambda g: anp.multiply(_take(g, index=ids, axis=0), _share(data, table, ids))
    ),
)
defjvp(
    _extreme_rows,
    lambda d, table, data, ids, count, largest: _put(
        anp.multiply(d, _share(data, table, ids)), index=ids, axis=0, size=count
    ),
)


def segment_max(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Array:
    """The largest of the rows of each segment, number by number; ties share the
    gradient. No rows give -inf, or the least whole number. Arguments as for
    `segment_sum`.

    >>> segment_max([1.0, 2.0, 3.0], [0, 0, 1])
    array([2., 3.], dtype=float32)
    """
    data, ids, count = _prepared(data, segment_ids, num_segments, "segment_max")
    return _extreme_rows(data, ids=ids, count=count, largest=True)


def segment_min(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Array:
    """The smallest of the rows of each segment, number by number; ties share the
    gradient. No rows give inf, or the largest whole number. Arguments as for
    `segment_sum`.

    >>> segment_min([1.0, 2.0, 3.0], [0, 0, 1])
    array([1., 3.], dtype=float32)
    """
    data, ids, count = _prepared(data, segment_ids, num_segments, "segment_min")
    return _extreme_rows(data, ids=ids, count=count, largest=False)


def segment_prod(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Array:
    """The product of the rows of each segment, 1 of none. Arguments as for
    `segment_sum`.

    >>> segment_prod([2.0, 3.0, 4.0], [0, 0, 2])
    array([6., 1., 4.], dtype=float32)
    """
    data, ids, count = _prepared(data, segment_ids, num_segments, "segment_prod")
    order = np.argsort(ids, kind="stable")
    rows, ids = pick_cells(data, index=order, axis=0), ids[order]
    column = (-1,) + (1,) * (rows.ndim - 1)
    # Rows are multiplied in pairs until each segment has one: zeros need no division.
    while True:
        found, starts, counts = np.unique(ids, return_index=True, return_counts=True)
        if not (counts > 1).any():
            break
        rank = np.arange(len(ids)) - np.repeat(starts, counts)
        first = np.flatnonzero(rank % 2 == 0)
        paired = (rank + 1 < np.repeat(counts, counts))[first]
        second = np.minimum(first + 1, len(ids) - 1)
        factor = pick_cells(rows, index=second, axis=0)
        one = constant_like(1, factor)
        factor = _where(factor, one, condition=paired.reshape(column))
        rows = anp.multiply(pick_cells(rows, index=first, axis=0), factor)
        ids = ids[first]
    empty = np.ones(count, rows.dtype)
    empty[found] = 0
    table = _put(rows, index=ids, axis=0, size=count)
    return anp.add(table, empty.reshape(column))
