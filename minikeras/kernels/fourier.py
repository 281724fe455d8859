"""Discrete Fourier transforms of images and filters, as products by small matrices.

    along the first axis   z[k] = sum_a x[a] exp(-i pi (2 k + 1) a / A), k < A / 2
    along the second       z[k, q] = sum_b z[k, b] exp(-2 i pi q b / B), q < B

A is even. At odd multiples of pi / A no frequency is its own complex conjugate, so half
of them tell all about real numbers. What goes around the end of the first axis comes
back negative; A and B are long enough for no window to go around.

A complex product takes three real ones,

    (a + ib) (c + id) = (P1 - P3) + i (P1 + P2)
    P1 = (a + b) c,  P2 = a (d - c),  P3 = b (c + d)

with the sums in the matrices: along the second axis they give the left factors of P1,
P2 and P3, or the right ones, and take these products back.

`sign` is -1 for the complex conjugate of a transform.

References: A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing, ch. 8.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

from minikeras.kernels.windows import Geometry, Span, spans

MOST_TILES = 4  # along an axis
CALL = 3e6  # multiplications in the time that one more tile costs at a frequency


class Tiling(NamedTuple):
    """How one axis is cut."""

    length: int  # of a transform
    spans: tuple[Span, ...]


Plan = tuple[Tiling, Tiling]


@lru_cache(maxsize=256)
def plan(
    geometry: Geometry, channels: int, filters: int, count: int, most: float
) -> Plan | None:
    """The tiles that take the least arithmetic.

    None if that is more than `most` times that of sums over windows.
    """
    if len(geometry.sizes) != 2 or set(geometry.strides) != {1}:
        return None
    products = count * geometry.positions * geometry.cells * channels * filters
    best, least = None, most * 2 * products
    for counts in product(range(1, MOST_TILES + 1), repeat=2):
        tilings = _tiling(geometry, 0, counts[0]), _tiling(geometry, 1, counts[1])
        work = _work(tilings, geometry, channels, filters, count)
        if work < least:
            best, least = tilings, work
    return best


def _tiling(geometry: Geometry, axis: int, count: int) -> Tiling:
    out, reach = geometry.out[axis], geometry.reach[axis]
    most = -(-out // count)
    length = most + reach - 1
    even = length + length % 2
    return Tiling(even if axis == 0 else length, spans(geometry, axis, most))


def _work(
    tilings: Plan, geometry: Geometry, channels: int, filters: int, count: int
) -> float:
    """Operations of `count` images, the matrices of filters included."""
    tall, wide = (tiling.length for tiling in tilings)
    tiles = len(tilings[0].spans) * len(tilings[1].spans)

    def transform(height: int, width: int) -> int:
        return 2 * tall * height * width + 6 * tall * wide * width

    image = min(tall, geometry.sizes[0]), min(wide, geometry.sizes[1])
    images = count * tiles * (channels + filters) * transform(*image)
    products = 3 * tall * wide * count * tiles * channels * filters
    calls = tiles * tall * CALL
    return images + channels * filters * transform(*geometry.kernel) + products + calls


@lru_cache(maxsize=1024)
def first(length: int, at: range, sign: int, dtype: str) -> np.ndarray:
    """(A, len(at)): real and imaginary part of each frequency in turn."""
    angles = np.pi / length * np.outer(2 * np.arange(length // 2) + 1, at)
    both = np.stack([np.cos(angles), -sign * np.sin(angles)], 1)
    return both.reshape(length, len(at)).astype(dtype)


@lru_cache(maxsize=1024)
def second(length: int, at: range, sign: int, left: bool, dtype: str) -> np.ndarray:
    """(3 B, 2 len(at)): the left or right factors of P1, P2 and P3."""
    angles = 2 * np.pi / length * np.outer(np.arange(length), at)
    cos, sin = np.cos(angles), sign * np.sin(angles)
    real, imaginary = np.hstack([cos, sin]), np.hstack([-sin, cos])
    if left:
        factors = real + imaginary, real, imaginary
    else:
        factors = real, imaginary - real, real + imaginary
    return np.concatenate(factors).astype(dtype)


@lru_cache(maxsize=1024)
def second_back(length: int, at: range, sign: int, dtype: str) -> np.ndarray:
    """(2 len(at), 3 B): real and imaginary part from P1, P2 and P3."""
    angles = 2 * np.pi / length * np.outer(at, np.arange(length))
    cos, sin = np.cos(angles) / length, sign * np.sin(angles) / length
    real = np.hstack([cos - sin, -sin, -cos])
    imaginary = np.hstack([sin + cos, cos, -sin])
    return np.concatenate([real, imaginary]).astype(dtype)


@lru_cache(maxsize=1024)
def first_back(length: int, at: range, sign: int, dtype: str) -> np.ndarray:
    """(len(at), A)."""
    angles = np.pi / length * np.outer(at, 2 * np.arange(length // 2) + 1)
    both = np.stack([np.cos(angles), -sign * np.sin(angles)], -1) * (2 / length)
    return both.reshape(len(at), length).astype(dtype)
