"""Padding, cropping, repeating and reversing, with `keras.ops` names.

Each is a linear map (padding with a value is one up to a constant) beside its adjoint.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from autograd.extend import def_linear, defjvp, defvjp

from minikeras.kernels import blocking
from minikeras.ops.base import Array, convert, primitive
from minikeras.ops.numpy import _axes, reshape
from minikeras.ops.resampling import repeat_cells
from minikeras.validation import choice

Widths = tuple[tuple[int, int], ...]  # cells before and after, for each axis


@primitive
def pad_value(x, *, widths: Widths, value: float = 0):
    sizes = list(zip(x.shape, widths, strict=True))
    y = blocking.empty([n + sum(width) for n, width in sizes], x.dtype)
    inside = tuple(slice(before, before + n) for n, (before, _) in sizes)
    for axis, inner in enumerate(inside):  # the border, each cell of it once
        for edge in (slice(0, inner.start), slice(inner.stop, None)):
            y[inside[:axis] + (edge,)] = value
    y[inside] = x
    return y


@primitive
def crop(x, *, widths: Widths):
    """`x` without the given numbers of cells at the ends of each axis."""
    sizes = zip(x.shape, widths, strict=True)
    return x[tuple(slice(before, n - after) for n, (before, after) in sizes)]


defvjp(
    pad_value,
    lambda y, x, widths, value=0: lambda g: crop(g, widths=widths),
)
defjvp(
    pad_value,
    lambda d, y, x, widths, value=0: pad_value(d, widths=widths),
)
defvjp(crop, lambda y, x, widths: lambda g: pad_value(g, widths=widths))
def_linear(crop)


@primitive
def pick_cells(x, *, index, axis: int):
    """The cells number `index` along an axis, as often as they occur there."""
    return np.take(x, index, axis)


@primitive
def place_cells(g, *, index, axis: int, size: int):
    """Each g added to its cell number `index`; the adjoint of `pick_cells`."""
    x = np.zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype)
    if len(index):
        order = np.argsort(index, kind="stable")
        cells, starts = np.unique(index[order], return_index=True)
        sums = np.add.reduceat(np.take(g, order, axis), starts, axis)
        np.moveaxis(x, axis, 0)[cells] = np.moveaxis(sums, axis, 0)
    return x


defvjp(
    pick_cells,
    lambda y, x, index, axis: (
        lambda g: place_cells(g, index=index, axis=axis, size=x.shape[axis])
    ),
)
defvjp(
    place_cells,
    lambda x, g, index, axis, size: lambda u: pick_cells(u, index=index, axis=axis),
)
def_linear(pick_cells)
def_linear(place_cells)


@primitive
def _flip(x, *, axes):
    return np.ascontiguousarray(np.flip(x, axes))


defvjp(_flip, lambda y, x, axes: lambda g: _flip(g, axes=axes))
def_linear(_flip)


def _mirrored(n: int, before: int, after: int, mode: str) -> np.ndarray:
    """For each cell of a padded axis, the number of the cell that it copies."""
    place = np.arange(-before, n + after)
    if mode == "edge":
        return np.clip(place, 0, n - 1)
    if mode == "wrap":
        return place % n
    period = 2 * n if mode == "symmetric" else max(1, 2 * n - 2)
    place = place % period
    return np.minimum(place, (period - 1 if mode == "symmetric" else period) - place)


PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(
    x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None
) -> Array:
    """`x` with more cells before and after those it has, along each axis.

    Args:
        x: array of numbers.
        pad_width: one number for all ends, (before, after) for all axes, or a pair
            for each axis.
        mode: `"constant"`, `"edge"` (the last cell), `"reflect"` (mirrored at the last
            cell), `"symmetric"` (mirrored behind it) or `"wrap"`.
        constant_values: the number to pad with, 0 for None; in mode `"constant"` only.

    Raises:
        ValueError: for other modes, widths that are negative or fit no axes, a
            `constant_values` that is not one number or stands beside another mode, and
            an empty axis to be padded from its own cells.

    >>> import numpy as np
    >>> pad(np.array([1, 2, 3]), (1, 2), mode="reflect")
    array([2, 1, 2, 3, 2, 1])
    """
    x = convert(x)
    widths = _pad_widths(pad_width, x.ndim)
    mode = choice(mode, PAD_MODES, "mode", "pad")
    if constant_values is not None and (
        mode != "constant" or not isinstance(constant_values, int | float | np.number)
    ):
        raise ValueError(
            "pad: `constant_values` must be one number, and `mode` 'constant'. "
            f"Received: constant_values={constant_values!r}, mode={mode!r}"
        )
    if mode == "constant":
        value = 0 if constant_values is None else constant_values
        return pad_value(x, widths=widths, value=value)
    for axis, (before, after) in enumerate(widths):
        if before or after:
            if x.shape[axis] == 0:
                raise ValueError(
                    f"pad: axis {axis} has no cells to pad from with mode={mode!r}; "
                    f"use mode='constant'. Received: shape {x.shape}"
                )
            index = _mirrored(x.shape[axis], before, after, mode)
            x = pick_cells(x, index=index, axis=axis)
    return x


def _pad_widths(pad_width: Any, ndim: int) -> Widths:
    try:
        array = np.asarray(pad_width)
        pairs = np.broadcast_to(array, (ndim, 2))
    except ValueError:
        pairs = None
    if pairs is None or array.dtype.kind not in "iu" or (pairs < 0).any():
        raise ValueError(
            "pad: `pad_width` must be a number, a pair (before, after), or a pair for "
            f"each of the {ndim} axes, none of them negative. "
            f"Received: pad_width={pad_width!r}"
        )
    return tuple((int(before), int(after)) for before, after in pairs)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Array:
    """Each cell several times in a row, along an axis, or of the flattened array.

    Args:
        x: array of numbers.
        repeats: how often, at least 0; one number or one for each cell of the axis.
        axis: the axis; None flattens `x` before.

    Raises:
        ValueError: for counts that are negative, no integers, or of another number.

    >>> import numpy as np
    >>> repeat(np.array([[1, 2]]), 2, axis=1)
    array([[1, 1, 2, 2]])
    """
    x = convert(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    (axis,) = _axes(axis, x.ndim)
    counts = np.asarray(repeats)
    if (
        counts.dtype.kind not in "iu"
        or (counts < 0).any()
        or counts.shape not in ((), (1,), (x.shape[axis],))
    ):
        raise ValueError(
            "repeat: `repeats` must be an integer, at least 0, or one for each of the "
            f"{x.shape[axis]} cells. Received: repeats={repeats!r}"
        )
    if counts.size == 1 and counts.item() > 0:
        times = tuple(counts.item() if i == axis else 1 for i in range(x.ndim))
        return repeat_cells(x, times=times)
    index = np.repeat(np.arange(x.shape[axis]), counts)
    return pick_cells(x, index=index, axis=axis)


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Array:
    """`x` in reverse order along the given axes, all by default.

    >>> import numpy as np
    >>> flip(np.array([1, 2, 3]))
    array([3, 2, 1])
    """
    x = convert(x)
    return _flip(x, axes=_axes(axis, x.ndim))
