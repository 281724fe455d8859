"""Activations of each number by itself, on threads and in memory used before.

Fresh memory takes several times as long as the arithmetic: a new array for every
operation is what makes the plain formulas slow (benchmarks/kernels.py, "curves").
Arrays: x, y and g of one shape and floating-point type.
"""

from collections.abc import Callable

import numpy as np

from minikeras.kernels import blocking

WORK = 2  # of a few operations on each number: pieces are half as long


def tanh(x: np.ndarray) -> np.ndarray:
    """Hyperbolic tangent."""
    y = blocking.empty(x.shape, x.dtype)
    blocking.each_piece(lambda x, y: np.tanh(x, out=y), x, y)
    return y


def tanh_backward(g: np.ndarray, y: np.ndarray) -> np.ndarray:
    """g (1 - y^2) as g - g y y."""

    def change(g: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        np.multiply(g, y, out=dx)
        np.multiply(dx, y, out=dx)
        np.subtract(g, dx, out=dx)

    return _backward(change, g, y)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), of exp(-|x|), which cannot overflow."""

    def change(x: np.ndarray, y: np.ndarray) -> None:
        np.abs(x, out=y)
        np.negative(y, out=y)
        np.exp(y, out=y)
        below = np.add(y, 1, out=blocking.empty(y.shape, y.dtype))
        above = blocking.empty(x.shape, bool)
        np.greater_equal(x, 0, out=above)  # the upper part is 1 there
        np.maximum(y, above, out=y)
        np.divide(y, below, out=y)

    y = blocking.empty(x.shape, x.dtype)
    blocking.each_piece(change, x, y, work=WORK)
    return y


def sigmoid_backward(g: np.ndarray, y: np.ndarray) -> np.ndarray:
    """g (y - y^2)."""

    def change(g: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        np.multiply(y, y, out=dx)
        np.subtract(y, dx, out=dx)
        np.multiply(g, dx, out=dx)

    return _backward(change, g, y)


def _backward(
    change: Callable[[np.ndarray, np.ndarray, np.ndarray], None],
    g: np.ndarray,
    y: np.ndarray,
) -> np.ndarray:
    dx = blocking.empty(g.shape, g.dtype)
    blocking.each_piece(change, g, y, dx, work=WORK)
    return dx
