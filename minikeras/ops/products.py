"""Products of vectors, matrices and arrays, carried out as matrix products."""

from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defvjp

from minikeras.ops.base import Array, constant_like, float_array, primitive
from minikeras.ops.indexing import cut, diagonal
from minikeras.ops.numpy import (
    _axes,
    _divide,
    _matmul,
    clip,
    mean,
    moveaxis,
    reshape,
    sqrt,
    transpose,
)
from minikeras.ops.promotion import float_operands, operands
from minikeras.ops.reshaping import _flip
from minikeras.ops.stacking import stack
from minikeras.validation import choice, shape_text


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Array:
    """Product summed over axes of both arrays; the other axes stay, those of x1 first.

    Args:
        x1: the first array.
        x2: the second one.
        axes: how many: the last ones of `x1` and the first ones of `x2`; or two lists,
            the axes of each.

    Raises:
        ValueError: if there are not as many axes of both, of the same lengths.

    >>> tensordot([[1.0, 2.0]], [3.0, 4.0], axes=1)
    array([11.], dtype=float32)
    """
    x, y = operands(x1, x2)
    if isinstance(axes, int | np.integer):
        axes = range(-axes, 0), range(axes)
    return _contracted("tensordot", x, y, *axes)


def _contracted(owner: str, x: Array, y: Array, axes_x: Any, axes_y: Any) -> Array:
    """Product summed over those axes, as a product of two matrices."""
    inner_x, inner_y = _in_order(axes_x, x.ndim), _in_order(axes_y, y.ndim)
    lengths = [x.shape[a] for a in inner_x]
    if lengths != [y.shape[a] for a in inner_y]:
        raise ValueError(
            f"{owner}: the axes to sum over must be as many and as long in both arrays."
            f" Received: shapes {shape_text(x.shape)} and {shape_text(y.shape)}, to be "
            f"summed over axes {inner_x} and {inner_y}"
        )
    outer_x = [a for a in range(x.ndim) if a not in inner_x]
    outer_y = [a for a in range(y.ndim) if a not in inner_y]
    shape_x, shape_y = [x.shape[a] for a in outer_x], [y.shape[a] for a in outer_y]
    n = prod(lengths)
    rows = reshape(transpose(x, outer_x + inner_x), (prod(shape_x), n))
    columns = reshape(transpose(y, inner_y + outer_y), (n, prod(shape_y)))
    return reshape(_matmul(rows, columns), (*shape_x, *shape_y))


def _in_order(axes: Any, ndim: int) -> list[int]:
    axes = [axes] if isinstance(axes, int | np.integer) else list(axes)
    _axes(axes, ndim)
    return [a % ndim for a in axes]


def dot(x1: Any, x2: Any) -> Array:
    """Product summed over the last axis of x1 and the last but one of x2.

    >>> float(dot([1.0, 2.0], [3.0, 4.0]))
    11.0
    """
    x, y = operands(x1, x2)
    if 0 in (x.ndim, y.ndim):
        return anp.multiply(x, y)
    return _contracted("dot", x, y, -1, -2 if y.ndim > 1 else -1)


def inner(x1: Any, x2: Any) -> Array:
    """Product summed over the last axes of both."""
    x, y = operands(x1, x2)
    if 0 in (x.ndim, y.ndim):
        return anp.multiply(x, y)
    return _contracted("inner", x, y, -1, -1)


def vdot(x1: Any, x2: Any) -> Array:
    """Sum of the products of all numbers of two arrays of the same size."""
    x, y = operands(x1, x2)
    return _contracted("vdot", reshape(x, (-1,)), reshape(y, (-1,)), 0, 0)


def outer(x1: Any, x2: Any) -> Array:
    """Each number of x1 times each of x2: a row for each of x1.

    >>> outer([1.0, 2.0], [3.0, 4.0])
    array([[3., 4.],
           [6., 8.]], dtype=float32)
    """
    x, y = operands(x1, x2)
    return anp.multiply(reshape(x, (-1, 1)), reshape(y, (1, -1)))


def kron(x1: Any, x2: Any) -> Array:
    """Kronecker's product: a copy of x2 for each number of x1, times that number.

    >>> kron([1.0, 2.0], [1.0, 1.0])
    array([1., 1., 2., 2.], dtype=float32)
    """
    x, y = operands(x1, x2)
    count = max(x.ndim, y.ndim)
    shapes = [(1,) * (count - z.ndim) + tuple(z.shape) for z in (x, y)]
    x = reshape(x, [k for n in shapes[0] for k in (n, 1)])
    y = reshape(y, [k for n in shapes[1] for k in (1, n)])
    shape = tuple(n * m for n, m in zip(*shapes, strict=True))
    return reshape(anp.multiply(x, y), shape)


