"""Arrays, shapes and layers inside lists, tuples and dictionaries.

A shape is a tuple of sizes and Nones; anything else is a structure of shapes.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from autograd.tracer import isbox

from minikeras.variables import Variable


def is_array(value: Any) -> bool:
    """Whether `value` is an array, a traced array or a weight's handle."""
    return isinstance(value, np.ndarray | Variable) or isbox(value)


def leaves(value: Any) -> Iterator[Any]:
    """Everything in a structure that is not itself a list, tuple, dict or None.

    >>> list(leaves([1, (2, {"a": 3}), None]))
    [1, 2, 3]
    """
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif value is not None:
        yield value


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The structure with `function` applied to each leaf; None stays None."""
    if isinstance(value, list | tuple):
        return type(value)(map_leaves(function, item) for item in value)
    if isinstance(value, dict):
        return {key: map_leaves(function, item) for key, item in value.items()}
    return None if value is None else function(value)


def is_shape(value: Any) -> bool:
    """Whether `value` is one shape: a list or tuple of sizes and Nones."""
    return isinstance(value, list | tuple) and all(
        item is None or isinstance(item, int | np.integer) for item in value
    )


def as_shape(value: Any) -> Any:
    """Shapes in a structure as tuples of Python ints; other values unchanged.

    >>> as_shape([None, 3]), as_shape([[None, 3], [None, 4]])
    ((None, 3), [(None, 3), (None, 4)])
    """
    return map_shapes(
        lambda shape: tuple(None if n is None else int(n) for n in shape), value
    )


def map_shapes(function: Callable[[Any], Any], value: Any) -> Any:
    """The structure with `function` applied to each shape."""
    if is_shape(value):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)(map_shapes(function, item) for item in value)
    if isinstance(value, dict):
        return {key: map_shapes(function, item) for key, item in value.items()}
    return value


def batch_shapes(value: Any) -> Any:
    """Shapes of the arrays in a structure, with None for the batch axis."""
    return map_leaves(lambda array: (None, *array.shape[1:]), value)


def merge_shapes(first: Any, second: Any) -> Any:
    """Two structures of shapes as one: None where their sizes differ.

    >>> merge_shapes((2, 5), (3, 5))
    (None, 5)
    """
    if is_shape(first):
        return tuple(a if a == b else None for a, b in zip(first, second, strict=True))
    if isinstance(first, dict):
        return {key: merge_shapes(first[key], second[key]) for key in first}
    pairs = zip(first, second, strict=True)
    return type(first)(merge_shapes(a, b) for a, b in pairs)


def is_plain(value: Any) -> bool:
    """Whether a value can stand in a config as it is."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    return value is None or isinstance(value, str | int | float | bool)


def channel_axis(data_format: str) -> int:
    """Axis of the channels: the last, or the one after the batch."""
    return 1 if data_format == "channels_first" else -1
