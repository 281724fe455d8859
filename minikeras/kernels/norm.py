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
from minikeras.kernels.norm_rows import FAR, Stats, split

# Numbers that one call of NumPy's inner loop should see: short rows are taken several
# at a time (benchmarks/kernels.py, case "norm").
RUN = 2048


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

    def spread(self, values: np.ndarray) -> np.ndarray:
        """A value for each column, (B or 1, C), as it stands beside `of`."""
        part = values[self.blocks] if len(values) > 1 else values
        return np.tile(part, (1, self.wide))[:, None]


def statistics(x: np.ndarray, centred: bool = True) -> Stats:
    """Mean and variance of each block and group, in about one pass over x.

    Args:
        centred: False for the mean square in place of the variance.
    """
    with np.errstate(all="ignore"):  # an infinity is the caller's to report
        return (norm_rows.row_stats if _by_rows(x) else _column_stats)(x, centred)


def normalize(
    x: np.ndarray,
    gamma: np.ndarray | None,
    beta: np.ndarray | None,
    stats: Stats,
    epsilon: float,
) -> np.ndarray:
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    if _by_rows(x):
        return norm_rows.normalize_rows(x, gamma, beta, stats, epsilon)
    blocks, rows, groups, columns = x.shape
    inverse = stats.inverse(epsilon)
    shift, rest = split(stats.mean, inverse, x.dtype)
    scale = _per_column(inverse, columns) * _or(gamma, 1.0)
    offset = _or(beta, 0.0) - _per_column(rest, columns) * scale
    wide_shift = None if shift is None else _per_column(shift, columns)
    flat = x.reshape(blocks, rows, groups * columns)
    return affine(flat, scale, offset, wide_shift).reshape(x.shape)


def affine(
    x: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray | None,
    shift: np.ndarray | None,
) -> np.ndarray:
    """(x - shift) * scale + offset for x (B, R, C) and vectors (B or 1, C)."""
    y = blocking.empty(x.shape, x.dtype)
    scale = scale.astype(x.dtype)
    offset = None if offset is None else offset.astype(x.dtype)
    pieces = _pieces(x.shape, x.itemsize)

    def task(piece: Piece) -> None:
        source, target = piece.of(x), piece.of(y)
        if shift is not None:
            source = np.subtract(source, piece.spread(shift), out=target)
        np.multiply(source, piece.spread(scale), out=target)
        if offset is not None:
            np.add(target, piece.spread(offset), out=target)

    _for_each(task, pieces)
    return y


