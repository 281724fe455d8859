"""Convolution by products of rows that lie in the input as they are.

The cells of a window that lie next to each other along the last spatial axis are
neighbours in memory, with all their channels. For one place on the last axis, the rows
above one another are therefore a matrix whose rows are simply far apart, and for each
cell of the other axes

    y[n, o, p] += x[n, o + k, p : p + K, :] @ w[k]

is a stack of small products without any windows copied. dx is the same with g and the
filter turned around along the last axis, and a sum over cells at the end.

dw has a sum over all positions, for which such rows are too short. There, windows are
copied along all axes but the first, which comes before the batch: all that meets one
cell of the first axis is then one long matrix, a few rows further on for the next cell.

Letters as in `conv.py`, where copied windows take over for what does not fit
(benchmarks/kernels.py, "conv-rows").
"""

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minikeras.kernels import blocking, products
from minikeras.kernels.steps import Step, copy, in_one_run, put
from minikeras.kernels.windows import Geometry, axis_overlaps, sliding

SHORTEST_ROW = 32  # numbers
SHORTEST_WIDTH = 48  # numbers of a window beside the first axis, for dw
_ALL = (slice(None),) * 3


def fits(geometry: Geometry, channels: int, filters: int, count: int) -> bool:
    """Whether `convolve` is the faster way; needs one group of filters."""
    rows = geometry.out[-2] if len(geometry.out) > 1 else count
    return (
        geometry.positions > 0
        and geometry.dilation[-1] == 1
        and prod(geometry.kernel[:-1]) * filters <= geometry.cells * channels
        and _are_small(rows, geometry.kernel[-1] * channels, filters)
    )


def fits_back(geometry: Geometry, channels: int, filters: int, count: int) -> bool:
    """Whether `input_gradient` is; needs one group of filters."""
    before, after = geometry.pads[-1]
    rows = count * prod(geometry.out[:-1])
    return (
        geometry.positions > 0
        and set(geometry.strides) == {1}
        and geometry.dilation[-1] == 1
        and max(before, after) < geometry.kernel[-1]
        and _are_small(rows, geometry.kernel[-1] * filters, channels)
    )


def fits_filter(geometry: Geometry, channels: int) -> bool:
    """Whether `filter_gradient` is; needs one group of filters."""
    cells, first = geometry.cells, geometry.kernel[0]
    return (
        geometry.positions > 0
        and cells > 1  # else x is its own windows
        and geometry.strides[0] == 1
        and cells // first * channels >= SHORTEST_WIDTH
    )


def _are_small(rows: int, row: int, columns: int) -> bool:
    return (
        products.multiplies_unpacked()
        and rows > 0
        and row >= SHORTEST_ROW
        and products.good_block(rows, row, columns) > 0
    )


def bytes_each(geometry: Geometry, channels: int, filters: int, itemsize: int) -> int:
    """Working memory of one image."""
    padded = prod(geometry.padded) * channels
    return (2 * geometry.positions * filters + padded) * itemsize


def windows_each(geometry: Geometry, channels: int) -> int:
    """Numbers that `filter_gradient` copies of one image."""
    beside = geometry.cells // geometry.kernel[0] * prod(geometry.out[1:])
    return geometry.padded[0] * beside * channels


def matrices(w: np.ndarray) -> np.ndarray:
    """w (K, C, F) as a matrix for each cell of all axes but the last."""
    cells = prod(w.shape[:-3])
    return blocking.aligned(w.reshape(cells, -1, w.shape[-1]))


def matrices_back(w: np.ndarray) -> np.ndarray:
    """The same for `input_gradient`: turned around along the last axis."""
    return matrices(blocking.aligned(np.flip(w, -3).swapaxes(-1, -2)))


