"""More cells along an axis: by repeating them, or by weights of their neighbours.

Interpolation along one axis is a matrix W (O, S): y = W x. Cell o of the output lies at
p = (o + 1/2) S / O - 1/2 on the input, and W[o, s] = k(|p - s|) / sum_s k(|p - s|) with
a kernel k that is 0 beyond its radius. So W has a narrow band, and is applied in blocks
of rows, each to the columns it needs. The adjoint is the transposed matrix.

Letters: A everything before the axis, R everything after it.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import product
from math import prod

import numpy as np

from minikeras.kernels import blocking

ROWS = 16  # of a block: less work on zeros than 32, fewer products than 8
SHORT_RUN = 8  # values of R up to which an axis is multiplied together with R

Band = tuple[slice, slice, np.ndarray]


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - x)


def _keys_cubic(x: np.ndarray) -> np.ndarray:
    """R. G. Keys, Cubic convolution interpolation, IEEE ASSP 29 (1981), a = -1/2."""
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    """sinc(x) sinc(x / radius)."""

    def kernel(x: np.ndarray) -> np.ndarray:
        safe = np.where(x > 1e-3, x, 1)
        waves = radius * np.sin(np.pi * safe) * np.sin(np.pi * safe / radius)
        value = np.where(x > 1e-3, waves / (np.pi**2 * safe**2), 1)
        return np.where(x > radius, 0, value)

    return kernel


KERNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bilinear": _triangle,
    "bicubic": _keys_cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}


def weights(
    method: str, size: int, out: int, dtype: str, antialias: bool = False
) -> np.ndarray:
    """The matrix (out, size) of an interpolation.

    With `antialias`, where there become fewer cells, of a kernel that is wider by
    size / out, so that each cell counts.

    Places are rounded as JAX rounds them on the CPU: float32 inputs, one fused
    multiply-add. Rounded once from float64 they would differ by 1e-4 in large images.

    >>> weights("bilinear", 2, 4, "float32")
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]], dtype=float32)
    """
    work = np.float64 if dtype == "float64" else np.float32
    step = float(work(1 / (out / max(1, size))))
    place = ((np.arange(out) + 0.5) * step - 0.5).astype(work)
    distance = np.abs(place[:, None] - np.arange(size, dtype=work))
    if antialias and out < size:
        distance /= work(step)
    matrix = KERNELS[method](distance).astype(work)
    return (matrix / matrix.sum(axis=1, keepdims=True)).astype(dtype)


@lru_cache(maxsize=64)
def bands(
    method: str, size: int, out: int, dtype: str, antialias: bool, back: bool, run: int
) -> tuple[Band, ...]:
    """The matrix, or its transpose, in blocks of rows without their zero columns.

    A short run R is multiplied with the axis: the matrix is then W (x) identity.
    """
    matrix = weights(method, size, out, dtype, antialias)
    matrix = matrix.T if back else matrix
    found = []
    for start in range(0, len(matrix), ROWS):
        block = matrix[start : start + ROWS]
        used = np.flatnonzero(block.any(axis=0))
        # With fewer cells, the transposed matrix may have rows of zeros.
        first, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        rows = slice(start * run, (start + len(block)) * run)
        block = np.kron(block[:, first:end], np.eye(run, dtype=dtype))
        found.append((rows, slice(first * run, end * run), block))
    return tuple(found)


def interpolate(
    x: np.ndarray,
    method: str,
    axis: int,
    out: int,
    adjoint: bool = False,
    antialias: bool = False,
) -> np.ndarray:
    """W x along an axis, or with `adjoint` x multiplied by the transposed W."""
    size = x.shape[axis]
    y = blocking.empty((*x.shape[:axis], out, *x.shape[axis + 1 :]), x.dtype)
    before, after = prod(x.shape[:axis]), prod(x.shape[axis + 1 :])
    short = after <= SHORT_RUN
    sizes = (out, size) if adjoint else (size, out)
    run = after if short else 1
    blocks = bands(method, *sizes, x.dtype.name, antialias, adjoint, run)
    fused = (after,) if short else (1, after)  # short: (A, S R) times (S R, O R)
    from_ = x.reshape(before, size * fused[0], *fused[1:])
    to = y.reshape(before, out * fused[0], *fused[1:])

    def task(part: slice) -> None:
        for rows, columns, block in blocks:
            if short:
                np.matmul(from_[part, columns], block.T, out=to[part, rows])
            else:
                np.matmul(block, from_[part, columns], out=to[part, rows])

    each = (size + out) * after
    slices = blocking.slices(before, each * x.itemsize, each * ROWS)
    blocking.parallel(task, slices)
    return y


def repeat(x: np.ndarray, times: Sequence[int]) -> np.ndarray:
    """Each cell `times` times in a row, along each axis."""
    y = blocking.empty([n * k for n, k in zip(x.shape, times, strict=True)], x.dtype)
    inner = _apart(y, times)
    source = x[tuple(i for k in times for i in _whole_and_new(k))]

    def task(part: slice) -> None:
        inner[part] = source[part]

    blocking.parallel(task, _slices(x, times))
    return y


def fold(g: np.ndarray, times: Sequence[int]) -> np.ndarray:
    """The sum of the copies that `repeat` made; its adjoint."""
    shape = [n // k for n, k in zip(g.shape, times, strict=True)]
    x = blocking.empty(shape, g.dtype)
    inner = _apart(g, times)
    copies = [
        tuple(i for k, o in zip(times, offset, strict=True) for i in _one_of(k, o))
        for offset in product(*map(range, times))
    ]

    def task(part: slice) -> None:
        target = x[part]
        target[...] = inner[part][copies[0]]
        for copy in copies[1:]:
            target += inner[part][copy]

    blocking.parallel(task, _slices(x, times))
    return x


def _apart(y: np.ndarray, times: Sequence[int]) -> np.ndarray:
    """A view of y with an axis of its own for the copies along each repeated axis."""
    sizes = zip(y.shape, times, strict=True)
    return y.reshape([i for n, k in sizes for i in ((n // k, k) if k != 1 else (n,))])


def _whole_and_new(times: int) -> tuple[slice | None, ...]:
    return (slice(None), None) if times != 1 else (slice(None),)


def _one_of(times: int, offset: int) -> tuple[slice | int, ...]:
    return (slice(None), offset) if times != 1 else (slice(None),)


def _slices(x: np.ndarray, times: Sequence[int]) -> list[slice]:
    each = prod(x.shape[1:]) * prod(times)
    return blocking.slices(len(x), 2 * each * x.itemsize, each)
