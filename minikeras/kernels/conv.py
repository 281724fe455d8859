"""N-dimensional convolution over slices of the batch that stay in the cache.

Letters: N batch, S input sizes, O output sizes, K kernel sizes, C input channels,
F filters, G groups. Arrays: x (N, S, C), w (K, C/G, F), y and g (N, O, F).

Three products are one family: each is linear in both of its arrays, and the
derivatives of each are the other two.

    convolve         y[n,o,f] = sum_{k,c} x[n, o*stride + k*dilation - pad, c] w[k,c,f]
    input_gradient   dx, the adjoint of convolve in x
    filter_gradient  dw, the adjoint of convolve in w
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from minikeras.kernels import (
    blocking,
    conv_fourier,
    conv_rows,
    destinations,
    products,
)
from minikeras.kernels.dense import masked, sum_rows, with_each
from minikeras.kernels.steps import Step, copy, do_each, put
from minikeras.kernels.windows import Geometry, cell_places, sliding

# Shorter runs are copied transposed (benchmarks/kernels.py, case "columns").
SHORT_RUN = 16
BLAS_TYPES = "fd"

GroupPart = tuple[np.ndarray, slice, slice]  # filter, channels of x, filters of y
Scatter = Callable[[np.ndarray, np.ndarray], list[Step]]  # of g, to dx
Pass = tuple[np.ufunc, np.ndarray | None]  # a function of each row and a vector


def convolve(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
    geometry: Geometry,
    groups: int = 1,
    relu: bool = False,
) -> np.ndarray:
    """y (N, O, F); bias (F,) is added and ReLU applied while a slice is in cache."""
    return _convolve(x, w, geometry, groups, [(np.add, bias)], relu)


def convolve_normalized(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None,
    scale: np.ndarray,
    offset: np.ndarray,
    shift: np.ndarray | None,
    geometry: Geometry,
    relu: bool,
) -> np.ndarray:
    """The same, with (y - shift) * scale + offset before ReLU, all vectors (F,)."""
    passes: list[Pass] = [(np.add, bias), (np.subtract, shift)]
    passes += [(np.multiply, scale), (np.add, offset)]
    return _convolve(x, w, geometry, 1, passes, relu)


def _convolve(
    x: np.ndarray,
    w: np.ndarray,
    geometry: Geometry,
    groups: int,
    passes: list[Pass],
    relu: bool,
) -> np.ndarray:
    """y, through passes of those vectors that are not None, and ReLU if asked."""

    def finish(rows: np.ndarray) -> list[Step]:
        vectors = [(f, values) for f, values in passes if values is not None]
        steps = [with_each(function, rows, values) for function, values in vectors]
        return [*steps, (np.maximum, rows, 0, rows)] if relu else steps

    tilings = conv_fourier.plan(geometry, len(x), w, "y", groups)
    if tilings is not None:
        return conv_fourier.convolve(x, w, geometry, tilings, finish)
    return _convolve_windows(x, w, geometry, groups, finish)


def _convolve_windows(
    x: np.ndarray,
    w: np.ndarray,
    geometry: Geometry,
    groups: int,
    finish: Callable[[np.ndarray], list[Step]],
) -> np.ndarray:
    """y as sums over windows; what `finish` makes of rows is done while they are in
    cache."""
    channels, filters = x.shape[-1], w.shape[-1]
    y = blocking.empty((len(x), *geometry.out, filters), x.dtype)
    parts = _group_parts(w, groups)
    places, by_rows = _forward_slices(x, w, geometry, groups)
    by_cell = conv_rows.matrices(w) if by_rows else w

    def steps_of(part: slice) -> list[Step]:
        rows = y[part].reshape(-1, filters)
        steps, inputs = pad(x[part], geometry)
        if by_rows and conv_rows.fits(geometry, channels, filters, len(inputs)):
            steps += conv_rows.convolve(inputs, by_cell, geometry, y[part])
        else:
            for w2d, of_x, of_y in parts:
                more, matrix = columns(inputs[..., of_x], geometry)
                steps += [*more, (products.multiply, matrix, w2d, rows[:, of_y])]
        return steps + finish(rows)

    do_each(steps_of, places)
    return y


def _forward_slices(
    x: np.ndarray, w: np.ndarray, geometry: Geometry, groups: int
) -> tuple[list[slice], bool]:
    """Slices, and whether they are convolved without copying windows."""
    channels, filters = x.shape[-1], w.shape[-1]
    if groups == 1 and geometry.positions and x.dtype.char in BLAS_TYPES:
        each = conv_rows.bytes_each(geometry, channels, filters, x.itemsize)
        numbers = geometry.positions * geometry.cells * channels
        work = blocking.product_work(numbers, filters)
        places = blocking.slices(len(x), each, work)
        longest = places[0].stop if places else 0
        if conv_rows.fits(geometry, channels, filters, longest):
            return places, True
    return slices(x, w, geometry, channels), False


def input_gradient(
    g: np.ndarray, w: np.ndarray, geometry: Geometry, groups: int = 1
) -> np.ndarray:
    """dx (N, S, C) for an output gradient g (N, O, F)."""
    tilings = conv_fourier.plan(geometry, len(g), w, "x", groups)
    if tilings is not None:
        return conv_fourier.backward(None, w, None, g, geometry, tilings, "x")[0]
    channels = w.shape[-2] * groups
    dx = blocking.empty((len(g), *geometry.sizes, channels), g.dtype)
    scatter = scattering(w, geometry, groups)
    do_each(lambda part: scatter(g[part], dx[part]), slices(g, w, geometry, channels))
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
    tilings = conv_fourier.plan(geometry, len(x), w, wanted, groups)
    if tilings is not None:
        return conv_fourier.backward(x, w, relu_output, g, geometry, tilings, wanted)
    channels, filters = x.shape[-1], w.shape[-1]
    dx = blocking.empty(x.shape, x.dtype) if "x" in wanted else None
    parts = _group_parts(w, groups)
    by_rows = groups == 1 and conv_rows.fits_filter(geometry, channels)
    most = None
    if "w" in wanted:
        # Every slice has a sum of its own: few slices for a large filter.
        most = max(blocking.MIN_SLICES, (8 << 20) // max(1, w.nbytes))
    places = slices(x, w, geometry, channels, most, by_rows)
    sums_w = None
    if "w" in wanted:
        sums_w = blocking.empty((len(places), *w.shape), x.dtype)
    sums_b = np.empty((len(places), filters), x.dtype) if "b" in wanted else None
    scatter = scattering(w, geometry, groups) if dx is not None else None

    def steps_of(index: int) -> list[Step]:
        part = places[index]
        grad = g[part]
        steps: list[Step] = []
        if relu_output is not None:
            steps, grad = masked(grad, relu_output[part])
        rows = grad.reshape(-1, filters)
        if sums_b is not None:
            steps += sum_rows(rows, sums_b[index])
        if sums_w is not None:
            more, inputs = pad(x[part], geometry)
            steps += more
            found = sums_w[index]
            if by_rows:
                steps += conv_rows.filter_gradient(inputs, grad, geometry, found)
            else:
                steps += _filter_sums(inputs, rows, geometry, parts, found)
        if scatter is not None and dx is not None:
            steps += scatter(grad, dx[part])
        return steps

    do_each(steps_of, range(len(places)))
    dw = None
    if sums_w is not None:
        dw = blocking.sum_first(sums_w, destinations.gradient_of(w, x.dtype))
    db = None if sums_b is None else np.add.reduce(sums_b, axis=0)
    return dx, dw, db


def _filter_sums(
    padded: np.ndarray,
    rows: np.ndarray,
    geometry: Geometry,
    parts: list[GroupPart],
    out: np.ndarray,
) -> list[Step]:
    """dw of a slice from copied windows; rows are those of g."""
    total = out.reshape(-1, out.shape[-1])
    steps: list[Step] = []
    for _, of_x, of_y in parts:
        more, matrix = columns(padded[..., of_x], geometry)
        steps += more
        targets = rows[:, of_y], total[:, of_y]
        steps.append((products.multiply_turned, matrix, *targets))
    return steps


def slices(
    x: np.ndarray,
    w: np.ndarray,
    geometry: Geometry,
    channels: int,
    most: int | None = None,
    by_rows: bool = False,
) -> list[slice]:
    columns = geometry.positions * geometry.cells * channels
    work = blocking.product_work(columns, w.shape[-1])
    if by_rows:
        columns = conv_rows.windows_each(geometry, channels)
    return blocking.slices(len(x), columns * x.itemsize, work, most)


def _group_parts(w: np.ndarray, groups: int) -> list[GroupPart]:
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


def pad(x: np.ndarray, geometry: Geometry) -> tuple[list[Step], np.ndarray]:
    """x (N, S, C) with zeros around it."""
    if not any(before or after for before, after in geometry.pads):
        return [], x
    steps: list[Step] = []
    padded = blocking.empty((len(x), *geometry.padded, x.shape[-1]), x.dtype)
    inner = padded
    for axis, (size, (before, after)) in enumerate(
        zip(geometry.sizes, geometry.pads, strict=True)
    ):
        outer, along = inner, (slice(None),) * (1 + axis)
        inner = outer[along + (slice(before, before + size),)]
        if before:
            steps.append(put(outer[along + (slice(before),)], None, 0))
        if after:
            steps.append(put(outer[along + (slice(before + size, None),)], None, 0))
    steps.append(copy(x, inner))
    return steps, padded


def columns(x: np.ndarray, geometry: Geometry) -> tuple[list[Step], np.ndarray]:
    """Windows of a padded x as a matrix (N * O, K * C)."""
    channels = x.shape[-1]
    shape = (len(x) * geometry.positions, geometry.cells * channels)
    if geometry.cells == 1 and set(geometry.strides) == {1}:
        return [], x.reshape(shape)
    view = sliding(
        x, geometry.out, geometry.kernel, geometry.strides, geometry.dilation
    )
    run = channels * (geometry.kernel[-1] if geometry.dilation[-1] == 1 else 1)
    if run >= SHORT_RUN:
        found = blocking.empty(view.shape, x.dtype)
        return [copy(view, found)], found.reshape(shape)
    rank = len(geometry.out)
    order = (*range(1 + rank, view.ndim), *range(1 + rank))  # (K, C, N, O)
    view = view.transpose(order)
    found = blocking.empty(view.shape, x.dtype)
    return [copy(view, found)], found.reshape(shape[::-1]).T


def scattering(w: np.ndarray, geometry: Geometry, groups: int) -> Scatter:
    """What writes dx of a slice, by the cheapest of three ways."""
    filters, channels = w.shape[-1], w.shape[-2] * groups

    @cache
    def by_rows() -> np.ndarray:
        return conv_rows.matrices_back(w)

    @cache
    def by_copies() -> Scatter:
        return _scatter_by_copies(w, geometry, groups)

    def scatter(g: np.ndarray, dx: np.ndarray) -> list[Step]:
        alike = groups == 1 and g.dtype.char in BLAS_TYPES
        if alike and conv_rows.fits_back(geometry, channels, filters, len(g)):
            return conv_rows.input_gradient(g, by_rows(), geometry, dx)
        return by_copies()(g, dx)

    return scatter


def _scatter_by_copies(w: np.ndarray, geometry: Geometry, groups: int) -> Scatter:
    dense = set(geometry.strides) == {1} and groups == 1
    if dense and all(
        before < reach and after < reach
        for (before, after), reach in zip(geometry.pads, geometry.reach, strict=True)
    ):
        if w.shape[-1] <= w.shape[-2]:  # benchmarks/kernels.py, case "scatter"
            return _scatter_by_windows(w, geometry)
    return _scatter_by_cells(w, geometry, groups)


def _scatter_by_windows(w: np.ndarray, geometry: Geometry) -> Scatter:
    """With stride 1, dx is g padded and convolved with the filter turned around."""
    rank = len(geometry.kernel)
    turned = np.flip(w, tuple(range(rank))).swapaxes(-1, -2)
    matrix = np.ascontiguousarray(turned).reshape(-1, w.shape[-2])
    pads = tuple(
        (reach - 1 - before, reach - 1 - after)
        for (before, after), reach in zip(geometry.pads, geometry.reach, strict=True)
    )
    reverse = geometry._replace(sizes=geometry.out, out=geometry.sizes, pads=pads)

    def scatter(g: np.ndarray, dx: np.ndarray) -> list[Step]:
        steps, around = pad(g, reverse)
        more, windows = columns(around, reverse)
        rows = dx.reshape(-1, w.shape[-2])
        return [*steps, *more, (products.multiply, windows, matrix, rows)]

    return scatter


def _scatter_by_cells(w: np.ndarray, geometry: Geometry, groups: int) -> Scatter:
    """For each cell of the window one product, added to the input cells it meets."""
    size, filters = w.shape[-2], w.shape[-1] // groups
    turned = w.reshape(-1, size, groups, filters).transpose(2, 0, 3, 1)
    by_cell = blocking.aligned(turned)  # (G, cells, F/G, C/G)
    parts = _group_parts(w, groups)

    def scatter(g: np.ndarray, dx: np.ndarray) -> list[Step]:
        rows = g.reshape(-1, g.shape[-1])
        steps = [put(dx, None, 0)]
        product = blocking.empty((len(rows), size), g.dtype)
        grid = product.reshape(len(g), *geometry.out, size)
        for (_, of_x, of_y), matrices in zip(parts, by_cell, strict=True):
            for matrix, place in zip(matrices, cell_places(geometry), strict=True):
                steps.append((products.multiply, rows[:, of_y], matrix, product))
                positions, inputs = place
                target = dx[..., of_x][inputs]
                steps.append((np.add, target, grid[positions], target))
        return steps

    return scatter
