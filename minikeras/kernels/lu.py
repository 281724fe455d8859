"""Elimination with row exchanges: P A = L U, for stacks of matrices (..., M, N)."""

from math import prod

import numpy as np


def factor(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L below the diagonal and U from it on, in one matrix; exchanges; order of rows.

    In step k, row k was exchanged with row pivots[k]; row i was row order[i] at first.
    A column without a number other than 0 is left as it is.
    """
    m, n = a.shape[-2:]
    batch = a.shape[:-2]
    lu = np.array(a).reshape(prod(batch), m, n)
    stack = np.arange(len(lu))
    pivots = np.empty((len(lu), min(m, n)), np.int32)
    order = np.tile(np.arange(m), (len(lu), 1))
    for k in range(min(m, n)):
        best = k + np.argmax(np.abs(lu[:, k:, k]), axis=1)
        pivots[:, k] = best
        for rows in (lu, order):
            rows[stack, best], rows[:, k] = rows[:, k].copy(), rows[stack, best]
        pivot = lu[:, k, k, None]
        lu[:, k + 1 :, k] /= np.where(pivot == 0, pivot.dtype.type(1), pivot)
        lu[:, k + 1 :, k + 1 :] -= lu[:, k + 1 :, k, None] * lu[:, k, None, k + 1 :]
    pivots = pivots.reshape(*batch, min(m, n))
    return lu.reshape(a.shape), pivots, order.reshape(*batch, m)
