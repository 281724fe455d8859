"""Matrix products of a dense layer, with bias and ReLU in the same pass.

Arrays: x (M, C), w (C, F), bias (F,), y and g (M, F). Products are cut by shape, so the
bits do not depend on the number of threads.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from minikeras.kernels import blocking, destinations, products
from minikeras.kernels.session import quiet
from minikeras.kernels.steps import Step, do

# Multiplications of a product that BLAS computes on one thread in any case: setting the
# number of its threads would take longer (benchmarks/kernels.py, "tiny").
TINY = 1 << 17

RUN = 1024  # numbers of a row that is long enough
MANY = 1 << 13  # numbers of a matrix whose rows are worth a second look

Part = tuple[slice, slice]  # rows and columns


def dense(
    x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, relu: bool = False
) -> np.ndarray:
    """y = x @ w + bias, and max(y, 0) if `relu`."""
    y = blocking.empty((len(x), w.shape[1]), x.dtype)
    if len(x) * w.size <= TINY:
        with quiet:
            np.matmul(x, w, out=y)
            if bias is not None:
                y += bias
            if relu:
                np.maximum(y, 0, out=y)
        return y

    def task(part: Part) -> None:
        rows, columns = part
        found = y[part]
        products.multiply(x[rows], w[:, columns], found)
        if bias is not None:
            do([with_each(np.add, found, bias[columns])])
        if relu:
            np.maximum(found, 0, out=found)

    blocking.parallel(task, _parts(x, w))
    return y


def backward(
    x: np.ndarray,
    w: np.ndarray,
    relu_output: np.ndarray | None,
    g: np.ndarray,
    wanted: str = "xwb",
) -> tuple[Any, Any, Any]:
    """dx = g @ w.T, dw = x.T @ g, db = sum of g over rows; None where not wanted."""
    if relu_output is not None:
        g = mask_by_output(g, relu_output)
    dx = matmul(g, w.T) if "x" in wanted else None
    dw = None
    if "w" in wanted:
        dw = matmul(x.T, g, destinations.gradient_of(w, np.result_type(x, g)))
    db = None
    if "b" in wanted:
        db = np.empty(g.shape[1], g.dtype)
        do(sum_rows(g, db))
    return dx, dw, db


def sum_rows(rows: np.ndarray, out: np.ndarray) -> list[Step]:
    """Write the sum of a matrix over its rows."""
    several = _side_by_side(*rows.shape)
    if several == 1:
        return [(np.add.reduce, rows, 0, out)]
    wide = rows.reshape(-1, several * rows.shape[1])
    sums = np.empty(wide.shape[1], rows.dtype)
    parts = sums.reshape(several, -1)
    return [(np.add.reduce, wide, 0, sums), (np.add.reduce, parts, 0, out)]


def with_each(function: np.ufunc, rows: np.ndarray, values: np.ndarray) -> Step:
    """Replace each row by a function of it and a vector."""
    several = _side_by_side(*rows.shape)
    if several > 1 and rows.flags.c_contiguous:
        repeated = np.empty((several, len(values)), values.dtype)
        repeated[...] = values
        rows, values = rows.reshape(-1, repeated.size), repeated.reshape(-1)
    return function, rows, values, rows


@lru_cache(maxsize=256)
def _side_by_side(rows: int, columns: int) -> int:
    """How many short rows to take as a long one: each costs NumPy as much as ten
    numbers (benchmarks/kernels.py, "rows")."""
    if rows * columns < MANY:
        return 1
    most = min(rows, RUN // columns)
    return next((n for n in range(most, 1, -1) if rows % n == 0), 1)


def matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a @ b for matrices."""
    c = out
    if c is None:
        c = blocking.empty((len(a), b.shape[1]), np.result_type(a, b))
    if len(a) * b.size <= TINY:
        with quiet:
            return np.matmul(a, b, out=c)

    def task(part: Part) -> None:
        rows, columns = part
        products.multiply(a[rows], b[:, columns], c[part])

    blocking.parallel(task, _parts(a, b))
    return c


def mask_by_output(g: np.ndarray, output: np.ndarray) -> np.ndarray:
    """g where a ReLU's output is above zero, else 0."""
    found = blocking.empty(g.shape, g.dtype)
    blocking.each_piece(lambda *piece: do(mask(*piece)), g, output, found)
    return found


def mask(g: np.ndarray, output: np.ndarray, out: np.ndarray) -> list[Step]:
    """Write g where a ReLU's output is above zero, else 0."""
    above = blocking.empty(g.shape, bool)
    return [(np.greater, output, 0, above), (np.multiply, g, above, out)]


def masked(g: np.ndarray, output: np.ndarray) -> tuple[list[Step], np.ndarray]:
    """The same, and where it will be written."""
    found = blocking.empty(g.shape, g.dtype)
    return mask(g, output, found), found


def _parts(a: np.ndarray, b: np.ndarray) -> list[Part]:
    """Cut a @ b along its longer side: BLAS copies all of the other matrix for each
    part (benchmarks/kernels.py, "wide")."""
    rows, columns = len(a), b.shape[1]
    whole = slice(None)
    if rows >= columns:
        return [(part, whole) for part in _slices(rows, b.size)]
    return [(whole, part) for part in _slices(columns, a.size)]


def _slices(count: int, size: int) -> list[slice]:
    work = 2 * size
    least = max(1, 2 * blocking.MIN_SLICE_WORK * 16 // max(1, work))
    length = max(least, -(-count // 4))
    return blocking.cut(count, length)
