"""Strings and whole numbers in whatever a caller passes, and batches of them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from minikeras.ops.numpy import convert_to_numpy

_TEXTS = (str, bytes)


def as_tokens(value: Any, owner: str) -> np.ndarray:
    """`value` as an array of numbers or of strings (then of objects, if from lists).

    Raises:
        ValueError: if its parts have different lengths or different kinds.

    >>> as_tokens([["a"], ["bc"]], "Example")
    array([['a'],
           ['bc']], dtype=object)
    """
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, list | tuple | str | bytes):
        array = np.asarray(value, dtype=object)
    else:
        outside = hasattr(value, "__array__")  # a column of a table, for example
        array = np.asarray(value) if outside else convert_to_numpy(value)
    if array.dtype.kind != "O":
        if array.dtype.kind not in "USiufb":
            raise ValueError(
                f"{owner}: the input must hold strings or numbers. Received an array "
                f"of dtype {array.dtype}."
            )
        return array
    kinds = set(map(type, array.ravel().tolist()))
    if any(issubclass(kind, list | tuple | np.ndarray) for kind in kinds):
        raise ValueError(
            f"{owner}: the input's parts have different lengths, and ragged arrays "
            "are not offered. Pad them to one length."
        )
    if all(issubclass(kind, _TEXTS) for kind in kinds):
        return array
    if not any(issubclass(kind, _TEXTS) for kind in kinds) and not kinds & {type(None)}:
        return np.asarray(array.tolist())
    raise ValueError(
        f"{owner}: the input must hold strings or numbers, not both. Received: "
        f"{', '.join(sorted(kind.__name__ for kind in kinds))}"
    )


def is_text(array: np.ndarray) -> bool:
    """Whether an array from `as_tokens` holds strings."""
    return array.dtype.kind in "USO"


def texts_of(array: np.ndarray, encoding: str, owner: str) -> list[str]:
    """The strings of an array, row by row; bytes are decoded.

    Raises:
        ValueError: if it holds numbers, or bytes that are not in that encoding.
    """
    if array.size == 0:
        return []
    if not is_text(array):
        raise ValueError(
            f"{owner}: the input must hold strings. Received an array of dtype "
            f"{array.dtype}. IntegerLookup and Hashing take whole numbers; "
            "`x.astype(str)` makes strings of them."
        )
    flat: list[Any] = array.ravel().tolist()
    if array.dtype.kind == "U" or not any(isinstance(text, bytes) for text in flat):
        return flat
    try:
        return [t.decode(encoding) if isinstance(t, bytes) else t for t in flat]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{owner}: the input holds bytes that are not text in the encoding "
            f"{encoding!r}: {error}. Pass the right `encoding`."
        ) from error


def bytes_of(array: np.ndarray, owner: str) -> list[bytes]:
    """What the hashes read: strings in UTF-8, numbers, cut to whole ones, in digits.

    Raises:
        ValueError: for numbers that are not finite.
    """
    if array.dtype.kind == "b":
        array = np.where(array, "true", "false")
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError(f"{owner}: the input holds NaN or infinite numbers.")
        array = array.astype(np.int64)
    flat = array.ravel().tolist()
    if not is_text(array):
        flat = map(str, flat)
    return [text if isinstance(text, bytes) else text.encode() for text in flat]


def whole_numbers(array: np.ndarray, owner: str) -> np.ndarray:
    """An array from `as_tokens` as int64.

    Raises:
        ValueError: if it holds strings, fractions or NaN.
    """
    if array.dtype.kind == "f":
        whole = array.astype(np.int64) if np.isfinite(array).all() else None
        if whole is not None and (whole == array).all():
            return whole
    elif array.dtype.kind in "iub":
        return array.astype(np.int64)
    elif array.size == 0:
        return np.zeros(array.shape, np.int64)
    raise ValueError(
        f"{owner}: the input must hold whole numbers. Received an array of dtype "
        f"{array.dtype}, for example {array.flat[0]!r}."
    )


def batches_of(data: Any, steps: int | None, owner: str) -> Iterator[Any]:
    """The batches of a generator or dataset, at most `steps` of them.

    Raises:
        TypeError: if `data` is nothing that yields batches.
    """
    if hasattr(data, "__iter__"):
        yield from islice(data, steps)
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        for index in range(len(data) if steps is None else min(steps, len(data))):
            yield data[index]
    else:
        raise TypeError(
            f"{owner}: adapt needs an array, a list or something that yields batches. "
            f"Received: {data!r} of type {type(data).__name__}"
        )


def is_one_array(data: Any, lists: bool) -> bool:
    """Whether `data` is an array (or, with `lists`, a list), rather than batches."""
    kinds: tuple[type, ...] = (str, bytes, int, float)
    if lists:
        kinds += (list, tuple)
    return isinstance(data, kinds) or hasattr(data, "__array__")


def refuse_steps(steps: int | None, owner: str) -> None:
    """An error if `steps` is given for data that has none."""
    if steps is not None:
        raise ValueError(
            f"{owner}: `steps` counts the batches of a generator or dataset; an array "
            f"or list is used whole. Leave it out. Received: steps={steps!r}"
        )


def first_of(tokens: Sequence[Any], count: int = 5) -> str:
    """Some of the tokens, for a message."""
    more = ", ..." if len(tokens) > count else ""
    return ", ".join(map(repr, tokens[:count])) + more
