"""N-dimensional convolution over slices of the batch that stay in the cache.

Letters: N batch, S input sizes, O output sizes, K kernel sizes, C input channels,
F filters, G groups. Arrays: x (N, S, C), w (K, C/G, F), y and g (N, O, F).

Three products are one family: each is linear in both of its arrays, and the
derivatives of each are the other two.

    convolve         y[n,o,f] = sum_{k,c} x[n, o*stride + k*dilation - pad, c] w[k,c,f]
    input_gradient   dx, the adjoint of convolve in x
    filter_gradient  dw, the adjoint of convolve in w
"""

from typing import Any

import numpy as np

from minikeras.kernels import blocking
from minikeras.kernels.windows import Geometry, cell_places, sliding

# Shorter runs are copied transposed (benchmarks/kernels.py, case "columns").
SHORT_RUN = 16


def convolve(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
    geometry: Geometry,
    groups: int = 1,
    relu: bool = False,
) -> np.ndarray:
    """y (N, O, F); bias (F,) is added and ReLU applied while a slice is in cache."""
    count, channels, filters = len(x), x.shape[-1], w.shape[-1]
    y = blocking.empty((count, *geometry.out, filters), x.dtype)
    parts = _group_parts(w, groups)

    def task(part: slice) -> None:
        rows = y[part].reshape(-1, filters)
        padded = _pad(x[part], geometry)
        for w2d, of_x, of_y in parts:
            if groups == 1:
                np.matmul(_columns(padded, geometry), w2d, out=rows)
            else:
                rows[:, of_y] = _columns(padded[..., of_x], geometry) @ w2d
        if bias is not None:
            np.add(rows, bias, out=rows)
        if relu:
            np.maximum(rows, 0, out=rows)

    blocking.parallel(task, _slices(x, w, geometry, channels))
    return y


def input_gradient(
    g: np.ndarray, w: np.ndarray, geometry: Geometry, groups: int = 1
) -> np.ndarray:
    """dx (N, S, C) for an output gradient g (N, O, F)."""
    channels = w.shape[-2] * groups
    dx = blocking.empty((len(g), *geometry.sizes, channels), g.dtype)
    scatter = _scatter(w, geometry, groups)
    blocking.parallel(
        lambda part: scatter(g[part], dx[part]), _slices(g, w, geometry, channels)
    )
    return dx


