"""Convolution of images by products of their discrete Fourier transforms.

A filter of 3 by 3 cells that is moved over 8 by 8 places takes 576 multiplications for
each channel and filter; transforms of length 10 take 150. They are themselves products
by small matrices (`fourier.py`), one along each axis, with no windows copied and no
padding: rows of zeros are left out.

    y    from x^ conj(w^), summed over channels
    dx   from g^ w^, summed over filters
    dw   from the conjugate of conj(x^) g^, summed over images

Each k of the first axis is a task of its own, in four calls: the transforms of both
factors along the second axis; a stack of products of matrices, one for each q and each
of P1, P2 and P3; and back along the second axis. Threads must hardly need the
interpreter in between, so the calls of a task are made once, with all their arrays, and
kept (benchmarks/kernels.py, "conv-fourier", which also shows where this pays: with many
channels and many cells). Errors are as large as those of sums over windows.

But where all the inputs of a window are zero, the sum over frequencies leaves rounding
errors instead of zero, and ReLU would let half of their gradients pass: such windows
are looked for, and y is zero there. A NaN spreads over its tile, not only over the
windows it meets.

Letters as in `conv.py` and `spectra.py`.

References: M. Mathieu, M. Henaff and Y. LeCun, Fast Training of Convolutional Networks
through FFTs (2014), https://arxiv.org/abs/1312.5851.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from minikeras import config
from minikeras.kernels import blocking, destinations, fourier, products
from minikeras.kernels.dense import masked, sum_rows
from minikeras.kernels.fourier import Plan
from minikeras.kernels.pool import reduce_windows
from minikeras.kernels.spectra import (
    APART,
    Filters,
    Images,
    Spectra,
    back,
    multiply,
    multiply_turned,
    to,
)
from minikeras.kernels.steps import Step, do, put
from minikeras.kernels.windows import Geometry
from minikeras.kernels.workspace import Workspace, workspace

MOST_ALONE = 0.9  # of the arithmetic of sums over windows, for y or dx
MOST_TOGETHER = 1.05  # for dw, and dx with it
SLAB_BYTES = 64 << 20  # of images transformed along one axis at a time
CHUNK_BYTES = 4 << 20  # of images transformed along both
LONG_CALL = 10e6  # multiplications that are worth a call
PASSES = 4  # operations on each number of an image, to count how many tasks are worth


def plan(
    geometry: Geometry, count: int, w: np.ndarray, wanted: str, groups: int = 1
) -> Plan | None:
    """How to find what is wanted, some of "y", "x", "w" and "b", for `count` images.

    None if sums over windows are faster.
    """
    if groups != 1 or wanted == "b" or w.dtype.char not in "fd":
        return None
    if not products.multiplies_unpacked():
        return None
    most = MOST_TOGETHER if "w" in wanted else MOST_ALONE
    return fourier.plan(geometry, *w.shape[-2:], count, most)


def convolve(
    x: np.ndarray,
    w: np.ndarray,
    geometry: Geometry,
    tilings: Plan,
    finish: Callable[[np.ndarray], list[Step]],
) -> np.ndarray:
    """y (N, O, F); what `finish` makes of rows is done while they are in cache."""
    x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
    y = blocking.empty((len(x), *geometry.out, w.shape[-1]), x.dtype)
    for slab in _slabs(len(x), geometry, w):
        _convolve_slab(x[slab], w, y[slab], geometry, tilings, finish)
    return y


def _convolve_slab(
    x: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    geometry: Geometry,
    tilings: Plan,
    finish: Callable[[np.ndarray], list[Step]],
) -> None:
    program = _program(geometry, tilings, len(x), w, "y")
    squares = np.empty(x.shape[:-1], x.dtype)
    square = partial(np.einsum, "nabc,nabc->nab")
    parts = _parts(len(x), geometry, w)
    first: list[list[Step]] = []
    for part in parts:
        images = x[part]
        steps = program.x.begin(images, part)
        first.append([*steps, (square, images, images, squares[part])])
    first += program.w.begin(w)
    blocking.parallel(do, first)
    program.run()
    dark = None
    if not squares.all():
        dark = _dark_windows(_dark_cells(x, squares), geometry)
    last = []
    for part in parts:
        found = y[part]
        steps = program.y.end(found, part)
        if dark is not None:
            steps.append(put(found, dark[part], 0))
        last.append(steps + finish(found.reshape(-1, found.shape[-1])))
    blocking.parallel(do, last)


def _dark_cells(x: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Cells (N, S) of zeros alone; the squares of small numbers are zero as well."""
    dark = squares == 0
    dark[dark] = ~x[dark].any(axis=-1)
    return dark


