"""The error function and its kin, and the inverse square root."""

import math
from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras.kernels import error_function as kernels
from minikeras.ops.base import Array, constant_like, float_array
from minikeras.ops.numpy import divide, sqrt
from minikeras.ops.promotion import of_one


def _twice(x, y, factor):
    return anp.multiply(constant_like(factor, x), anp.multiply(x, y))


# The slope of erf, and one over it at the inverse.
_bell = of_one(
    lambda x: np.exp(-x * x) * constant_like(2 / math.sqrt(math.pi), x),
    lambda y, x: _twice(x, y, -2),
)
_erf = of_one(kernels.erf, lambda y, x: _bell(x))
_erfc = of_one(kernels.erfc, lambda y, x: anp.negative(_bell(x)))


def _steepness(x):
    with np.errstate(over="ignore"):  # at the ends, where the inverse is infinite
        return np.exp(x * x) * constant_like(math.sqrt(math.pi) / 2, x)


_inverse_bell = of_one(_steepness, lambda y, x: _twice(x, y, 2))
_erfinv = of_one(kernels.erfinv, lambda y, x: _inverse_bell(y))


def erf(x: Any) -> Array:
    """The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    Source: Cody, Mathematics of Computation 23, 1969.

    >>> erf([0.0, 1.0])
    array([0.       , 0.8427008], dtype=float32)
    """
    return _erf(float_array(x))


def erfc(x: Any) -> Array:
    """1 - erf(x), also where that would round to 0.

    >>> erfc([0.0, 1.0, 9.0])
    array([1.0000000e+00, 1.5729921e-01, 4.1370317e-37], dtype=float32)
    """
    return _erfc(float_array(x))


def erfinv(x: Any) -> Array:
    """The inverse of `erf`: infinite at -1 and 1, nan outside.

    Source: Wichura, Applied Statistics 37, 1988.

    >>> erfinv([0.0, 0.5, 1.0])
    array([0.        , 0.47693628,        inf], dtype=float32)
    """
    return _erfinv(float_array(x))


def rsqrt(x: Any) -> Array:
    """1 / sqrt(x).

    >>> rsqrt([1.0, 4.0])
    array([1. , 0.5], dtype=float32)
    """
    return divide(1, sqrt(x))