def cross(
    x1: Any,
    x2: Any,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Array:
    """Vector product, at right angles to both vectors; a third 0 may be left out.

    Args:
        x1: vectors of 2 or 3 numbers along the axis `axisa`.
        x2: the same along `axisb`.
        axisa: axis of the vectors in `x1`.
        axisb: axis of the vectors in `x2`.
        axisc: axis of the vectors in the result; of two flat ones, it has the third
            number only, without an axis.
        axis: all three axes, if given.

    Raises:
        ValueError: for vectors of another length.

    >>> cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    array([0., 0., 1.], dtype=float32)
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = operands(x1, x2)
    x, y = moveaxis(x, axisa, -1), moveaxis(y, axisb, -1)
    if not {x.shape[-1], y.shape[-1]} <= {2, 3}:
        raise ValueError(
            "cross: vectors must have 2 or 3 numbers. Received: "
            f"{x.shape[-1]} and {y.shape[-1]} of them, along axes {axisa} and {axisb}"
        )
    a, b = (_coordinates(z) for z in (x, y))

    def minor(i, j):
        return anp.subtract(anp.multiply(a[i], b[j]), anp.multiply(a[j], b[i]))

    if x.shape[-1] == y.shape[-1] == 2:
        return minor(0, 1)
    return moveaxis(stack([minor(1, 2), minor(2, 0), minor(0, 1)], -1), -1, axisc)


def _coordinates(z: Array) -> list[Array]:
    parts = [cut(z, key=(..., i)) for i in range(z.shape[-1])]
    return parts if len(parts) == 3 else [*parts, np.zeros(z.shape[:-1], z.dtype)]


@primitive
def _convolve(x, y):
    return np.convolve(x, y)


def _correlated(g, y, n):
    """The n sums of g and y at all places where y lies inside g."""
    m = y.shape[0]
    return cut(_convolve(g, _flip(y, axes=(0,))), key=(slice(m - 1, m - 1 + n),))


defvjp(
    _convolve,
    lambda z, x, y: lambda g: _correlated(g, y, x.shape[0]),
    lambda z, x, y: lambda g: _correlated(g, x, y.shape[0]),
)
def_linear(_convolve)


def correlate(x1: Any, x2: Any, mode: str = "valid") -> Array:
    """Sums of products of x1 with x2 moved along it: c[k] = sum of x1[n + k] x2[n].

    Args:
        x1: vector.
        x2: vector.
        mode: `"valid"`: all places where the shorter one lies inside the longer one;
            `"same"`: as many as the longer one has, centred; `"full"`: all places
            where they meet.

    Raises:
        ValueError: for another mode, or arrays that are no vectors of numbers.

    >>> correlate([1.0, 2.0, 3.0], [1.0, 1.0])
    array([3., 5.], dtype=float32)
    """
    x, y = float_operands(x1, x2)
    mode = choice(mode, ("valid", "same", "full"), "mode", "correlate")
    if x.ndim != 1 or y.ndim != 1 or 0 in (*x.shape, *y.shape):
        raise ValueError(
            "correlate: `x1` and `x2` must be vectors that are not empty. Received: "
            f"shapes {shape_text(x.shape)} and {shape_text(y.shape)}"
        )
    swapped = x.shape[0] < y.shape[0]
    x, y = (y, x) if swapped else (x, y)
    n, m = x.shape[0], y.shape[0]
    start = {"full": 0, "same": m - 1 - m // 2, "valid": m - 1}[mode]
    length = {"full": n + m - 1, "same": n, "valid": n - m + 1}[mode]
    z = _convolve(x, _flip(y, axes=(0,)))
    z = cut(z, key=(slice(start, start + length),))
    return _flip(z, axes=(0,)) if swapped else z


def corrcoef(x: Any) -> Array:
    """Correlation coefficients of the rows, each a variable with its observations.

    >>> corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).round(3)
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    x = float_array(x)
    rows = reshape(x, (1, -1)) if x.ndim < 2 else x
    rows = anp.subtract(rows, mean(rows, 1, keepdims=True))
    covariance = _divide(
        _matmul(rows, transpose(rows)), constant_like(rows.shape[1] - 1, rows)
    )
    deviation = sqrt(diagonal(covariance))
    y = _divide(covariance, reshape(deviation, (-1, 1)))
    y = clip(_divide(y, reshape(deviation, (1, -1))), -1, 1)
    return y if x.ndim == 2 else reshape(y, ())