def _dark_windows(dark: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Windows (N, O) of which all cells (N, S) are dark; those of the padding are."""
    found = np.empty((len(dark), *geometry.out, 1), bool)
    reduce_windows(dark[..., None], found, geometry, np.logical_and, True)
    return found[..., 0]


def backward(
    x: np.ndarray | None,
    w: np.ndarray,
    relu_output: np.ndarray | None,
    g: np.ndarray,
    geometry: Geometry,
    tilings: Plan,
    wanted: str,
) -> tuple[Any, Any, Any]:
    """dx, dw and db; None where not wanted. Arguments as in `conv.backward`."""
    g, w = np.ascontiguousarray(g), np.ascontiguousarray(w)
    dx = dw = db = None
    if "x" in wanted:
        dx = blocking.empty((len(g), *geometry.sizes, w.shape[-2]), g.dtype)
    if x is not None:
        x = np.ascontiguousarray(x)
    for slab in _slabs(len(g), geometry, w):
        of_images = (None if a is None else a[slab] for a in (x, relu_output, dx))
        found_w, found_b = _backward_slab(
            g[slab], w, geometry, tilings, wanted, *of_images
        )
        dw = found_w if dw is None else np.add(dw, found_w, out=dw)
        db = found_b if db is None else np.add(db, found_b, out=db)
    return dx, dw, db


def _backward_slab(
    g: np.ndarray,
    w: np.ndarray,
    geometry: Geometry,
    tilings: Plan,
    wanted: str,
    x: np.ndarray | None,
    relu_output: np.ndarray | None,
    dx: np.ndarray | None,
) -> tuple[Any, Any]:
    kind = "".join(letter for letter in "xw" if letter in wanted)
    program = _program(geometry, tilings, len(g), w, kind)
    parts = _parts(len(g), geometry, w)
    sums_b = np.empty((len(parts), g.shape[-1]), g.dtype) if "b" in wanted else None
    first: list[list[Step]] = []
    for index, part in enumerate(parts):
        grad = g[part]
        steps: list[Step] = []
        if relu_output is not None:
            steps, grad = masked(grad, relu_output[part])
        steps += program.g.begin(grad, part)
        if sums_b is not None:
            steps += sum_rows(grad.reshape(-1, grad.shape[-1]), sums_b[index])
        if "w" in wanted and x is not None:
            steps += program.x.begin(x[part], part)
        first.append(steps)
    last: list[list[Step]] = []
    if dx is not None:
        first += program.w.begin(w)
        last += [program.dx.end(dx[part], part) for part in parts]
    dw = None
    if "w" in wanted:
        dw = destinations.gradient_of(w, g.dtype)
        last += program.dw.end(dw)
    blocking.parallel(do, first)
    program.run()
    blocking.parallel(do, last)
    return dw, None if sums_b is None else np.add.reduce(sums_b, axis=0)


def _parts(count: int, geometry: Geometry, w: np.ndarray) -> list[slice]:
    """Slices of images for what is done to each of their numbers."""
    numbers = _numbers(geometry, w)
    return blocking.slices(count, numbers * w.itemsize, numbers * PASSES)


def _slabs(count: int, geometry: Geometry, w: np.ndarray) -> list[slice]:
    """As many images at a time as leave memory to others."""
    most = max(1, SLAB_BYTES // (2 * _numbers(geometry, w) * w.itemsize))
    length = -(-count // -(-count // most))
    return blocking.cut(count, length)


def _numbers(geometry: Geometry, w: np.ndarray) -> int:
    """Numbers of an image and of its result."""
    return prod(geometry.sizes) * w.shape[-2] + geometry.positions * w.shape[-1]


class _Program:
    """What is the same for all images of one shape: arrays, and the calls for each k.

    Args:
        wanted: "y", or what of dx and dw: "x", "w" or "xw".
    """

    x: Images
    y: Images
    g: Images
    dx: Images
    w: Filters
    dw: Filters

    def __init__(
        self,
        memory: Workspace,
        threads: int,
        geometry: Geometry,
        tilings: Plan,
        count: int,
        each: tuple[int, int],
        dtype: np.dtype,
        wanted: str,
    ) -> None:
        self._rows, self._count, self._each = 3 * tilings[1].length, count, each
        images = partial(Images, tilings, count)
        filters = partial(Filters, geometry, tilings, each)
        make: list[Callable[[Spectra, slice, slice], list[Step]]] = []
        sides: list[Images | Filters] = []
        if wanted == "y":
            self.x = images(each[0], True, to(1, left=True))
            self.w = filters(False, to(-1, left=False))
            self.y = images(each[1], False, back(1))
            make.append(partial(self._products, self.x, self.w, self.y))
            sides += [self.x, self.w, self.y]
        else:
            self.g = images(each[1], False, to(1, left=True))
            sides.append(self.g)
        if "w" in wanted:
            self.x = images(each[0], True, to(-1, left=False))
            self.dw = filters(False, back(-1))
            make.append(partial(self._sums, self.x, self.g, self.dw))
            sides += [self.x, self.dw]
        if "x" in wanted:
            self.w = filters(True, to(1, left=False))
            self.dx = images(each[0], True, back(1))
            make.append(partial(self._products, self.g, self.w, self.dx))
            sides += [self.w, self.dx]

        tiles = len(tilings[0].spans) * len(tilings[1].spans)
        work = self._rows * tiles * count * prod(each)
        groups = _groups(tilings[0].length // 2, work)
        most = max(ks.stop - ks.start for ks in groups) * self._rows
        self._chunk = max(1, CHUNK_BYTES // (most * tiles * sum(each) * dtype.itemsize))
        self._chunk = min(self._chunk, count)
        room = most * (self._chunk * tiles * sum(each) + 2 * prod(each) + 4 * APART)
        shapes = [shape for side in sides for shape in side.shapes]
        *halves, spectra = memory.arrays([*shapes, (threads, room)], dtype)
        for side in sides:
            side.bind(halves[: len(side.shapes)])
            del halves[: len(side.shapes)]

        items = [(steps, ks, slice(0, count)) for ks in groups for steps in make]
        if wanted != "w" and len(items) % 2:  # two threads share the last one
            steps, ks, _ = items.pop()
            middle = count // 2
            items += [(steps, ks, slice(0, middle)), (steps, ks, slice(middle, count))]
        self._steps = [
            [steps(Spectra(ks, self._rows, own), ks, part) for steps, ks, part in items]
            for own in spectra
        ]

    def run(self) -> None:
        """Make the products of all that has been begun."""
        free = deque(self._steps)  # what a thread takes, no other one writes to

        def task(index: int) -> None:
            steps = free.pop()
            do(steps[index])
            free.append(steps)

        blocking.parallel(task, range(len(self._steps[0])), len(self._steps))

    def _products(
        self,
        images: Images,
        filters: Filters,
        result: Images,
        spectra: Spectra,
        ks: slice,
        part: slice,
    ) -> list[Step]:
        right = spectra.new(*filters.each)
        steps = [filters.to_spectrum(ks, right)]
        used = spectra.used
        for chunk in self._chunks(part):
            spectra.used = used
            left = images.new_spectrum(spectra, chunk)
            found = result.new_spectrum(spectra, chunk)
            steps += images.to_spectrum(ks, chunk, left)
            steps.append(multiply(left, right, found))
            steps += result.from_spectrum(ks, chunk, found)
        return steps

    def _sums(
        self,
        images: Images,
        grads: Images,
        result: Filters,
        spectra: Spectra,
        ks: slice,
        part: slice,
    ) -> list[Step]:
        total, more = spectra.new(*result.each), spectra.new(*result.each)
        steps: list[Step] = []
        used = spectra.used
        for chunk in self._chunks(part):
            spectra.used = used
            right = images.new_spectrum(spectra, chunk)
            left = grads.new_spectrum(spectra, chunk)
            steps += images.to_spectrum(ks, chunk, right)
            steps += grads.to_spectrum(ks, chunk, left)
            found = more if chunk.start else total
            steps.append(multiply_turned(right, left, found))
            if chunk.start:
                steps.append((np.add, total, more, total))
        return [*steps, result.from_spectrum(ks, total)]

    def _chunks(self, part: slice) -> list[slice]:
        count = part.stop - part.start
        length = max(1, -(-count // max(1, -(-count // self._chunk))))
        chunks = blocking.cut(count, length)
        return [slice(part.start + c.start, part.start + c.stop) for c in chunks]


def _groups(count: int, work: int) -> list[slice]:
    """Which k to take at a time: an even number of groups, and one more if need be."""
    even = count - count % 2
    together = max(1, min(even // 2, int(LONG_CALL // max(1, work))))
    number = max(1, even // (2 * together)) * 2 if even else 0
    cuts = [even * i // number for i in range(number + 1)] if even else [0]
    found = [slice(a, b) for a, b in pairwise(cuts)]
    return [*found, slice(even, count)] if count > even else found


def _program(
    geometry: Geometry, tilings: Plan, count: int, w: np.ndarray, wanted: str
) -> _Program:
    memory = workspace()
    threads = config.threads()
    each, dtype = w.shape[2:], w.dtype
    cuts = tuple(len(tiling.spans) for tiling in tilings)
    return memory.program(
        (threads, geometry, cuts, count, each, dtype, wanted),
        lambda: _Program(
            memory, threads, geometry, tilings, count, each, dtype, wanted
        ),
    )
