"""Circular and hyperbolic functions of angles in radians, and their inverses."""

import math
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp

from minikeras.ops.base import Array, constant_like, float_array, primitive
from minikeras.ops.numpy import _divide, _sqrt
from minikeras.ops.promotion import float_operands, of_one, of_two


def _one_plus(y):
    return anp.add(constant_like(1, y), y)


def _one_minus(y):
    return anp.subtract(constant_like(1, y), y)


def _over(divisor):
    return _divide(constant_like(1, divisor), divisor)


def _squared(x):
    return anp.multiply(x, x)


def _sum_of_squares(x, y):
    return anp.add(_squared(x), _squared(y))


_sin: Any = of_one(np.sin, lambda y, x: _cos(x))
_cos: Any = of_one(np.cos, lambda y, x: anp.negative(_sin(x)))
_tan = of_one(np.tan, lambda y, x: _one_plus(_squared(y)))
_arcsin = of_one(np.arcsin, lambda y, x: _over(_sqrt(_one_minus(_squared(x)))))
_arccos = of_one(
    np.arccos, lambda y, x: anp.negative(_over(_sqrt(_one_minus(_squared(x)))))
)
_arctan = of_one(np.arctan, lambda y, x: _over(_one_plus(_squared(x))))
_sinh: Any = of_one(np.sinh, lambda y, x: _cosh(x))
_cosh: Any = of_one(np.cosh, lambda y, x: _sinh(x))
_arcsinh = of_one(np.arcsinh, lambda y, x: _over(_sqrt(_one_plus(_squared(x)))))
_arccosh = of_one(
    np.arccosh,
    lambda y, x: _over(
        _sqrt(anp.multiply(anp.subtract(x, constant_like(1, x)), _one_plus(x)))
    ),
)
_arctanh = of_one(np.arctanh, lambda y, x: _over(_one_minus(_squared(x))))
_arctan2 = of_two(
    np.arctan2,
    lambda z, x, y: _divide(y, _sum_of_squares(x, y)),
    lambda z, x, y: _divide(anp.negative(x), _sum_of_squares(x, y)),
)


def sin(x: Any) -> Array:
    """Sine."""
    return _sin(float_array(x))


def cos(x: Any) -> Array:
    """Cosine."""
    return _cos(float_array(x))


def tan(x: Any) -> Array:
    """Tangent."""
    return _tan(float_array(x))


def arcsin(x: Any) -> Array:
    """The angle from -pi/2 to pi/2 whose sine is x; NaN outside [-1, 1]."""
    return _arcsin(float_array(x))


def arccos(x: Any) -> Array:
    """The angle from 0 to pi whose cosine is x; NaN outside [-1, 1]."""
    return _arccos(float_array(x))


def arctan(x: Any) -> Array:
    """The angle from -pi/2 to pi/2 whose tangent is x."""
    return _arctan(float_array(x))


def arctan2(x1: Any, x2: Any) -> Array:
    """The angle from -pi to pi of the point with ordinate x1 and abscissa x2.

    >>> float(arctan2(0.0, -1.0))
    3.1415927410125732
    """
    return _arctan2(*float_operands(x1, x2))


def sinh(x: Any) -> Array:
    """Hyperbolic sine."""
    return _sinh(float_array(x))


def cosh(x: Any) -> Array:
    """Hyperbolic cosine."""
    return _cosh(float_array(x))


def arcsinh(x: Any) -> Array:
    """The number whose hyperbolic sine is x."""
    return _arcsinh(float_array(x))


def arccosh(x: Any) -> Array:
    """The number from 0 on whose hyperbolic cosine is x; NaN below 1."""
    return _arccosh(float_array(x))


def arctanh(x: Any) -> Array:
    """The number whose hyperbolic tangent is x; NaN outside [-1, 1]."""
    return _arctanh(float_array(x))


def deg2rad(x: Any) -> Array:
    """Radians of an angle in degrees."""
    x = float_array(x)
    return anp.multiply(x, constant_like(math.pi / 180, x))


def rad2deg(x: Any) -> Array:
    """Degrees of an angle in radians.

    >>> float(rad2deg(math.pi))
    180.0
    """
    x = float_array(x)
    return anp.multiply(x, constant_like(180 / math.pi, x))


def _sinc_values(x, order):
    """The derivative of that order of sin(t) / t at t = pi x, times pi^order.

    From t s_n + n s_{n-1} = sin^(n)(t), which cancels near 0: there by its series.
    """
    t = np.asarray(x, "float64") * math.pi
    near = np.abs(t) < 1.5 + order
    small, far = np.where(near, t, 0), np.where(near, 1, t)
    first = (order + 1) // 2
    series, power = np.zeros_like(t), small ** (2 * first - order)
    for k in range(first, first + 16 + 2 * order):
        series += (-1) ** k * power / (2 * k + 1) / float(math.factorial(2 * k - order))
        power = power * small * small
    value = np.sin(far) / far
    for n in range(1, order + 1):
        value = (np.sin(far + n * math.pi / 2) - n * value) / far
    return (np.where(near, series, value) * math.pi**order).astype(x.dtype)


@primitive
def _sinc(x, *, order):
    return _sinc_values(x, order)


defvjp(_sinc, lambda y, x, order: lambda g: anp.multiply(g, _sinc(x, order=order + 1)))
defjvp(_sinc, lambda d, y, x, order: anp.multiply(d, _sinc(x, order=order + 1)))


def sinc(x: Any) -> Array:
    """sin(pi x) / (pi x), which is 1 at 0."""
    return _sinc(float_array(x), order=0)
