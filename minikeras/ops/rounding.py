"""Whole parts, remainders and divisors.

The results of steps have derivative zero and are plain arrays; a remainder has slope 1
by the dividend, and minus the whole quotient by the divisor.
"""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.numpy import convert_to_numpy
from minikeras.ops.promotion import constants, of_two, operands


def _float_values(x):
    return convert_to_numpy(float_array(x))


def ceil(x: Any) -> np.ndarray:
    """The next whole number from x upwards, as a float; its derivative is zero."""
    return np.ceil(_float_values(x))


def floor(x: Any) -> np.ndarray:
    """The next whole number from x downwards, as a float; its derivative is zero."""
    return np.floor(_float_values(x))


def trunc(x: Any) -> np.ndarray:
    """The next whole number from x towards zero; its derivative is zero."""
    x = convert_to_numpy(x)
    return np.trunc(x) if x.dtype.kind == "f" else x


def round(x: Any, decimals: int = 0) -> np.ndarray:
    """`x` with that many decimals, halves to the even digit; its derivative is zero.

    Raises:
        TypeError: for booleans.

    >>> round([0.5, 1.5, 2.44])
    array([0., 2., 2.], dtype=float32)
    """
    x = convert_to_numpy(x)
    if x.dtype == bool:
        raise TypeError("round: `x` must be numbers. Received: an array of dtype bool")
    return np.round(x, decimals)


def signbit(x: Any) -> np.ndarray:
    """Whether the sign is minus, also that of -0."""
    x = convert_to_numpy(x)
    return np.signbit(x) if x.dtype.kind == "f" else x < 0


def nextafter(x1: Any, x2: Any) -> np.ndarray:
    """The float next to x1 on the way to x2; its derivative is taken to be zero."""
    x, y = constants(x1, x2)
    if x.dtype.kind != "f":
        x, y = x.astype(config.floatx()), y.astype(config.floatx())
    return np.nextafter(x, y)


def _numbers(x1, x2):
    """`operands`, and booleans become int32."""
    x, y = operands(x1, x2)
    return (x.astype("int32"), y.astype("int32")) if x.dtype == bool else (x, y)


def floor_divide(x1: Any, x2: Any) -> np.ndarray:
    """The whole number below x1 / x2; its derivative is zero.

    >>> floor_divide([7.0, -7.0], 2.0)
    array([ 3., -4.], dtype=float32)
    """
    return np.floor_divide(*map(getval, _numbers(x1, x2)))


def _ones(z, x, y):
    return np.ones(z.shape, z.dtype)


_mod = of_two(np.mod, _ones, lambda z, x, y: -np.floor_divide(getval(x), getval(y)))
_fmod = of_two(
    np.fmod, _ones, lambda z, x, y: -np.trunc(np.divide(getval(x), getval(y)))
)


def mod(x1: Any, x2: Any) -> Array:
    """What is left of x1 after whole x2, with the sign of x2.

    >>> mod([7.0, -7.0], 3.0)
    array([1., 2.], dtype=float32)
    """
    return _mod(*_numbers(x1, x2))


def fmod(x1: Any, x2: Any) -> Array:
    """What is left of x1 after whole x2, with the sign of x1."""
    return _fmod(*_numbers(x1, x2))


def _whole(owner: str, x1: Any, x2: Any) -> list[np.ndarray]:
    values = constants(x1, x2)
    if values[0].dtype.kind not in "iu":
        raise TypeError(
            f"{owner}: `x1` and `x2` must be whole numbers. Received: arrays of dtype "
            f"{convert(x1).dtype} and {convert(x2).dtype}"
        )
    return values


def gcd(x1: Any, x2: Any) -> np.ndarray:
    """Greatest common divisor of whole numbers."""
    return np.gcd(*_whole("gcd", x1, x2))


def lcm(x1: Any, x2: Any) -> np.ndarray:
    """Least common multiple of whole numbers."""
    return np.lcm(*_whole("lcm", x1, x2))
