"""Normalisation of each row of a matrix, all of it while a slice is in the cache.

Letters as in `kernels/norm.py`: x, y and g (B, 1, 1, C); mean and variance (B, 1).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels import blocking

FAR = 4.0  # mean^2 / variance above which sums lose digits unless the mean is taken off


class Stats(NamedTuple):
    """Mean and variance (B, G) in float64; mean 0 and mean square if not centred."""

    mean: np.ndarray
    variance: np.ndarray
    centred: bool = True

    def inverse(self, epsilon: float) -> np.ndarray:
        """1 / sqrt(variance + epsilon)."""
        return 1 / np.sqrt(self.variance + epsilon)


def split(
    mean: np.ndarray, inverse: np.ndarray, dtype: Any
) -> tuple[np.ndarray | None, np.ndarray]:
    """A mean far from zero as a number of x's type and what is left of it."""
    if not ((mean * inverse) ** 2 > FAR).any():
        return None, mean
    shift = mean.astype(dtype)
    return shift, mean - shift


def _cut_rows(x: np.ndarray) -> list[tuple[int, slice]]:
    width = x.shape[-1]
    cuts = blocking.slices(len(x), 3 * width * x.itemsize, 4 * width)
    return list(enumerate(cuts))


def row_stats(x: np.ndarray, centred: bool) -> Stats:
    """Mean and variance of each row."""
    count, width = len(x), x.shape[-1]
    flat = x.reshape(count, width)
    means, squares = np.zeros((count, 1)), np.zeros((count, 1))

    def task(item: tuple[int, slice]) -> None:
        part = flat[item[1]]
        if centred:
            mean = np.add.reduce(part, axis=1, keepdims=True) / part.dtype.type(width)
            work = blocking.empty(part.shape, x.dtype)
            part = np.subtract(part, mean, out=work)
            rest = _row_sum(part, None) / width
            means[item[1]] = mean + rest
            square = _row_sum(part, part) / width - rest**2
            squares[item[1]] = np.maximum(square, 0.0)
        else:
            squares[item[1]] = _row_sum(part, part) / width

    blocking.parallel(task, _cut_rows(x))
    return Stats(means, squares, centred)


def _row_sum(x: np.ndarray, y: np.ndarray | None) -> np.ndarray:
    """Sum of x, or of x * y, over each row, (rows, 1) in float64.

    As products: `np.add.reduce` is slower (benchmarks/kernels.py, case "norm").
    """
    if y is None:
        total = x @ np.ones(x.shape[1], x.dtype)
    else:
        total = np.einsum("rc,rc->r", x, y)
    return total.astype(np.float64)[:, None]


def _standard_rows(
    stats: Stats, epsilon: float, dtype: Any
) -> Callable[[np.ndarray, slice, np.ndarray], None]:
    """A function that writes xhat of some rows of x into an array."""
    inverse = stats.inverse(epsilon)
    shift, rest = split(stats.mean, inverse, dtype)
    scale = inverse.astype(dtype)
    offset = (-rest * inverse).astype(dtype)

    def write(source: np.ndarray, part: slice, target: np.ndarray) -> None:
        if shift is not None:
            source = np.subtract(source, shift[part], out=target)
        np.multiply(source, scale[part], out=target)
        if stats.centred:
            np.add(target, offset[part], out=target)

    return write


def normalize_rows(
    x: np.ndarray,
    gamma: np.ndarray | None,
    beta: np.ndarray | None,
    stats: Stats,
    epsilon: float,
) -> np.ndarray:
    """`norm.normalize` for rows."""
    y = blocking.empty(x.shape, x.dtype)
    flat, rows = (a.reshape(len(x), x.shape[-1]) for a in (x, y))
    write = _standard_rows(stats, epsilon, x.dtype)

    def task(item: tuple[int, slice]) -> None:
        target = rows[item[1]]
        write(flat[item[1]], item[1], target)
        if gamma is not None:
            np.multiply(target, gamma, out=target)
        if beta is not None:
            np.add(target, beta, out=target)

    blocking.parallel(task, _cut_rows(x))
    return y


def backward_rows(
    x: np.ndarray,
    gamma: np.ndarray | None,
    g: np.ndarray,
    stats: Stats,
    epsilon: float,
    wanted: str,
) -> tuple[Any, Any, Any]:
    """`norm.backward` for rows."""
    width = x.shape[-1]
    flat, grad = x.reshape(len(x), width), g.reshape(len(x), width)
    dx = blocking.empty(x.shape, x.dtype) if "x" in wanted else None
    cuts = _cut_rows(x)
    sums = np.zeros((2, max(1, len(cuts)), width))
    write = _standard_rows(stats, epsilon, x.dtype)
    inverse = stats.inverse(epsilon).astype(x.dtype)

    def task(item: tuple[int, slice]) -> None:
        index, part = item
        xhat = blocking.empty(grad[part].shape, x.dtype)
        work = blocking.empty(grad[part].shape, x.dtype)
        write(flat[part], part, xhat)
        if "b" in wanted:
            sums[0, index] = np.add.reduce(grad[part], axis=0)
        if "g" in wanted:
            np.multiply(grad[part], xhat, out=work)
            sums[1, index] = np.add.reduce(work, axis=0)
        if dx is None:
            return
        scaled = grad[part] if gamma is None else np.multiply(grad[part], gamma, work)
        slope = -_row_sum(scaled, xhat) / width
        np.multiply(xhat, slope.astype(x.dtype), out=xhat)
        np.add(xhat, scaled, out=xhat)
        if stats.centred:
            mean = _row_sum(scaled, None) / width
            np.subtract(xhat, mean.astype(x.dtype), out=xhat)
        np.multiply(xhat, inverse[part], out=dx.reshape(len(x), width)[part])

    blocking.parallel(task, cuts)
    dbeta, dgamma = np.add.reduce(sums, axis=1).astype(x.dtype)
    return dx, dgamma if "g" in wanted else None, dbeta if "b" in wanted else None
