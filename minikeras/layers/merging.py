"""Several inputs into one, element by element, and all merging layers as functions."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from minikeras.layers.joining import Concatenate, Dot, ahead
from minikeras.layers.layer import family
from minikeras.layers.merge import Merge
from minikeras.masks import get_mask, set_mask
from minikeras.ops import numpy as ops


@family.add()
class Add(Merge):
    """Sum of the inputs, element by element.

    Inputs and outputs are those of `Merge`.

    >>> Add()([np.ones((1, 3)), np.ones((1, 3))])
    array([[2., 2., 2.]], dtype=float32)
    """

    def _merge_function(self, inputs: Any) -> Any:
        return reduce(ops.add, inputs)


@family.add()
class Subtract(Merge):
    """The first input minus the second, element by element.

    Inputs and outputs are those of `Merge`; there must be two.

    >>> Subtract()([np.ones((1, 3)), np.full((1, 3), 3.0)])
    array([[-2., -2., -2.]], dtype=float32)
    """

    _count = 2

    def _merge_function(self, inputs: Any) -> Any:
        return ops.subtract(*inputs)


@family.add()
class Multiply(Merge):
    """Product of the inputs, element by element.

    Inputs and outputs are those of `Merge`. A masked step counts as 1; if all inputs
    are masked there, it is 0.

    >>> Multiply()([np.full((1, 3), 2.0), np.full((1, 3), 3.0)])
    array([[6., 6., 6.]], dtype=float32)
    """

    def _merge_function(self, inputs: Any) -> Any:
        masks = [get_mask(x) for x in inputs]
        inputs = [_where(m, x, 1) for m, x in zip(masks, inputs, strict=True)]
        output = reduce(ops.multiply, inputs)
        if any(mask is None for mask in masks):
            return output
        seen: Any = reduce(np.logical_or, masks)  # type: ignore[arg-type]
        return _masked(_where(seen, output, 0), seen)


@family.add()
class Average(Merge):
    """Mean of the inputs, element by element.

    Inputs and outputs are those of `Merge`.

    >>> Average()([np.ones((1, 3)), np.full((1, 3), 2.0)])
    array([[1.5, 1.5, 1.5]], dtype=float32)
    """

    def _merge_function(self, inputs: Any) -> Any:
        return ops.divide(reduce(ops.add, inputs), len(inputs))


class BaseExtreme(Merge):
    """What `Maximum` and `Minimum` share: a masked step does not count."""

    _choose: Callable[[Any, Any], Any]

    def _merge_function(self, inputs: Any) -> Any:
        output, seen = inputs[0], get_mask(inputs[0])
        for x in inputs[1:]:
            mask = get_mask(x)
            x = _where(mask, x, output)
            output = type(self)._choose(_where(seen, output, x), x)
            seen = None if mask is None or seen is None else seen | mask
        return output if seen is None else _masked(output, seen)


@family.add()
class Maximum(BaseExtreme):
    """The largest of the inputs, element by element; at a tie of two each gets half of
    the gradient.

    Inputs and outputs are those of `Merge`. A masked step does not count.

    >>> Maximum()([np.array([[1.0, 5.0]]), np.array([[2.0, 3.0]])])
    array([[2., 5.]], dtype=float32)
    """

    _choose = staticmethod(ops.maximum)


@family.add()
class Minimum(BaseExtreme):
    """The smallest of the inputs, element by element; at a tie of two each gets half of
    the gradient.

    Inputs and outputs are those of `Merge`. A masked step does not count.

    >>> Minimum()([np.array([[1.0, 5.0]]), np.array([[2.0, 3.0]])])
    array([[1., 3.]], dtype=float32)
    """

    _choose = staticmethod(ops.minimum)


def _where(mask: np.ndarray | None, x: Any, other: Any) -> Any:
    """x where the mask is True or None, elsewhere `other`."""
    return x if mask is None else ops.where(ahead(mask, x.ndim), x, other)


def _masked(output: Any, mask: np.ndarray) -> Any:
    set_mask(output, mask)
    return output


# --- as functions ---------------------------------------------------------------


def add(inputs: Any, **kwargs: Any) -> Any:
    """Sum of a list of arrays, as `Add`, whose arguments it takes.

    >>> add([np.ones(2), np.ones(2)])
    array([2., 2.], dtype=float32)
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """The first of two arrays minus the second, as `Subtract`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """Product of a list of arrays, as `Multiply`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """Mean of a list of arrays, as `Average`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """Largest of a list of arrays, element by element, as `Maximum`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """Smallest of a list of arrays, element by element, as `Minimum`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """A list of arrays joined along an axis, as `Concatenate`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """Sums of products of two arrays along one axis of each, as `Dot`."""
    return Dot(axes=axes, **kwargs)(inputs)
