"""Numbers put into an array at given places, and blocks cut out of one or put in."""

from collections.abc import Sequence
from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras.ops.base import Array, convert
from minikeras.ops.gather import _put
from minikeras.ops.numpy import (
    _where,
    broadcast_to,
    concatenate,
    convert_to_numpy,
    reshape,
)
from minikeras.ops.reshaping import crop, pad_value, pick_cells
from minikeras.ops.segments import segment_max, segment_min, segment_prod
from minikeras.validation import choice, shape_text

REDUCTIONS = ("add", "max", "min", "mul")


def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Array:
    """Zeros with the values added at the given places.

    Args:
        indices: places (N, K), whole numbers, negative ones from the end; with fewer
            numbers than `shape` has, a place is a row, a plane ...
        values: (N, *shape[K:]).
        shape: shape of the result.

    Raises:
        ValueError: for places outside, or values that do not fit.
        TypeError: for indices that are no whole numbers.

    >>> scatter([[0], [2]], [5.0, 7.0], (4,))
    array([5., 0., 7., 0.], dtype=float32)
    """
    values, shape = convert(values), tuple(int(n) for n in shape)
    rows, axes = _places(indices, shape, "scatter")
    table = prod(shape[:axes]), prod(shape[axes:])
    updates = _updates(values, rows.shape + shape[axes:], table, "scatter", "values")
    total = _put(updates, index=rows.reshape(-1), axis=0, size=table[0])
    return reshape(total, shape)


def scatter_update(
    inputs: Any, indices: Any, updates: Any, reduction: str | None = None
) -> Array:
    """The array with other numbers at the given places.

    Args:
        inputs: the array.
        indices: places (N, K), whole numbers, negative ones from the end; with fewer
            numbers than `inputs` has axes, a place is a row, a plane ...
        updates: (N, *inputs.shape[K:]), of the type of `inputs`.
        reduction: None puts the numbers there, the last one if a place occurs twice;
            `"add"`, `"mul"`, `"max"` and `"min"` combine all with what is there.

    Raises:
        ValueError: for places outside, updates that do not fit, or another reduction.
        TypeError: for indices that are no whole numbers.

    >>> scatter_update([1.0, 2.0, 3.0], [[0], [0]], [5.0, 7.0])
    array([7., 2., 3.], dtype=float32)
    >>> scatter_update([1.0, 2.0, 3.0], [[0], [0]], [5.0, 7.0], reduction="add")
    array([13.,  2.,  3.], dtype=float32)
    """
    if reduction is not None:
        reduction = choice(reduction, REDUCTIONS, "reduction", "scatter_update")
    inputs = convert(inputs)
    updates, shape = convert(updates, inputs.dtype), inputs.shape
    owner = "scatter_update"
    rows, axes = _places(indices, shape, owner)
    table = prod(shape[:axes]), prod(shape[axes:])
    updates = _updates(updates, rows.shape + shape[axes:], table, owner, "updates")
    rows, count = rows.reshape(-1), table[0]
    before = reshape(inputs, table)
    if reduction == "mul":
        after = anp.multiply(before, segment_prod(updates, rows, count))
    elif reduction in ("max", "min"):
        both = concatenate([before, updates], axis=0)
        number = np.concatenate([np.arange(count), rows])
        combine = segment_max if reduction == "max" else segment_min
        after = combine(both, number, count)
    elif reduction == "add":
        after = anp.add(before, _put(updates, index=rows, axis=0, size=count))
    else:
        rows, last = np.unique(rows[::-1], return_index=True)
        updates = pick_cells(updates, index=len(updates) - 1 - last, axis=0)
        new = np.zeros((count, 1), bool)
        new[rows] = True
        placed = _put(updates, index=rows, axis=0, size=count)
        after = _where(placed, before, condition=new)
    return reshape(after, shape)


