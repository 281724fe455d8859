"""N-dimensional max and average pooling over slices of the batch.

Letters: N batch, S input sizes, O output sizes, K window sizes, C channels.
Arrays: x (N, S, C), y and g (N, O, C), index (N, O, C).

A maximum belongs to the first cell of the window, row by row, that reaches it, as in
TensorFlow; `index` is the number of that cell. `gather` and `scatter` are adjoint.
Average pooling divides by the number of real cells, so padding never counts.

Small windows are pooled cell by cell; large ones one axis after another, which takes
k + k passes instead of k * k (benchmarks/kernels.py, case "pool").
"""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from minikeras.kernels import blocking
from minikeras.kernels.steps import Step, do_each, put
from minikeras.kernels.windows import Geometry, Place, axis_overlaps, cell_places

Ufunc = Callable[..., np.ndarray]

FEW_CELLS = 6
FEW_CHANNELS = 24


def max_pool(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The largest value of each window."""
    return _by_slices(
        x,
        geometry,
        lambda part, y: reduce_windows(part, y, geometry, np.maximum, -np.inf),
    )


def first_max(x: np.ndarray, y: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Number of the first cell of each window of x that equals its maximum y."""
    index = blocking.empty(y.shape, _index_type(geometry))

    def steps_of(part: slice) -> list[Step]:
        return _first_max(x[part], y[part], index[part], geometry)

    do_each(steps_of, _slices(x, geometry))
    return index


def gather(x: np.ndarray, index: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The value of each window's cell number `index`."""
    y = np.zeros(index.shape, x.dtype)

    def task(part: slice) -> None:
        for cell, (positions, inputs) in enumerate(cell_places(geometry)):
            chosen = index[part][positions] == cell
            np.copyto(y[part][positions], x[part][inputs], where=chosen)

    blocking.parallel(task, _slices(x, geometry))
    return y


def scatter(g: np.ndarray, index: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dx: each g added to its window's cell number `index`."""
    dx = blocking.empty((len(g), *geometry.sizes, g.shape[-1]), g.dtype)

    def steps_of(part: slice) -> list[Step]:
        return _scatter(g[part], index[part], dx[part], geometry)

    do_each(steps_of, _slices(dx, geometry))
    return dx


def max_backward(
    x: np.ndarray, y: np.ndarray, g: np.ndarray, geometry: Geometry
) -> np.ndarray:
    """dx of `max_pool`: `first_max`, then `scatter`, while a slice is in cache."""
    dx = blocking.empty(x.shape, x.dtype)

    def steps_of(part: slice) -> list[Step]:
        index = blocking.empty(y[part].shape, _index_type(geometry))
        steps = _first_max(x[part], y[part], index, geometry)
        return steps + _scatter(g[part], index, dx[part], geometry)

    do_each(steps_of, _slices(x, geometry))
    return dx


def average_pool(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The mean of each window's real cells."""
    counts = _counts(geometry).astype(x.dtype)

    def reduce(part: np.ndarray, y: np.ndarray) -> None:
        reduce_windows(part, y, geometry, np.add, 0)
        np.divide(y, counts, out=y)

    return _by_slices(x, geometry, reduce)


def average_backward(g: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dx of `average_pool`, its adjoint: each g shared out to its window's cells."""
    counts = _counts(geometry).astype(g.dtype)
    dx = blocking.empty((len(g), *geometry.sizes, g.shape[-1]), g.dtype)
    share_out = _repeat if geometry.tiled else _add_to_cells

    def task(part: slice) -> None:
        share = np.divide(g[part], counts, out=blocking.empty(g[part].shape, g.dtype))
        share_out(share, dx[part], geometry)

    blocking.parallel(task, _slices(dx, geometry))
    return dx


def _repeat(share: np.ndarray, dx: np.ndarray, geometry: Geometry) -> None:
    """Write each share to all cells of its window; windows lie side by side.

    Runs of few channels are taken along the last axis first, and then whole rows are
    copied (benchmarks/kernels.py, "average").
    """
    kernel, out = geometry.kernel, geometry.out
    whole = tuple(slice(o * k) for o, k in zip(out, kernel, strict=True))
    covered = dx[(slice(None),) + whole]
    if covered.shape != dx.shape:
        dx[...] = 0
    if share.shape[-1] < FEW_CHANNELS:
        index = np.repeat(np.arange(out[-1]), kernel[-1])
        wider = blocking.empty((*share.shape[:-2], *covered.shape[-2:]), dx.dtype)
        share = np.take(share, index, axis=-2, out=wider, mode="clip")
        kernel, out = (*kernel[:-1], 1), (*out[:-1], covered.shape[-2])
    split = [size for pair in zip(out, kernel, strict=True) for size in pair]
    places = tuple(range(2, 2 * len(out) + 1, 2))
    cells = covered.reshape(len(dx), *split, dx.shape[-1])
    np.copyto(cells, np.expand_dims(share, places))


def _add_to_cells(share: np.ndarray, dx: np.ndarray, geometry: Geometry) -> None:
    """Add each share to all cells of its window, along one axis after another."""
    for axis in reversed(range(len(geometry.kernel))):
        shape = list(share.shape)
        shape[1 + axis] = geometry.sizes[axis]
        wider = dx if axis == 0 else blocking.empty(shape, dx.dtype)
        wider[...] = 0
        for positions, inputs in axis_overlaps(geometry, axis):
            wider[_at(axis, inputs)] += share[_at(axis, positions)]
        share = wider


def _by_slices(
    x: np.ndarray, geometry: Geometry, pool: Callable[[np.ndarray, np.ndarray], None]
) -> np.ndarray:
    y = blocking.empty((len(x), *geometry.out, x.shape[-1]), x.dtype)
    blocking.parallel(lambda part: pool(x[part], y[part]), _slices(x, geometry))
    return y


def reduce_windows(
    x: np.ndarray, y: np.ndarray, geometry: Geometry, combine: Ufunc, start: float
) -> None:
    """Write into y what `combine` makes of each window of x, from `start`."""
    if geometry.cells <= FEW_CELLS:
        _combine(cell_places(geometry), x, y, combine, start)
        return
    last = len(geometry.kernel) - 1
    for axis in range(last + 1):
        shape = list(x.shape)
        shape[1 + axis] = geometry.out[axis]
        result = y if axis == last else blocking.empty(shape, x.dtype)
        places = [
            (_at(axis, positions), _at(axis, inputs))
            for positions, inputs in axis_overlaps(geometry, axis)
        ]
        _combine(places, x, result, combine, start)
        x = result


def _combine(
    places: Sequence[Place], x: np.ndarray, y: np.ndarray, combine: Ufunc, start: float
) -> None:
    everywhere = [p for p in places if y[p[0]].shape == y.shape]
    rest = [p for p in places if p not in everywhere]
    if not everywhere:
        y[...] = start
    elif len(everywhere) == 1:
        y[...] = x[everywhere[0][1]]
    else:
        combine(x[everywhere[0][1]], x[everywhere[1][1]], out=y)
    for positions, inputs in (*everywhere[2:], *rest):
        target = y[positions]
        combine(target, x[inputs], out=target)


def _first_max(
    x: np.ndarray, y: np.ndarray, index: np.ndarray, geometry: Geometry
) -> list[Step]:
    """The number of cells before the first that equals y; counting them is four times
    faster than writing numbers where a mask says so (benchmarks/kernels.py, "index").
    """
    missed, differs = (blocking.empty(y.shape, bool) for _ in range(2))
    steps = [put(index, None, 0), put(missed, None, True)]
    for positions, inputs in cell_places(geometry)[:-1]:
        here, there = missed[positions], differs[positions]
        steps.append((np.not_equal, x[inputs], y[positions], there))
        steps.append((np.logical_and, here, there, here))
        steps.append((np.add, index, missed, index))
    return steps


def _scatter(
    g: np.ndarray, index: np.ndarray, dx: np.ndarray, geometry: Geometry
) -> list[Step]:
    apart = all(s >= k for s, k in zip(geometry.strides, geometry.kernel, strict=True))
    tiled = apart and geometry.strides == geometry.kernel
    covered = tiled and all(
        o * s == size + after + before
        for o, s, size, (before, after) in zip(
            geometry.out, geometry.strides, geometry.sizes, geometry.pads, strict=True
        )
    )
    steps = [] if covered else [put(dx, None, 0)]
    chosen = blocking.empty(index.shape, bool)
    part = None if apart else blocking.empty(g.shape, g.dtype)
    for cell, (positions, inputs) in enumerate(cell_places(geometry)):
        here, target = chosen[positions], dx[inputs]
        steps.append((np.equal, index[positions], cell, here))
        if part is None:
            steps.append((np.multiply, g[positions], here, target))
        else:
            steps.append((np.multiply, g[positions], here, part[positions]))
            steps.append((np.add, target, part[positions], target))
    return steps


def _at(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * (1 + axis), part)


def _counts(geometry: Geometry) -> np.ndarray:
    counts = np.ones((*geometry.out, 1))
    for axis in range(len(geometry.kernel)):
        along = np.zeros(geometry.out[axis])
        for positions, _ in axis_overlaps(geometry, axis):
            along[positions] += 1
        shape = [1] * counts.ndim
        shape[axis] = -1
        counts = counts * along.reshape(shape)
    return counts


def _index_type(geometry: Geometry) -> type:
    return np.uint8 if geometry.cells <= 256 else np.uint32


def _slices(x: np.ndarray, geometry: Geometry) -> list[slice]:
    each = prod(x.shape[1:])
    return blocking.slices(len(x), 2 * each * x.itemsize, 4 * each)
