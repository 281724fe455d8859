"""Parts of complex numbers; a real number is one without an imaginary part."""

from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.numpy import convert_to_numpy


def real(x: Any) -> Array:
    """The real part."""
    x = convert(x)
    return anp.real(x) if x.dtype.kind == "c" else x


def imag(x: Any) -> Array:
    """The imaginary part, 0 for real numbers."""
    x = convert(x)
    return anp.imag(x) if x.dtype.kind == "c" else np.zeros(x.shape, x.dtype)


def conjugate(x: Any) -> Array:
    """x with the sign of its imaginary part turned round."""
    x = convert(x)
    return anp.conj(x) if x.dtype.kind == "c" else x


def conj(x: Any) -> Array:
    """x with the sign of its imaginary part turned round, as `conjugate`."""
    return conjugate(x)


def angle(x: Any) -> Array:
    """The angle to the positive real axis: 0 or pi for real numbers.

    >>> angle([1.0, -1.0])
    array([0.       , 3.1415927], dtype=float32)
    """
    x = float_array(x)
    if x.dtype.kind == "c":
        return anp.angle(x)
    x = getval(x)
    return np.arctan2(np.zeros_like(x), x)


def isreal(x: Any) -> np.ndarray:
    """Whether the imaginary part is 0."""
    return np.asarray(np.isreal(convert_to_numpy(x)))
