"""Reductions that leave out what is not a number (NaN)."""

from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras.ops.base import Array, constant_like, convert, float_array, getval
from minikeras.ops.numpy import (
    Axis,
    _axes,
    _divide,
    _where,
    max,
    min,
    sqrt,
    square,
)
from minikeras.ops.numpy import sum as sum_over
from minikeras.ops.reductions import cumprod, cumsum, prod


def _filled(x: Array, value: float, missing: Any = None) -> Array:
    """`x` with another number in place of NaN."""
    if x.dtype.kind != "f":
        return x
    missing = np.isnan(getval(x)) if missing is None else missing
    return _where(constant_like(value, x), x, condition=missing)


def nansum(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Sum of what is not NaN.

    >>> import numpy as np
    >>> float(nansum([1.0, np.nan]))
    1.0
    """
    return sum_over(_filled(convert(x), 0), axis, keepdims)


def nanprod(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Product of what is not NaN."""
    return prod(_filled(convert(x), 1), axis, keepdims)


def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running sum of what is not NaN."""
    return cumsum(_filled(convert(x), 0), axis, dtype)


def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running product of what is not NaN."""
    return cumprod(_filled(convert(x), 1), axis, dtype)


def _count(x: Array, axis: Axis, keepdims: bool) -> np.ndarray:
    """How many numbers are not NaN; NaN where none is."""
    there = ~np.isnan(getval(x))
    count = there.sum(axis=_axes(axis, x.ndim), keepdims=keepdims)
    return np.where(count == 0, np.nan, count).astype(x.dtype)


def nanmean(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Mean of what is not NaN; NaN where nothing is."""
    x = float_array(x)
    return _divide(nansum(x, axis, keepdims), _count(x, axis, keepdims))


def nanvar(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Variance of what is not NaN; NaN where nothing is."""
    x = float_array(x)
    apart = anp.subtract(x, nanmean(x, axis, keepdims=True))
    apart = _filled(apart, 0, np.isnan(getval(x)))
    total = sum_over(square(apart), axis, keepdims)
    return _divide(total, _count(x, axis, keepdims))


def nanstd(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Square root of `nanvar`."""
    return sqrt(nanvar(x, axis, keepdims))


def _nan_extreme(reduce, x, axis, keepdims, worst):
    x = convert(x)
    if x.dtype.kind != "f":
        return reduce(x, axis, keepdims)
    y = reduce(_filled(x, worst), axis, keepdims)
    nothing = np.isnan(getval(x)).all(axis=_axes(axis, x.ndim), keepdims=keepdims)
    return _filled(y, np.nan, nothing)


def nanmax(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest of what is not NaN, NaN if nothing is; ties share the gradient."""
    return _nan_extreme(max, x, axis, keepdims, -np.inf)


def nanmin(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest of what is not NaN, NaN if nothing is; ties share the gradient."""
    return _nan_extreme(min, x, axis, keepdims, np.inf)


def _nan_place(find, x, axis, keepdims, worst):
    x = np.asarray(getval(convert(x)))
    missing = np.isnan(x)
    filled = np.where(missing, constant_like(worst, x), x) if missing.any() else x
    index = find(filled, axis=axis, keepdims=keepdims)
    nothing = missing.all(axis=axis, keepdims=keepdims)
    return np.asarray(np.where(nothing, -1, index), "int32")


def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
    """Index of the first largest number that is not NaN, int32; -1 where none is."""
    return _nan_place(np.argmax, x, axis, keepdims, -np.inf)


def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
    """Index of the first smallest number that is not NaN, int32; -1 where none is."""
    return _nan_place(np.argmin, x, axis, keepdims, np.inf)
