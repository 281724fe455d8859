"""Norms, rank, and the best solution of equations without an exact one."""

import math
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp

from minikeras.ops.base import Array, constant_like, float_array, getval, primitive
from minikeras.ops.linear_algebra import computed, matrices, product
from minikeras.ops.numpy import (
    _axes,
    _common,
    _swap,
    absolute,
    max,
    min,
    moveaxis,
    power,
    reshape,
    sqrt,
    square,
    sum,
)
from minikeras.ops.spectra import singular_values
from minikeras.validation import shape_text


@primitive
def _pinv(x, *, rcond):
    u, s, vt = computed(lambda a: np.linalg.svd(a, full_matrices=False), "pinv", x)
    kept = s > s.max(axis=-1, keepdims=True, initial=0) * s.dtype.type(rcond)
    inverse = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(x.dtype)
    return np.matmul(_swap(vt) * inverse[..., None, :], _swap(u))


def _left(x, y):
    """What a projection y takes away from x."""
    return anp.subtract(x, product(y, x))


def _pinv_forward(d, y, x, rcond):
    """-Y D Y + Y Y^T D^T (1 - X Y) + (1 - Y X) D^T Y^T Y."""
    turned, y_turned = _swap(d), _swap(y)
    first = anp.negative(product(y, d, y))
    half = product(y, y_turned, turned)
    second = anp.subtract(half, product(half, x, y))
    third = product(_left(turned, product(y, x)), y_turned, y)
    return anp.add(anp.add(first, second), third)


def _pinv_back(y, x, rcond):
    def vjp(g):
        turned, y_turned = _swap(g), _swap(y)
        first = anp.negative(product(y_turned, g, y_turned))
        second = product(_left(turned, product(x, y)), y, y_turned)
        half = product(y_turned, y, turned)
        third = anp.subtract(half, product(half, y, x))
        return anp.add(anp.add(first, second), third)

    return vjp


defvjp(_pinv, _pinv_back)
defjvp(_pinv, _pinv_forward)


def pinv(x: Any, rcond: float | None = None) -> Array:
    """The pseudoinverse of each matrix (Moore and Penrose).

    Args:
        x: matrices (..., M, N).
        rcond: singular values up to this share of the largest count as 0; 10 max(M, N)
            times the spacing of the float type for None. In derivatives they count as
            exactly 0, as in Keras.

    Output shape: (..., N, M).

    Raises:
        ValueError: for arrays of fewer than two axes.
        TypeError: for float16 and complex numbers.

    Source of the derivative: Golub and Pereyra, SIAM Journal on Numerical Analysis 10,
    1973.

    >>> pinv([[2.0, 0.0], [0.0, 0.0]])
    array([[0.5, 0. ],
           [0. , 0. ]], dtype=float32)
    """
    x = matrices(x, "pinv", square=False)
    return _pinv(x, rcond=10 * _rounding(x) if rcond is None else rcond)


def _rounding(x: Array) -> float:
    size = x.shape[-1] if x.shape[-1] > x.shape[-2] else x.shape[-2]
    return size * float(np.finfo(x.dtype).eps)


def lstsq(a: Any, b: Any, rcond: float | None = None) -> Array:
    """The x with the least |a x - b|, and of several the least |x|.

    Args:
        a: matrix (M, N).
        b: right sides (M,) or (M, K).
        rcond: singular values up to this share of the largest count as 0, also in
            derivatives; max(M, N) times the spacing of the float type for None.

    Output shape: (N,) or (N, K).

    Raises:
        ValueError: for shapes that do not fit.
        TypeError: for float16 and complex numbers.

    >>> lstsq([[1.0], [1.0]], [1.0, 3.0]).round(4)
    array([2.], dtype=float32)
    """
    a, b = _common(matrices(a, "lstsq", square=False, name="a"), float_array(b))
    if a.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise ValueError(
            "lstsq: `a` must be (M, N) and `b` (M,) or (M, K). Received: a of shape "
            f"{shape_text(a.shape)}, b of shape {shape_text(b.shape)}"
        )
    inverse = _pinv(a, rcond=_rounding(a) if rcond is None else rcond)
    x = product(inverse, reshape(b, (b.shape[0], -1)))
    return reshape(x, (a.shape[1], *b.shape[1:]))


