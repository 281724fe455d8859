"""Convolution, bias, ReLU and max pooling in one pass over slices of the batch.

Letters: N batch, S input sizes, O convolved sizes, P pooled sizes, K kernel sizes, C
input channels, F filters, cells of a pooling window. Arrays: x (N, S, C), w (K, C, F),
y and g (N, P, F), raw (cells, N, P, F).

Positions are convolved in the order of the cells of the pooling windows: first cell 0
of every window, then cell 1, and so on. Each is then one contiguous block, and pooling
is the larger of contiguous blocks, without ever writing the convolved image. Bias and
ReLU rise with their argument, so they are applied after pooling, to fewer numbers.
Positions that no window covers are not computed at all.

Pooling windows must not overlap, have no padding, and lie side by side.
"""

from typing import Any

import numpy as np

from minikeras.kernels import blocking
from minikeras.kernels.conv import SHORT_RUN, _columns, _pad, _scatter
from minikeras.kernels.windows import Geometry, joined_geometry, sliding

# Up to this many numbers in a window the convolution is done again in the backward
# pass: that is faster than to write its result and read it again.
CHEAP_WINDOW = 32

Kept = list[np.ndarray | None]  # convolved blocks of each slice


def fits(geometry: Geometry, pool: Geometry) -> bool:
    """Whether a convolution and a pooling can be done in one pass."""
    return (
        pool.strides == pool.kernel
        and set(pool.dilation) == {1}
        and not any(before or after for before, after in pool.pads)
        and 1 < pool.cells <= 9
        and pool.positions > 0
        and set(geometry.dilation) == {1}
    )


def forward(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
    geometry: Geometry,
    pool: Geometry,
    relu: bool,
    keep: bool,
) -> tuple[np.ndarray, Kept]:
    """y, and with `keep` what `backward` wants to know of the convolution."""
    filters = w.shape[-1]
    y = blocking.empty((len(x), *pool.out, filters), x.dtype)
    plan = _Plan(x, w, geometry, pool)
    keep = keep and geometry.cells * x.shape[-1] > CHEAP_WINDOW
    kept: Kept = [None] * len(plan.slices)

    def task(index: int) -> None:
        part = plan.slices[index]
        blocks = plan.convolve(plan.columns(x[part]))
        if keep:
            kept[index] = blocks
        rows = y[part].reshape(-1, filters)
        _largest(blocks, rows)
        if bias is not None:
            rows += bias
        if relu:
            np.maximum(rows, 0, out=rows)

    blocking.parallel(task, range(len(plan.slices)))
    return y, kept


