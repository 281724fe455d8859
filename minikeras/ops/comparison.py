"""Comparisons and logic: plain arrays of booleans, constants for derivatives."""

from typing import Any

import numpy as np

from minikeras.ops.base import float_array
from minikeras.ops.numpy import Axis, _axes, convert_to_numpy
from minikeras.ops.promotion import constants


def equal(x1: Any, x2: Any) -> np.ndarray:
    """x1 == x2.

    >>> equal([1.0, 2.0], 2)
    array([False,  True])
    """
    return np.asarray(np.equal(*constants(x1, x2)))


def not_equal(x1: Any, x2: Any) -> np.ndarray:
    """x1 != x2."""
    return np.asarray(np.not_equal(*constants(x1, x2)))


def greater(x1: Any, x2: Any) -> np.ndarray:
    """x1 > x2."""
    return np.asarray(np.greater(*constants(x1, x2)))


def greater_equal(x1: Any, x2: Any) -> np.ndarray:
    """x1 >= x2."""
    return np.asarray(np.greater_equal(*constants(x1, x2)))


def less(x1: Any, x2: Any) -> np.ndarray:
    """x1 < x2."""
    return np.asarray(np.less(*constants(x1, x2)))


def less_equal(x1: Any, x2: Any) -> np.ndarray:
    """x1 <= x2."""
    return np.asarray(np.less_equal(*constants(x1, x2)))


def isclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> np.ndarray:
    """Whether |x1 - x2| <= atol + rtol |x2|; NaN is close to NaN if `equal_nan`."""
    x, y = constants(x1, x2)
    return np.asarray(np.isclose(x, y, rtol, atol, equal_nan))


def allclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> np.ndarray:
    """Whether all pairs are close, as `isclose` has it."""
    return np.asarray(isclose(x1, x2, rtol, atol, equal_nan).all())


def isfinite(x: Any) -> np.ndarray:
    """Whether x is a number, neither infinite nor NaN."""
    return np.asarray(np.isfinite(convert_to_numpy(x)))


def isinf(x: Any) -> np.ndarray:
    """Whether x is infinite, of either sign."""
    return np.asarray(np.isinf(convert_to_numpy(x)))


def isnan(x: Any) -> np.ndarray:
    """Whether x is not a number."""
    return np.asarray(np.isnan(convert_to_numpy(x)))


def isposinf(x: Any) -> np.ndarray:
    """Whether x is infinity."""
    return np.asarray(np.isposinf(convert_to_numpy(float_array(x))))


def isneginf(x: Any) -> np.ndarray:
    """Whether x is minus infinity."""
    return np.asarray(np.isneginf(convert_to_numpy(float_array(x))))


def isin(
    x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False
) -> np.ndarray:
    """Whether each of x1 is among the numbers in x2; the opposite if `invert`.

    >>> isin([1, 2, 3], [2, 4])
    array([False,  True, False])
    """
    x, y = constants(x1, x2)
    return np.asarray(np.isin(x, y, assume_unique=assume_unique, invert=invert))


def _truth(x):
    return convert_to_numpy(x).astype(bool)


def logical_and(x1: Any, x2: Any) -> np.ndarray:
    """Whether both are true; numbers are, except 0."""
    return np.asarray(_truth(x1) & _truth(x2))


def logical_or(x1: Any, x2: Any) -> np.ndarray:
    """Whether either is true."""
    return np.asarray(_truth(x1) | _truth(x2))


def logical_xor(x1: Any, x2: Any) -> np.ndarray:
    """Whether exactly one is true."""
    return np.asarray(_truth(x1) ^ _truth(x2))


def logical_not(x: Any) -> np.ndarray:
    """Whether x is not true."""
    return np.asarray(~_truth(x))


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> np.ndarray:
    """Whether all are true, over the given axes.

    >>> all([[True, False], [True, True]], axis=1)
    array([False,  True])
    """
    x = _truth(x)
    return np.asarray(np.all(x, axis=_axes(axis, x.ndim), keepdims=keepdims))


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> np.ndarray:
    """Whether any is true, over the given axes."""
    x = _truth(x)
    return np.asarray(np.any(x, axis=_axes(axis, x.ndim), keepdims=keepdims))


def count_nonzero(x: Any, axis: Axis = None) -> np.ndarray:
    """How many are not 0, over the given axes; int32 as in Keras."""
    x = _truth(x)
    return np.asarray(np.sum(x, axis=_axes(axis, x.ndim)), "int32")