def affine_sums(
    x: np.ndarray, g: np.ndarray, shift: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over rows, (B, C) in float64, of g and of g * (x - shift)."""
    blocks, _, width = x.shape
    pieces = _pieces(x.shape, 2 * x.itemsize)
    sums = np.zeros((2, _row_pieces(pieces), blocks, width))

    def task(piece: Piece) -> None:
        source, grad = piece.of(x), piece.of(g)
        work = blocking.empty(grad.shape, x.dtype)
        if shift is not None:
            source = np.subtract(source, piece.spread(shift), out=work)
        np.multiply(source, grad, out=work)
        sums[0, piece.number, piece.blocks] = _column_sum(grad, width)
        sums[1, piece.number, piece.blocks] = _column_sum(work, width)

    _for_each(task, pieces)
    return tuple(np.add.reduce(sums, axis=1))


def backward(
    x: np.ndarray,
    gamma: np.ndarray | None,
    g: np.ndarray,
    stats: Stats,
    epsilon: float,
    wanted: str = "xgb",
) -> tuple[Any, Any, Any]:
    """dx, dgamma and dbeta of `normalize` with the statistics of x itself:

    dx = (gamma g - mean(gamma g) - xhat mean(gamma g xhat)) / sqrt(variance + epsilon)
    """
    if _by_rows(x):
        return norm_rows.backward_rows(x, gamma, g, stats, epsilon, wanted)
    blocks, rows, groups, columns = x.shape
    flat = x.reshape(blocks, rows, groups * columns)
    grad = g.reshape(flat.shape)
    inverse = stats.inverse(epsilon)
    shift, rest = split(stats.mean, inverse, x.dtype)
    per_column = None if shift is None else _per_column(shift, columns)
    wide_inverse, rest = _per_column(inverse, columns), _per_column(rest, columns)
    sum_g, sum_gx = affine_sums(flat, grad, per_column)
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
    dx = _combine(flat, grad, wide_inverse * scale, slope, offset, per_column)
    return dx.reshape(x.shape), dgamma, dbeta


# --- statistics of columns: blocks of many rows -----------------------------------


def _column_stats(x: np.ndarray, centred: bool) -> Stats:
    blocks, rows, groups, columns = x.shape
    width = groups * columns
    flat = x.reshape(blocks, rows, width)
    pieces = _pieces(flat.shape, 2 * x.itemsize)
    number = _row_pieces(pieces)
    counts = np.zeros((number, 1, 1, 1))
    means = np.zeros((number, blocks, groups, columns))
    squares = np.zeros(means.shape)  # of distances from the piece's own mean

    def task(piece: Piece) -> None:
        source = piece.of(flat)
        work = blocking.empty(source.shape, x.dtype)
        count = piece.rows.stop - piece.rows.start
        shift: np.ndarray | float = 0.0
        mean, square = _sums(source, work, width, count)
        if centred and (mean**2 > FAR * square).any():
            shift = mean.astype(x.dtype)
            near = np.tile(shift, (1, piece.wide))[:, None]
            source = np.subtract(source, near, out=work)
            mean, square = _sums(source, work, width, count)
        shape = (len(source), groups, columns)
        counts[piece.number] = count
        means[piece.number, piece.blocks] = (mean + shift).reshape(shape)
        squares[piece.number, piece.blocks] = (square * count).reshape(shape)

    _for_each(task, pieces)
    total = rows * columns
    if not centred:
        squares += counts * means**2
        square = squares.sum(axis=(0, 3)) / total
        return Stats(np.zeros(square.shape), square, False)
    mean = (counts * means).sum(axis=(0, 3)) / total
    squares += counts * (means - mean[..., None]) ** 2
    return Stats(mean, squares.sum(axis=(0, 3)) / total)


def _sums(
    source: np.ndarray, work: np.ndarray, width: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean squared distance from it, (blocks, C); writes into `work`."""
    mean = _column_sum(source, width) / count
    np.multiply(source, source, out=work)
    square = _column_sum(work, width) / count - mean**2
    return mean, np.maximum(square, 0.0)


def _column_sum(wide: np.ndarray, width: int) -> np.ndarray:
    """Sums of columns (blocks, C): in long runs, then what is left in float64."""
    sums = np.add.reduce(wide, axis=1)
    return sums.reshape(len(wide), -1, width).sum(axis=1, dtype=np.float64)


def _combine(
    x: np.ndarray,
    g: np.ndarray,
    scale: np.ndarray,
    slope: np.ndarray,
    offset: np.ndarray,
    shift: np.ndarray | None,
) -> np.ndarray:
    """scale * g + slope * (x - shift) + offset, a piece at a time."""
    dx = blocking.empty(x.shape, x.dtype)
    scale, slope, offset = (v.astype(x.dtype) for v in (scale, slope, offset))

    def task(piece: Piece) -> None:
        source, grad, target = piece.of(x), piece.of(g), piece.of(dx)
        work = blocking.empty(grad.shape, x.dtype)
        if shift is not None:
            source = np.subtract(source, piece.spread(shift), out=target)
        np.multiply(source, piece.spread(slope), out=target)
        np.add(target, piece.spread(offset), out=target)
        np.multiply(grad, piece.spread(scale), out=work)
        np.add(target, work, out=target)

    _for_each(task, _pieces(x.shape, 2 * x.itemsize))
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


def _for_each(task: Callable[[Piece], None], pieces: list[Piece]) -> None:
    if len(pieces) != 1:
        blocking.parallel(task, pieces)
        return
    with np.errstate(all="ignore"):  # no BLAS here to hold to one thread
        task(pieces[0])


def _row_pieces(pieces: list[Piece]) -> int:
    return pieces[-1].number + 1 if pieces else 1


def _per_column(values: np.ndarray, columns: int) -> np.ndarray:
    """(B, G) as (B, C)."""
    return values if columns == 1 else np.repeat(values, columns, axis=1)


def _or(values: np.ndarray | None, default: float) -> Any:
    return default if values is None else values


def _by_rows(x: np.ndarray) -> bool:
    return x.shape[1] == x.shape[2] == 1
