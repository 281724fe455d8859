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
    y = blocking.empty(x.shape, x.dtype)
    blocking.each_piece(_sigmoid, x, y, work=WORK)
    return y


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

    return _backward(change, g, y)


Cubic = tuple[float, float] | None  # b and a of b x^3 + a x; None for x itself


def gate(x: np.ndarray, cubic: Cubic = None) -> np.ndarray:
    """x sigmoid(u), where u is x or b x^3 + a x: silu, and the approximate gelu."""

    def change(x: np.ndarray, y: np.ndarray) -> None:
        _sigmoid(_inner(x, cubic), y)
        np.multiply(x, y, out=y)

    y = blocking.empty(x.shape, x.dtype)
    blocking.each_piece(change, x, y, work=2 * WORK)
    return y


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

    return _backward(change, g, x)


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

    y = blocking.empty(x.shape, x.dtype)
    blocking.each_piece(change, x, y, work=WORK)
    return y


def elu_backward(g: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """g where y is above 0, and g (y + alpha) elsewhere; alpha is above 0."""

    def change(g: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
        above = np.greater(y, 0, out=blocking.empty(y.shape, bool))
        np.minimum(y, 0, out=dx)
        np.add(dx, y.dtype.type(alpha), out=dx)
        np.multiply(dx, np.logical_not(above), out=dx)
        np.add(dx, above, out=dx)
        np.multiply(dx, g, out=dx)

    return _backward(change, g, y)


def _backward(
    change: Callable[[np.ndarray, np.ndarray, np.ndarray], None],
    g: np.ndarray,
    y: np.ndarray,
) -> np.ndarray:
    dx = blocking.empty(g.shape, g.dtype)
    blocking.each_piece(change, g, y, dx, work=WORK)
    return dx
