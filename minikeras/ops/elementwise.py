"""Other functions number by number: powers, logarithms, halves of the line, choices."""

import math
from collections.abc import Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp

from minikeras.ops.base import (
    Array,
    constant_like,
    convert,
    float_array,
    getval,
    primitive,
    sum_to,
)
from minikeras.ops.logarithms import logaddexp
from minikeras.ops.numpy import (
    _divide,
    _where,
    absolute,
    convert_to_numpy,
    masked,
)
from minikeras.ops.promotion import float_operands, of_one, of_two, operands


def _times(factor, y):
    return anp.multiply(constant_like(factor, y), y)


def _over(factor, x):
    return _divide(constant_like(factor, x), x)


_exp2 = of_one(np.exp2, lambda y, x: _times(math.log(2), y))
_expm1 = of_one(np.expm1, lambda y, x: anp.add(y, constant_like(1, y)))
_log2 = of_one(np.log2, lambda y, x: _over(1 / math.log(2), x))
_log10 = of_one(np.log10, lambda y, x: _over(1 / math.log(10), x))
_cbrt = of_one(np.cbrt, lambda y, x: _over(1 / 3, anp.multiply(y, y)))


def _not_zero(y):
    """y, and 1 in place of 0: a distance of 0 has slope 0."""
    return anp.add(y, (getval(y) == 0).astype(y.dtype))


_hypot = of_two(
    np.hypot,
    lambda z, x, y: _divide(x, _not_zero(z)),
    lambda z, x, y: _divide(y, _not_zero(z)),
)


def exp2(x: Any) -> Array:
    """2 to the power x."""
    return _exp2(float_array(x))


def expm1(x: Any) -> Array:
    """exp(x) - 1, exact for small x."""
    return _expm1(float_array(x))


def log2(x: Any) -> Array:
    """Logarithm to base 2."""
    return _log2(float_array(x))


def log10(x: Any) -> Array:
    """Logarithm to base 10."""
    return _log10(float_array(x))


def cbrt(x: Any) -> Array:
    """Cube root, also of negative numbers."""
    return _cbrt(float_array(x))


def fabs(x: Any) -> Array:
    """|x| as a float; the derivative at 0 is 0."""
    return absolute(float_array(x))


def reciprocal(x: Any) -> Array:
    """1 / x."""
    return _over(1, float_array(x))


def hypot(x1: Any, x2: Any) -> Array:
    """sqrt(x1^2 + x2^2) without overflow; the derivatives at (0, 0) are 0.

    >>> float(hypot(3.0, 4.0))
    5.0
    """
    return _hypot(*float_operands(x1, x2))


def logaddexp2(x1: Any, x2: Any) -> Array:
    """log2(2^x1 + 2^x2) without overflow."""
    x, y = float_operands(x1, x2)
    return _times(
        1 / math.log(2), logaddexp(_times(math.log(2), x), _times(math.log(2), y))
    )


def true_divide(x1: Any, x2: Any) -> Array:
    """x1 / x2, as `divide`."""
    return _divide(*float_operands(x1, x2))


def divide_no_nan(x1: Any, x2: Any) -> Array:
    """x1 / x2, and 0 wherever x2 is 0.

    >>> divide_no_nan([1.0, 1.0], [2.0, 0.0])
    array([0.5, 0. ], dtype=float32)
    """
    x, y = float_operands(x1, x2)
    zero = getval(y) == 0
    ratio = _divide(x, _where(constant_like(1, y), y, condition=zero))
    return _where(constant_like(0, y), ratio, condition=zero)


def fmax(x1: Any, x2: Any) -> Array:
    """The larger of two values, or the one that is not NaN; ties give x2."""
    x, y = operands(x1, x2)
    a, b = getval(x), getval(y)
    return _where(x, y, condition=(a > b) | np.isnan(b))


def fmin(x1: Any, x2: Any) -> Array:
    """The smaller of two values, or the one that is not NaN; ties give x2."""
    x, y = operands(x1, x2)
    a, b = getval(x), getval(y)
    return _where(x, y, condition=(a < b) | np.isnan(b))


