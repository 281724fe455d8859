"""Matrices as products with a triangle: QR and LU, with derivatives."""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as traced_tuple
from autograd.extend import defjvp, defvjp

from minikeras.kernels import lu as kernels
from minikeras.ops.base import Array, getval, isbox, primitive
from minikeras.ops.linear_algebra import (
    _solve,
    _solve_triangular,
    computed,
    matrices,
    product,
)
from minikeras.ops.numpy import _swap, concatenate
from minikeras.validation import choice

# --- QR -------------------------------------------------------------------------


@primitive
def _qr(x):
    return tuple(computed(np.linalg.qr, "qr", x))


def _qr_back(ans, x):
    def vjp(g):
        q, r = ans[0], ans[1]
        inner = anp.subtract(product(r, _swap(g[1])), product(_swap(g[0]), q))
        inner = anp.add(anp.tril(inner), _swap(anp.tril(inner, -1)))
        total = anp.add(g[0], product(q, inner))
        return _swap(_solve_triangular(r, _swap(total), lower=False))

    return vjp


def _qr_forward(d, ans, x):
    q, r = ans[0], ans[1]
    right = _swap(_solve_triangular(_swap(r), _swap(d), lower=True))
    inner = product(_swap(q), right)
    lower = anp.tril(inner, -1)
    turn = anp.subtract(lower, _swap(lower))
    of_q = anp.add(product(q, anp.subtract(turn, inner)), right)
    return traced_tuple((of_q, product(anp.subtract(inner, turn), r)))


defvjp(_qr, _qr_back)
defjvp(_qr, _qr_forward)


def _completed(q, r):
    """The q and r that LAPACK makes of reflections, of which these are a part.

    Householder's q is 1 - V T V^T, so that its other columns follow from the first.
    Source: arXiv 2409.13374.
    """
    rows, columns = q.shape[-2:]
    eye = np.eye(rows, columns, dtype=q.dtype)
    moved = anp.subtract(q, eye)
    ratio = _solve(_swap(moved[..., :columns, :]), _swap(q[..., columns:, :]))
    others = np.eye(rows, dtype=q.dtype)[:, columns:]
    q = concatenate([q, anp.add(product(moved, ratio), others)], axis=-1)
    nothing = np.zeros((*r.shape[:-2], rows - columns, columns), r.dtype)
    return q, concatenate([r, nothing], axis=-2)


def qr(x: Any, mode: str = "reduced") -> tuple[Array, Array]:
    """x = q r, with orthonormal columns in q and an upper triangular r.

    Args:
        x: matrices (..., M, N); K is the smaller of M and N.
        mode: `"reduced"` for q (..., M, K) and r (..., K, N), or `"complete"` for
            q (..., M, M) and r (..., M, N).

    Raises:
        ValueError: for arrays of fewer than two axes or another mode, and in
            derivatives for columns that depend on each other.
        TypeError: for float16 and complex numbers.

    >>> qr([[3.0, 1.0], [4.0, 2.0]])[1].round(4)
    array([[-5. , -2.2],
           [ 0. ,  0.4]], dtype=float32)
    """
    mode = choice(mode, ("reduced", "complete"), "mode", "qr")
    x = matrices(x, "qr", square=False)
    rows, columns = x.shape[-2:]
    if mode == "complete" and rows > columns:
        if isbox(x):
            return _completed(*_qr(x))
        return tuple(computed(lambda a: np.linalg.qr(a, "complete"), "qr", x))
    if rows >= columns or not isbox(x):
        parts = _qr(x)
        return parts[0], parts[1]
    parts = _qr(x[..., :rows])  # the other columns follow from these
    rest = product(_swap(parts[0]), x[..., rows:])
    return parts[0], concatenate([parts[1], rest], axis=-1)


# --- LU -------------------------------------------------------------------------


@primitive
def _lu(x):
    """L and U in one matrix, of square matrices whose rows are in order already."""
    return kernels.factor(x)[0]


def _triangles(lu):
    """L, with ones on the diagonal, and U."""
    return anp.add(anp.tril(lu, -1), np.eye(lu.shape[-1], dtype=lu.dtype)), anp.triu(lu)


def _lu_back(lu, x):
    def vjp(g):
        lower, upper = _triangles(lu)
        inner = anp.add(
            anp.tril(product(_swap(lower), anp.tril(g, -1)), -1),
            anp.triu(product(anp.triu(g), _swap(upper))),
        )
        left = _solve_triangular(_swap(lower), inner, lower=False)
        return _swap(_solve_triangular(upper, _swap(left), lower=False))

    return vjp


def _lu_forward(d, lu, x):
    lower, upper = _triangles(lu)
    left = _solve_triangular(lower, d, lower=True)
    inner = _swap(_solve_triangular(_swap(upper), _swap(left), lower=True))
    return anp.add(
        anp.tril(product(lower, anp.tril(inner, -1)), -1),
        anp.triu(product(anp.triu(inner), upper)),
    )


defvjp(_lu, _lu_back)
defjvp(_lu, _lu_forward)


def lu_factor(x: Any) -> tuple[Array, np.ndarray]:
    """P x = L U: lower triangle L with ones on its diagonal, upper triangle U.

    Args:
        x: matrices (..., M, N); K is the smaller of M and N.

    Returns:
        L below the diagonal and U from it on, in one matrix (..., M, N); and the row
        with which each row k was exchanged in step k, int32 (..., K).

    Raises:
        ValueError: for arrays of fewer than two axes, and in derivatives for matrices
            without an inverse.
        TypeError: for float16 and complex numbers.

    >>> lu_factor([[1.0, 2.0], [2.0, 8.0]])
    (array([[ 2. ,  8. ],
           [ 0.5, -2. ]], dtype=float32), array([1, 1], dtype=int32))
    """
    x = matrices(x, "lu_factor", square=False)
    packed, pivots, order = kernels.factor(np.asarray(getval(x)))
    if not isbox(x):
        return packed, pivots
    exchange = (order[..., None] == np.arange(x.shape[-2])).astype(x.dtype)
    x = product(exchange, x)
    rows, columns = x.shape[-2:]
    size = columns if columns < rows else rows
    corner = _lu(x[..., :size, :size])
    lower, upper = _triangles(corner)
    if rows > size:
        below = _solve_triangular(_swap(upper), _swap(x[..., size:, :]), lower=True)
        return concatenate([corner, _swap(below)], axis=-2), pivots
    if columns > size:
        beside = _solve_triangular(lower, x[..., size:], lower=True)
        return concatenate([corner, beside], axis=-1), pivots
    return corner, pivots
