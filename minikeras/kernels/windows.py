"""Shape arithmetic of convolution and pooling: the one source of it.

Letters: N batch, S spatial sizes, K kernel sizes, O output sizes, C channels.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

Padding = tuple[tuple[int, int], ...]


def output_size(
    size: int | None, kernel: int, stride: int, padding: str, dilation: int = 1
) -> int | None:
    """Positions a window takes along one axis; None stays None.

    `valid`: floor((size - reach) / stride) + 1, at least 0, where
    reach = (kernel - 1) * dilation + 1; `same` and `causal`: ceil(size / stride).

    >>> output_size(28, 3, 2, "valid"), output_size(28, 3, 2, "same")
    (13, 14)
    """
    if size is None:
        return None
    if padding == "valid":
        reach = (kernel - 1) * dilation + 1
        return max(0, (size - reach) // stride + 1)
    return -(-size // stride)


def pad_amounts(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int] | None = None,
) -> Padding:
    """Cells to add before and after along each axis.

    `same` adds max((out - 1) * stride + reach - size, 0) cells, the odd one after;
    `causal` adds reach - 1 before.

    >>> pad_amounts([5, 6], [2, 3], [1, 2], "same")
    ((0, 1), (0, 1))
    """
    if padding == "valid":
        return ((0, 0),) * len(sizes)
    pads = []
    for i, (size, k, stride) in enumerate(zip(sizes, kernel, strides, strict=True)):
        reach = (k - 1) * (dilation[i] if dilation else 1) + 1
        if padding == "causal":
            pads.append((reach - 1, 0))
            continue
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


class Geometry(NamedTuple):
    """Where windows lie on an input: sizes along each spatial axis."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Padding
    out: tuple[int, ...]

    @property
    def cells(self) -> int:
        """Cells in a window."""
        return prod(self.kernel)

    @property
    def positions(self) -> int:
        """Windows on one input."""
        return prod(self.out)

    @property
    def padded(self) -> tuple[int, ...]:
        """Input sizes with the padding."""
        return tuple(s + a + b for s, (a, b) in zip(self.sizes, self.pads, strict=True))

    @property
    def tiled(self) -> bool:
        """Whether windows lie side by side, without padding or gaps."""
        padded = any(before or after for before, after in self.pads)
        return not padded and self.strides == self.kernel and set(self.dilation) == {1}

    @property
    def reach(self) -> tuple[int, ...]:
        """Cells from a window's first to its last, with the gaps of dilation."""
        return tuple(
            (k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)
        )


