"""Images and filters, and their discrete Fourier transforms along one axis or both.

Arrays of one shape are transformed often, so everything that depends on the shape alone
is made once: matrices, memory, and the calls that take it from one to the other.

Letters as in `conv.py`: images (N, S, C) or (N, O, F), filters (K, C, F). A and B are
the lengths of the transforms, k and q their numbers, and `rows` stands for the 3 B
numbers q and P of `fourier.py`.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from minikeras.kernels import blocking, fourier, products
from minikeras.kernels.fourier import Plan
from minikeras.kernels.steps import Step, copy, put
from minikeras.kernels.windows import Geometry, Span

WIDTH = 1024  # numbers of a row in products by small matrices
APART = 16  # numbers between rows, so that they do not share a set of the cache

Matrices = Callable[[int, int, range, range, str], tuple[np.ndarray, np.ndarray]]


def to(sign: int, left: bool) -> Matrices:
    """The matrices that transform a left or right factor."""

    def matrices(
        tall: int, wide: int, rows: range, columns: range, dtype: str
    ) -> tuple[np.ndarray, np.ndarray]:
        second = fourier.second(wide, columns, sign, left, dtype)
        return fourier.first(tall, rows, sign, dtype), second

    return matrices


def back(sign: int) -> Matrices:
    """The matrices that transform a product back."""

    def matrices(
        tall: int, wide: int, rows: range, columns: range, dtype: str
    ) -> tuple[np.ndarray, np.ndarray]:
        second = fourier.second_back(wide, columns, sign, dtype)
        return fourier.first_back(tall, rows, sign, dtype), second

    return matrices


class Spectra:
    """Where a thread keeps what is transformed along both axes: parts of one array."""

    def __init__(self, ks: slice, rows: int, memory: np.ndarray) -> None:
        self._lead = ks.stop - ks.start, rows
        self._memory = memory
        self.used = 0

    def new(self, *shape: int) -> np.ndarray:
        """(k, rows, *shape)."""
        size = prod(shape)
        start, self.used = self.used, self.used + prod(self._lead) * (size + APART)
        memory = self._memory[start : self.used].reshape(*self._lead, size + APART)
        return memory[:, :, :size].reshape(*self._lead, *shape)


class _Tile(NamedTuple):
    """A tile of all images, and its transform along the first axis."""

    where: tuple[slice, slice, slice]
    half: np.ndarray  # (N, A, b * C)
    by_k: np.ndarray  # (N, A / 2, 2 b, C)
    first: np.ndarray  # the matrices along either axis
    second: np.ndarray


class Images:
    """Images (N, S, C), or (N, O, C) unless `cells`, tile by tile."""

    def __init__(
        self, tilings: Plan, count: int, channels: int, cells: bool, matrices: Matrices
    ) -> None:
        self.channels = channels
        self._lengths = tilings[0].length, tilings[1].length
        self._cells, self._matrices = cells, matrices
        self._spans = [(a, b) for a in tilings[0].spans for b in tilings[1].spans]
        self._overlap = cells and len(self._spans) > 1
        widths = [len(self._at(b)) for _, b in self._spans]
        self.shapes = [(count, self._lengths[0], n * channels) for n in widths]

    def _at(self, span: Span) -> range:
        """Where a tile is, from where its first window begins."""
        part = span.cells if self._cells else span.places
        start = span.offset if self._cells else 0
        return range(start, start + part.stop - part.start)

    def bind(self, halves: Sequence[np.ndarray]) -> None:
        self.tiles: list[_Tile] = []
        for (a, b), half in zip(self._spans, halves, strict=True):
            where = (a.cells, b.cells) if self._cells else (a.places, b.places)
            tall, width = self._lengths[0], len(self._at(b))
            by_k = half.reshape(len(half), tall // 2, 2 * width, self.channels)
            at = self._at(a), self._at(b)
            both = self._matrices(*self._lengths, *at, half.dtype.char)
            self.tiles.append(_Tile((slice(None), *where), half, by_k, *both))

    def begin(self, images: np.ndarray, part: slice) -> list[Step]:
        """Transform some images along the first axis."""
        return [
            (np.matmul, tile.first, _rows(images[tile.where]), tile.half[part])
            for tile in self.tiles
        ]

    def end(self, images: np.ndarray, part: slice) -> list[Step]:
        """Write some images from their transforms along the first axis."""
        steps = [put(images, None, 0)] if self._overlap else []
        for tile in self.tiles:
            view = found = images[tile.where]
            if self._overlap:
                found = blocking.empty(view.shape, view.dtype)
            steps.append((np.matmul, tile.first, tile.half[part], _rows(found)))
            if self._overlap:
                steps.append((np.add, view, found, view))
        return steps

    def new_spectrum(self, spectra: Spectra, part: slice) -> np.ndarray:
        return spectra.new(len(self.shapes), part.stop - part.start, self.channels)

    def to_spectrum(self, ks: slice, part: slice, spectrum: np.ndarray) -> list[Step]:
        return [
            (np.matmul, tile.second, tile.by_k[part, ks], _by_image(spectrum, i))
            for i, tile in enumerate(self.tiles)
        ]

    def from_spectrum(self, ks: slice, part: slice, spectrum: np.ndarray) -> list[Step]:
        return [
            (np.matmul, tile.second, _by_image(spectrum, i), tile.by_k[part, ks])
            for i, tile in enumerate(self.tiles)
        ]


def _rows(images: np.ndarray) -> np.ndarray:
    """(N, a, b, C) as (N, a, b * C)."""
    return images.reshape(*images.shape[:2], images.shape[2] * images.shape[3])


def _by_image(spectrum: np.ndarray, tile: int) -> np.ndarray:
    """(k, rows, tiles, N, C) as (N, k, rows, C), for one tile."""
    return spectrum[:, :, tile].transpose(2, 0, 1, 3)


class Filters:
    """Filters (K, C, F), turned into (K, F, C) if `turned`."""

    def __init__(
        self,
        geometry: Geometry,
        tilings: Plan,
        each: tuple[int, int],
        turned: bool,
        matrices: Matrices,
    ) -> None:
        self.each = each[::-1] if turned else each
        self._matrices = matrices
        self._lengths = tilings[0].length, tilings[1].length
        steps = zip(geometry.kernel, geometry.dilation, strict=True)
        self._at = [range(0, k * d, d) for k, d in steps]
        tall, columns = geometry.kernel
        self.shapes: list[tuple[int, ...]] = [(self._lengths[0], columns, prod(each))]
        if turned:
            self.shapes.append((columns, tall, *self.each))

    def bind(self, halves: Sequence[np.ndarray]) -> None:
        half, self._turned = halves[0], halves[1] if len(halves) > 1 else None
        by_k = half.reshape(self._lengths[0] // 2, 2 * half.shape[1], -1)
        self._by_k = _cut(by_k)
        self._columns = [_cut(half[:, column]) for column in range(half.shape[1])]
        tall, wide = self._at
        char = by_k.dtype.char
        self._first, self._second = self._matrices(*self._lengths, tall, wide, char)

    def begin(self, w: np.ndarray) -> list[list[Step]]:
        """Transform columns of cells along the first axis, each by itself."""
        found: list[list[Step]] = []
        for column, half in enumerate(self._columns):
            cells = w[:, column]
            steps: list[Step] = []
            if self._turned is not None:
                turned = self._turned[column]
                steps.append(copy(cells.swapaxes(1, 2), turned))
                cells = turned
            rows = _cut(cells.reshape(len(cells), -1))
            found.append([*steps, (np.matmul, self._first, rows, half)])
        return found

    def end(self, w: np.ndarray) -> list[list[Step]]:
        """Write columns of cells from their transforms along the first axis."""
        return [
            [(np.matmul, self._first, half, _cut(w[:, column].reshape(len(w), -1)))]
            for column, half in enumerate(self._columns)
        ]

    def to_spectrum(self, ks: slice, spectrum: np.ndarray) -> Step:
        return np.matmul, self._second, self._by_k[ks], _cut_cells(spectrum)

    def from_spectrum(self, ks: slice, spectrum: np.ndarray) -> Step:
        return np.matmul, self._second, _cut_cells(spectrum), self._by_k[ks]


def _cut_cells(spectrum: np.ndarray) -> np.ndarray:
    return _cut(spectrum.reshape(*spectrum.shape[:2], -1))


def _cut(x: np.ndarray) -> np.ndarray:
    """Long rows (..., R, size) as (..., parts, R, part)."""
    return x.reshape(*x.shape[:-1], -1, _width(x.shape[-1])).swapaxes(-3, -2)


@lru_cache(maxsize=256)
def _width(size: int) -> int:
    longest = range(min(size, WIDTH), WIDTH // 4, -1)
    return next((n for n in longest if size % n == 0), size)


def multiply(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> Step:
    """out (k, rows, tiles, N, F) from (k, rows, tiles, N, C) and (k, rows, C, F)."""
    rows = left.shape[2] * left.shape[3]
    blocks = products.row_blocks(rows, right.shape[2] * right.shape[3])
    shape = *left.shape[:2], blocks, rows // blocks
    out = out.reshape(*shape, out.shape[-1])
    return np.matmul, left.reshape(*shape, left.shape[-1]), right[:, :, None], out


def multiply_turned(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> Step:
    """out (k, rows, C, F) from (k, rows, tiles, N, C) and (k, rows, tiles, N, F)."""
    rows, (channels, filters) = left.shape[2] * left.shape[3], out.shape[2:]
    blocks = products.row_blocks(channels, rows * filters)
    left = left.reshape(*left.shape[:2], rows, blocks, channels // blocks)
    right = right.reshape(*right.shape[:2], 1, rows, filters)
    out = out.reshape(*out.shape[:2], blocks, channels // blocks, filters)
    return np.matmul, left.transpose(0, 1, 3, 4, 2), right, out
