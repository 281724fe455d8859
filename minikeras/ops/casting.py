"""Number types: asked for, and changed without overflow."""

from typing import Any

import numpy as np

from minikeras.ops.base import Array, convert, getval, isbox
from minikeras.ops.numpy import clip, where
from minikeras.variables import Variable


def dtype(x: Any) -> str:
    """Name of the number type of an array.

    >>> dtype(np.zeros(2, "int32"))
    'int32'
    """
    return convert(x).dtype.name


def is_tensor(x: Any) -> bool:
    """Whether `x` is an array, also one that is traced for a gradient; lists, numbers
    and weights' handles are not.

    >>> is_tensor(np.zeros(2)), is_tensor([0.0])
    (True, False)
    """
    if isinstance(x, Variable):
        return False
    return isbox(x) or isinstance(x, np.ndarray | np.generic)


def _limits(kind: np.dtype) -> tuple[float, float]:
    if kind.kind == "b":
        return 0, 1
    if kind.kind == "f":
        return np.finfo(kind).min.item(), np.finfo(kind).max.item()
    return np.iinfo(kind).min, np.iinfo(kind).max


def saturate_cast(x: Any, dtype: str) -> Array:
    """`x` as another number type, each number that does not fit as the nearest that
    does; nan as whole number is 0.

    >>> saturate_cast(np.array([-1.0, 256.0]), "uint8")
    array([  0, 255], dtype=uint8)
    """
    x, kind = convert(x), np.dtype(dtype)
    if x.dtype.kind == "b":
        return convert(x, kind)
    low, high = _limits(kind)
    least, most = _limits(x.dtype)
    ends = [_inward(v, low, high, x.dtype) for v in (max(low, least), min(high, most))]
    x = clip(x, *ends)
    if kind.kind in "iu" and x.dtype.kind == "f":
        x = where(getval(x) == getval(x), x, 0.0)
    return convert(x, kind)


def _inward(value: float, low: float, high: float, kind: np.dtype) -> np.ndarray:
    """The limit in the type of the array, where it may be rounded outwards."""
    limit = np.asarray(value, kind)
    if not low <= limit.item() <= high:
        limit = np.nextafter(limit, np.zeros((), kind))
    return limit