def _places(indices, shape, owner):
    """The places as row numbers of a table, and how many axes they go along."""
    index = convert_to_numpy(indices)
    if index.dtype.kind not in "iu" and index.size:
        raise TypeError(
            f"{owner}: `indices` must be whole numbers. Received: an array of dtype "
            f"{index.dtype}"
        )
    if index.ndim < 1 or not 1 <= index.shape[-1] <= len(shape):
        raise ValueError(
            f"{owner}: `indices` must be places of 1 to {len(shape)} numbers, along "
            f"its last axis. Received: indices of shape {shape_text(index.shape)} for "
            f"an array of shape {shape_text(shape)}"
        )
    axes = index.shape[-1]
    sizes = np.array(shape[:axes])
    wrong = ((index < -sizes) | (index >= sizes)).any(axis=-1)
    if wrong.any():
        raise ValueError(
            f"{owner}: place {index[wrong][0].tolist()} is outside an array of shape "
            f"{shape_text(shape)}."
        )
    rows = np.zeros(index.shape[:-1], np.intp)
    for axis, size in enumerate(shape[:axes]):
        rows = rows * size + index[..., axis] % size
    return rows, axes


def _updates(updates, expected, table, owner, name):
    """The numbers for each place, as rows of the table."""
    try:
        fits = np.broadcast_shapes(updates.shape, expected) == expected
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{owner}: `{name}` must have shape {shape_text(expected)}, a number for "
            f"each cell at each place. Received: shape {shape_text(updates.shape)}"
        )
    if updates.shape != expected:
        updates = broadcast_to(updates, expected)
    return reshape(updates, (-1, table[1]))


def slice(inputs: Any, start_indices: Sequence[int], shape: Sequence[int]) -> Array:
    """The block of the given shape that starts at a place.

    Args:
        inputs: the array.
        start_indices: the first cell along each axis; negative ones from the end.
        shape: sizes of the block; -1 for all that follow.

    Raises:
        ValueError: if the numbers are not as many as the axes, or the block does not
            lie inside the array.

    >>> slice([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], (0, 1), (1, -1))
    array([[2., 3.]], dtype=float32)
    """
    inputs = convert(inputs)
    starts = _starts(inputs, start_indices, "slice")
    sizes = _whole_numbers(shape, inputs, "slice", "shape")
    ends = zip(inputs.shape, starts, sizes, strict=True)
    sizes = [total - first if n == -1 else n for total, first, n in ends]
    return crop(inputs, widths=_widths(inputs.shape, starts, sizes, "slice"))


def slice_update(inputs: Any, start_indices: Sequence[int], updates: Any) -> Array:
    """The array with a block of other numbers, which starts at a place.

    Args:
        inputs: the array.
        start_indices: the first cell along each axis; negative ones from the end.
        updates: the block, with as many axes.

    Raises:
        ValueError: if the numbers are not as many as the axes, or the block does not
            lie inside the array.

    >>> slice_update([1.0, 2.0, 3.0], [1], [7.0])
    array([1., 7., 3.], dtype=float32)
    """
    inputs = convert(inputs)
    updates = convert(updates, inputs.dtype)
    starts = _starts(inputs, start_indices, "slice_update")
    if updates.ndim != inputs.ndim:
        raise ValueError(
            f"slice_update: `updates` must have {inputs.ndim} axes, as `inputs`. "
            f"Received: shape {shape_text(updates.shape)}"
        )
    widths = _widths(inputs.shape, starts, updates.shape, "slice_update")
    inside = pad_value(np.ones(updates.shape, bool), widths=widths)
    return _where(pad_value(updates, widths=widths), inputs, condition=inside)


def _whole_numbers(values, inputs, owner, name):
    numbers = convert_to_numpy(values)
    if numbers.shape != (inputs.ndim,) or (numbers.dtype.kind not in "iu"):
        raise ValueError(
            f"{owner}: `{name}` must be {inputs.ndim} whole numbers, one for each axis "
            f"of `inputs`. Received: {name}={values!r}"
        )
    return numbers.tolist()


def _starts(inputs, start_indices, owner):
    starts = _whole_numbers(start_indices, inputs, owner, "start_indices")
    pairs = zip(starts, inputs.shape, strict=True)
    return [first + size if first < 0 else first for first, size in pairs]


def _widths(shape, starts, sizes, owner):
    """Cells before and after the block along each axis."""
    blocks = list(zip(shape, starts, sizes, strict=True))
    if any(first < 0 or n < 0 or first + n > total for total, first, n in blocks):
        raise ValueError(
            f"{owner}: the block must lie inside an array of shape "
            f"{shape_text(shape)}. Received: a block of shape {shape_text(sizes)} that "
            f"starts at {shape_text(starts)}"
        )
    return tuple((first, total - first - n) for total, first, n in blocks)
