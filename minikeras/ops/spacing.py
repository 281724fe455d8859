"""Numbers in a row, at equal distances or ratios, and grids of them."""

from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras.ops.base import Array, constant_like, getval
from minikeras.ops.numpy import (
    _divide,
    _spread,
    absolute,
    cast,
    concatenate,
    convert_to_numpy,
    moveaxis,
    power,
    reshape,
)
from minikeras.ops.promotion import float_operands


def arange(
    start: Any, stop: Any = None, step: Any = None, dtype: str | None = None
) -> np.ndarray:
    """Numbers from `start` to before `stop`; from 0 to before `start` for None.

    The type is int32, or the default float type if one of them is a float.

    Raises:
        ValueError: if `step` is 0.

    >>> arange(3)
    array([0, 1, 2], dtype=int32)
    """
    if dtype is None:
        ends = [convert_to_numpy(v).dtype for v in (start, stop, step) if v is not None]
        types = {t for t in ends if t.kind == "f"}
        dtype = np.result_type(*types).name if types else "int32"
    first, last, by = map(_exact, (start, stop, 1 if step is None else step))
    if by == 0:
        raise ValueError("arange: `step` must not be 0. Received: step=0")
    first, last = (0, first) if last is None else (first, last)
    return np.arange(first, last, by).astype(dtype)


def _exact(value: Any) -> Any:
    """One number as Python's, which keeps all its digits."""
    if isinstance(value, int | float | None):
        return value
    return convert_to_numpy(value).item()


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: str | None = None,
    axis: int = 0,
) -> Any:
    """`num` numbers from `start` to `stop`, at equal distances.

    Args:
        start: number or array.
        stop: number or array.
        num: how many.
        endpoint: whether `stop` is the last of them.
        retstep: also return the distance.
        dtype: number type; None for that of the ends, as a float.
        axis: the new axis, if the ends are arrays.

    Raises:
        ValueError: if `num` is negative.

    >>> linspace(0.0, 1.0, 3)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    if num < 0:
        raise ValueError(f"linspace: `num` must be at least 0. Received: num={num}")
    first, last = float_operands(start, stop)
    if dtype is not None and np.dtype(dtype).kind == "f":
        first, last = cast(first, dtype), cast(last, dtype)
    shape = np.broadcast_shapes(first.shape, last.shape)
    first, last = _spread(first, shape=shape), _spread(last, shape=shape)
    steps = num - 1 if endpoint else num
    divisor = constant_like(steps, first)
    share = np.arange(max(steps, num == 1), dtype=first.dtype) / max(divisor, 1)
    share = share.reshape((-1,) + (1,) * len(shape))
    y = anp.add(anp.multiply(first, 1 - share), anp.multiply(last, share))
    if endpoint and num > 1:
        y = concatenate([y, reshape(last, (1, *shape))], 0)
    y = moveaxis(y, 0, axis) if axis % y.ndim else y
    if dtype is not None:
        y = cast(np.floor(getval(y)) if np.dtype(dtype).kind in "iu" else y, dtype)
    if not retstep:
        return y
    if num < 1 or steps < 1:
        return y, constant_like(np.nan, first)
    return y, _divide(anp.subtract(last, first), divisor)


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10,
    dtype: str | None = None,
    axis: int = 0,
) -> Array:
    """`base` to the power of each number of `linspace`.

    >>> logspace(0.0, 2.0, 3)
    array([  1.,  10., 100.], dtype=float32)
    """
    y = power(base, linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else cast(y, dtype)


def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: str | None = None,
    axis: int = 0,
) -> Array:
    """`num` numbers from `start` to `stop`, at equal ratios.

    Raises:
        ValueError: if the ends are not of the same sign.

    >>> geomspace(1.0, 16.0, 3)
    array([ 1.,  4., 16.], dtype=float32)
    """
    first, last = float_operands(start, stop)
    sign = np.sign(getval(first))
    if (sign * np.sign(getval(last)) <= 0).any():
        raise ValueError(
            "geomspace: `start` and `stop` must have the same sign, and not be 0. "
            f"Received: start={start!r}, stop={stop!r}"
        )
    shape = np.broadcast_shapes(first.shape, last.shape)
    one = np.ones(shape, first.dtype)
    share = linspace(one * 0, one, num, endpoint)
    ends = (absolute(first), power(absolute(last), share))  # no ratio: it may overflow
    y = anp.multiply(power(ends[0], 1 - share), anp.multiply(sign, ends[1]))
    y = moveaxis(y, 0, axis) if axis % y.ndim else y
    return y if dtype is None else cast(y, dtype)


def meshgrid(*x: Any, indexing: str = "xy") -> list[Array]:
    """Coordinates of a grid, by vectors of those along each axis: an array for each.

    Args:
        x: the vectors.
        indexing: `"xy"`: the first runs along the second axis; `"ij"`: along the first.

    Raises:
        ValueError: for another `indexing`.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(
            f"meshgrid: `indexing` must be 'xy' or 'ij'. Received: {indexing!r}"
        )
    vectors = [reshape(v, (-1,)) for v in x]
    places = list(range(len(vectors)))
    if indexing == "xy":
        places[:2] = reversed(places[:2])
    shape = tuple(vectors[i].shape[0] for i in places)
    return [
        _spread(reshape(v, (-1,) + (1,) * (len(shape) - 1 - place)), shape=shape)
        for v, place in zip(vectors, places, strict=True)
    ]
