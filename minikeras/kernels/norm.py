"""Normalisation: statistics, the normalised output and its backward pass.

Letters: B blocks, R rows of a block, G groups, D columns of a group, C = G * D.
Arrays: x, y and g (B, R, G, D); mean and variance (B, G), over the R and D of each
block and group; gamma and beta (C,). This one layout serves all layers:

    batch normalisation   (1, N * S, C, 1)
    group normalisation   (N, S, G, C / G)
    layer, root mean sq.  (N * S, 1, 1, C), where `norm_rows` has the arithmetic

Work is cut by shape and partial sums meet in float64 in a fixed order, so the bits do
not depend on the number of threads. A mean far from zero is taken off before squaring
or scaling, so that no digits cancel.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels import blocking, norm_rows
from minikeras.kernels.dense import mask
from minikeras.kernels.norm_rows import FAR, Stats, split
from minikeras.kernels.session import quiet
from minikeras.kernels.steps import Step, do, do_each

# Numbers that one call of NumPy's inner loop should see: short rows are taken several
# at a time (benchmarks/kernels.py, case "norm").
RUN = 2048
SAMPLE = 64  # rows that tell whether a mean is far from zero


class Piece(NamedTuple):
    """What one task works on: some blocks, some rows, `wide` rows side by side."""

    number: int
    blocks: slice
    rows: slice
    wide: int

    def of(self, x: np.ndarray) -> np.ndarray:
        """The piece of x (B, R, C) as (blocks, rows / wide, wide * C)."""
        part = x[self.blocks, self.rows]
        shape = len(part), part.shape[1] // self.wide, self.wide * x.shape[-1]
        return part.reshape(shape)

    def beside(self, spread: "Spread") -> np.ndarray:
        """What stands beside `of`, as `_spread` laid it out."""
        values = spread[self.wide]
        return values[self.blocks] if len(values) > 1 else values

    def add_up(self, x: np.ndarray, sums: np.ndarray) -> Step:
        """Write the sums over the rows of a piece to their place, see `_totals`."""
        return np.add.reduce, x, 1, sums[self.number, self.blocks, : x.shape[-1]]


Spread = dict[int, np.ndarray]


def statistics(x: np.ndarray, centred: bool = True) -> Stats:
    """Mean and variance of each block and group, in about one pass over x.

    Args:
        centred: False for the mean square in place of the variance.
    """
    with quiet:
        return (norm_rows.row_stats if _by_rows(x) else _column_stats)(x, centred)


def normalize(
    x: np.ndarray,
    gamma: np.ndarray | None,
    beta: np.ndarray | None,
    stats: Stats,
    epsilon: float,
    relu: bool = False,
) -> np.ndarray:
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, and max(y, 0) if
    `relu`: while a piece is in cache that costs little (benchmarks/kernels.py,
    "norm-relu").
    """
    if _by_rows(x):
        y = norm_rows.normalize_rows(x, gamma, beta, stats, epsilon)
        return np.maximum(y, 0, out=y) if relu else y
    blocks, rows, groups, columns = x.shape
    inverse = stats.inverse(epsilon)
    shift, rest = split(stats.mean, inverse, x.dtype)
    scale = _per_column(inverse, columns) * _or(gamma, 1.0)
    offset = _or(beta, 0.0) - _per_column(rest, columns) * scale
    wide_shift = None if shift is None else _per_column(shift, columns)
    flat = x.reshape(blocks, rows, groups * columns)
    return affine(flat, scale, offset, wide_shift, relu).reshape(x.shape)


def affine(
    x: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray | None,
    shift: np.ndarray | None,
    relu: bool = False,
) -> np.ndarray:
    """(x - shift) * scale + offset for x (B, R, C) and vectors (B or 1, C)."""
    y = blocking.empty(x.shape, x.dtype)
    pieces = _pieces(x.shape, x.itemsize)
    scales = _spread(scale, pieces, x.dtype)
    shifts = None if shift is None else _spread(shift, pieces, x.dtype)
    offsets = None if offset is None else _spread(offset, pieces, x.dtype)

    def steps_of(piece: Piece) -> list[Step]:
        source, target = piece.of(x), piece.of(y)
        steps: list[Step] = []
        if shifts is not None:
            steps.append((np.subtract, source, piece.beside(shifts), target))
            source = target
        steps.append((np.multiply, source, piece.beside(scales), target))
        if offsets is not None:
            steps.append((np.add, target, piece.beside(offsets), target))
        if relu:
            steps.append((np.maximum, target, 0, target))
        return steps

    _for_each(steps_of, pieces)
    return y