def filter_gradient(
    x: np.ndarray, g: np.ndarray, geometry: Geometry, groups: int = 1
) -> np.ndarray:
    """dw (K, C/G, F) for an input x and an output gradient g (N, O, F)."""
    shape = (*geometry.kernel, x.shape[-1] // groups, g.shape[-1])
    return backward(x, np.empty(shape, x.dtype), None, g, geometry, groups, "w")[1]


def backward(
    x: np.ndarray,
    w: np.ndarray,
    relu_output: np.ndarray | None,
    g: np.ndarray,
    geometry: Geometry,
    groups: int = 1,
    wanted: str = "xwb",
) -> tuple[Any, Any, Any]:
    """dx, dw and db in one pass over the slices; those not wanted are None.

    Args:
        relu_output: what `convolve(relu=True)` returned; masks g while it is in cache.
    """
    channels, filters = x.shape[-1], w.shape[-1]
    dx = blocking.empty(x.shape, x.dtype) if "x" in wanted else None
    parts = _group_parts(w, groups)
    places = _slices(x, w, geometry, channels)
    if "w" in wanted:
        # Every slice has a sum of its own: few slices for a large filter.
        most = max(blocking.MIN_SLICES, (8 << 20) // max(1, w.nbytes))
        if len(places) > most:
            places = _slices(x, w, geometry, channels, most)
    sums_w = blocking.empty((len(places), w.size), x.dtype) if "w" in wanted else None
    sums_b = np.empty((len(places), filters), x.dtype) if "b" in wanted else None
    scatter = _scatter(w, geometry, groups) if dx is not None else None

    def task(index: int) -> None:
        part = places[index]
        grad = g[part]
        if relu_output is not None:
            grad = mask_by_output(grad, relu_output[part])
        rows = grad.reshape(-1, filters)
        if sums_b is not None:
            np.add.reduce(rows, axis=0, out=sums_b[index])
        if sums_w is not None:
            padded = _pad(x[part], geometry)
            total = sums_w[index].reshape(-1, filters)
            for _, of_x, of_y in parts:
                columns = _columns(padded[..., of_x], geometry)
                if groups == 1:
                    np.matmul(columns.T, rows, out=total)
                else:
                    total[:, of_y] = columns.T @ rows[:, of_y]
        if scatter is not None and dx is not None:
            scatter(grad, dx[part])

    blocking.parallel(task, range(len(places)))
    dw = None if sums_w is None else np.add.reduce(sums_w, axis=0).reshape(w.shape)
    db = None if sums_b is None else np.add.reduce(sums_b, axis=0)
    return dx, dw, db


def mask_by_output(g: np.ndarray, output: np.ndarray) -> np.ndarray:
    """g where a ReLU's output is above zero, else 0."""
    masked = blocking.empty(g.shape, g.dtype)
    blocking.each_piece(_mask, g, output, masked)
    return masked


def _mask(g: np.ndarray, output: np.ndarray, masked: np.ndarray) -> None:
    np.multiply(g, output > 0, out=masked)


def _slices(
    x: np.ndarray,
    w: np.ndarray,
    geometry: Geometry,
    channels: int,
    most: int | None = None,
) -> list[slice]:
    columns = geometry.positions * geometry.cells * channels
    return blocking.slices(
        len(x), columns * x.itemsize, 2 * columns * w.shape[-1], most
    )


def _group_parts(w: np.ndarray, groups: int) -> list[tuple[np.ndarray, slice, slice]]:
    """Per group: its filter as a matrix, its channels in x, its filters in y."""
    channels, filters = w.shape[-2], w.shape[-1] // groups
    w2d = w.reshape(-1, w.shape[-1])
    return [
        (
            w2d[:, i * filters : (i + 1) * filters],
            slice(i * channels, (i + 1) * channels),
            slice(i * filters, (i + 1) * filters),
        )
        for i in range(groups)
    ]


def _pad(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    if not any(before or after for before, after in geometry.pads):
        return x
    padded = blocking.empty((len(x), *geometry.padded, x.shape[-1]), x.dtype)
    padded[...] = 0
    inner = (slice(None),) + tuple(
        slice(before, before + size)
        for (before, _), size in zip(geometry.pads, geometry.sizes, strict=True)
    )
    padded[inner] = x
    return padded


def _columns(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Windows of a padded x as a matrix (N * O, K * C)."""
    channels = x.shape[-1]
    shape = (len(x) * geometry.positions, geometry.cells * channels)
    if geometry.cells == 1 and set(geometry.strides) == {1}:
        return x.reshape(shape)
    view = sliding(
        x, geometry.out, geometry.kernel, geometry.strides, geometry.dilation
    )
    run = channels * (geometry.kernel[-1] if geometry.dilation[-1] == 1 else 1)
    if run >= SHORT_RUN:
        columns = blocking.empty(view.shape, x.dtype)
        np.copyto(columns, view)
        return columns.reshape(shape)
    rank = len(geometry.out)
    order = (*range(1 + rank, view.ndim), *range(1 + rank))  # (K, C, N, O)
    view = view.transpose(order)
    columns = blocking.empty(view.shape, x.dtype)
    np.copyto(columns, view)
    return columns.reshape(shape[::-1]).T


def _scatter(w: np.ndarray, geometry: Geometry, groups: int) -> Any:
    """A function that writes dx of a slice, by the cheaper of two ways."""
    filters, channels = w.shape[-1], w.shape[-2] * groups
    dense = set(geometry.strides) == {1} and groups == 1
    if dense and all(
        before < reach and after < reach
        for (before, after), reach in zip(geometry.pads, geometry.reach, strict=True)
    ):
        if filters <= channels:  # benchmarks/kernels.py, case "scatter"
            return _scatter_by_windows(w, geometry)
    return _scatter_by_cells(w, geometry, groups)


def _scatter_by_windows(w: np.ndarray, geometry: Geometry) -> Any:
    """With stride 1, dx is g padded and convolved with the filter turned around."""
    rank = len(geometry.kernel)
    turned = np.flip(w, tuple(range(rank))).swapaxes(-1, -2)
    matrix = np.ascontiguousarray(turned).reshape(-1, w.shape[-2])
    pads = tuple(
        (reach - 1 - before, reach - 1 - after)
        for (before, after), reach in zip(geometry.pads, geometry.reach, strict=True)
    )
    reverse = geometry._replace(sizes=geometry.out, out=geometry.sizes, pads=pads)

    def scatter(g: np.ndarray, dx: np.ndarray) -> None:
        columns = _columns(_pad(g, reverse), reverse)
        np.matmul(columns, matrix, out=dx.reshape(-1, w.shape[-2]))

    return scatter


def _scatter_by_cells(w: np.ndarray, geometry: Geometry, groups: int) -> Any:
    """For each cell of the window one matmul, added to the input cells it meets."""
    parts = _group_parts(w, groups)
    size = w.shape[-2]

    def scatter(g: np.ndarray, dx: np.ndarray) -> None:
        rows = g.reshape(-1, g.shape[-1])
        dx[...] = 0
        product = blocking.empty((len(rows), size), g.dtype)
        grid = product.reshape(len(g), *geometry.out, size)
        for w2d, of_x, of_y in parts:
            by_cell = w2d.reshape(geometry.cells, size, -1)
            for matrix, place in zip(by_cell, cell_places(geometry), strict=True):
                np.matmul(rows[:, of_y], matrix.T, out=product)
                positions, inputs = place
                target = dx[..., of_x][inputs]
                target += grid[positions]

    return scatter
