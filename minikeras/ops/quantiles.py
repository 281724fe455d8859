"""Medians, quantiles and percentiles, over axes.

They are picked from the sorted numbers, so that their gradients go to those numbers;
between two of them they depend on both, and on q.
"""

from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras.ops.base import Array, constant_like, convert, float_array, getval
from minikeras.ops.indexing import pick_flat
from minikeras.ops.numpy import Axis, _axes, _divide, _kept, _where, reshape
from minikeras.ops.ordering import sort
from minikeras.ops.reductions import last_axis
from minikeras.validation import choice

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(x, q, axis, method, keepdims, owner, without_nan=False):
    x = float_array(x)
    q = convert(q, x.dtype)
    method = choice(method, METHODS, "method", owner)
    outside = np.asarray(getval(q))
    if not ((outside >= 0) & (outside <= 1)).all():
        raise ValueError(
            f"{owner}: `q` must be from 0 to {100 if 'percentile' in owner else 1}. "
            f"Received: {q!r}"
        )
    axes = _axes(axis, x.ndim)
    shape = (*q.shape, *_kept(x.shape, axes))
    if not keepdims:
        shape = (*q.shape, *(n for i, n in enumerate(x.shape) if i not in axes))
    rows = last_axis(x, axes)
    n = rows.shape[-1]
    rows = sort(reshape(rows, (-1, n)))
    missing = np.isnan(getval(rows))
    counts = (
        np.maximum(n - missing.sum(-1), 1) if without_nan else np.full(len(rows), n)
    )
    last = (counts - 1).astype(x.dtype)
    place = anp.multiply(reshape(q, (-1, 1)), last)
    low = np.floor(getval(place))
    weight = anp.subtract(place, low)
    first = np.arange(len(rows)) * n
    below = pick_flat(rows, index=first + low.astype(np.intp))
    above = pick_flat(rows, index=first + np.ceil(getval(place)).astype(np.intp))
    if method == "linear":
        rest = anp.subtract(constant_like(1, weight), weight)
        y = anp.add(anp.multiply(below, rest), anp.multiply(above, weight))
    elif method == "midpoint":
        y = anp.multiply(anp.add(below, above), constant_like(0.5, below))
    else:
        up = getval(weight) > (0.5 if method == "nearest" else -1)
        y = below if method == "lower" else _where(above, below, condition=up)
    nothing = missing.all(-1) if without_nan else missing.any(-1)
    y = _where(constant_like(np.nan, y), y, condition=nothing)
    return reshape(y, shape)


def _hundredth(q, x):
    q = convert(q, float_array(x).dtype)
    return _divide(q, constant_like(100, q))


def quantile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Array:
    """The number below which the share q of the numbers lies; NaN if one is NaN.

    Args:
        x: array of numbers.
        q: one share or an array of them, from 0 to 1; their axes come first.
        axis: the axes; None for all.
        method: between two numbers: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or
            `"nearest"` (the lower one in the middle).
        keepdims: whether the axes stay, with length 1.

    Raises:
        ValueError: for another method, or q out of range.

    >>> float(quantile([1.0, 2.0, 4.0], 0.75))
    3.0
    """
    return _quantile(x, q, axis, method, keepdims, "quantile")


def percentile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Array:
    """As `quantile`, for q from 0 to 100."""
    return _quantile(x, _hundredth(q, x), axis, method, keepdims, "percentile")


def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The middle one of the sorted numbers, or the mean of the two in the middle.

    >>> float(median([1.0, 9.0, 2.0]))
    2.0
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, "median")


def nanquantile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Array:
    """`quantile` of what is not NaN; NaN where nothing is."""
    return _quantile(x, q, axis, method, keepdims, "nanquantile", True)


def nanpercentile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Array:
    """`percentile` of what is not NaN; NaN where nothing is."""
    share = _hundredth(q, x)
    return _quantile(x, share, axis, method, keepdims, "nanpercentile", True)


def nanmedian(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """`median` of what is not NaN; NaN where nothing is."""
    return _quantile(x, 0.5, axis, "linear", keepdims, "nanmedian", True)
