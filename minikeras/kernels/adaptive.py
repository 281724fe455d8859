"""Pooling to a given number of windows, along one axis of any array.

Window i of O on S cells has the cells from floor(i S / O) up to, not including,
ceil((i + 1) S / O); neighbours may share cells. With B = gcd(S, O) the pattern repeats
B times, each time S/B cells and O/B windows further, so that B windows are reduced by
one call.

Letters: A everything before the axis, R everything after it. Views: x (A, B, S/B, R)
and y, g, index (A, B, O/B, R); `index` is the number of a cell in its window.
"""

from collections.abc import Callable, Iterator
from math import gcd, prod

import numpy as np

from minikeras.kernels import blocking

Task = Callable[..., None]
Window = tuple[int, int, int]  # number, first cell, cell after the last


def window_bounds(size: int, out: int) -> tuple[tuple[int, int], ...]:
    """First cell, and cell after the last, of each window.

    >>> window_bounds(5, 3)
    ((0, 2), (1, 4), (3, 5))
    """
    return tuple((i * size // out, -(-(i + 1) * size // out)) for i in range(out))


# Runs R from which reduce beats a pass for each cell (benchmarks/kernels.py, case
# "adaptive").
LONG_RUN = 64


def max_pool(x: np.ndarray, axis: int, out: int) -> np.ndarray:
    """The largest value of each window."""
    return _reduce(x, axis, out, np.maximum)


def average_pool(x: np.ndarray, axis: int, out: int) -> np.ndarray:
    """The mean of each window."""
    return _reduce(x, axis, out, np.add, mean=True)


def average_backward(g: np.ndarray, axis: int, size: int) -> np.ndarray:
    """dx of `average_pool`, its adjoint: each g shared out to its window's cells."""
    dx = blocking.empty(_resized(g, axis, size), g.dtype)

    def task(dx: np.ndarray, g: np.ndarray) -> None:
        dx[...] = 0
        for i, first, end in _windows(dx, g):
            dx[:, :, first:end] += g[:, :, i : i + 1] / g.dtype.type(end - first)

    _run(task, axis, size, g.shape[axis], dx, g)
    return dx


def first_max(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """Number of the first cell of each window of x that equals its maximum y."""
    size, out = x.shape[axis], y.shape[axis]
    longest = -(-size // out) + 1
    index = blocking.empty(y.shape, np.uint8 if longest <= 256 else np.uint32)

    def task(x: np.ndarray, y: np.ndarray, index: np.ndarray) -> None:
        index[...] = 0
        for i, first, end in _windows(x, y):
            # Cells before the first equal one are counted: a masked copy of the
            # number would take ten times as long, on branches nobody can predict
            # (benchmarks/kernels.py, case "adaptive").
            smaller = np.ones(index[:, :, i].shape, bool)
            for cell in range(first, end - 1):
                smaller &= x[:, :, cell] != y[:, :, i]
                index[:, :, i] += smaller

    _run(task, axis, size, out, x, y, index)
    return index


def gather(x: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    """The value of each window's cell number `index`."""
    size, out = x.shape[axis], index.shape[axis]
    y = blocking.empty(index.shape, x.dtype)

    def task(x: np.ndarray, y: np.ndarray, index: np.ndarray) -> None:
        for i, first, end in _windows(x, y):
            for cell in range(end - first):
                chosen = index[:, :, i] == cell
                np.copyto(y[:, :, i], x[:, :, first + cell], where=chosen)

    _run(task, axis, size, out, x, y, index)
    return y


def scatter(g: np.ndarray, index: np.ndarray, axis: int, size: int) -> np.ndarray:
    """dx: each g added to its window's cell number `index`; adjoint of `gather`."""
    dx = blocking.empty(_resized(g, axis, size), g.dtype)

    def task(dx: np.ndarray, g: np.ndarray, index: np.ndarray) -> None:
        dx[...] = 0
        for i, first, end in _windows(dx, g):
            for cell in range(end - first):
                chosen = index[:, :, i] == cell
                dx[:, :, first + cell] += g[:, :, i] * chosen

    _run(task, axis, size, g.shape[axis], dx, g, index)
    return dx


def _reduce(
    x: np.ndarray,
    axis: int,
    out: int,
    combine: np.ufunc,
    mean: bool = False,
) -> np.ndarray:
    y = blocking.empty(_resized(x, axis, out), x.dtype)

    def task(x: np.ndarray, y: np.ndarray) -> None:
        for i, first, end in _windows(x, y):
            target = y[:, :, i]
            if x.shape[-1] >= LONG_RUN:
                combine.reduce(x[:, :, first:end], axis=2, out=target)
            else:
                target[...] = x[:, :, first]
                for cell in range(first + 1, end):
                    combine(target, x[:, :, cell], out=target)
            if mean:
                target /= x.dtype.type(end - first)

    _run(task, axis, x.shape[axis], out, x, y)
    return y


def _resized(x: np.ndarray, axis: int, size: int) -> tuple[int, ...]:
    return (*x.shape[:axis], size, *x.shape[axis + 1 :])


def _windows(x: np.ndarray, y: np.ndarray) -> Iterator[Window]:
    """The windows of one of the B blocks, from views of all of them."""
    for i, (first, end) in enumerate(window_bounds(x.shape[2], y.shape[2])):
        yield i, first, end


def _run(task: Task, axis: int, size: int, out: int, *arrays: np.ndarray) -> None:
    """Call `task` on views (A, B, ., R) of the arrays, a slice of A at a time."""
    before = prod(arrays[0].shape[:axis])
    after = prod(arrays[0].shape[axis + 1 :])
    blocks = gcd(size, out)
    views = [a.reshape(before, blocks, a.shape[axis] // blocks, after) for a in arrays]
    bytes_each = sum(a.nbytes for a in arrays) // max(1, before)
    work_each = 2 * after * (size + out)
    blocking.parallel(
        lambda part: task(*(view[part] for view in views)),
        blocking.slices(before, bytes_each, work_each),
    )
