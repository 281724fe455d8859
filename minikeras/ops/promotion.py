"""One number type for several arguments, before a function of them is computed."""

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp

from minikeras import config
from minikeras.ops.base import Array, getval, primitive, sum_to
from minikeras.ops.numpy import _common

operands = _common


def float_operands(*values: Any) -> list[Array]:
    """`operands`, and whole numbers become the default float type."""
    arrays = operands(*values)
    if arrays[0].dtype.kind in "fc":
        return arrays
    return [a.astype(config.floatx()) for a in arrays]


def constants(*values: Any) -> list[np.ndarray]:
    """`operands` as plain arrays: nothing flows back through them."""
    return [np.asarray(getval(a)) for a in operands(*values)]


def of_one(function: Callable[..., Any], slope: Callable[..., Any]) -> Any:
    """A differentiable function of one array, by its value and its slope(y, x)."""

    @primitive
    def f(x):
        return function(x)

    defvjp(f, lambda y, x: lambda g: anp.multiply(g, slope(y, x)))
    defjvp(f, lambda d, y, x: anp.multiply(d, slope(y, x)))
    return f


def of_two(
    function: Callable[..., Any],
    slope_x: Callable[..., Any],
    slope_y: Callable[..., Any],
) -> Any:
    """The same of two arrays; each slope(z, x, y) has the shape of z."""

    @primitive
    def f(x, y):
        return function(x, y)

    def back(g, slope, x):
        return sum_to(anp.multiply(g, slope), anp.shape(x))

    defvjp(
        f,
        lambda z, x, y: lambda g: back(g, slope_x(z, x, y), x),
        lambda z, x, y: lambda g: back(g, slope_y(z, x, y), y),
    )
    defjvp(
        f,
        lambda d, z, x, y: anp.multiply(d, slope_x(z, x, y)),
        lambda d, z, x, y: anp.multiply(d, slope_y(z, x, y)),
    )
    return f
