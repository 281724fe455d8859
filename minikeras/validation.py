"""Arguments of layers: bring them to one form, or refuse them by name."""

from collections.abc import Collection
from typing import Any

import numpy as np


def positive_int(value: Any, name: str, owner: str) -> int:
    """`value` as a Python int above zero.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
        raise ValueError(
            f"{owner}: `{name}` must be a positive integer. Received: {name}={value!r}"
        )
    return int(value)


def int_tuple(value: Any, rank: int, name: str, owner: str) -> tuple[int, ...]:
    """One positive integer, or `rank` of them, as a tuple of `rank`.

    Raises:
        ValueError: if it is anything else.

    >>> int_tuple(3, 2, "kernel_size", "Conv2D")
    (3, 3)
    """
    if isinstance(value, int | np.integer):
        value = (value,) * rank
    if not isinstance(value, list | tuple) or len(value) != rank:
        raise ValueError(
            f"{owner}: `{name}` must be a positive integer or a tuple of {rank} of "
            f"them. Received: {name}={value!r}"
        )
    return tuple(positive_int(v, name, owner) for v in value)


def choice(value: Any, allowed: Collection[str], name: str, owner: str) -> str:
    """`value` in lower case if it is one of `allowed`.

    Raises:
        ValueError: if it is not, with the nearest of the allowed words.
    """
    text = value.lower() if isinstance(value, str) else value
    if text not in allowed:
        raise ValueError(
            f"{owner}: `{name}` must be one of {', '.join(map(repr, allowed))}. "
            f"Received: {name}={value!r}{did_you_mean(value, allowed)}"
        )
    return text


def did_you_mean(word: Any, known: Collection[str], count: int = 3) -> str:
    """A question with the nearest known words, or nothing when none is near.

    >>> did_you_mean("adma", ["sgd", "adam"])
    ". Did you mean 'adam'?"
    """
    from difflib import get_close_matches

    lowered = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(str(word).lower(), list(lowered), count, cutoff=0.5)
    names = " or ".join(repr(lowered[n]) for n in near)
    return f". Did you mean {names}?" if names else ""


def shape_text(shape: Any) -> str:
    """A shape as people write it: `(20, 20, 3)`, `(None, 4)`."""
    return str(tuple(shape))
