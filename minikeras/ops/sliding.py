"""Windows that slide over the last axes of an array.

`windows` copies what a window shows at each of its positions, `from_windows` adds it
up again where it came from: each is linear and the other's derivative.
"""

from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defvjp
from numpy.lib.stride_tricks import as_strided

from minikeras.kernels.windows import output_size
from minikeras.ops.base import Array, convert, primitive
from minikeras.ops.reshaping import crop, pad_value
from minikeras.validation import int_tuple, positive_int, shape_text


def _positions(sizes, kernel, strides, dilation):
    each = zip(sizes, kernel, strides, dilation, strict=True)
    return tuple(output_size(n, k, s, "valid", d) for n, k, s, d in each)


@primitive
def windows(x, *, kernel, strides, dilation, kernel_first=False):
    """(..., positions, kernel) of (..., sizes); or the kernel before the positions."""
    x = np.ascontiguousarray(x)
    rank = len(kernel)
    before, steps = x.ndim - rank, x.strides[x.ndim - rank :]
    out = _positions(x.shape[before:], kernel, strides, dilation)
    shapes = [out, kernel]
    jumps = [
        tuple(s * n for s, n in zip(steps, strides, strict=True)),
        tuple(s * n for s, n in zip(steps, dilation, strict=True)),
    ]
    if kernel_first:
        shapes.reverse()
        jumps.reverse()
    view = as_strided(
        x,
        x.shape[:before] + shapes[0] + shapes[1],
        x.strides[:before] + jumps[0] + jumps[1],
        writeable=False,
    )
    return view.copy()


@primitive
def from_windows(g, *, sizes, kernel, strides, dilation, kernel_first=False):
    """Each cell of each window added to its place in zeros (..., sizes)."""
    rank = len(kernel)
    before = g.ndim - 2 * rank
    first, second = g.shape[before:-rank], g.shape[-rank:]
    steps = (dilation, strides) if kernel_first else (strides, dilation)
    if prod(first) > prod(second):  # fewer and longer additions
        g = np.moveaxis(g, range(before, before + rank), range(-rank, 0))
        first, second, steps = second, first, steps[::-1]
    x = np.zeros(g.shape[:before] + tuple(sizes), g.dtype)
    for cell in np.ndindex(*first) if g.size else ():
        places = zip(cell, steps[0], second, steps[1], strict=True)
        block = tuple(
            slice(c * s, c * s + (n - 1) * step + 1, step) for c, s, n, step in places
        )
        x[(slice(None),) * before + block] += g[(slice(None),) * before + cell]
    return x


def _back(y, x, **options):
    sizes = anp.shape(x)[-len(options["kernel"]) :]
    return lambda g: from_windows(g, sizes=sizes, **options)


defvjp(windows, _back)
defvjp(from_windows, lambda y, g, sizes, **options: lambda u: windows(u, **options))
def_linear(windows)
def_linear(from_windows)


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Array:
    """The windows of a length along the last axis, `sequence_stride` apart.

    Args:
        x: array (..., N).
        sequence_length: cells of a window.
        sequence_stride: cells from the start of one to the start of the next.

    Output shape: (..., 1 + (N - length) // stride, length); no windows if N is smaller
    than the length.

    Raises:
        ValueError: for a length or stride that is no positive integer, or an `x`
            without axes.

    >>> extract_sequences([1.0, 2.0, 3.0, 4.0, 5.0], 3, 2)
    array([[1., 2., 3.],
           [3., 4., 5.]], dtype=float32)
    """
    x = convert(x)
    length = positive_int(sequence_length, "sequence_length", "extract_sequences")
    stride = positive_int(sequence_stride, "sequence_stride", "extract_sequences")
    if x.ndim < 1:
        raise ValueError("extract_sequences: `x` must have an axis. Received: a number")
    return windows(x, kernel=(length,), strides=(stride,), dilation=(1,))


def _two(value, name, owner, least=1):
    if least:
        return int_tuple(value, 2, name, owner)
    pair = (value, value) if isinstance(value, int | np.integer) else value
    if (
        not isinstance(pair, list | tuple)
        or len(pair) != 2
        or not all(isinstance(n, int | np.integer) and n >= 0 for n in pair)
    ):
        raise ValueError(
            f"{owner}: `{name}` must be a whole number, at least 0, or two of them. "
            f"Received: {name}={value!r}"
        )
    return tuple(int(n) for n in pair)


def _geometry(kernel_size, dilation, padding, stride, owner):
    options = {
        "kernel": _two(kernel_size, "kernel_size", owner),
        "strides": _two(stride, "stride", owner),
        "dilation": _two(dilation, "dilation", owner),
        "kernel_first": True,
    }
    pads = _two(padding, "padding", owner, least=0)
    return options, ((0, 0), (0, 0), (pads[0],) * 2, (pads[1],) * 2)


def unfold(
    x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Array:
    """The cells under a sliding window as columns (im2col); `fold` is the way back.

    Args:
        x: images (N, C, H, W), channels first.
        kernel_size: cells of the window; one number or two, as for the others.
        dilation: distance of its cells.
        padding: zeros on each side.
        stride: cells from one position to the next.

    Output shape: (N, C * kernel cells, positions).

    Raises:
        ValueError: for arrays of another rank, and for numbers that are not positive
            integers (0 is allowed for `padding`).

    >>> unfold(np.arange(4.0).reshape(1, 1, 2, 2), (1, 2))
    array([[[0., 2.],
            [1., 3.]]])
    """
    x = convert(x)
    needs_rank(x, 4, "unfold", "(N, C, H, W)")
    options, widths = _geometry(kernel_size, dilation, padding, stride, "unfold")
    y = windows(pad_value(x, widths=widths), **options)
    n, channels, kh, kw, oh, ow = y.shape
    return anp.reshape(y, (n, channels * kh * kw, oh * ow))


def fold(
    x: Any,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Array:
    """Columns of window cells added up where `unfold` took them (col2im).

    Args:
        x: columns (N, C * kernel cells, positions).
        output_size: H and W of the images.
        kernel_size: as for `unfold`, like the following.
        dilation: distance of the cells of the window.
        padding: zeros that were put on each side.
        stride: cells from one position to the next.

    Output shape: (N, C, H, W). Cells that no window reaches are 0.

    Raises:
        ValueError: for arrays of another shape than `unfold` makes of such images.

    >>> fold(np.ones((1, 4, 4)), 3, 2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    x = convert(x)
    needs_rank(x, 3, "fold", "(N, C * kernel cells, positions)")
    size = _two(output_size, "output_size", "fold")
    options, widths = _geometry(kernel_size, dilation, padding, stride, "fold")
    kernel = options["kernel"]
    sizes = tuple(n + 2 * pads[0] for n, pads in zip(size, widths[2:], strict=True))
    out = _positions(sizes, kernel, options["strides"], options["dilation"])
    if x.shape[1] % prod(kernel) or x.shape[2] != prod(out):
        raise ValueError(
            f"fold: for images of {shape_text(size)} and windows of "
            f"{shape_text(kernel)}, `x` must have shape (N, C * {prod(kernel)}, "
            f"{prod(out)}). Received: shape {shape_text(x.shape)}"
        )
    channels = x.shape[1] // prod(kernel)
    cells = anp.reshape(x, (x.shape[0], channels, *kernel, *out))
    return crop(from_windows(cells, sizes=sizes, **options), widths=widths)


def needs_rank(x, rank, owner, layout):
    if x.ndim != rank:
        raise ValueError(
            f"{owner}: `x` must be of shape {layout}. Received: shape "
            f"{shape_text(x.shape)}"
        )
