"""Complex numbers put together of real ones and taken apart.

autograd's gradient of a real function by z = x + iy is the derivative by x minus i
times that by y; the derivatives here are in that form.
"""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defjvp, defvjp

from minikeras.ops.base import Array, convert, float_array, primitive
from minikeras.ops.numpy import _common
from minikeras.ops.stacking import stack, unstack
from minikeras.validation import shape_text


@primitive
def complex_of(x, y):
    """x + iy, of real arrays of one type and shape."""
    z = np.empty(x.shape, np.result_type(x.dtype, np.complex64))
    z.real, z.imag = x, y
    return z


@primitive
def real_part(z):
    return np.array(z.real)


@primitive
def imaginary_part(z):
    return np.array(z.imag)


def _zeros(x):
    return np.zeros(x.shape, np.real(np.zeros((), x.dtype)).dtype)


defvjp(
    complex_of,
    lambda z, x, y: lambda g: real_part(g),
    lambda z, x, y: lambda g: anp.negative(imaginary_part(g)),
)
defjvp(
    complex_of,
    lambda d, z, x, y: complex_of(d, _zeros(d)),
    lambda d, z, x, y: complex_of(_zeros(d), d),
)
defvjp(real_part, lambda x, z: lambda g: complex_of(g, _zeros(g)))
defvjp(imaginary_part, lambda y, z: lambda g: complex_of(_zeros(g), anp.negative(g)))
def_linear(real_part)
def_linear(imaginary_part)


def polar(abs_: Any, angle: Any) -> Array:
    """The complex numbers abs (cos(angle) + i sin(angle)).

    Args:
        abs_: distances from 0.
        angle: angles to the positive real axis, in radians.

    >>> polar([2.0], [0.0])
    array([2.+0.j], dtype=complex64)
    """
    radius, turn = _common(float_array(abs_), float_array(angle))
    return complex_of(
        anp.multiply(radius, anp.cos(turn)), anp.multiply(radius, anp.sin(turn))
    )


def view_as_complex(x: Any) -> Array:
    """Complex numbers of pairs of real and imaginary parts.

    Args:
        x: array (..., 2).

    Output shape: (...).

    Raises:
        ValueError: if the last axis is not of length 2.

    >>> view_as_complex([[1.0, 2.0]])
    array([1.+2.j], dtype=complex64)
    """
    x = float_array(x)
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError(
            "view_as_complex: the last axis must have length 2, for the real and the "
            f"imaginary part. Received: shape {shape_text(x.shape)}"
        )
    return complex_of(*unstack(x, axis=-1))


def view_as_real(x: Any) -> Array:
    """Real and imaginary parts of complex numbers, along a new last axis.

    >>> view_as_real(np.array([1 + 2j], "complex64"))
    array([[1., 2.]], dtype=float32)
    """
    x = convert(x)
    if x.dtype.kind != "c":
        return stack([x, np.zeros(x.shape, x.dtype)], axis=-1)
    return stack([real_part(x), imaginary_part(x)], axis=-1)
