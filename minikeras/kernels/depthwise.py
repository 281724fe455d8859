"""N-dimensional depthwise convolution: every channel has filters of its own.

Letters: N batch, S input sizes, O output sizes, K kernel sizes, C channels,
M filters of each channel. Arrays: x (N, S, C), w (K, C, M), y and g (N, O, C * M),
where the filters of one channel are neighbours.

Three products are one family, as in `kernels/conv.py`:

    convolve         y[n,o,c*M+m] = sum_k x[n, o*stride + k*dilation - pad, c] w[k,c,m]
    input_gradient   dx, the adjoint of convolve in x
    filter_gradient  dw, the adjoint of convolve in w

No channels are mixed, so there is no matrix product: for each cell of the window a
shifted x is multiplied by that cell's weights and added. One `einsum` over all cells
does it up to five times as fast as a multiplication and an addition for each, since a
row of y stays in the cache while the cells pass (benchmarks/kernels.py, case
"depthwise"). Its inner loop runs over columns and channels together, with the weights
repeated along some columns. For that, columns must lie one after the other: with a
stride above 1 they are first dealt out, so that those which one cell of the window
meets are neighbours.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minikeras.kernels import blocking, conv
from minikeras.kernels.steps import Step, copy, do_each, in_one_run, put
from minikeras.kernels.taps import Taps, backward_taps, every_other, forward_taps
from minikeras.kernels.windows import Geometry

RUN = 4096  # numbers an inner loop takes: three rows of them fit the first-level cache


def convolve(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
    geometry: Geometry,
    relu: bool = False,
) -> np.ndarray:
    """y (N, O, C * M); bias (C * M,) is added and ReLU applied in the cache."""
    channels, depth = w.shape[-2:]
    y = blocking.empty((len(x), *geometry.out, channels * depth), x.dtype)
    block = _block(geometry.out[-1], channels)
    taps = forward_taps(geometry)
    weights = [[_weights(w, t, m, block) for t in taps] for m in range(depth)]
    shift = None if bias is None else np.tile(bias, geometry.out[-1])

    def steps_of(part: slice) -> list[Step]:
        steps, windows = _forward_windows(x[part], geometry, taps)
        target = y[part]
        for m in range(depth):
            plane = target if depth == 1 else _plane_like(target, channels)
            terms = list(zip(windows, weights[m], strict=True))
            steps += _sum_products(terms, _rows(plane))
            if depth > 1:
                steps.append(copy(plane, target[..., m::depth]))
        rows = _rows(target)
        if shift is not None:
            steps.append((np.add, rows, shift, rows))
        if relu:
            steps.append((np.maximum, rows, 0, rows))
        return steps

    do_each(steps_of, _slices(x, depth, geometry))
    return y


def input_gradient(g: np.ndarray, w: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dx (N, S, C) for an output gradient g (N, O, C * M)."""
    channels, depth = w.shape[-2:]
    dx = blocking.empty((len(g), *geometry.sizes, channels), g.dtype)
    block = _block(-(-geometry.sizes[-1] // geometry.strides[-1]), channels)
    phases, padded = backward_taps(geometry)
    weights = [[_weights(w, t, m, block) for m in range(depth)] for t in phases]

    def steps_of(part: slice) -> list[Step]:
        steps: list[Step] = []
        planes = []
        for m in range(depth):
            to_pad, plane = conv.pad(g[part][..., m::depth], padded)
            to_copy, plane = in_one_run(plane)
            steps += to_pad + to_copy
            planes.append(plane)
        for taps, per_plane in zip(phases, weights, strict=True):
            target = dx[part][every_other(taps, geometry)]
            if not all(t.number for t in taps):
                steps.append(put(target, None, 0))
                continue
            terms = [
                (_windows(plane, taps, target.shape[1:-1]), matrix)
                for plane, matrix in zip(planes, per_plane, strict=True)
            ]
            if geometry.strides[-1] == 1:
                steps += _sum_products(terms, _rows(target))
            else:
                dense = _plane_like(target, channels)
                steps += [*_sum_products(terms, _rows(dense)), copy(dense, target)]
        return steps

    do_each(steps_of, _slices(dx, depth, geometry))
    return dx


def filter_gradient(x: np.ndarray, g: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dw (K, C, M) for an input x and an output gradient g (N, O, C * M)."""
    channels = x.shape[-1]
    depth = g.shape[-1] // channels
    block = _block(geometry.out[-1], channels)
    taps = forward_taps(geometry)
    places = _slices(x, depth, geometry)
    sums = np.zeros((len(places), *geometry.kernel, channels, depth), x.dtype)

    def steps_of(index: int) -> list[Step]:
        part = places[index]
        steps, windows = _forward_windows(x[part], geometry, taps)
        for m in range(depth):
            to_copy, plane = in_one_run(g[part][..., m::depth])
            steps += to_copy
            for along, view in zip(taps, windows, strict=True):
                cells = sums[index][tuple(t.cells for t in along)]
                for cell in np.ndindex(view.shape[: len(along)]):
                    out = cells[cell][:, m]
                    steps += _sum_of_product(view[cell], _rows(plane), block, out)
        return steps

    do_each(steps_of, range(len(places)))
    return np.add.reduce(sums, axis=0)


def _forward_windows(
    x: np.ndarray, geometry: Geometry, taps: list[tuple[Taps, ...]]
) -> tuple[list[Step], list[np.ndarray]]:
    steps, padded = conv.pad(x, geometry)
    stride, windows = geometry.strides[-1], []
    for along in taps:
        dealt = padded[..., along[-1].remainder :: stride, :]
        to_copy, dealt = in_one_run(dealt)
        steps += to_copy
        windows.append(_windows(dealt, along, geometry.out))
    return steps, windows


def _windows(
    x: np.ndarray, taps: tuple[Taps, ...], positions: Sequence[int]
) -> np.ndarray:
    """A view (T, N, O[:-1], O[-1] * C) of a contiguous x (N, P, C): T counts taps."""
    x = x[(slice(None),) + tuple(slice(t.first, None) for t in taps)]
    batch, *axes, item = x.strides
    return as_strided(
        x,
        (
            *(t.number for t in taps),
            len(x),
            *positions[:-1],
            positions[-1] * x.shape[-1],
        ),
        (
            *(t.step * axis for t, axis in zip(taps, axes, strict=True)),
            batch,
            *(t.stride * axis for t, axis in zip(taps[:-1], axes, strict=False)),
            item,
        ),
    )


# --- products -------------------------------------------------------------------


def _weights(w: np.ndarray, taps: tuple[Taps, ...], m: int, block: int) -> np.ndarray:
    """(T, block * C): the weights of the taps, repeated along `block` columns."""
    chosen = w[..., m][tuple(t.cells for t in taps)]
    return np.tile(chosen, (1,) * len(taps) + (block,))


def _sum_products(
    terms: list[tuple[np.ndarray, np.ndarray]], out: np.ndarray
) -> list[Step]:
    """out (N, O, L) = sum over terms and taps of windows (T, N, O, L) * weights."""
    steps: list[Step] = []
    for index, (windows, weights) in enumerate(terms):
        target = out if index == 0 else blocking.empty(out.shape, out.dtype)
        rank = windows.ndim - out.ndim
        axes = list(range(windows.ndim + 1))
        product = _einsum(axes, [*axes[:rank], axes[-1]], axes[rank:])
        for columns, width in _blocks(out.shape[-1], weights.shape[-1]):
            view = _split(windows[..., columns], width)
            found = _split(target[..., columns], width)
            steps.append((product, view, weights[..., :width], found))
        if index:
            steps.append((np.add, out, target, out))
    return steps


def _sum_of_product(
    x: np.ndarray, g: np.ndarray, block: int, out: np.ndarray
) -> list[Step]:
    """out (C,) = x * g (N, O, L) summed over all that lies C numbers apart."""
    channels = len(out)
    steps: list[Step] = []
    axes = list(range(x.ndim + 1))
    product = _einsum(axes, axes, axes[-1:])
    blocks = _blocks(x.shape[-1], block * channels)
    sums = np.zeros((len(blocks), block * channels), x.dtype)
    for (columns, width), total in zip(blocks, sums, strict=True):
        factors = _split(x[..., columns], width), _split(g[..., columns], width)
        steps.append((product, *factors, total[:width]))
    return [*steps, (np.add.reduce, sums.reshape(-1, channels), 0, out)]


def _einsum(a: list[int], b: list[int], of_out: list[int]) -> Callable[..., None]:
    """`np.einsum` of two arrays whose axes have these numbers, as a step's function."""

    def product(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
        np.einsum(x, a, y, b, of_out, out=out)

    return product


def _block(columns: int, channels: int) -> int:
    """Columns that one inner loop takes."""
    count = -(-columns * channels // RUN) or 1
    return -(-columns // count) or 1


def _blocks(length: int, width: int) -> list[tuple[slice, int]]:
    """Whole blocks of a row, and what is left: where they are, and their width."""
    whole = length // width * width
    parts = [(slice(0, whole), width), (slice(whole, length), length - whole)]
    return [(columns, size) for columns, size in parts if columns.start < columns.stop]


def _split(x: np.ndarray, width: int) -> np.ndarray:
    return x.reshape(*x.shape[:-1], -1, width)


def _rows(x: np.ndarray) -> np.ndarray:
    """Columns and channels as one axis: a view."""
    return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])


def _plane_like(y: np.ndarray, channels: int) -> np.ndarray:
    return blocking.empty((*y.shape[:-1], channels), y.dtype)


def _slices(x: np.ndarray, depth: int, geometry: Geometry) -> list[slice]:
    channels = x.shape[-1]
    cells = int(np.prod(geometry.padded)) + 2 * depth * geometry.positions
    work = 2 * geometry.positions * geometry.cells * depth * channels
    return blocking.slices(len(x), 2 * cells * channels * x.itemsize, work)
