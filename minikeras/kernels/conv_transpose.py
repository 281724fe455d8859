"""N-dimensional transposed convolution over slices of the batch that stay in the cache.

Letters: N batch, I input sizes, O output sizes, K kernel sizes, C input channels,
F filters. Arrays: x (N, I, C), w (K, F, C), y and g (N, O, F).

It is the input gradient of a convolution from the sizes O to the sizes I, whose
`Geometry` it takes: `geometry.sizes` is O and `geometry.out` is I.
"""

from typing import Any

import numpy as np

from minikeras.kernels import blocking, conv, products
from minikeras.kernels.dense import masked, sum_rows
from minikeras.kernels.steps import Step, copy, do_each, put
from minikeras.kernels.windows import Geometry


def convolve_transposed(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
    geometry: Geometry,
    relu: bool = False,
) -> np.ndarray:
    """y (N, O, F); bias (F,) is added and ReLU applied while a slice is in cache."""
    filters = w.shape[-2]
    y = blocking.empty((len(x), *geometry.sizes, filters), x.dtype)
    if geometry.strides[-1] > 1 and geometry.dilation[-1] == 1:
        scatter = _scatter_by_blocks(w, geometry)
    else:
        scatter = conv.scattering(w, geometry, 1)
    # The bias along the last axis of sizes: one long run is faster than many short.
    shift = None if bias is None else np.tile(bias, geometry.sizes[-1])

    def steps_of(part: slice) -> list[Step]:
        steps = scatter(x[part], y[part])
        rows = y[part].reshape(*y[part].shape[:-2], geometry.sizes[-1] * filters)
        if shift is not None:
            steps.append((np.add, rows, shift, rows))
        if relu:
            steps.append((np.maximum, rows, 0, rows))
        return steps

    do_each(steps_of, conv.slices(x, w, geometry, filters))
    return y


def backward(
    x: np.ndarray,
    w: np.ndarray,
    relu_output: np.ndarray | None,
    g: np.ndarray,
    geometry: Geometry,
    wanted: str = "xwb",
) -> tuple[Any, Any, Any]:
    """dx, dw and db in one pass, as `kernels.conv.backward`; windows of g serve all."""
    filters, channels = w.shape[-2:]
    dx = blocking.empty(x.shape, x.dtype) if "x" in wanted else None
    most = max(blocking.MIN_SLICES, (8 << 20) // max(1, w.nbytes))
    places = conv.slices(x, w, geometry, filters, most if "w" in wanted else None)
    matrix = w.reshape(-1, channels)
    sums_w = np.empty((len(places), *matrix.shape), x.dtype) if "w" in wanted else None
    sums_b = np.empty((len(places), filters), x.dtype) if "b" in wanted else None

    def steps_of(index: int) -> list[Step]:
        part = places[index]
        grad = g[part]
        steps: list[Step] = []
        if relu_output is not None:
            steps, grad = masked(grad, relu_output[part])
        if sums_b is not None:
            steps += sum_rows(grad.reshape(-1, filters), sums_b[index])
        if sums_w is None and dx is None:
            return steps
        to_pad, around = conv.pad(grad, geometry)
        to_copy, columns = conv.columns(around, geometry)
        steps += to_pad + to_copy
        if sums_w is not None:
            rows = x[part].reshape(-1, channels)
            steps.append((products.multiply_turned, columns, rows, sums_w[index]))
        if dx is not None:
            rows = dx[part].reshape(-1, channels)
            steps.append((products.multiply, columns, matrix, rows))
        return steps

    do_each(steps_of, range(len(places)))
    dw = None if sums_w is None else np.add.reduce(sums_w, axis=0).reshape(w.shape)
    db = None if sums_b is None else np.add.reduce(sums_b, axis=0)
    return dx, dw, db


def _scatter_by_blocks(w: np.ndarray, geometry: Geometry) -> conv.Scatter:
    """One matmul for all cells, then sums of blocks as wide as the last axis' stride.

    Neighbouring positions are a stride apart in y, so that many neighbouring cells of
    the kernel fill whole rows: the sums run over `stride * F` numbers and not over F
    (twice as fast with few filters; benchmarks/kernels.py, case "transposed").
    """
    *leading, last = geometry.kernel
    filters, channels = w.shape[-2:]
    matrix = np.ascontiguousarray(w.reshape(-1, channels).T)
    stride, count = geometry.strides[-1], geometry.out[-1]
    run = stride * filters
    needed = [
        max((i - 1) * s + reach, before + size)
        for i, s, reach, (before, _), size in zip(
            geometry.out,
            geometry.strides,
            geometry.reach,
            geometry.pads,
            geometry.sizes,
            strict=True,
        )
    ]
    needed[-1] = max(needed[-1], (count - 1 - (-last // stride)) * stride)
    inner = (slice(None),) + tuple(
        slice(before, before + size)
        for (before, _), size in zip(geometry.pads, geometry.sizes, strict=True)
    )
    reached = [
        [slice(k * d, k * d + (i - 1) * s + 1, s) for k in range(kernel)]
        for kernel, d, i, s in zip(
            leading, geometry.dilation, geometry.out, geometry.strides, strict=False
        )
    ]

    def scatter(x: np.ndarray, y: np.ndarray) -> list[Step]:
        product = blocking.empty((*x.shape[:-1], *leading, last * filters), x.dtype)
        flat = product.reshape(-1, matrix.shape[1])
        steps: list[Step] = [(np.matmul, x.reshape(-1, channels), matrix, flat)]
        total = blocking.empty((len(x), *needed, filters), x.dtype)
        steps.append(put(total, None, 0))
        rows = total.reshape(*total.shape[:-2], -1)
        every = (slice(None),) * (x.ndim - 1)
        for cell in np.ndindex(*leading):
            at = tuple(slices[k] for slices, k in zip(reached, cell, strict=True))
            target = rows[every[:1] + at]
            for start in range(0, last * filters, run):
                block = product[every + cell][..., start : start + run]
                grid = target[..., start : start + count * run]
                grid = grid.reshape(*target.shape[:-1], count, run)
                grid = grid[..., : block.shape[-1]]
                steps.append((np.add, grid, block, grid))
        return [*steps, copy(total[inner], y)]

    return scatter