def matrix_rank(x: Any, tol: float | None = None) -> np.ndarray:
    """How many singular values of each matrix are above `tol`, int32.

    Args:
        x: matrices (..., M, N).
        tol: for None, the largest singular value times max(M, N) times the spacing of
            the float type.

    Raises:
        ValueError: for arrays of fewer than two axes.
        TypeError: for float16 and complex numbers.

    >>> matrix_rank([[1.0, 2.0], [2.0, 4.0]])
    array(1, dtype=int32)
    """
    x = matrices(getval(float_array(x)), "matrix_rank", square=False)
    s = singular_values(x)
    if tol is None:
        tol = s.max(axis=-1, keepdims=True, initial=0) * s.dtype.type(_rounding(x))
    return np.asarray((s > tol).sum(axis=-1), np.int32)


def norm(
    x: Any,
    ord: int | float | str | None = None,
    axis: int | tuple[int, int] | None = None,
    keepdims: bool = False,
) -> Array:
    """The size of vectors or matrices.

    | `ord` | of vectors | of matrices |
    |---|---|---|
    | None | sqrt(sum x**2) | sqrt(sum x**2) |
    | 2, -2 | (sum abs(x)**ord)**(1 / ord) | largest, least singular value |
    | 1, -1 | (sum abs(x)**ord)**(1 / ord) | largest, least sum of a column's abs(x) |
    | inf, -inf | largest, least abs(x) | largest, least sum of a row's abs(x) |
    | 0 | numbers that are not 0 | |
    | other number | (sum abs(x)**ord)**(1 / ord) | |
    | "fro", "nuc" | | sqrt(sum x**2), sum of singular values |

    Args:
        x: the array.
        ord: which norm.
        axis: the axis of vectors, or the two of matrices; None for all.
        keepdims: whether axes of length 1 stay.

    Raises:
        ValueError: for an `ord` that there is not, or `ord` with other than one or two
            axes.

    >>> float(norm([3.0, 4.0]))
    5.0
    """
    x = float_array(x)
    if axis is None and ord is None:
        return sqrt(sum(square(x), keepdims=keepdims))
    pair = tuple(range(x.ndim)) if axis is None else axis
    pair = (pair,) if isinstance(pair, int | np.integer) else tuple(pair)
    if len(pair) not in (1, 2) or len(set(_axes(pair, x.ndim))) != len(pair):
        raise ValueError(
            "norm: a norm is of one axis, of vectors, or of two, of matrices. "
            f"Received: axis={axis!r} for an array of shape {shape_text(x.shape)}"
        )
    if len(pair) == 1:
        return _vector_norm(x, ord, pair[0], keepdims)
    return _matrix_norm(x, ord, pair, keepdims)


def _vector_norm(x, ord, axis, keepdims):
    if ord is None or ord == 2:
        return sqrt(sum(square(x), axis, keepdims))
    if isinstance(ord, str):
        raise ValueError(
            f"norm: `ord` of vectors must be a number or None. Received: ord={ord!r}"
        )
    if math.isinf(ord):
        return (max if ord > 0 else min)(absolute(x), axis, keepdims)
    if ord == 0:
        return np.sum(getval(x) != 0, axis=axis, keepdims=keepdims, dtype=x.dtype)
    if ord == 1:
        return sum(absolute(x), axis, keepdims)
    powers = power(absolute(x), constant_like(ord, x))
    return power(sum(powers, axis, keepdims), constant_like(1 / ord, x))


def _matrix_norm(x, ord, pair, keepdims):
    row, column = (n % x.ndim for n in pair)
    if ord is None or ord == "fro":
        return sqrt(sum(square(x), pair, keepdims))
    extreme: Any = {2: max, 1: max, math.inf: max, -2: min, -1: min, -math.inf: min}
    extreme = extreme.get(ord)
    if ord == "nuc" or ord in (2, -2):
        x = moveaxis(x, column, -1)
        x = moveaxis(x, row - (column < row), -2)
        s = singular_values(matrices(x, "norm", square=False))
        result = sum(s, -1) if ord == "nuc" else extreme(s, -1)
    elif extreme:
        summed, kept = (column, row) if math.isinf(ord) else (row, column)
        sums = sum(absolute(x), summed)
        result = extreme(sums, kept - (summed < kept))
    else:
        raise ValueError(
            "norm: `ord` of matrices must be None, 'fro', 'nuc', 1, -1, 2, -2, inf or "
            f"-inf. Received: ord={ord!r}"
        )
    if keepdims:
        for axis in sorted((row, column)):
            result = anp.expand_dims(result, axis)
    return result
