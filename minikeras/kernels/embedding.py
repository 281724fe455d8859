"""Rows of a table by their numbers, and the adjoint: rows added up by number.

Arrays: table (R, D), index (N,) of 0 <= index < R, rows and g (N, D).
"""

import numpy as np

from minikeras.kernels import blocking

_BLOCK = 1 << 14  # numbers scattered at once: their places fit the second-level cache


def gather(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    """rows[n] = table[index[n]]."""
    rows = blocking.empty((len(index), table.shape[1]), table.dtype)
    return np.take(table, index, axis=0, out=rows, mode="clip")  # no check, no buffer


def scatter_add(g: np.ndarray, index: np.ndarray, count: int) -> np.ndarray:
    """table[r] = the sum of g[n] over all n with index[n] = r, in the order of n.

    Number by number, because `np.add.at` is fast on one axis only: two to four times
    as fast as row by row; `np.add.reduceat` over sorted rows was slower still
    (benchmarks/kernels.py, case "embedding").
    """
    width = g.shape[1]
    table = blocking.empty((count, width), g.dtype)
    table.fill(0)
    numbers, columns = table.reshape(-1), np.arange(width)
    length = max(1, _BLOCK // max(1, width))
    for start in range(0, len(index), length):
        rows = slice(start, start + length)
        places = index[rows, None] * width + columns
        np.add.at(numbers, places.reshape(-1), g[rows].reshape(-1))
    return table
