"""Which cells of a sliding window meet what, once the strides are dealt out.

With a stride of s, every s-th entry of an axis is a row of its own, numbered by its
remainder. On such a row windows move by one entry at a time, and only some cells of
the window meet it.
"""

from itertools import product
from typing import NamedTuple

from minikeras.kernels.windows import Geometry


class Taps(NamedTuple):
    """Cells of the window along one axis, and what they meet.

    The i-th of `cells`, at position p, meets entry `first + p * stride + i * step`.

    `remainder`: only every `Geometry.strides`-th entry, from this one on, takes part;
    entries that are slid over (forward), or positions (input gradient).
    """

    remainder: int
    cells: slice
    number: int
    first: int
    step: int
    stride: int


def forward_taps(geometry: Geometry) -> list[tuple[Taps, ...]]:
    """Taps of each remainder of the last axis; other axes are strided over."""
    leading = [
        Taps(0, slice(None), k, 0, d, s)
        for k, d, s in zip(
            geometry.kernel, geometry.dilation, geometry.strides, strict=True
        )
    ][:-1]
    kernel, stride = geometry.kernel[-1], geometry.strides[-1]
    dilation = geometry.dilation[-1]
    result = []
    for remainder in range(stride):
        cells = [k for k in range(kernel) if k * dilation % stride == remainder]
        if cells:
            apart = cells[1] - cells[0] if len(cells) > 1 else 1
            chosen = slice(cells[0], cells[-1] + 1, apart)
            first, step = cells[0] * dilation // stride, apart * dilation // stride
            last = Taps(remainder, chosen, len(cells), first, step, 1)
            result.append((*leading, last))
    return result


def backward_taps(geometry: Geometry) -> tuple[list[tuple[Taps, ...]], Geometry]:
    """Taps over the padded g for each remainder of every axis, and that padding."""
    axes, pads = [], []
    for size, out, kernel, stride, dilation, (before, _) in zip(
        geometry.sizes,
        geometry.out,
        geometry.kernel,
        geometry.strides,
        geometry.dilation,
        geometry.pads,
        strict=True,
    ):
        taps, low, high = [], 0, out - 1
        for r in range(min(stride, size)):
            cells = [
                k for k in range(kernel) if (r + before - k * dilation) % stride == 0
            ]
            if not cells:
                taps.append(Taps(r, slice(0), 0, 0, 0, 1))
                continue
            apart = cells[1] - cells[0] if len(cells) > 1 else 1
            turned = slice(cells[-1], cells[0] - 1 if cells[0] else None, -apart)
            first = (r + before - cells[-1] * dilation) // stride
            step = apart * dilation // stride
            taps.append(Taps(r, turned, len(cells), first, step, 1))
            positions = len(range(r, size, stride))
            low = min(low, first)
            high = max(high, first + positions - 1 + (len(cells) - 1) * step)
        axes.append([t._replace(first=t.first - low) for t in taps])
        pads.append((-low, high - out + 1))
    padded = geometry._replace(sizes=geometry.out, pads=tuple(pads))
    return list(product(*axes)), padded


def every_other(taps: tuple[Taps, ...], geometry: Geometry) -> tuple[slice, ...]:
    """Index of the entries with the taps' remainders, in an array (N, S, ...)."""
    return (slice(None),) + tuple(
        slice(t.remainder, None, stride)
        for t, stride in zip(taps, geometry.strides, strict=True)
    )
