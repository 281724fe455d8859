"""Fourier transforms of real and imaginary parts, with the names of `keras.ops`.

A transform is linear and symmetric, so that it is its own transposed; a half spectrum
of real numbers goes with the inverse, its inner frequencies counted twice.
"""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defvjp

from minikeras.ops.base import Array, convert, float_array, primitive
from minikeras.ops.complex_numbers import complex_of, imaginary_part, real_part
from minikeras.ops.reshaping import crop, pad
from minikeras.validation import positive_int, shape_text


@primitive
def _transform(z, *, axes, inverse):
    turn = np.fft.ifftn if inverse else np.fft.fftn
    return turn(z, axes=axes).astype(z.dtype, copy=False)


defvjp(
    _transform,
    lambda y, z, axes, inverse: lambda g: _transform(g, axes=axes, inverse=inverse),
)
def_linear(_transform)


@primitive
def half_spectrum(x, *, length):
    y = np.fft.rfft(x, length)
    return y.astype(np.result_type(x.dtype, np.complex64), copy=False)


@primitive
def from_half_spectrum(z, *, length):
    return np.fft.irfft(z, length).astype(z.real.dtype, copy=False)


def _often(length, like):
    """How often each frequency of a half spectrum occurs in the whole."""
    number = np.full(length // 2 + 1, 2, like.dtype)
    number[0] = 1
    if length % 2 == 0:
        number[-1] = 1
    return number


def _fitted(x, size):
    """The last axis cut, or filled with zeros, to a size."""
    after = size - x.shape[-1]
    if after == 0:
        return x
    widths = ((0, 0),) * (x.ndim - 1) + ((0, abs(after)),)
    return pad(x, widths) if after > 0 else crop(x, widths=widths)


def _half_back(y, x, length):
    def vjp(g):
        g = anp.divide(anp.conj(g), _often(length, g))
        total = from_half_spectrum(g, length=length)
        total = anp.multiply(total, np.asarray(length, total.dtype))
        return _fitted(total, anp.shape(x)[-1])

    return vjp


def _whole_back(y, z, length):
    def vjp(g):
        spectrum = anp.conj(half_spectrum(g, length=length))
        number = _often(length, spectrum) / np.asarray(length, spectrum.dtype)
        return _fitted(anp.multiply(spectrum, number), anp.shape(z)[-1])

    return vjp


defvjp(half_spectrum, _half_back)
defvjp(from_half_spectrum, _whole_back)
def_linear(half_spectrum)
def_linear(from_half_spectrum)


def complex_pair(x: Any, owner: str, rank: int = 1) -> Array:
    """The complex array of a pair of real and imaginary parts."""
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise ValueError(
            f"{owner}: `x` must be a pair, real and imaginary parts. Received: "
            f"{type(x).__name__}"
        )
    real, imaginary = convert(x[0]), convert(x[1])
    if real.shape != imaginary.shape or real.ndim < rank:
        raise ValueError(
            f"{owner}: real and imaginary parts must have the same shape, of at least "
            f"{rank} axes. Received: {shape_text(real.shape)} and "
            f"{shape_text(imaginary.shape)}"
        )
    if real.dtype.kind != "f" or real.dtype != imaginary.dtype:
        raise ValueError(
            f"{owner}: real and imaginary parts must be floats of one type. Received: "
            f"{real.dtype} and {imaginary.dtype}"
        )
    return complex_of(real, imaginary)


def parts_of(z: Array) -> tuple[Array, Array]:
    return real_part(z), imaginary_part(z)


def fft(x: tuple[Any, Any]) -> tuple[Array, Array]:
    """The Fourier transform along the last axis: sum of x[n] exp(-2 pi i k n / N).

    Args:
        x: real and imaginary parts, two arrays of floats.

    Returns:
        Real and imaginary parts, of the same shape.

    Raises:
        ValueError: for anything but two arrays of floats of one shape.

    >>> fft((np.array([1.0, 2.0]), np.array([0.0, 1.0])))
    (array([ 3., -1.]), array([ 1., -1.]))
    """
    return parts_of(_transform(complex_pair(x, "fft"), axes=(-1,), inverse=False))


def fft2(x: tuple[Any, Any]) -> tuple[Array, Array]:
    """The Fourier transform along the last two axes. Arguments as for `fft`.

    >>> fft2((np.ones((2, 2)), np.zeros((2, 2))))[0]
    array([[4., 0.],
           [0., 0.]])
    """
    return parts_of(
        _transform(complex_pair(x, "fft2", 2), axes=(-2, -1), inverse=False)
    )


def ifft2(x: tuple[Any, Any]) -> tuple[Array, Array]:
    """The inverse of `fft2`. Arguments as for `fft`.

    >>> ifft2((np.array([[4.0, 0.0], [0.0, 0.0]]), np.zeros((2, 2))))[0]
    array([[1., 1.],
           [1., 1.]])
    """
    return parts_of(
        _transform(complex_pair(x, "ifft2", 2), axes=(-2, -1), inverse=True)
    )


def rfft(x: Any, fft_length: int | None = None) -> tuple[Array, Array]:
    """The Fourier transform of real numbers along the last axis: the half of it that
    is not the conjugate of the other.

    Args:
        x: array (..., N).
        fft_length: cut x, or fill it with zeros, to this length; None for N.

    Returns:
        Real and imaginary parts, (..., fft_length // 2 + 1).

    Raises:
        ValueError: for an `x` without axes, or a length that is no positive integer.

    >>> rfft(np.array([1.0, 2.0, 3.0, 4.0]))
    (array([10., -2., -2.]), array([0., 2., 0.]))
    """
    x = float_array(x)
    if x.ndim < 1:
        raise ValueError("rfft: `x` must have an axis. Received: a number")
    length = x.shape[-1] if fft_length is None else fft_length
    return parts_of(half_spectrum(x, length=positive_int(length, "fft_length", "rfft")))


def irfft(x: tuple[Any, Any], fft_length: int | None = None) -> Array:
    """The inverse of `rfft`.

    Args:
        x: real and imaginary parts, two arrays of floats (..., K).
        fft_length: length of the result, which must be given if it is odd; 2 (K - 1)
            for None.

    Raises:
        ValueError: for anything but two arrays of floats of one shape, or a length
            that is no positive integer.

    >>> irfft((np.array([10.0, -2.0, -2.0]), np.array([0.0, 2.0, 0.0])))
    array([1., 2., 3., 4.])
    """
    z = complex_pair(x, "irfft")
    length = 2 * (z.shape[-1] - 1) if fft_length is None else fft_length
    return from_half_spectrum(z, length=positive_int(length, "fft_length", "irfft"))
