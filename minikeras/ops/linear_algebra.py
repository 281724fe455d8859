"""Linear equations, inverses and Cholesky factors.

Matrices are the last two axes, M by M or M by N; axes before count matrices.
Derivatives are compositions of the functions themselves, so any order works. Float32
is computed in float32, by LAPACK.
"""

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp

from minikeras.ops.base import Array, float_array, primitive, sum_to
from minikeras.ops.numpy import _common, _matmul, _swap
from minikeras.validation import shape_text


def matrices(x: Any, owner: str, square: bool = True, name: str = "x") -> Array:
    """`x` as a float array of matrices.

    Raises:
        ValueError: for fewer than two axes, and matrices that are not square.
        TypeError: for float16, in which LAPACK does not compute, and complex numbers.
    """
    x = float_array(x)
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        kind = "square matrices (..., M, M)" if square else "matrices (..., M, N)"
        raise ValueError(
            f"{owner}: `{name}` must be {kind}. Received: shape {shape_text(x.shape)}"
        )
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(
            f"{owner}: `{name}` must be float32 or float64. Received: {x.dtype}; "
            "convert it with `ops.cast`."
        )
    return x


def computed(function: Callable[..., Any], owner: str, *arrays: np.ndarray) -> Any:
    """What a function of `numpy.linalg` returns; a ValueError where it fails."""
    try:
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"{owner}: no result for these numbers: {str(error).lower()}."
        ) from None


def product(*factors: Array) -> Array:
    """Matrix product from left to right."""
    total = factors[0]
    for factor in factors[1:]:
        total = _matmul(total, factor)
    return total


# --- inverse and equations ------------------------------------------------------


@primitive
def _inv(x):
    return computed(np.linalg.inv, "inv", x)


def _inv_slope(y, d):
    return anp.negative(product(y, d, y))


defvjp(_inv, lambda y, x: lambda g: _inv_slope(_swap(y), g))
defjvp(_inv, lambda d, y, x: _inv_slope(y, d))


def inv(x: Any) -> Array:
    """The inverse of each matrix.

    Raises:
        ValueError: for matrices that are not square, or have no inverse.
        TypeError: for float16 and complex numbers.

    >>> inv([[2.0, 0.0], [0.0, 4.0]])
    array([[0.5 , 0.  ],
           [0.  , 0.25]], dtype=float32)
    """
    return _inv(matrices(x, "inv"))


@primitive
def _solve(a, b):
    return computed(np.linalg.solve, "solve", a, b)


def _solve_a(x, a, b):
    def vjp(g):
        back = _solve(_swap(a), g)
        return sum_to(anp.negative(product(back, _swap(x))), anp.shape(a))

    return vjp


defvjp(
    _solve,
    _solve_a,
    lambda x, a, b: lambda g: sum_to(_solve(_swap(a), g), anp.shape(b)),
)
defjvp(
    _solve,
    lambda d, x, a, b: anp.negative(_solve(a, product(d, x))),
    lambda d, x, a, b: _solve(a, d + np.zeros(x.shape, x.dtype)),
)


def _equations(a, b, owner):
    """Both sides as matrices of one type, and whether the right one was a vector."""
    a, b = _common(matrices(a, owner, name="a"), float_array(b))
    vector = b.ndim == 1
    if vector:
        b = anp.reshape(b, (-1, 1))
    if b.ndim < 2 or b.shape[-2] != a.shape[-1] or (vector and a.ndim > 2):
        shape = b.shape[:1] if vector else b.shape
        raise ValueError(
            f"{owner}: `b` must be (..., M, N), or (M,) for one matrix, where `a` is "
            f"(..., M, M); vectors for several matrices are (..., M, 1). Received: a "
            f"of shape {shape_text(a.shape)}, b of shape {shape_text(shape)}"
        )
    return a, b, vector


def _as_given(x, vector):
    return anp.reshape(x, (-1,)) if vector else x


def solve(a: Any, b: Any) -> Array:
    """The x for which a x = b.

    Args:
        a: matrices (..., M, M).
        b: right sides (..., M, N), or (M,).

    Output shape: that of `b`.

    Raises:
        ValueError: for shapes that do not fit, or matrices without an inverse.
        TypeError: for float16 and complex numbers.

    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    array([1. , 0.5], dtype=float32)
    """
    a, b, vector = _equations(a, b, "solve")
    return _as_given(_solve(a, b), vector)