def convolve(
    padded: np.ndarray, by_cell: np.ndarray, geometry: Geometry, y: np.ndarray
) -> list[Step]:
    """Write y (N, O, F) of a padded x."""
    steps, padded = in_one_run(padded)
    kernel, strides, dilation = geometry.kernel, geometry.strides, geometry.dilation
    if len(kernel) == 1:  # the samples are the rows above one another
        padded, y = padded[None], y[None]
        kernel, strides, dilation = (1, *kernel), (1, *strides), (1, *dilation)
    *outer, above, along = y.shape[1:-1]
    run, filters = by_cell.shape[1:]
    block = products.good_block(above, run, filters)
    jumps = [s * n for s, n in zip(padded.strides[1:-1], strides, strict=True)]
    shape = (len(y), *outer, above // block, along, block)
    by = (padded.strides[0], *jumps[:-2], jumps[-2] * block, jumps[-1], jumps[-2])
    part = y
    for cell, matrix in zip(np.ndindex(*kernel[:-1]), by_cell, strict=True):
        starts = zip(cell, dilation, padded.strides[1:], strict=False)
        offset = sum(i * d * s for i, d, s in starts)
        rows = np.ndarray(
            (*shape, run), y.dtype, padded, offset, (*by, padded.itemsize)
        )
        split = part.reshape(len(y), *outer, above // block, block, along, filters)
        steps.append((np.matmul, rows, matrix, split.swapaxes(-3, -2)))
        if part is not y:
            steps.append((np.add, y, part, y))
        elif len(by_cell) > 1:
            part = blocking.empty(y.shape, y.dtype)
    return steps


def input_gradient(
    g: np.ndarray, by_cell: np.ndarray, geometry: Geometry, dx: np.ndarray
) -> list[Step]:
    """Write dx (N, S, C) for an output gradient g (N, O, F)."""
    steps, g = in_one_run(g)
    # With padding there is a cell whose windows meet every input.
    places = _outer_places(geometry)
    full = next((i for i, (w, x) in enumerate(places) if w == x == _ALL[: len(w)]), -1)
    if len(places) == 1 and full == 0:
        return steps + _by_cells(g, by_cell, geometry, dx[None])
    parts = blocking.empty((len(by_cell), *g.shape[:-2], *dx.shape[-2:]), g.dtype)
    steps += _by_cells(g, by_cell, geometry, parts)
    steps.append(put(dx, None, 0) if full < 0 else copy(parts[full], dx))
    for index, (positions, inputs) in enumerate(places):
        if index != full:
            target = dx[inputs]
            steps.append((np.add, target, parts[index][positions], target))
    return steps


def filter_gradient(
    padded: np.ndarray, g: np.ndarray, geometry: Geometry, dw: np.ndarray
) -> list[Step]:
    """Write dw (K, C, F) of a padded x and an output gradient g (N, O, F)."""
    reach, out = geometry.padded[0], geometry.out
    view = sliding(
        padded,
        (reach, *out[1:]),
        (1, *geometry.kernel[1:]),
        (1, *geometry.strides[1:]),
        geometry.dilation,
    )
    steps, windows = in_one_run(view.swapaxes(0, 1))
    more, grads = in_one_run(g.swapaxes(0, 1))
    steps += more
    windows = windows.reshape(reach, -1, dw[0].size // dw.shape[-1])
    rows = grads.reshape(-1, g.shape[-1])
    for cell, found in enumerate(dw):
        start = cell * geometry.dilation[0]
        matrix = windows[start : start + out[0]].reshape(len(rows), -1)
        total = found.reshape(-1, g.shape[-1])
        steps.append((products.multiply_turned, matrix, rows, total))
    return steps


def _by_cells(
    g: np.ndarray, by_cell: np.ndarray, geometry: Geometry, parts: np.ndarray
) -> list[Step]:
    """Write the part of dx that each cell of all axes but the last is to have."""
    size, channels = parts.shape[-2:]
    width, (along, filters) = geometry.kernel[-1], g.shape[-2:]
    count = g.size // (along * filters)
    block = products.good_block(count, width * filters, channels)
    split = parts.reshape(len(by_cell), -1, block, size, channels).swapaxes(2, 3)
    step, row = filters * g.itemsize, along * filters * g.itemsize
    steps: list[Step] = []
    for inputs, first, last in _meetings(geometry):
        start = inputs.start + geometry.pads[-1][0] - width + 1
        matrix = by_cell[:, (first - start) * filters : (last - start) * filters]
        rows = np.ndarray(
            (count // block, inputs.stop - inputs.start, block, matrix.shape[1]),
            g.dtype,
            g,
            first * step,
            (block * row, step, row, g.itemsize),
        )
        steps.append((np.matmul, rows, matrix[:, None, None], split[:, :, inputs]))
    return steps


Place = tuple[tuple[slice, ...], tuple[slice, ...]]


@lru_cache(maxsize=256)
def _outer_places(geometry: Geometry) -> tuple[Place, ...]:
    """For each cell of all axes but the last: the windows, and the inputs they meet."""
    axes = range(len(geometry.out) - 1)
    every = slice(None)
    overlaps = [axis_overlaps(geometry, axis) for axis in axes]
    found: list[Any] = []
    for cell in np.ndindex(*geometry.kernel[:-1]):
        pairs = [overlaps[axis][offset] for axis, offset in enumerate(cell)]
        full = all(
            w == slice(0, geometry.out[axis]) and x == slice(0, geometry.sizes[axis], 1)
            for axis, (w, x) in enumerate(pairs)
        )
        if full:
            pairs = [(every, every)] * len(pairs)
        found.append(tuple((every, *(p[i] for p in pairs)) for i in (0, 1)))
    return tuple(found)


@lru_cache(maxsize=256)
def _meetings(geometry: Geometry) -> tuple[tuple[slice, int, int], ...]:
    """Which windows meet which inputs along the last axis.

    Returns:
        (inputs, first window of the first of them, last window of it + 1): all that
        meet as many windows as there are cells are together, each other one is alone.
    """
    return tuple(_find_meetings(geometry))


def _find_meetings(geometry: Geometry) -> Iterator[tuple[slice, int, int]]:
    size, out, cells = geometry.sizes[-1], geometry.out[-1], geometry.kernel[-1]
    before = geometry.pads[-1][0]
    inside = slice(max(0, cells - 1 - before), max(0, min(size, out - before)))
    for i in range(size):
        if not inside.start <= i < inside.stop:
            first, last = max(0, i + before - cells + 1), min(out, i + before + 1)
            yield slice(i, i + 1), first, last
    if inside.start < inside.stop:
        first = inside.start + before - cells + 1
        yield inside, first, first + cells
