"""Dropout: which numbers stay, and an array with the others set to zero."""

from math import prod
from typing import Any

import numpy as np

from minikeras.kernels import blocking


def kept(generator: np.random.Generator, shape: Any, rate: float) -> np.ndarray:
    """A boolean array, False with probability `rate`.

    A random byte decides for each number, and where it is just at the limit, another
    draw: 2 to 4 times as fast as a random float for each (benchmarks/kernels.py,
    "dropout").
    """
    found = blocking.empty(shape, bool)
    limit = int(rate * 256)
    if limit == 256:
        found[...] = False
        return found
    flat, size = found.reshape(-1), prod(shape)
    draws = generator.bit_generator.random_raw(-(-size // 8))
    numbers = draws.view(np.uint8)[:size]
    np.greater_equal(numbers, np.uint8(limit), out=flat)
    rest = rate * 256 - limit
    if rest:
        at_limit = np.flatnonzero(numbers == np.uint8(limit))
        flat[at_limit] = generator.random(len(at_limit)) >= rest
    return found


def drop(x: np.ndarray, kept: np.ndarray, scale: float) -> np.ndarray:
    """x * scale where `kept`, else 0.

    Args:
        kept: of the shape of x, or of one that is broadcast to it.
    """
    y = blocking.empty(x.shape, x.dtype)
    factor = x.dtype.type(scale)

    def change(x: np.ndarray, kept: np.ndarray, y: np.ndarray) -> None:
        np.multiply(x, kept, out=y)
        np.multiply(y, factor, out=y)

    blocking.each_piece(change, x, kept, y)
    return y
