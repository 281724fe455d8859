"""Indices of categories as one-hot, multi-hot or count arrays."""

from collections.abc import Collection
from typing import Any

import numpy as np

from minikeras.validation import choice

Shape = tuple[int | None, ...]

_OLD_NAMES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def output_mode(value: Any, allowed: Collection[str], owner: str) -> str:
    """`value` if it is one of the allowed modes; names of Keras 2 are translated."""
    return choice(_OLD_NAMES.get(value, value), allowed, "output_mode", owner)


def encode(
    indices: np.ndarray, mode: str, depth: int, dtype: Any, weights: Any = None
) -> np.ndarray:
    """Each index as a row of `depth` numbers; indices out of range leave no trace.

    `"multi_hot"` and `"count"` bring the indices of a sample together: those along the
    second axis, or all of them if there is only one axis.

    Args:
        indices: whole numbers.
        mode: `"int"` (the indices), `"one_hot"`, `"multi_hot"` or `"count"`.
        depth: how many categories there are.
        dtype: number type of the output.
        weights: what each index counts for, in mode `"count"`; 1 for None.

    >>> encode(np.array([[0, 2, 2]]), "count", 3, "int64")
    array([[1, 0, 2]])
    """
    if mode == "int":
        return indices.astype(dtype)
    shape = encoded_shape(indices.shape, mode, depth)
    if mode == "one_hot":
        places = np.arange(indices.size)
    else:  # the output row of each index: its sample, and what is behind the axis
        places = np.arange(int(np.prod(shape[:-1]))).reshape(shape[:-1])
        places = places[:, None] if indices.ndim > 1 else places
        places = np.broadcast_to(places, indices.shape).ravel()
    flat = indices.ravel()
    inside = (flat >= 0) & (flat < depth)
    if not inside.all():
        flat, places = flat[inside], places[inside]
    flat = places * depth + flat
    size = int(np.prod(shape))
    if mode == "count":
        if weights is not None:
            weights = np.broadcast_to(weights, indices.shape).ravel()[inside]
        return np.bincount(flat, weights, size).reshape(shape).astype(dtype)
    output = np.zeros(size, dtype)
    output[flat] = 1
    return output.reshape(shape)


def encoded_shape(shape: Any, mode: str, depth: int | None) -> Any:
    """Shape of what `encode` returns, for a shape of the indices.

    >>> encoded_shape((None, 4), "multi_hot", 7), encoded_shape((None, 4), "one_hot", 7)
    ((None, 7), (None, 4, 7))
    """
    shape = tuple(shape)
    if mode == "int":
        return shape
    if mode == "one_hot":
        if len(shape) > 1 and shape[-1] == 1:
            shape = shape[:-1]
        return (*(shape or (1,)), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


def refuse(owner: str, **arguments: Any) -> None:
    """An error for arguments that need sparse or ragged arrays.

    Raises:
        ValueError: if one of them is set.
    """
    for name, value in arguments.items():
        if value:
            raise ValueError(
                f"{owner}: `{name}` is not offered, because NumPy has no such arrays. "
                f"Leave it out. Received: {name}={value!r}"
            )
