"""Masks: which steps of each sequence count.

A mask belongs to an array. Keras writes it on the tensor; a NumPy array takes no
attributes, so a table remembers which mask belongs to which array, for as long as that
array lives. A traced array has the mask of the array inside it, so masks reach through
gradients of any depth, and nothing needs to be passed along between layers.
"""

from typing import Any
from weakref import ref

import numpy as np
from autograd.tracer import getval

from minikeras.variables import Variable

_known: dict[int, tuple[ref, np.ndarray]] = {}


def set_mask(x: Any, mask: Any) -> None:
    """Let `mask`, True where a step counts, belong to the array x; None takes it away.

    >>> x = np.zeros((1, 3))
    >>> set_mask(x, [[True, True, False]])
    >>> get_mask(x)
    array([[ True,  True, False]])
    """
    array = _array_of(x)
    key = id(array)
    if mask is None:
        _known.pop(key, None)
        return

    def forget(dead: ref) -> None:
        entry = _known.get(key)
        if entry is not None and entry[0] is dead:
            del _known[key]

    _known[key] = (ref(array, forget), np.asarray(_array_of(mask), bool))


def get_mask(x: Any) -> np.ndarray | None:
    """The mask that belongs to an array, or None."""
    if not _known:
        return None
    array = _array_of(x)
    entry = _known.get(id(array))
    return entry[1] if entry is not None and entry[0]() is array else None


def any_masks() -> bool:
    """Whether any living array has a mask; False makes looking for one needless."""
    return bool(_known)


def keep_mask(old: Any, new: Any) -> Any:
    """`new`, which stands for `old` in another shape or type, with the mask of it."""
    if new is not old and (mask := get_mask(old)) is not None:
        set_mask(new, mask)
    return new


def _array_of(x: Any) -> Any:
    return x.array if isinstance(x, Variable) else getval(x)
