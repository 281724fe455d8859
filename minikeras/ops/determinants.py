"""Determinants, and their logarithms."""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp

from minikeras.ops.base import Array, getval, primitive
from minikeras.ops.linear_algebra import _inv, computed, matrices, product
from minikeras.ops.numpy import _swap


def _on_matrices(numbers: Array) -> Array:
    """A number for each matrix, to be multiplied with it."""
    return anp.reshape(numbers, (*anp.shape(numbers), 1, 1))


@primitive
def _det(x):
    return np.asarray(np.linalg.det(x))


@primitive
def _cofactors(x):
    """det(x) times the inverse's transpose, also where there is no inverse."""
    u, s, vt = computed(np.linalg.svd, "det", x)
    size = s.shape[-1]
    others = np.broadcast_to(s[..., None, :], (*s.shape, size)).copy()
    others[..., np.arange(size), np.arange(size)] = 1
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt))[..., None, None]
    rest = others.prod(axis=-1)[..., None, :]
    return np.matmul(u * rest * sign.astype(x.dtype), vt)


def _trace_of_product(x, y):
    return anp.sum(anp.multiply(x, y), axis=(-2, -1))


def _cofactors_slope(y, x, d, inner):
    """Of det X^-T: det (<X^-T, D> X^-T - X^-T D^T X^-T)."""
    inverse = _swap(_inv(x))
    whole = anp.multiply(_on_matrices(_trace_of_product(inverse, d)), inverse)
    return anp.multiply(
        _on_matrices(_det(x)), anp.subtract(whole, product(inverse, inner, inverse))
    )


defvjp(_det, lambda y, x: lambda g: anp.multiply(_on_matrices(g), _cofactors(x)))
defjvp(_det, lambda d, y, x: _trace_of_product(d, _cofactors(x)))
defvjp(_cofactors, lambda y, x: lambda g: _cofactors_slope(y, x, g, _swap(g)))
defjvp(_cofactors, lambda d, y, x: _cofactors_slope(y, x, d, _swap(d)))


def det(x: Any) -> Array:
    """The determinant of each matrix.

    Raises:
        ValueError: for matrices that are not square, and in second derivatives for
            those without an inverse.
        TypeError: for float16 and complex numbers.

    >>> det([[2.0, 0.0], [0.0, 4.0]])
    array(8., dtype=float32)
    """
    return _det(matrices(x, "det"))


@primitive
def _log_size(x):
    return np.asarray(np.linalg.slogdet(x)[1])


defvjp(_log_size, lambda y, x: lambda g: anp.multiply(_on_matrices(g), _swap(_inv(x))))
defjvp(_log_size, lambda d, y, x: _trace_of_product(d, _swap(_inv(x))))


def logdet(x: Any) -> Array:
    """log |det(x)|, also where the determinant itself would overflow.

    Raises:
        ValueError: for matrices that are not square, and in derivatives for those
            without an inverse.
        TypeError: for float16 and complex numbers.

    >>> logdet([[1.0, 0.0], [0.0, -1.0]])
    array(0., dtype=float32)
    """
    return _log_size(matrices(x, "logdet"))


def slogdet(x: Any) -> tuple[np.ndarray, Array]:
    """The sign of each determinant, and `logdet`.

    >>> slogdet([[0.0, 1.0], [1.0, 0.0]])
    (array(-1., dtype=float32), array(0., dtype=float32))
    """
    x = matrices(x, "slogdet")
    sign = np.linalg.slogdet(np.asarray(getval(x)))[0]
    return np.asarray(sign), _log_size(x)
