"""Arrays taken apart along an axis, and put together again.

autograd's `x[i]` adds its derivative up element by element, and its `stack` looks at
all arrays for each of them, which is quadratic over a long sequence. Here a part's
derivative is added to its place in the whole, and a stack's is taken apart once.
"""

from collections.abc import Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import (
    SparseObject,
    def_linear,
    defjvp_argnums,
    defvjp,
    defvjp_argnums,
    vspace,
)

from minikeras.ops.base import Array, convert, getval, primitive
from minikeras.ops.numpy import _common
from minikeras.validation import shape_text


@primitive
def _part(x, *, number):
    return x[number]


@primitive
def _part_of_zeros(g, *, number, space):
    """Zeros but for g as part `number`, to be added to a sum without being made."""

    def add_to(whole):
        whole[number] += g
        return whole

    return SparseObject(space, add_to)


defvjp(
    _part,
    lambda ans, x, number: (
        lambda g: _part_of_zeros(g, number=number, space=vspace(getval(x)))
    ),
)
defvjp(
    _part_of_zeros,
    lambda ans, g, number, space: lambda u: _part(u, number=number),
)
def_linear(_part)
def_linear(_part_of_zeros)


@primitive
def _stack(*parts, axis):
    return np.stack(parts, axis)


def _stack_vjp(argnums, ans, args, kwargs):
    def vjp(g):
        parts = anp.moveaxis(g, kwargs["axis"], 0)
        return tuple(_part(parts, number=number) for number in argnums)

    return vjp


def _stack_jvp(argnums, tangents, ans, args, kwargs):
    zeros = np.zeros(anp.shape(args[0]), ans.dtype)
    parts = [zeros] * len(args)
    for number, tangent in zip(argnums, tangents, strict=True):
        parts[number] = tangent
    return _stack(*parts, **kwargs)


defvjp_argnums(_stack, _stack_vjp)
defjvp_argnums(_stack, _stack_jvp)


def stack(x: Sequence[Any], axis: int = 0) -> Array:
    """Arrays of one shape joined along a new axis.

    Raises:
        ValueError: for no arrays, or arrays of different shapes.

    >>> stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([[1., 3.],
           [2., 4.]], dtype=float32)
    """
    parts = _common(*x) if len(x) else []
    shapes = {part.shape for part in parts}
    if len(shapes) != 1:
        raise ValueError(
            "stack: all arrays must have one shape. Received: "
            f"{', '.join(map(shape_text, sorted(shapes))) or 'no arrays'}"
        )
    return _stack(*parts, axis=axis)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Array]:
    """The parts of an array along an axis, without that axis.

    Args:
        x: the array.
        num: how many parts there must be; None for any number.
        axis: the axis to take apart.

    Raises:
        ValueError: if there is no such axis, or its size is not `num`.

    >>> unstack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    [array([1., 3.], dtype=float32), array([2., 4.], dtype=float32)]
    """
    x = convert(x)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"unstack: axis {axis} does not exist in an array of shape "
            f"{shape_text(x.shape)}."
        )
    if num is not None and num != x.shape[axis]:
        raise ValueError(
            f"unstack: axis {axis} of an array of shape {shape_text(x.shape)} has "
            f"{x.shape[axis]} parts. Received: num={num}"
        )
    parts = anp.moveaxis(x, axis, 0) if axis else x
    return [_part(parts, number=number) for number in range(parts.shape[0])]
