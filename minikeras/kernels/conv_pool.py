"""Convolution, bias, ReLU and max pooling in one pass over slices of the batch.

Letters: N batch, S input sizes, O convolved sizes, P pooled sizes, K kernel sizes, C
input channels, F filters, cells of a pooling window. Arrays: x (N, S, C), w (K, C, F),
y and g (N, P, F), blocks (cells, N * P, F).

Positions are convolved in the order of the cells of the pooling windows: first cell 0
of every window, then cell 1, and so on. Each is then one contiguous block, and pooling
is the largest of contiguous blocks, without ever writing the convolved image. The bias
is one more row of w, which meets a column of ones behind the windows. Positions that no
window covers are not computed at all. All of this takes few calls of NumPy, each of
them long: between calls threads wait for one another.

Pooling windows must not overlap, have no padding, and lie side by side.
"""

from functools import partial
from typing import Any

import numpy as np

from minikeras.kernels import blocking, conv_fourier, products
from minikeras.kernels.conv import SHORT_RUN, pad, scattering
from minikeras.kernels.dense import mask
from minikeras.kernels.steps import Step, copy, do_each, put
from minikeras.kernels.windows import Geometry, joined_geometry, sliding

# Up to this many numbers in a window the convolution is done again in the backward
# pass: that is faster than to write its result and read it again.
CHEAP_WINDOW = 32

Kept = list[np.ndarray | None]  # convolved blocks of each slice


