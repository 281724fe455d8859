"""Images on other grids: pixels looked up between pixels, and other numbers of pixels.

A warp asks for the image at a place (r, c) for each output pixel:
y = sum of v(r, p) v(c, q) x[p, q] over the cells p, q beside r and c, where v is 1 for
the nearest cell (order 0), or 1 - distance for the two next ones (order 1). A mode says
which cell stands for one outside of the image.

Letters: N images, H x W pixels of C channels of the input, h x w of the output,
P output pixels at a time.
"""

from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np

from minikeras.kernels import blocking

FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
BYTES_EACH = 100  # working memory of an output pixel, without its channels

Places = tuple[np.ndarray, np.ndarray]
Corner = tuple[np.ndarray, np.ndarray | None]


class Grid(Protocol):
    """Where each output pixel looks: `shape` is (N, h, w)."""

    @property
    def shape(self) -> tuple[int, int, int]: ...

    def places(self, part: slice) -> Places:
        """Rows and columns (P / w, w) for a slice of the N * h rows of pixels."""


@dataclass(frozen=True, eq=False)
class Given:
    """Places listed one by one: rows and columns (N, h, w)."""

    rows: np.ndarray
    columns: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        count, height, width = self.rows.shape
        return count, height, width

    def places(self, part: slice) -> Places:
        width = self.rows.shape[-1]
        return (
            self.rows.reshape(-1, width)[part],
            self.columns.reshape(-1, width)[part],
        )


@dataclass(frozen=True, eq=False)
class Projective:
    """Column (a0 x + a1 y + a2) / k and row (b0 x + b1 y + b2) / k for pixel (x, y),
    with k = c0 x + c1 y + 1: a row of `matrix` (N, 8) is a0 a1 a2 b0 b1 b2 c0 c1."""

    matrix: np.ndarray
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.matrix), self.height, self.width

    def places(self, part: slice) -> Places:
        image, y = np.divmod(np.arange(part.start, part.stop), self.height)
        y = y.astype(self.matrix.dtype)
        x = np.arange(self.width, dtype=self.matrix.dtype)
        factors = self.matrix[image].T[..., None]

        def linear(by_x: np.ndarray, by_y: np.ndarray, shift: np.ndarray) -> np.ndarray:
            place = by_x * x
            place += by_y * y[:, None]  # rounded in Keras' order
            place += shift
            return place

        columns, rows = linear(*factors[:3]), linear(*factors[3:6])
        if self.matrix[:, 6:].any():
            scale = linear(factors[6], factors[7], np.ones_like(factors[0]))
            columns /= scale
            rows /= scale
        return rows, columns


def inside(cell: np.ndarray, size: int, mode: str) -> np.ndarray:
    """The cell of the image that stands for cell number `cell` (whole floats).

    `"nearest"` continues the last cell, `"wrap"` begins again, `"mirror"` goes back
    from the last cell, `"reflect"` from its outer edge. `"constant"` has none: any.
    """
    if mode in ("constant", "nearest"):
        return np.clip(cell, 0, size - 1)
    period = {"wrap": size, "mirror": max(1, 2 * size - 2), "reflect": 2 * size}[mode]
    cell = cell - period * np.floor(cell / period)
    if mode == "wrap":
        return cell
    return np.minimum(cell, (period if mode == "mirror" else period - 1) - cell)


def half_away(x: np.ndarray) -> np.ndarray:
    """The nearest whole numbers, halves away from zero.

    >>> half_away(np.array([0.5, -0.5, 1.4, 2.5]))
    array([ 1., -1.,  1.,  3.])
    """
    whole = np.trunc(x)
    return whole + np.copysign(np.abs(x - whole) >= 0.5, x)


def neighbours(place: np.ndarray, size: int, order: int, mode: str) -> list[Corner]:
    """Cells beside places along one axis, and their weights; None for 1.

    In mode `"constant"` the weight of a cell outside of the image is 0.
    """
    cells: list[Corner] = [(half_away(place), None)]
    if order == 1:
        low = np.floor(place)
        share = place - low
        cells = [(low, 1 - share), (low + 1, share)]
    found: list[Corner] = []
    for cell, weight in cells:
        if mode == "constant":
            known = ((cell >= 0) & (cell < size)).astype(cell.dtype)
            weight = known if weight is None else np.multiply(weight, known, out=known)
        found.append((inside(cell, size, mode).astype(np.intp), weight))
    return found


