"""Matrix products of a dense layer, with bias and ReLU in the same pass.

Arrays: x (M, C), w (C, F), bias (F,), y and g (M, F). Rows are cut by shape, so the
bits do not depend on the number of threads.
"""

from typing import Any

import numpy as np

from minikeras.kernels import blocking, products
from minikeras.kernels.conv import mask_by_output

# Multiplications of a product that BLAS computes on one thread in any case: setting the
# number of its threads would take longer (benchmarks/kernels.py, "tiny").
TINY = 1 << 17


def dense(
    x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, relu: bool = False
) -> np.ndarray:
    """y = x @ w + bias, and max(y, 0) if `relu`."""
    y = blocking.empty((len(x), w.shape[1]), x.dtype)
    if len(x) * w.size <= TINY:
        with np.errstate(all="ignore"):
            np.matmul(x, w, out=y)
            if bias is not None:
                y += bias
            if relu:
                np.maximum(y, 0, out=y)
        return y

    def task(part: slice) -> None:
        rows = y[part]
        products.multiply(x[part], w, rows)
        if bias is not None:
            np.add(rows, bias, out=rows)
        if relu:
            np.maximum(rows, 0, out=rows)

    blocking.parallel(task, _slices(len(x), w))
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
    dw = matmul(x.T, g) if "w" in wanted else None
    db = np.add.reduce(g, axis=0) if "b" in wanted else None
    return dx, dw, db


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b for matrices."""
    c = blocking.empty((len(a), b.shape[1]), np.result_type(a, b))
    if len(a) * b.size <= TINY:
        with np.errstate(all="ignore"):
            return np.matmul(a, b, out=c)

    def task(part: slice) -> None:
        products.multiply(a[part], b, c[part])

    blocking.parallel(task, _slices(len(a), b))
    return c


def _slices(rows: int, w: np.ndarray) -> list[slice]:
    work = 2 * w.size
    least = max(1, 2 * blocking.MIN_SLICE_WORK * 16 // max(1, work))
    length = max(least, -(-rows // 4))
    return [slice(i, min(i + length, rows)) for i in range(0, rows, length)]
