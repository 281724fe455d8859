"""Eigenvalues and singular values, with their vectors and derivatives.

Where two eigenvalues or singular values are equal, their vectors have no derivative;
what would be divided by their difference counts as 0, so that derivatives of the values
themselves are right.
"""

from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as traced_tuple
from autograd.extend import defjvp, defvjp

from minikeras.ops.base import Array, convert, getval, isbox, plain, primitive
from minikeras.ops.linear_algebra import (
    computed,
    matrices,
    product,
    symmetric,
)
from minikeras.ops.numpy import _divide, _swap, _where


class EigenPairs(NamedTuple):
    """Eigenvalues (..., M) and, as columns, eigenvectors (..., M, M)."""

    eigenvalues: Array
    eigenvectors: Array


class SingularValues(NamedTuple):
    """x = u diag(s) vh: columns of u, numbers from the largest down, rows of vh."""

    u: Array
    s: Array
    vh: Array


def _reciprocal(x: Array) -> Array:
    """1 / x, and 0 for 0."""
    zero = getval(x) == 0
    one = np.ones((), x.dtype)
    inverse = _divide(one, _where(one, x, condition=zero))
    return _where(np.zeros((), x.dtype), inverse, condition=zero)


def _diagonal(x: Array) -> Array:
    """The numbers (..., K) on the diagonal of (..., K, K)."""
    size = anp.shape(x)[-1]
    return anp.sum(anp.multiply(x, np.eye(size, dtype=x.dtype)), axis=-1)


def _as_diagonal(x: Array) -> Array:
    return anp.multiply(x[..., None], np.eye(anp.shape(x)[-1], dtype=x.dtype))


# --- eigenvalues ----------------------------------------------------------------


@primitive
def _eigh(x):
    return tuple(computed(np.linalg.eigh, "eigh", x))


def _gaps(w):
    """1 / (w_j - w_i)."""
    return _reciprocal(anp.subtract(w[..., None, :], w[..., :, None]))


def _eigh_back(ans, x):
    def vjp(g):
        w, v = ans[0], ans[1]
        inner = anp.multiply(_gaps(w), product(_swap(v), g[1]))
        return product(v, anp.add(inner, _as_diagonal(g[0])), _swap(v))

    return vjp


def _eigh_forward(d, ans, x):
    w, v = ans[0], ans[1]
    inner = product(_swap(v), d, v)
    turn = product(v, anp.multiply(_gaps(w), inner))
    return traced_tuple((_diagonal(inner), turn))


defvjp(_eigh, _eigh_back)
defjvp(_eigh, _eigh_forward)


def eigh(x: Any) -> EigenPairs:
    """Eigenvalues, from the least up, and eigenvectors of symmetric matrices.

    Of a matrix that is not symmetric, the mean of it and its transpose is taken.

    Raises:
        ValueError: for matrices that are not square.
        TypeError: for float16 and complex numbers.

    >>> eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
    array([1., 2.], dtype=float32)
    """
    pair = _eigh(symmetric(matrices(x, "eigh")))
    return EigenPairs(pair[0], pair[1])


def eig(x: Any) -> EigenPairs:
    """Eigenvalues and eigenvectors of any square matrices, as complex numbers.

    Not differentiable, as in Keras: vectors of a matrix that is not symmetric may have
    no derivative. For symmetric ones there is `eigh`.

    Raises:
        ValueError: for matrices that are not square.
        TypeError: for float16 and complex numbers, and inside a gradient.

    >>> eig([[0.0, -1.0], [1.0, 0.0]]).eigenvalues
    array([0.+1.j, 0.-1.j], dtype=complex64)
    """
    x = matrices(x, "eig")
    if isbox(x):
        raise TypeError(
            "eig: has no derivative. For symmetric matrices use `eigh`; where none is "
            "wanted, pass `ops.stop_gradient(x)`."
        )
    dtype = np.result_type(x.dtype, np.complex64)
    values, vectors = computed(np.linalg.eig, "eig", x)
    return EigenPairs(values.astype(dtype), vectors.astype(dtype))