def _corners(
    grid: Grid, part: slice, sizes: tuple[int, int], order: int, mode: str
) -> list[Corner]:
    """Pixels (P,), numbered through all images, and their weights (P,)."""
    rows, columns = grid.places(part)
    first = np.arange(part.start, part.stop) // grid.shape[1] * prod(sizes)
    found: list[Corner] = []
    across = neighbours(columns, sizes[1], order, mode)
    for row, by_row in neighbours(rows, sizes[0], order, mode):
        row *= sizes[1]
        row += first[:, None]
        for column, by_column in across:
            pixel = (row + column).reshape(-1)
            if by_row is None or by_column is None:
                found.append((pixel, None))
            else:
                found.append((pixel, (by_row * by_column).reshape(-1)))
    return found


def warp(
    x: np.ndarray, grid: Grid, order: int, mode: str, fill: float = 0.0
) -> np.ndarray:
    """The images x (N, H, W, C) at the places of a grid: (N, h, w, C).

    Outside of the image stands `fill` in mode `"constant"`.
    """
    count, height, width = grid.shape
    sizes, channels = x.shape[1:3], x.shape[3]
    table = x.reshape(-1, channels)
    y = blocking.empty((count * height, width, channels), x.dtype)

    def task(part: slice) -> None:
        total = y[part].reshape(-1, channels)
        corners = _corners(grid, part, sizes, order, mode)
        total[...] = _weighted(table, *corners[0])
        for corner in corners[1:]:
            total += _weighted(table, *corner)
        if fill and mode == "constant":
            total += _missing(grid, part, sizes, order)[:, None] * x.dtype.type(fill)

    each = width * (BYTES_EACH + 3 * channels * x.itemsize)
    blocking.parallel(task, blocking.slices(count * height, each, each))
    return y.reshape(count, height, width, channels)


def _weighted(
    table: np.ndarray, pixels: np.ndarray, weight: np.ndarray | None
) -> np.ndarray:
    cells = np.take(table, pixels, axis=0, mode="clip")
    return cells if weight is None else np.multiply(cells, weight[:, None], out=cells)


def _missing(grid: Grid, part: slice, sizes: tuple[int, int], order: int) -> np.ndarray:
    """Share of each pixel (P,) that lies outside; 0, not nearly 0, for those inside."""
    inner: np.ndarray = np.ones(())
    for place, size in zip(grid.places(part), sizes, strict=True):
        beside = neighbours(place, size, order, "constant")
        inner = inner * sum(weight for _, weight in beside if weight is not None)
    return (1 - inner).reshape(-1)


def unwarp(
    g: np.ndarray, grid: Grid, order: int, mode: str, sizes: tuple[int, int]
) -> np.ndarray:
    """The adjoint of `warp` without fill: g (N, h, w, C) added up to (N, H, W, C)."""
    count, height, width = grid.shape
    channels, pixels = g.shape[3], prod(sizes)
    x = blocking.empty((count, pixels, channels), g.dtype)

    def task(part: slice) -> None:
        rows = slice(part.start * height, part.stop * height)
        corners = _corners(grid, rows, sizes, order, mode)
        first, room = part.start * pixels, (part.stop - part.start) * pixels
        places = [np.clip(index - first, 0, room - 1) for index, _ in corners]
        for c in range(channels):
            plane = g[part, :, :, c].reshape(-1)
            sums = [
                np.bincount(place, plane if weight is None else plane * weight, room)
                for place, (_, weight) in zip(places, corners, strict=True)
            ]
            x[part, :, c] = np.sum(sums, axis=0).reshape(-1, pixels)

    each = height * width * BYTES_EACH
    blocking.parallel(task, blocking.slices(count, each, each))
    return x.reshape(count, *sizes, channels)


def flip_some(x: np.ndarray, which: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """A copy of x (N, ...) with the images `which` (N,) turned over along `axes`."""
    y = blocking.empty(x.shape, x.dtype)
    turned = tuple(
        slice(None, None, -1 if i in axes else None) for i in range(1, x.ndim)
    )

    def task(part: slice) -> None:
        for n in range(part.start, part.stop):
            y[n] = x[n][turned] if which[n] else x[n]

    each = prod(x.shape[1:])
    blocking.parallel(task, blocking.slices(len(x), 2 * each * x.itemsize, each))
    return y


def nearest(size: int, out: int) -> np.ndarray:
    """Number of the cell of `size` under the middle of each of `out` cells.

    Rounded to float32 on the way, as `jax.image.resize` does.

    >>> nearest(4, 2), nearest(2, 4)
    (array([1, 3]), array([0, 0, 1, 1]))
    """
    place = (np.arange(out, dtype=np.float32) + np.float32(0.5)) * np.float32(size)
    return np.floor(place / np.float32(out)).astype(np.intp)