def fits(geometry: Geometry, pool: Geometry) -> bool:
    """Whether a convolution and a pooling can be done in one pass."""
    return (
        pool.tiled
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
    plan = _Plan(x, w, bias, geometry, pool)
    keep = keep and geometry.cells * x.shape[-1] > CHEAP_WINDOW
    kept: Kept = [None] * len(plan.slices)
    largest = partial(np.maximum.reduce, initial=0) if relu else np.maximum.reduce

    def steps_of(index: int) -> list[Step]:
        part = plan.slices[index]
        steps, columns = plan.columns(x[part])
        product, blocks = plan.convolve(columns)
        if keep:
            kept[index] = blocks
        rows = y[part].reshape(-1, filters)
        return [*steps, product, (largest, blocks, 0, rows)]

    do_each(steps_of, range(len(plan.slices)))
    return y, kept


def backward(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
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
    plan = _Plan(x, w, bias, geometry, pool)
    places = plan.slices

    def share_out(index: int, blocks: np.ndarray) -> tuple[list[Step], np.ndarray]:
        rows = y[places[index]].reshape(-1, filters)
        return _share_out(blocks, rows, g[places[index]].reshape(rows.shape), relu)

    tilings = conv_fourier.plan(geometry, len(x), w, wanted)
    if tilings is not None and not plan.wide:
        image = blocking.empty((len(x), *geometry.out, filters), x.dtype)

        def steps_of(index: int) -> list[Step]:
            part = places[index]
            steps: list[Step] = []
            blocks = kept[index]
            if blocks is None:
                steps, columns = plan.columns(x[part])
                product, blocks = plan.convolve(columns)
                steps.append(product)
            more, grads = share_out(index, blocks)
            return [*steps, *more, *plan.put(grads, image[part])]

        do_each(steps_of, range(len(places)))
        return conv_fourier.backward(x, w, None, image, geometry, tilings, wanted)

    dx = blocking.empty(x.shape, x.dtype) if "x" in wanted else None
    sums = blocking.empty((len(places), *plan.sum_shape), x.dtype)
    scatter = scattering(w, geometry, 1) if dx is not None else None

    def steps_of_windows(index: int) -> list[Step]:
        part = places[index]
        steps, columns = plan.columns(x[part])
        blocks = kept[index]
        if blocks is None:
            product, blocks = plan.convolve(columns)
            steps.append(product)
        more, grads = share_out(index, blocks)
        steps += [*more, plan.filter_sums(columns, grads, sums[index])]
        if scatter is not None and dx is not None:
            shape = len(x[part]), *geometry.out, filters
            image = blocking.empty(shape, x.dtype)
            steps += plan.put(grads, image) + scatter(image, dx[part])
        return steps

    do_each(steps_of_windows, range(len(places)))
    dw, db = plan.fold(blocking.sum_first(sums))
    return dx, dw if "w" in wanted else None, db if "b" in wanted else None


def _share_out(
    blocks: np.ndarray, largest: np.ndarray, g: np.ndarray, relu: bool
) -> tuple[list[Step], np.ndarray]:
    """Each block's part of the gradient of the largest of them: calls, and where they
    will write it."""
    grads = blocking.empty(blocks.shape, blocks.dtype)
    reached = blocking.empty(blocks[:-1].shape, bool)
    rest = grads[-1]
    steps = mask(g, largest, rest) if relu else [copy(g, rest)]
    steps.append((np.equal, blocks[:-1], largest, reached))
    for first, grad in zip(reached, grads[:-1], strict=True):
        steps.append((np.multiply, rest, first, grad))
        steps.append((np.subtract, rest, grad, rest))
    return steps, grads


class _Plan:
    """How windows are copied and multiplied, by the cheaper of two ways.

    With many channels, the windows of each cell are copied and multiplied with w. With
    few, windows that are wider by a pooling window are copied once for all cells, and
    multiplied with w moved to each cell's place in them, zeros around it
    (benchmarks/kernels.py, "conv-pool").
    """

    def __init__(
        self,
        x: np.ndarray,
        w: np.ndarray,
        bias: np.ndarray | None,
        geometry: Geometry,
        pool: Geometry,
    ):
        self.w, self.geometry, self.pool = w, geometry, pool
        channels, filters = x.shape[-1], w.shape[-1]
        self.ones = 0 if bias is None else 1
        self.wide = channels * geometry.kernel[-1] < SHORT_RUN
        self.windows = joined_geometry(geometry, pool) if self.wide else geometry
        size = self.windows.cells * channels + self.ones
        cells = pool.cells if self.wide else 1
        matrices = np.zeros((cells, size, filters), w.dtype)
        matrices[:, -1] = 0 if bias is None else bias
        for matrix, place in zip(matrices, self._cell_places(), strict=False):
            self._without_ones(matrix)[place] = w
        self.matrices = blocking.aligned(matrices)
        self.sum_shape = matrices.shape
        work = pool.cells * pool.positions
        each = size * (pool.positions if self.wide else work)
        # Every slice has a sum of its own for dw: few slices for a large filter.
        most = max(blocking.MIN_SLICES, (8 << 20) // max(1, w.nbytes))
        bytes_each = (each + 2 * work * filters) * x.itemsize
        operations = blocking.product_work(work * size, filters)
        self.slices = blocking.slices(len(x), bytes_each, operations, most)

    def _without_ones(self, matrix: np.ndarray) -> np.ndarray:
        """A matrix or sum without the row of the bias, seen as (K, C, F)."""
        shape = (*self.windows.kernel, *self.w.shape[-2:])
        return matrix[: len(matrix) - self.ones].reshape(shape)

    def _cell_places(self) -> list[tuple[slice, ...]]:
        """Where w lies in the window, for each cell of the pooling window."""
        if not self.wide:
            return [(slice(None),)]
        return [
            tuple(
                slice(i * s, i * s + k)
                for i, s, k in zip(
                    cell, self.geometry.strides, self.geometry.kernel, strict=True
                )
            )
            for cell in np.ndindex(*self.pool.kernel)
        ]

    def columns(self, x: np.ndarray) -> tuple[list[Step], np.ndarray]:
        """Windows of a slice as a matrix: for all cells, or one below the other."""
        steps, padded = pad(x, self.geometry)
        where = self.windows
        view = sliding(padded, where.out, where.kernel, where.strides, where.dilation)
        rank = len(where.out)
        if self.wide:
            order = (*range(1 + rank, view.ndim), *range(1 + rank))  # (K, C, N, P)
            view = view.transpose(order)
            rows = len(x) * self.pool.positions
            columns = blocking.empty((self.sum_shape[1], rows), x.dtype)
            inner = columns[: len(columns) - self.ones]
            steps.append(put(columns[len(inner) :], None, 1))
            return [*steps, copy(view, inner.reshape(view.shape))], columns.T
        view = view[self._covered()].reshape(
            len(x), *self._split(), *where.kernel, x.shape[-1]
        )
        view = view.transpose(self._cells_first(view.ndim))
        rows = view.size // (self.sum_shape[1] - self.ones)
        columns = blocking.empty((rows, self.sum_shape[1]), x.dtype)
        inner = columns[:, : columns.shape[1] - self.ones]
        steps.append(put(columns[:, inner.shape[1] :], None, 1))
        return [*steps, copy(view, inner.reshape(view.shape))], columns

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

    def convolve(self, columns: np.ndarray) -> tuple[Step, np.ndarray]:
        """The convolved blocks (cells, N * P, F) of a slice."""
        cells, filters = self.pool.cells, self.w.shape[-1]
        rows = len(columns) if self.wide else len(columns) // cells
        blocks = blocking.empty((cells, rows, filters), columns.dtype)
        if self.wide:
            return (products.multiply_each, columns, self.matrices, blocks), blocks
        flat = blocks.reshape(-1, filters)
        return (products.multiply, columns, self.matrices[0], flat), blocks

    def filter_sums(
        self, columns: np.ndarray, blocks: np.ndarray, out: np.ndarray
    ) -> Step:
        """This slice's part of dw and db, still in the form of `sum_shape`."""
        if self.wide:
            return np.matmul, columns.T, blocks, out
        flat = blocks.reshape(len(columns), -1)
        return products.multiply_turned, columns, flat, out[0]

    def fold(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """dw and db from the sums of all slices."""
        dw = np.zeros_like(self.w)
        for place, total in zip(self._cell_places(), sums, strict=True):
            dw += self._without_ones(total)[place]
        return dw, np.add.reduce(sums[:, -1], axis=0) if self.ones else None

    def put(self, blocks: np.ndarray, image: np.ndarray) -> list[Step]:
        """Write gradients of the blocks at their places in the convolved image."""
        filters = self.w.shape[-1]
        split = self._split()
        steps = []
        if image.shape[1:-1] != tuple(
            p * k for p, k in zip(self.pool.out, self.pool.kernel, strict=True)
        ):
            steps.append(put(image, None, 0))
        covered = image[self._covered()]
        for index, cell in enumerate(np.ndindex(*self.pool.kernel)):
            at = tuple(
                slice(i, None, k) for i, k in zip(cell, split[1::2], strict=True)
            )
            whole = (slice(None), *at)
            block = blocks[index].reshape(len(image), *self.pool.out, filters)
            steps.append(copy(block, covered[whole]))
        return steps
