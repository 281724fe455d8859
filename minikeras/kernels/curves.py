"""Activations of each number by itself, on threads and in memory used before.

Fresh memory takes several times as long as the arithmetic: a new array for every
operation is what makes the plain formulas slow (benchmarks/kernels.py, "curves").
Arrays: x, y and g of one shape and floating-point type.
"""

from collections.abc import Callable

import numpy as np

from minikeras.kernels import blocking

WORK = 2  # for what takes longer than an operation, pieces are half as long


def tanh(x: np.ndarray) -> np.ndarray:
    """Hyperbolic tangent."""
    return _in_pieces(lambda x, y: np.tanh(x, out=y), x)


def tanh_backward(g: np.ndarray, y: np.ndarray) -> np.ndarray:
    """g (1 - y^2) as g - g y y."""

    def change(g: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        np.multiply(g, y, out=dx)
        np.multiply(dx, y, out=dx)
        np.subtract(g, dx, out=dx)

    return _in_pieces(change, g, y)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), of exp(-|x|), which cannot overflow."""
    return _in_pieces(_sigmoid, x)


def _sigmoid(x: np.ndarray, y: np.ndarray) -> None:
    above = np.greater_equal(x, 0, out=blocking.empty(x.shape, bool))
    np.abs(x, out=y)
    np.negative(y, out=y)
    np.exp(y, out=y)
    below = np.add(y, 1, out=blocking.empty(y.shape, y.dtype))
    np.maximum(y, above, out=y)  # the upper part is 1 for x >= 0
    np.divide(y, below, out=y)


def sigmoid_backward(g: np.ndarray, y: np.ndarray) -> np.ndarray:
    """g (y - y^2)."""

    def change(g: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        np.multiply(y, y, out=dx)
        np.subtract(y, dx, out=dx)
        np.multiply(g, dx, out=dx)

    return _in_pieces(change, g, y)


Cubic = tuple[float, float] | None  # b and a of b x^3 + a x; None for x itself


def gate(x: np.ndarray, cubic: Cubic = None) -> np.ndarray:
    """x sigmoid(u), where u is x or b x^3 + a x: silu, and the approximate gelu."""

    def change(x: np.ndarray, y: np.ndarray) -> None:
        _sigmoid(_inner(x, cubic), y)
        np.multiply(x, y, out=y)

    return _in_pieces(change, x)


def gate_backward(g: np.ndarray, x: np.ndarray, cubic: Cubic = None) -> np.ndarray:
    """g (s + x (s - s^2) u'), where s is sigmoid(u)."""

    def change(g: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        s = blocking.empty(x.shape, x.dtype)
        _sigmoid(_inner(x, cubic), s)
        np.multiply(s, s, out=dx)
        np.subtract(s, dx, out=dx)
        np.multiply(dx, x, out=dx)
        if cubic is not None:
            bend, slope = (x.dtype.type(number) for number in cubic)
            rise = np.multiply(x, x, out=blocking.empty(x.shape, x.dtype))
            np.multiply(rise, 3 * bend, out=rise)
            np.add(rise, slope, out=rise)
            np.multiply(dx, rise, out=dx)
        np.add(dx, s, out=dx)
        np.multiply(dx, g, out=dx)

    return _in_pieces(change, g, x)


def _inner(x: np.ndarray, cubic: Cubic) -> np.ndarray:
    if cubic is None:
        return x
    bend, slope = (x.dtype.type(number) for number in cubic)
    u = np.multiply(x, x, out=blocking.empty(x.shape, x.dtype))
    np.multiply(u, bend, out=u)
    np.add(u, slope, out=u)
    return np.multiply(x, u, out=u)


def elu(x: np.ndarray, alpha: float) -> np.ndarray:
    """max(x, 0) + alpha (exp(min(x, 0)) - 1): one of them is zero, so it is exact.

    `np.where` is ten times slower where signs are mixed.
    """

    def change(x: np.ndarray, y: np.ndarray) -> None:
        below = np.minimum(x, 0, out=blocking.empty(x.shape, x.dtype))
        np.expm1(below, out=below)
        np.multiply(below, x.dtype.type(alpha), out=below)
        np.maximum(x, 0, out=y)
        np.add(y, below, out=y)

    return _in_pieces(change, x)


def elu_backward(g: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """g where y is above 0, and g (y + alpha) elsewhere; alpha is above 0."""

    def change(g: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        above = np.greater(y, 0, out=blocking.empty(y.shape, bool))
        np.minimum(y, 0, out=dx)
        np.add(dx, y.dtype.type(alpha), out=dx)
        np.multiply(dx, np.logical_not(above), out=dx)
        np.add(dx, above, out=dx)
        np.multiply(dx, g, out=dx)

    return _in_pieces(change, g, y)


def _in_pieces(change: Callable[..., object], *arrays: np.ndarray) -> np.ndarray:
    """What `change` writes to its last argument, of pieces of the arrays."""
    found = blocking.empty(arrays[0].shape, arrays[0].dtype)
    blocking.each_piece(change, *arrays, found, work=WORK)
    return found