def affine_sums(
    x: np.ndarray,
    g: np.ndarray,
    shift: np.ndarray | None,
    relu_output: np.ndarray | None = None,
    masked: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over rows, (B, C) in float64, of g and of g * (x - shift).

    Args:
        relu_output: masks g, which is written to `masked`, where it is above zero.
    """
    pieces = _pieces(x.shape, 2 * x.itemsize)
    sums = _empty_sums(x.shape, pieces, x.dtype)
    shifts = None if shift is None else _spread(shift, pieces, x.dtype)

    def steps_of(piece: Piece) -> list[Step]:
        source, grad = piece.of(x), piece.of(g)
        work = blocking.empty(grad.shape, x.dtype)
        steps: list[Step] = []
        if relu_output is not None and masked is not None:
            steps = mask(grad, piece.of(relu_output), piece.of(masked))
            grad = piece.of(masked)
        if shifts is not None:
            steps.append((np.subtract, source, piece.beside(shifts), work))
            source = work
        steps.append((np.multiply, source, grad, work))
        steps.append(piece.add_up(grad, sums[0]))
        steps.append(piece.add_up(work, sums[1]))
        return steps

    _for_each(steps_of, pieces)
    total_g, total_gx = _totals(sums, x.shape[-1])
    return total_g, total_gx


def backward(
    x: np.ndarray,
    gamma: np.ndarray | None,
    g: np.ndarray,
    stats: Stats,
    epsilon: float,
    wanted: str = "xgb",
    relu_output: np.ndarray | None = None,
) -> tuple[Any, Any, Any]:
    """dx, dgamma and dbeta of `normalize` with the statistics of x itself:

    dx = (gamma g - mean(gamma g) - xhat mean(gamma g xhat)) / sqrt(variance + epsilon)

    Args:
        relu_output: what `normalize(relu=True)` returned.
    """
    if _by_rows(x):
        g = g if relu_output is None else g * (relu_output > 0)
        return norm_rows.backward_rows(x, gamma, g, stats, epsilon, wanted)
    blocks, rows, groups, columns = x.shape
    flat = x.reshape(blocks, rows, groups * columns)
    grad = g.reshape(flat.shape)
    inverse = stats.inverse(epsilon)
    shift, rest = split(stats.mean, inverse, x.dtype)
    per_column = None if shift is None else _per_column(shift, columns)
    wide_inverse, rest = _per_column(inverse, columns), _per_column(rest, columns)
    masked = output = None
    if relu_output is not None:
        output = relu_output.reshape(flat.shape)
        masked = blocking.empty(flat.shape, x.dtype)
    sum_g, sum_gx = affine_sums(flat, grad, per_column, output, masked)
    grad = grad if masked is None else masked
    sum_gx = (sum_gx - rest * sum_g) * wide_inverse
    dgamma = sum_gx.sum(axis=0).astype(x.dtype) if "g" in wanted else None
    dbeta = sum_g.sum(axis=0).astype(x.dtype) if "b" in wanted else None
    if "x" not in wanted:
        return None, dgamma, dbeta
    scale = _or(gamma, 1.0)

    def group_mean(sums: np.ndarray) -> np.ndarray:
        total = (sums * scale).reshape(blocks, groups, columns).sum(axis=2)
        return _per_column(total / (rows * columns), columns)

    slope = -(wide_inverse**2) * group_mean(sum_gx)
    offset = -rest * slope
    if stats.centred:
        offset -= wide_inverse * group_mean(sum_g)
    factors = wide_inverse * scale, slope, offset, per_column
    dx = _combine(flat, grad, *factors, masked)
    return dx.reshape(x.shape), dgamma, dbeta


# --- statistics of columns: blocks of many rows -----------------------------------


def _column_stats(x: np.ndarray, centred: bool) -> Stats:
    blocks, rows, groups, columns = x.shape
    flat = x.reshape(blocks, rows, groups * columns)

    def moments(shift: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Mean and mean square, (B, G), of what is left without the shift."""
        sums = _column_sums(flat, shift).reshape(2, blocks, groups, columns)
        mean, square = sums.sum(axis=3) / (rows * columns)
        return mean, square

    if not centred:
        square = moments(None)[1]
        return Stats(np.zeros(square.shape), square, False)
    shift = _sampled_shift(x)
    mean, square = moments(shift)
    if _far(mean, square).any():
        near = mean if shift is None else mean + shift[:, ::columns]
        shift = _per_column(near, columns).astype(x.dtype)
        mean, square = moments(shift)
    variance = np.maximum(square - mean**2, 0.0)
    return Stats(mean if shift is None else mean + shift[:, ::columns], variance)


def _sampled_shift(x: np.ndarray) -> np.ndarray | None:
    """The means (B, C) of some rows, if one of them is far from zero: to see that only
    after all rows takes another pass (benchmarks/kernels.py, "norm-shift")."""
    blocks, rows, groups, columns = x.shape
    if rows < 16 * SAMPLE:
        return None
    sample = x[:, :: rows // SAMPLE]
    count = sample.shape[1] * columns
    mean = sample.sum(axis=(1, 3), dtype=np.float64) / count
    square = np.einsum("brgd,brgd->bg", sample, sample) / count
    if not _far(mean, square).any():
        return None
    return _per_column(mean, columns).astype(x.dtype)


def _far(mean: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Where the mean is far from zero: digits would cancel in square - mean^2."""
    return mean**2 > FAR * np.maximum(square - mean**2, 0.0)


def _column_sums(flat: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
    """Sums over rows, (2, B, C) in float64, of x - shift and of its square."""
    pieces = _pieces(flat.shape, 2 * flat.itemsize)
    sums = _empty_sums(flat.shape, pieces, flat.dtype)
    shifts = None if shift is None else _spread(shift, pieces, flat.dtype)

    def steps_of(piece: Piece) -> list[Step]:
        source = piece.of(flat)
        work = blocking.empty(source.shape, flat.dtype)
        steps: list[Step] = []
        if shifts is not None:
            steps.append((np.subtract, source, piece.beside(shifts), work))
            source = work
        steps.append(piece.add_up(source, sums[0]))
        steps.append((np.multiply, source, source, work))
        steps.append(piece.add_up(work, sums[1]))
        return steps

    _for_each(steps_of, pieces)
    return _totals(sums, flat.shape[-1])


def _empty_sums(shape: tuple[int, ...], pieces: list[Piece], dtype: Any) -> np.ndarray:
    """Room for two sums of each piece of (B, R, C), as its rows lie side by side."""
    widest = max((piece.wide for piece in pieces), default=1)
    number = pieces[-1].number + 1 if pieces else 1
    return np.zeros((2, number, shape[0], widest * shape[-1]), dtype)


def _totals(sums: np.ndarray, width: int) -> np.ndarray:
    """Both sums (2, B, C), in float64."""
    parts = sums.reshape(*sums.shape[:3], sums.shape[3] // width, width)
    return parts.sum(axis=(1, 3), dtype=np.float64)


def _spread(values: np.ndarray, pieces: list[Piece], dtype: Any) -> Spread:
    """A value for each column, (B or 1, C), for pieces of any width."""
    found = {}
    for wide in {piece.wide for piece in pieces}:
        room = np.empty((len(values), wide, values.shape[1]), dtype)
        room[...] = values[:, None]
        found[wide] = room.reshape(len(values), 1, -1)
    return found


def _combine(
    x: np.ndarray,
    g: np.ndarray,
    scale: np.ndarray,
    slope: np.ndarray,
    offset: np.ndarray,
    shift: np.ndarray | None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """scale * g + slope * (x - shift) + offset, a piece at a time; `out` may be g."""
    dx = blocking.empty(x.shape, x.dtype) if out is None else out
    pieces = _pieces(x.shape, 2 * x.itemsize)
    scales, slopes, offsets = (
        _spread(v, pieces, x.dtype) for v in (scale, slope, offset)
    )
    shifts = None if shift is None else _spread(shift, pieces, x.dtype)

    def steps_of(piece: Piece) -> list[Step]:
        source, grad, target = piece.of(x), piece.of(g), piece.of(dx)
        work = blocking.empty(grad.shape, x.dtype)
        steps: list[Step] = [(np.multiply, grad, piece.beside(scales), work)]
        if shifts is not None:
            steps.append((np.subtract, source, piece.beside(shifts), target))
            source = target
        steps.append((np.multiply, source, piece.beside(slopes), target))
        steps.append((np.add, target, piece.beside(offsets), target))
        steps.append((np.add, target, work, target))
        return steps

    _for_each(steps_of, pieces)
    return dx


def _pieces(shape: tuple[int, ...], itemsize: int) -> list[Piece]:
    """Cut (B, R, C) so that a piece fits the cache and its runs are long."""
    blocks, rows, width = shape
    wide = max(1, min(RUN // max(1, width), rows))
    main = rows // wide
    run = wide * width
    few = None if blocks == 1 else -(-rows * width * itemsize // blocking.SLICE_BYTES)
    cuts = blocking.slices(main, run * itemsize, run, few)
    by_rows = [(slice(c.start * wide, c.stop * wide), wide) for c in cuts]
    if main * wide < rows:
        by_rows.append((slice(main * wide, rows), 1))
    by_blocks = [slice(0, 1)]
    if blocks != 1:
        size = rows * width // max(1, len(by_rows))
        by_blocks = blocking.slices(blocks, size * itemsize, size)
    return [
        Piece(number, part, rows_part, k)
        for number, (rows_part, k) in enumerate(by_rows)
        for part in by_blocks
    ]


def _for_each(steps_of: Callable[[Piece], list[Step]], pieces: list[Piece]) -> None:
    if len(pieces) != 1:
        do_each(steps_of, pieces)
        return
    with quiet:  # no BLAS here to hold to one thread
        do(steps_of(pieces[0]))


def _per_column(values: np.ndarray, columns: int) -> np.ndarray:
    """(B, G) as (B, C)."""
    return values if columns == 1 else np.repeat(values, columns, axis=1)


def _or(values: np.ndarray | None, default: float) -> Any:
    return default if values is None else values


def _by_rows(x: np.ndarray) -> bool:
    return x.shape[1] == x.shape[2] == 1