@primitive
def _solve_triangular(a, b, *, lower):
    # Elimination leaves an upper triangle as it is; a lower one is turned round.
    turn = slice(None, None, -1 if lower else 1)
    a = (np.tril if lower else np.triu)(a)[..., turn, turn]
    x = computed(np.linalg.solve, "solve_triangular", a, b[..., turn, :])
    return np.ascontiguousarray(x[..., turn, :])


def _triangle(x, lower):
    return anp.tril(x) if lower else anp.triu(x)


def _solve_triangular_a(x, a, b, lower):
    def vjp(g):
        back = _solve_triangular(_swap(a), g, lower=not lower)
        slope = _triangle(anp.negative(product(back, _swap(x))), lower)
        return sum_to(slope, anp.shape(a))

    return vjp


def _solve_triangular_b(x, a, b, lower):
    return lambda g: sum_to(
        _solve_triangular(_swap(a), g, lower=not lower), anp.shape(b)
    )


defvjp(_solve_triangular, _solve_triangular_a, _solve_triangular_b)
defjvp(
    _solve_triangular,
    lambda d, x, a, b, lower: anp.negative(
        _solve_triangular(a, product(_triangle(d, lower), x), lower=lower)
    ),
    lambda d, x, a, b, lower: _solve_triangular(
        a, d + np.zeros(x.shape, x.dtype), lower=lower
    ),
)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Array:
    """The x for which a x = b, where `a` is triangular.

    Args:
        a: matrices (..., M, M), of which one triangle is used.
        b: right sides (..., M, N), or (M,).
        lower: whether it is the lower triangle.

    Raises:
        ValueError: for shapes that do not fit, or a zero on the diagonal.
        TypeError: for float16 and complex numbers.

    >>> solve_triangular([[2.0, 1.0], [9.0, 4.0]], [3.0, 4.0])
    array([1., 1.], dtype=float32)
    """
    a, b, vector = _equations(a, b, "solve_triangular")
    return _as_given(_solve_triangular(a, b, lower=bool(lower)), vector)


# --- Cholesky -------------------------------------------------------------------


@primitive
def _cholesky(x):
    return computed(np.linalg.cholesky, "cholesky", x)


def _half_lower(x):
    """The lower triangle, with half of the diagonal."""
    size = anp.shape(x)[-1]
    weights = np.tril(np.ones((size, size), x.dtype))
    weights[np.diag_indices(size)] = 0.5
    return anp.multiply(x, weights)


def _cholesky_back(y, x):
    def vjp(g):
        inner = _half_lower(product(_swap(y), anp.tril(g)))
        right = _solve_triangular(_swap(y), _swap(inner), lower=False)
        return _solve_triangular(_swap(y), _swap(right), lower=False)

    return vjp


def _cholesky_forward(d, y, x):
    left = _solve_triangular(y, d, lower=True)
    return product(y, _half_lower(_solve_triangular(y, _swap(left), lower=True)))


defvjp(_cholesky, _cholesky_back)
defjvp(_cholesky, _cholesky_forward)


def cholesky(x: Any, upper: bool = False) -> Array:
    """The lower triangular L with L L^T = x, or the upper L^T.

    Of a matrix that is not symmetric, the mean of it and its transpose is taken.

    Raises:
        ValueError: for matrices that are not square or not positive definite.
        TypeError: for float16 and complex numbers.

    Source of the derivative: Murray, Differentiation of the Cholesky decomposition,
    2016.

    >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
    array([[2., 0.],
           [1., 2.]], dtype=float32)
    """
    lower = _cholesky(symmetric(matrices(x, "cholesky")))
    return _swap(lower) if upper else lower


def symmetric(x: Array) -> Array:
    """The mean of each matrix and its transpose."""
    return anp.multiply(anp.add(x, _swap(x)), np.asarray(0.5, x.dtype))


def cholesky_inverse(x: Any, upper: bool = False) -> Array:
    """The inverse of L L^T, given the triangular L that `cholesky` makes.

    Args:
        x: matrices L (..., M, M).
        upper: whether `x` is the upper triangular L^T.

    Raises:
        ValueError: for matrices that are not square, or a zero on the diagonal.
        TypeError: for float16 and complex numbers.

    >>> cholesky_inverse([[2.0, 0.0], [0.0, 4.0]])
    array([[0.25  , 0.    ],
           [0.    , 0.0625]], dtype=float32)
    """
    x = matrices(x, "cholesky_inverse")
    ones = np.eye(x.shape[-1], dtype=x.dtype) + np.zeros(x.shape, x.dtype)
    y = _solve_triangular(x, ones, lower=not upper)
    return product(y, _swap(y)) if upper else product(_swap(y), y)
