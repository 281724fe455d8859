"""Cross-entropies of probabilities and logits, and their gradients, in one pass.

Arrays: p or z (rows, classes), labels (rows,) whole numbers, values and g (rows,).
"""

import numpy as np


def sparse(p: np.ndarray, labels: np.ndarray, low: float, high: float) -> np.ndarray:
    """-log of p[label] / sum of p, brought into [low, high]."""
    q = _share(p, labels)[0]
    np.minimum(np.maximum(q, p.dtype.type(low), out=q), p.dtype.type(high), out=q)
    np.log(q, out=q)
    return np.negative(q, out=q)


def sparse_backward(
    p: np.ndarray, labels: np.ndarray, low: float, high: float, g: np.ndarray
) -> np.ndarray:
    """g / sum of p in each row, less g / p[label] at the label; 0 where cut."""
    q, total, places = _share(p, labels)
    g = g * ((q >= p.dtype.type(low)) & (q <= p.dtype.type(high)))
    np.divide(g, total, out=total)
    dp = np.empty(p.shape, p.dtype)
    dp[...] = total[:, None]
    dp.reshape(-1)[places] -= np.divide(total, q, out=q, where=q > 0)
    return dp


def sparse_logits(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """log(sum of exp(z)) - z[label]."""
    shifted = z - z.max(axis=1, keepdims=True)
    picked = shifted.reshape(-1)[_places(z, labels)]
    np.exp(shifted, out=shifted)
    values = np.log(np.add.reduce(shifted, axis=1))
    return np.subtract(values, picked, out=values)


def sparse_logits_backward(
    z: np.ndarray, labels: np.ndarray, g: np.ndarray
) -> np.ndarray:
    """g (softmax(z) - one_hot(label))."""
    dz = np.subtract(z, z.max(axis=1, keepdims=True), order="C")
    np.exp(dz, out=dz)
    dz *= (g / np.add.reduce(dz, axis=1))[:, None]
    dz.reshape(-1)[_places(z, labels)] -= g
    return dz


def _places(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.arange(0, p.size, p.shape[1]) + labels


def _share(p: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """p[label] / sum of p, the sums, and the flat places of the labels."""
    places = _places(p, labels)
    total = np.add.reduce(p, axis=1)
    return p.reshape(-1)[places] / total, total, places