@lru_cache(maxsize=1024)
def geometry(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    dilation: tuple[int, ...] | None = None,
) -> Geometry:
    """The geometry for a padding given by its name."""
    dilation = dilation or (1,) * len(sizes)
    pads = pad_amounts(sizes, kernel, strides, padding, dilation)
    out = tuple(
        max(0, (size + before + after - (k - 1) * d - 1) // stride + 1)
        for size, k, stride, (before, after), d in zip(
            sizes, kernel, strides, pads, dilation, strict=True
        )
    )
    return Geometry(sizes, kernel, strides, dilation, pads, out)


def joined_geometry(geometry: Geometry, pool: Geometry) -> Geometry:
    """The windows of a pooling's windows: what one pooled number is computed from.

    >>> conv = geometry((6,), (3,), (1,), "valid")
    >>> both = joined_geometry(conv, geometry(conv.out, (2,), (2,), "valid"))
    >>> both.kernel, both.strides, both.out
    ((4,), (2,), (2,))
    """
    sizes = zip(geometry.kernel, pool.kernel, geometry.strides, strict=True)
    kernel = tuple(k + (p - 1) * stride for k, p, stride in sizes)
    steps = zip(pool.strides, geometry.strides, strict=True)
    strides = tuple(p * stride for p, stride in steps)
    return geometry._replace(kernel=kernel, strides=strides, out=pool.out)


def transposed_size(
    size: int | None,
    kernel: int,
    stride: int,
    padding: str,
    output_padding: int | None = None,
    dilation: int = 1,
) -> int | None:
    """Cells that a transposed convolution makes of one axis; None stays None.

    With reach = (kernel - 1) * dilation + 1 and p = `output_padding`: `valid`:
    (size - 1) * stride + reach + p, where p is max(stride - reach, 0) by default;
    `same`: (size - 1) * stride + reach % 2 + p, or size * stride by default.

    >>> transposed_size(5, 3, 2, "valid"), transposed_size(5, 3, 2, "same")
    (11, 10)
    """
    if size is None:
        return None
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        room = stride if output_padding is None else reach % 2 + output_padding
    else:
        room = reach + (
            max(stride - reach, 0) if output_padding is None else output_padding
        )
    return max(0, (size - 1) * stride + room)


@lru_cache(maxsize=1024)
def transposed_geometry(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    output_padding: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
) -> Geometry:
    """The convolution whose input gradient is a transposed one over `sizes`.

    It goes from the large side, `Geometry.sizes`, to the small one, `Geometry.out`.
    `same` cuts the edges of the large side so that of what remains beyond the first
    cell of the last window, one half lies before; an odd cell is cut after.
    """
    rank = len(sizes)
    dilation = dilation or (1,) * rank
    extra = output_padding or (None,) * rank
    large, pads = [], []
    for size, k, stride, p, d in zip(
        sizes, kernel, strides, extra, dilation, strict=True
    ):
        reach, begins = (k - 1) * d + 1, (size - 1) * stride
        made = transposed_size(size, k, stride, padding, p, d) or 0
        before = 0
        if padding == "same":
            before = max(0, reach - 1 - (made - begins + reach - 1) // 2)
        large.append(made)
        pads.append((before, max(0, begins + reach - before - made)))
    return Geometry(tuple(large), kernel, strides, dilation, tuple(pads), sizes)


def sliding(
    x: np.ndarray,
    out: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> np.ndarray:
    """A view (N, O..., K..., C) of x (N, S..., C): the window at each position."""
    rank = len(kernel)
    axes = x.strides[1 : 1 + rank]
    steps = tuple(s * stride for s, stride in zip(axes, strides, strict=True))
    inner = tuple(s * d for s, d in zip(axes, dilation, strict=True))
    return as_strided(
        x,
        (x.shape[0], *out, *kernel, x.shape[-1]),
        (x.strides[0], *steps, *inner, x.strides[-1]),
    )


def axis_overlap(
    size: int, out: int, offset: int, stride: int, before: int
) -> tuple[slice, slice]:
    """Where window cell `offset` meets real input along one axis.

    Returns:
        The range of window positions, and the input cells they meet.
    """
    shift = offset - before
    first = max(0, -(shift // stride)) if shift < 0 else 0
    last = min(out - 1, (size - 1 - shift) // stride)
    start = first * stride + shift
    return (
        slice(first, max(first, last + 1)),
        slice(start, max(start, last * stride + shift + 1), stride),
    )


def axis_overlaps(geometry: Geometry, axis: int) -> list[tuple[slice, slice]]:
    """`axis_overlap` of each cell of the window along one axis."""
    return [
        axis_overlap(
            geometry.sizes[axis],
            geometry.out[axis],
            offset * geometry.dilation[axis],
            geometry.strides[axis],
            geometry.pads[axis][0],
        )
        for offset in range(geometry.kernel[axis])
    ]


Place = tuple[tuple[slice, ...], tuple[slice, ...]]


@lru_cache(maxsize=256)
def cell_places(geometry: Geometry) -> tuple[Place, ...]:
    """For each cell, row by row: the windows that have it, and the inputs it meets.

    Both index an array whose first axis is the batch.
    """
    overlaps = [axis_overlaps(geometry, i) for i in range(len(geometry.kernel))]
    batch = slice(None)
    places = []
    for cell in np.ndindex(*geometry.kernel):
        pairs = [overlaps[axis][offset] for axis, offset in enumerate(cell)]
        positions, inputs = zip(*pairs, strict=True)
        places.append(((batch, *positions), (batch, *inputs)))
    return tuple(places)


class Span(NamedTuple):
    """Some windows along one axis, and the cells they meet."""

    places: slice  # of the windows
    cells: slice  # of the input
    offset: int  # of the first of these, from where the first window begins


def spans(geometry: Geometry, axis: int, most: int) -> tuple[Span, ...]:
    """The windows along an axis with stride 1, at most so many at a time.

    >>> for span in spans(geometry((6,), (3,), (1,), "same"), 0, 3):
    ...     span.places, span.cells, span.offset
    (slice(0, 3, None), slice(0, 4, None), 1)
    (slice(3, 6, None), slice(2, 6, None), 0)
    """
    size, out = geometry.sizes[axis], geometry.out[axis]
    found = []
    for first in range(0, out, max(1, most)):
        last = min(out, first + most)
        start = first - geometry.pads[axis][0]
        end = start + last - first + geometry.reach[axis] - 1
        cells = slice(min(size, max(0, start)), max(0, min(size, end)))
        found.append(Span(slice(first, last), cells, cells.start - start))
    return tuple(found)