# --- singular values ------------------------------------------------------------


@primitive
def _svd(x):
    u, s, vt = computed(lambda a: np.linalg.svd(a, full_matrices=False), "svd", x)
    return u, s, _swap(vt)


def _square_gaps(s):
    """1 / (s_j**2 - s_i**2)."""
    row, column = s[..., None, :], s[..., :, None]
    return _reciprocal(anp.multiply(anp.subtract(row, column), anp.add(row, column)))


def _outside(q, x):
    """What of x is not in the span of the columns of q."""
    return anp.subtract(x, product(q, product(_swap(q), x)))


def _with_transpose(x):
    return anp.add(x, _swap(x))


def _svd_back(ans, x):
    def vjp(g):
        u, s, v = ans[0], ans[1], ans[2]
        row, column, gaps = s[..., None, :], s[..., :, None], _square_gaps(s)
        of_u = _with_transpose(anp.multiply(gaps, product(_swap(u), g[0])))
        of_v = _with_transpose(anp.multiply(gaps, product(_swap(v), g[2])))
        inner = anp.add(anp.multiply(of_u, row), anp.multiply(column, of_v))
        total = product(u, anp.add(inner, _as_diagonal(g[1])), _swap(v))
        scale = _reciprocal(row)
        if u.shape[-2] > v.shape[-2]:
            rest = anp.multiply(_outside(u, g[0]), scale)
            total = anp.add(total, product(rest, _swap(v)))
        elif u.shape[-2] < v.shape[-2]:
            rest = anp.multiply(_outside(v, g[2]), scale)
            total = anp.add(total, product(u, _swap(rest)))
        return total

    return vjp


def _svd_forward(d, ans, x):
    u, s, v = ans[0], ans[1], ans[2]
    row, column, gaps = s[..., None, :], s[..., :, None], _square_gaps(s)
    right = product(d, v)
    inner = product(_swap(u), right)
    of_u = product(u, anp.multiply(gaps, _with_transpose(anp.multiply(inner, row))))
    of_v = product(v, anp.multiply(gaps, _with_transpose(anp.multiply(column, inner))))
    if u.shape[-2] > v.shape[-2]:
        of_u = anp.add(of_u, anp.multiply(_outside(u, right), _reciprocal(row)))
    elif u.shape[-2] < v.shape[-2]:
        left = _outside(v, product(_swap(d), u))
        of_v = anp.add(of_v, anp.multiply(left, _reciprocal(row)))
    return traced_tuple((of_u, _diagonal(inner), of_v))


defvjp(_svd, _svd_back)
defjvp(_svd, _svd_forward)


def singular_values(x: Array) -> Array:
    """Those of each matrix, from the largest down."""
    if plain(x):
        return computed(lambda a: np.linalg.svd(a, compute_uv=False), "svd", convert(x))
    return _svd(x)[1]


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """x = u diag(s) vh, with orthonormal columns in u and rows in vh.

    Args:
        x: matrices (..., M, N); K is the smaller of M and N.
        full_matrices: whether u is (..., M, M) and vh (..., N, N), not (..., M, K) and
            (..., K, N).
        compute_uv: False for s alone.

    Returns:
        u, s (..., K), from the largest down, and vh; or s.

    Raises:
        ValueError: for arrays of fewer than two axes.
        TypeError: for float16 and complex numbers, and inside a gradient for the full
            u and vh of matrices that are not square: their additional vectors have no
            derivative.

    >>> svd([[0.0, 2.0], [1.0, 0.0]], compute_uv=False)
    array([2., 1.], dtype=float32)
    """
    x = matrices(x, "svd", square=False)
    if not compute_uv:
        return singular_values(x)
    if not full_matrices or x.shape[-1] == x.shape[-2]:
        parts = _svd(x)
        return SingularValues(parts[0], parts[1], _swap(parts[2]))
    if isbox(x):
        raise TypeError(
            "svd: with full_matrices=True there is a derivative for square matrices "
            f"only. Received: shape {x.shape}; use full_matrices=False."
        )
    return SingularValues(*computed(np.linalg.svd, "svd", x))
