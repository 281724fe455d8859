"""Sorting, searching and counting. NaN comes last; equal numbers keep their order."""

from typing import Any

import numpy as np

from minikeras.ops.base import Array, convert
from minikeras.ops.indexing import pick_flat, place_flat, positions
from minikeras.ops.numpy import convert_to_numpy, reshape
from minikeras.ops.promotion import constants
from minikeras.validation import choice, shape_text


def argsort(x: Any, axis: int | None = -1) -> np.ndarray:
    """The positions of the numbers in rising order, int32 as in Keras.

    >>> argsort([3.0, 1.0, 2.0])
    array([1, 2, 0], dtype=int32)
    """
    x = convert_to_numpy(x)
    axis = None if x.ndim == 0 else axis
    return np.argsort(x, axis, kind="stable").astype("int32")


def sort(x: Any, axis: int | None = -1) -> Array:
    """The numbers in rising order; each keeps its gradient.

    >>> sort([3.0, 1.0, 2.0])
    array([1., 2., 3.], dtype=float32)
    """
    x = convert(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    order = argsort(x, axis)
    index = np.take_along_axis(positions(x.shape), order, axis)
    return pick_flat(x, index=index, distinct=True)


def argpartition(x: Any, kth: int, axis: int | None = -1) -> np.ndarray:
    """Positions such that the number at `kth` is where sorting would put it.

    Smaller ones stand before it in rising order, the others after it in theirs.
    """
    x = convert_to_numpy(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    size = x.shape[axis]
    if not -size <= kth < size:
        raise ValueError(
            f"argpartition: `kth` must be from {-size} to {size - 1} along axis {axis}"
            f" of shape {shape_text(x.shape)}. Received: kth={kth}"
        )
    order = np.argsort(x, axis, kind="stable")
    first, rest = np.split(order, [kth % size + 1], axis)
    joined = np.concatenate([first, np.sort(rest, axis)], axis)
    return joined.astype("int32")


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> np.ndarray:
    """Where to insert each value so that the sequence stays sorted, int32.

    Args:
        sorted_sequence: vector of rising numbers.
        values: array of numbers.
        side: `"left"` of equal numbers, or `"right"`.

    Raises:
        ValueError: for another `side`, or a sequence that is no vector.
    """
    sequence, values = constants(sorted_sequence, values)
    if sequence.ndim != 1:
        raise ValueError(
            "searchsorted: `sorted_sequence` must be a vector. Received: shape "
            f"{shape_text(sequence.shape)}"
        )
    side = choice(side, ("left", "right"), "side", "searchsorted")
    return np.asarray(np.searchsorted(sequence, values, side), "int32")  # type: ignore


def digitize(x: Any, bins: Any) -> np.ndarray:
    """The number of the bin that each x is in: bins[i - 1] <= x < bins[i]; int32.

    >>> digitize([0.5, 1.0, 9.0], [1.0, 2.0])
    array([0, 1, 2], dtype=int32)
    """
    numbers, edges = constants(x, bins)
    return np.asarray(np.digitize(numbers, edges), "int32")


def bincount(
    x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False
) -> Array:
    """How often each whole number occurs, or the sum of the weights where it does.

    Args:
        x: vector of whole numbers from 0 on, or a matrix, to be counted row by row.
        weights: array in the shape of `x`; None counts.
        minlength: least length of the result.
        sparse: must be False; there are no sparse arrays here.

    Raises:
        ValueError: for negative numbers, other shapes, or `sparse=True`.
        TypeError: for numbers that are not whole.

    >>> bincount([1, 1, 3])
    array([0, 2, 0, 1], dtype=int32)
    """
    if sparse:
        raise ValueError(
            "bincount: there are no sparse arrays here. Received: sparse=True"
        )
    index = convert_to_numpy(x)
    if index.dtype.kind not in "iub":
        raise TypeError(
            f"bincount: `x` must be whole numbers. Received: dtype {index.dtype}"
        )
    index = index.astype(np.intp)
    if index.ndim not in (1, 2) or (index < 0).any():
        raise ValueError(
            "bincount: `x` must be a vector or a matrix of numbers from 0 on. "
            f"Received: x={x!r}"
        )
    length = int(max(minlength, index.max() + 1 if index.size else 0))
    rows = () if index.ndim == 1 else (len(index),)
    if rows:
        index = index + np.arange(*rows)[:, None] * length
    if weights is None:
        counts = np.bincount(index.reshape(-1), minlength=length * int(np.prod(rows)))
        return counts.astype("int32").reshape(*rows, length)
    weights = convert(weights)
    if weights.shape != index.shape:
        raise ValueError(
            f"bincount: `weights` must have the shape of `x`, {shape_text(index.shape)}"
            f". Received: shape {shape_text(weights.shape)}"
        )
    return place_flat(weights, index=index, shape=(*rows, length))


def histogram(
    x: Any, bins: int = 10, range: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """How many numbers are in each of some bins of the same width, and their edges.

    Args:
        x: vector of numbers.
        bins: number of bins.
        range: lower and upper edge; None for the least and the largest number. What
            is outside is not counted.

    Returns:
        The counts, in the number type of `x`, and one more edges than bins.

    Raises:
        TypeError: if `bins` is no whole number.
        ValueError: if it is negative, `x` no vector, or the range no rising pair.

    >>> histogram([1.0, 2.0, 2.0], bins=2)[0]
    array([1., 2.], dtype=float32)
    """
    if not isinstance(bins, int):
        raise TypeError(f"histogram: `bins` must be an integer. Received: bins={bins}")
    x = convert_to_numpy(x)
    if bins < 0 or x.ndim > 1:
        raise ValueError(
            "histogram: `bins` must be at least 0, and `x` a vector. Received: "
            f"bins={bins}, shape {shape_text(x.shape)}"
        )
    if range and (len(range) != 2 or range[1] < range[0]):
        raise ValueError(
            f"histogram: `range` must be two rising numbers. Received: range={range!r}"
        )
    dtype = x.dtype if x.dtype.kind == "f" else "float32"
    low, high = range or ((x.min(), x.max()) if x.size else (0, 1))
    if low == high:
        low, high = low - 0.5, high + 0.5
    steps = np.linspace(0, 1, bins + 1).astype(dtype)
    edges = np.asarray(low, dtype) * (1 - steps) + np.asarray(high, dtype) * steps
    counts = np.histogram(x.reshape(-1), edges)[0]
    return counts.astype(dtype), edges


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: float | None = None,
) -> Any:
    """The different numbers, or the different slices along an axis, in rising order.

    Args:
        x: array of numbers.
        sorted: False allows another order; it stays rising here.
        return_index: also return where each occurs first.
        return_inverse: also return which of them stands at each place of `x`.
        return_counts: also return how often each occurs.
        axis: the axis; None flattens `x` before.
        size: how many to return: the first ones, or more, to be filled up.
        fill_value: what fills up; None for the first of them.

    Returns:
        The numbers, or a tuple with int32 arrays behind them. NaNs are all different.

    >>> unique([3, 1, 3], return_counts=True)[1]
    array([1, 2], dtype=int32)
    """
    x = convert_to_numpy(x)
    values, index, inverse, counts = np.unique(
        x, True, True, True, axis=axis, equal_nan=False
    )
    inverse = inverse.reshape(x.shape if axis is None else -1)
    if size is not None:
        along = 0 if axis is None else axis
        kept = np.arange(size)
        missing = kept >= len(index)
        kept[missing] = 0
        values, index = np.take(values, kept, along), index[kept]
        counts = np.where(missing, 0, counts[kept])
        if fill_value is not None:
            np.moveaxis(values, along, 0)[missing] = fill_value
    wanted = (return_index, return_inverse, return_counts)
    parts = zip(wanted, (index, inverse, counts), strict=True)
    more = [part.astype("int32") for is_wanted, part in parts if is_wanted]
    return (values, *more) if more else values
