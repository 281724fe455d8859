"""Fourier transforms of overlapping pieces of a signal."""

import math
from typing import Any

import numpy as np

from minikeras.ops.base import Array, convert, getval
from minikeras.ops.numpy import broadcast_to, divide, multiply, square, where
from minikeras.ops.reshaping import crop, pad
from minikeras.ops.sliding import extract_sequences, from_windows
from minikeras.ops.spectral import (
    complex_pair,
    from_half_spectrum,
    half_spectrum,
    parts_of,
)
from minikeras.validation import positive_int, shape_text


def _window(window, length, fft_length, dtype, owner):
    """The window's numbers, in the middle of `fft_length` cells."""
    if window is None:
        return np.ones(fft_length, dtype)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(
                f"{owner}: `window` must be 'hann', 'hamming', None or an array. "
                f"Received: window={window!r}"
            )
        middle = 0.5 if window == "hann" else 0.54
        turn = 2 * math.pi * np.arange(length) / length
        window = middle - (1 - middle) * np.cos(turn) if length > 1 else np.ones(1)
    window = convert(window, dtype)
    if window.shape != (length,):
        raise ValueError(
            f"{owner}: `window` must have shape ({length},), the `sequence_length`. "
            f"Received: shape {shape_text(window.shape)}"
        )
    before = (fft_length - length) // 2
    return pad(window, ((before, fft_length - length - before),))


def _lengths(sequence_length, sequence_stride, fft_length, owner):
    named = (
        ("sequence_length", sequence_length),
        ("sequence_stride", sequence_stride),
        ("fft_length", fft_length),
    )
    length, stride, size = (positive_int(value, name, owner) for name, value in named)
    if size < length:
        raise ValueError(
            f"{owner}: `fft_length` must be at least `sequence_length`. Received: "
            f"fft_length={size}, sequence_length={length}"
        )
    return length, stride, size


def stft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> tuple[Array, Array]:
    """`rfft` of overlapping pieces of a signal, each multiplied by a window.

    Args:
        x: signals (..., N), floats.
        sequence_length: numbers in a window.
        sequence_stride: numbers from one window to the next.
        fft_length: numbers in a piece, at least `sequence_length`; the window is in
            its middle.
        window: `"hann"`, `"hamming"`, an array of `sequence_length` numbers, or None
            for ones in the whole piece.
        center: whether piece t lies around, and does not begin at, number t * stride;
            the signal is mirrored at its ends.

    Returns:
        Real and imaginary parts, (..., pieces, fft_length // 2 + 1).

    Raises:
        ValueError: for lengths that are no positive integers or do not fit, and other
            windows.
        TypeError: for signals that are not float32 or float64.

    >>> real, imaginary = stft(np.ones(8), 4, 2, 4)
    >>> real.shape, float(real[0, 0])
    ((5, 3), 2.0)
    """
    x = convert(x)
    if x.dtype not in (np.float32, np.float64) or x.ndim < 1:
        raise TypeError(
            "stft: `x` must be signals of float32 or float64. Received: an array of "
            f"dtype {x.dtype}, shape {shape_text(x.shape)}"
        )
    length, stride, size = _lengths(
        sequence_length, sequence_stride, fft_length, "stft"
    )
    factors = _window(window, length, size, x.dtype, "stft")
    if center:
        ends = ((0, 0),) * (x.ndim - 1) + ((size // 2, size // 2),)
        x = pad(x, ends, mode="reflect")
    if x.shape[-1] < size:
        raise ValueError(
            f"stft: a signal of {x.shape[-1]} numbers has no piece of {size}, the "
            "`fft_length`."
        )
    pieces = multiply(extract_sequences(x, size, stride), factors)
    return parts_of(half_spectrum(pieces, length=size))


def istft(
    x: tuple[Any, Any],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Array:
    """The signal of which `stft` with the same arguments makes these pieces.

    Without a window the pieces are not divided by their number at a place: the result
    is the signal times fft_length / sequence_stride, as in Keras.

    Args:
        x: real and imaginary parts (..., pieces, fft_length // 2 + 1).
        sequence_length: numbers in a window.
        sequence_stride: numbers from one window to the next.
        fft_length: numbers in a piece.
        length: cut the signal to this many numbers.
        window: as for `stft`.
        center: as for `stft`; what was added at the ends is cut off.

    Raises:
        ValueError: for anything but two arrays of floats of one shape, lengths that
            are no positive integers or do not fit, and other windows.

    >>> signal = np.arange(8.0)
    >>> istft(stft(signal, 4, 2, 4), 4, 2, 4).round(6) + 0
    array([0., 1., 2., 3., 4., 5., 6., 7.])
    """
    z = complex_pair(x, "istft", 2)
    part, stride, size = _lengths(sequence_length, sequence_stride, fft_length, "istft")
    pieces = from_half_spectrum(z, length=size)
    factors = _window(window, part, size, pieces.dtype, "istft")
    options = {"kernel": (size,), "strides": (stride,), "dilation": (1,)}
    total = size + stride * (z.shape[-2] - 1)

    def added(parts):
        return from_windows(parts, sizes=(total,), **options)

    signal = added(multiply(pieces, factors))
    squares = square(factors)
    weight = added(broadcast_to(squares, (z.shape[-2], size)))
    signal = divide(signal, where(getval(weight) > 1e-10, weight, 1.0))
    if window is None:
        signal = multiply(signal, size / stride)
    start = size // 2 if center else 0
    stop = total - start if length is None else min(start + length, total)
    widths = ((0, 0),) * (signal.ndim - 1) + ((start, total - stop),)
    return crop(signal, widths=widths)