def heaviside(x1: Any, x2: Any) -> Array:
    """0 for x1 below 0, 1 above, and x2 at 0.

    >>> heaviside([-1.0, 0.0, 2.0], 0.5)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    x, y = float_operands(x1, x2)
    sides = np.heaviside(getval(x), constant_like(0, x))
    return _where(sides, y, condition=getval(x) != 0)


@primitive
def _ldexp(x, *, exponent):
    return np.ldexp(x, exponent)


defvjp(
    _ldexp,
    lambda y, x, exponent: lambda g: sum_to(_ldexp(g, exponent=exponent), anp.shape(x)),
)
defjvp(_ldexp, lambda d, y, x, exponent: _ldexp(d, exponent=exponent))


def ldexp(x1: Any, x2: Any) -> Array:
    """x1 times 2 to the power x2, for whole x2.

    Raises:
        TypeError: if x2 are not whole numbers.
    """
    exponent = convert_to_numpy(x2)
    if exponent.dtype.kind not in "iu":
        raise TypeError(
            "ldexp: `x2` must be whole numbers. Received: an array of dtype "
            f"{exponent.dtype}"
        )
    return _ldexp(float_array(x1), exponent=exponent.astype("int32"))


@primitive
def _nan_to_num(x, *, nan, posinf, neginf):
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


defvjp(
    _nan_to_num,
    lambda y, x, **values: lambda g: masked(g, keep=np.isfinite(getval(x))),
)
defjvp(
    _nan_to_num,
    lambda d, y, x, **values: masked(d, keep=np.isfinite(getval(x))),
)


def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Array:
    """`x` with other numbers in place of NaN and of the infinities.

    Args:
        x: array of numbers.
        nan: the number for NaN.
        posinf: the number for infinity; None for the largest there is.
        neginf: the number for minus infinity; None for the smallest there is.

    >>> import numpy as np
    >>> nan_to_num([1.0, np.nan, np.inf], posinf=9.0)
    array([1., 0., 9.], dtype=float32)
    """
    x = convert(x)
    if x.dtype.kind != "f":
        return x
    return _nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def _bessel(x, order):
    """Modified Bessel function of the first kind, by its series of positive terms."""
    x = np.asarray(x)
    half = x.astype("float64") / 2
    term = half**order / float(math.factorial(order))
    total, k = term.copy(), 0
    with np.errstate(over="ignore", invalid="ignore"):
        while (np.abs(term) > 1e-17 * np.abs(total)).any():
            k += 1
            term = term * half * half / (k * (k + order))
            total = total + term
            if not np.isfinite(total).any():
                break
        return total.astype(x.dtype)


@primitive
def _i(x, *, order):
    return _bessel(x, order)


def _i_slope(x, order):
    """Half the sum of the two neighbours; I(-1) is I(1)."""
    below, above = _i(x, order=abs(order - 1)), _i(x, order=order + 1)
    return _times(0.5, anp.add(below, above))


defvjp(_i, lambda y, x, order: lambda g: anp.multiply(g, _i_slope(x, order)))
defjvp(_i, lambda d, y, x, order: anp.multiply(d, _i_slope(x, order)))


def i0(x: Any) -> Array:
    """Modified Bessel function of the first kind and order 0.

    >>> float(i0(0.0))
    1.0
    """
    return _i(float_array(x), order=0)


def select(
    condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0
) -> Array:
    """Of each place, the first choice whose condition holds, or else the default.

    Args:
        condlist: boolean arrays.
        choicelist: an array for each of them.
        default: number or array for places where none of them holds.

    Raises:
        ValueError: if these are not two lists of the same length above 0.

    >>> import numpy as np
    >>> x = np.array([1, 2, 3])
    >>> select([x < 2, x > 2], [x, 10 * x], default=0)
    array([ 1,  0, 30])
    """
    lists = all(isinstance(v, list | tuple) for v in (condlist, choicelist))
    if not lists or not condlist or len(condlist) != len(choicelist):
        raise ValueError(
            "select: `condlist` and `choicelist` must be lists of the same length, at "
            f"least 1. Received: condlist={condlist!r}, choicelist={choicelist!r}"
        )
    *choices, result = operands(*choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        holds = convert_to_numpy(condition).astype(bool)
        result = _where(choice, result, condition=holds)
    return result