def backward(
    x: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    kept: Kept,
    g: np.ndarray,
    geometry: Geometry,
    pool: Geometry,
    relu: bool,
    wanted: str = "xwb",
) -> tuple[Any, Any, Any]:
    """dx, dw and db; those not wanted are None.

    The gradient goes to the first cell of a window that has its largest value.
    """
    filters = w.shape[-1]
    plan = _Plan(x, w, geometry, pool)
    places = plan.slices
    count = len(places)
    dx = blocking.empty(x.shape, x.dtype) if "x" in wanted else None
    sums_w = blocking.empty((count, *plan.sum_shape), x.dtype)
    sums_b = np.empty((count, filters), x.dtype)
    scatter = _scatter(w, geometry, 1) if dx is not None else None

    def task(index: int) -> None:
        part = places[index]
        rest = blocking.empty((y[part].size // filters, filters), x.dtype)
        np.copyto(rest, g[part].reshape(rest.shape))
        if relu:
            rest *= y[part].reshape(rest.shape) > 0
        np.add.reduce(rest, axis=0, out=sums_b[index])
        known = kept[index]
        if "w" in wanted or known is None:
            columns = plan.columns(x[part])
        grads = _shared_out(plan.convolve(columns) if known is None else known, rest)
        if "w" in wanted:
            plan.filter_sums(columns, grads, sums_w[index])
        if scatter is not None and dx is not None:
            scatter(plan.in_place(grads), dx[part])

    blocking.parallel(task, range(count))
    dw = plan.fold(np.add.reduce(sums_w, axis=0)) if "w" in wanted else None
    db = np.add.reduce(sums_b, axis=0) if "b" in wanted else None
    return dx, dw, db


def _largest(blocks: np.ndarray, out: np.ndarray) -> None:
    np.maximum(blocks[0], blocks[1], out=out)
    for block in blocks[2:]:
        np.maximum(out, block, out=out)


def _shared_out(blocks: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Each block's part of the gradient `rest`, which is used up."""
    grads = blocking.empty(blocks.shape, blocks.dtype)
    largest = grads[-1]
    _largest(blocks, largest)
    for block, grad in zip(blocks[:-1], grads, strict=False):
        np.multiply(rest, block == largest, out=grad)
        rest -= grad
    grads[-1] = rest
    return grads


class _Plan:
    """How windows are copied and multiplied, by the cheaper of two ways.

    With many channels, the windows of each cell are copied and multiplied with w. With
    few, windows that are wider by a pooling window are copied once for all cells, and
    multiplied with w moved to each cell's place in them, zeros around it
    (benchmarks/kernels.py, "conv-pool").
    """

    def __init__(self, x: np.ndarray, w: np.ndarray, geometry: Geometry, pool: Any):
        self.w, self.geometry, self.pool = w, geometry, pool
        channels, filters = x.shape[-1], w.shape[-1]
        self.wide = channels * geometry.kernel[-1] < SHORT_RUN
        size = geometry.cells * channels
        if self.wide:
            self.windows = joined_geometry(geometry, pool)
            size = self.windows.cells * channels
            self.matrices = self._placed()
        else:
            self.matrices = [w.reshape(size, filters)] * pool.cells
        self.sum_shape = (pool.cells if self.wide else 1, size, filters)
        work = pool.cells * pool.positions
        each = size * (pool.positions if self.wide else work)
        # Every slice has a sum of its own for dw: few slices for a large filter.
        most = max(blocking.MIN_SLICES, (8 << 20) // max(1, w.nbytes))
        bytes_each = (each + 2 * work * filters) * x.itemsize
        operations = 2 * work * size * filters
        self.slices = blocking.slices(len(x), bytes_each, operations, most)

    def _placed(self) -> list[np.ndarray]:
        shape = (*self.windows.kernel, *self.w.shape[-2:])
        found = []
        for place in self._cell_places():
            matrix = np.zeros(shape, self.w.dtype)
            matrix[place] = self.w
            found.append(matrix.reshape(-1, shape[-1]))
        return found

    def _cell_places(self) -> list[tuple[slice, ...]]:
        """Where w lies in the wide window, for each cell of the pooling window."""
        return [
            tuple(
                slice(i * s, i * s + k)
                for i, s, k in zip(
                    cell, self.geometry.strides, self.geometry.kernel, strict=True
                )
            )
            for cell in np.ndindex(*self.pool.kernel)
        ]

    def columns(self, x: np.ndarray) -> np.ndarray:
        """Windows of a slice, as a matrix for all cells or one below the other."""
        padded = _pad(x, self.geometry)
        if self.wide:
            return _columns(padded, self.windows)
        view = sliding(
            padded,
            self.geometry.out,
            self.geometry.kernel,
            self.geometry.strides,
            self.geometry.dilation,
        )
        view = view[self._covered()].reshape(
            len(x), *self._split(), *self.geometry.kernel, x.shape[-1]
        )
        view = view.transpose(self._cells_first(view.ndim))
        columns = blocking.empty(view.shape, x.dtype)
        np.copyto(columns, view)
        return columns.reshape(self.pool.cells, -1, self.sum_shape[1])

    def _covered(self) -> tuple[slice, ...]:
        covered = zip(self.pool.out, self.pool.kernel, strict=True)
        return (slice(None), *(slice(p * k) for p, k in covered))

    def _split(self) -> list[int]:
        pairs = zip(self.pool.out, self.pool.kernel, strict=True)
        return [size for pair in pairs for size in pair]

    def _cells_first(self, ndim: int) -> tuple[int, ...]:
        """(N, P, cell, P, cell ..., rest) -> (cell, cell ..., N, P, P ..., rest)."""
        rank = len(self.pool.out)
        cells, places = range(2, 2 * rank + 1, 2), range(1, 2 * rank, 2)
        return (*cells, 0, *places, *range(2 * rank + 1, ndim))

    def convolve(self, columns: np.ndarray) -> np.ndarray:
        """The convolved blocks (cells, N * P, F) of a slice."""
        cells, filters = self.pool.cells, self.w.shape[-1]
        rows = len(columns) if self.wide else columns.shape[1]
        blocks = blocking.empty((cells, rows, filters), columns.dtype)
        if self.wide:
            for matrix, block in zip(self.matrices, blocks, strict=True):
                np.matmul(columns, matrix, out=block)
        else:
            flat = columns.reshape(-1, columns.shape[-1])
            np.matmul(flat, self.matrices[0], out=blocks.reshape(-1, filters))
        return blocks

    def filter_sums(
        self, columns: np.ndarray, blocks: np.ndarray, out: np.ndarray
    ) -> None:
        """This slice's part of dw, still in the form of `sum_shape`."""
        if self.wide:
            for block, total in zip(blocks, out, strict=True):
                np.matmul(columns.T, block, out=total)
        else:
            flat = columns.reshape(-1, columns.shape[-1])
            np.matmul(flat.T, blocks.reshape(len(flat), -1), out=out[0])

    def fold(self, sums: np.ndarray) -> np.ndarray:
        """dw from the sums of all slices."""
        if not self.wide:
            return sums[0].reshape(self.w.shape)
        dw = np.zeros_like(self.w)
        for place, total in zip(self._cell_places(), sums, strict=True):
            dw += total.reshape(*self.windows.kernel, *self.w.shape[-2:])[place]
        return dw

    def in_place(self, blocks: np.ndarray) -> np.ndarray:
        """Gradients of the blocks, at their places in the convolved image."""
        filters = self.w.shape[-1]
        count = blocks.shape[1] // self.pool.positions
        image = blocking.empty((count, *self.geometry.out, filters), blocks.dtype)
        split = self._split()
        if image.shape[1:-1] != tuple(
            p * k for p, k in zip(self.pool.out, self.pool.kernel, strict=True)
        ):
            image[...] = 0
        covered = image[self._covered()]
        for index, cell in enumerate(np.ndindex(*self.pool.kernel)):
            at = tuple(
                slice(i, None, k) for i, k in zip(cell, split[1::2], strict=True)
            )
            whole = (slice(None), *at)
            covered[whole] = blocks[index].reshape(count, *self.pool.out, filters)
        return image
