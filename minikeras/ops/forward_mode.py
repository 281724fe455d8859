"""Derivatives in a direction, carried along with the values."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from autograd.extend import JVPNode
from autograd.tracer import isbox, new_box

from minikeras.ops.base import convert, float_array, new_trace
from minikeras.ops.trees import form, leaves, mapped, rebuilt
from minikeras.validation import shape_text


def jvp(
    fun: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """The value of a function, and how fast it changes in a direction.

    Args:
        fun: takes as many arguments as there are primals.
        primals: tuple or list of the arguments: arrays, also in tuples, lists and
            dictionaries; whole numbers are taken as floats.
        tangents: the direction, in the same containers and shapes.
        has_aux: whether `fun` returns a pair, of which the second part is not
            differentiated.

    Returns:
        What `fun` returns, and the derivative of each array in it; then the second
        part, if `has_aux`.

    Raises:
        ValueError: for tangents of another form or shape than the primals, and a `fun`
            that returns no pair where one is expected.
        TypeError: if either is no tuple or list.

    >>> value, slope = jvp(lambda x: x * x, (3.0,), (1.0,))
    >>> float(value), float(slope)
    (9.0, 6.0)
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TypeError(
                f"jvp: `{name}` must be a tuple or list, with an entry for each "
                f"argument of `fun`. Received: {type(given).__name__}"
            )
    if form(list(primals)) != form(list(tangents)):
        raise ValueError(
            "jvp: `tangents` must be in the same containers as `primals`. Received, "
            f"with * for arrays: {form(tangents)} and {form(primals)}"
        )
    values = [float_array(leaf) for leaf in leaves(primals)]
    pairs = zip(values, leaves(tangents), strict=True)
    directions = [convert(leaf, value.dtype) for value, leaf in pairs]
    for value, direction in zip(values, directions, strict=True):
        if value.shape != direction.shape:
            raise ValueError(
                "jvp: each tangent must have the shape of its primal, "
                f"{shape_text(value.shape)}. Received: {shape_text(direction.shape)}"
            )
    with new_trace() as trace:
        each = zip(values, directions, strict=True)
        boxes = [new_box(x, trace, JVPNode.new_root(d)) for x, d in each]
        result = fun(*rebuilt(primals, boxes))
        aux: tuple[Any, ...] = ()
        if has_aux:
            if not isinstance(result, tuple | list) or len(result) != 2:
                raise ValueError(
                    "jvp: with has_aux=True, `fun` must return a pair. Received: "
                    f"{type(result).__name__}"
                )
            result, other = result
            aux = (mapped(lambda leaf: _parts(leaf, trace)[0], other),)
        parts = [_parts(convert(leaf), trace) for leaf in leaves(result)]
    value = rebuilt(result, [part for part, _ in parts])
    slope = rebuilt(result, [_zeros(part) if d is None else d for part, d in parts])
    return value, slope, *aux


def _parts(leaf: Any, trace: int) -> tuple[Any, Any]:
    """The value, and the derivative or None, of what may be a box of this trace."""
    if isbox(leaf) and leaf._trace == trace:
        return leaf._value, leaf._node.g
    return leaf, None


def _zeros(array: Any) -> np.ndarray:
    return np.zeros(array.shape, array.dtype)
