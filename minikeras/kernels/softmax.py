"""Softmax and its gradient.

Arrays: x, y and g of one shape.
"""

import numpy as np

Axis = int | tuple[int, ...]


def softmax(x: np.ndarray, axis: Axis = -1) -> np.ndarray:
    """exp(x) / sum of exp(x) along an axis, shifted by the maximum."""
    y = np.subtract(x, np.maximum.reduce(x, axis=axis, keepdims=True))
    np.exp(y, out=y)
    y /= np.add.reduce(y, axis=axis, keepdims=True)
    return y


def softmax_backward(g: np.ndarray, y: np.ndarray, axis: Axis = -1) -> np.ndarray:
    """y (g - sum of g y), in few calls (benchmarks/kernels.py, "softmax")."""
    product = g * y
    product = g - np.add.reduce(product, axis=axis, keepdims=True)
    return np.multiply(product, y, out=product)
