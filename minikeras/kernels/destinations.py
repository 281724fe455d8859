"""Where the gradients of weights are wanted, so that kernels write them there.

An optimizer wants all gradients side by side in one array. To copy them there takes 3
to 4 % of a step of dense layers (benchmarks/kernels.py, "gradients").
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from minikeras.kernels import blocking

_local = threading.local()


@contextmanager
def of_gradients(
    weights: Sequence[np.ndarray], wanted: Sequence[np.ndarray]
) -> Iterator[None]:
    """Within the block, in this thread, the first gradient of each weight goes into the
    array of the same place."""
    before = getattr(_local, "places", None)
    pairs = zip(weights, wanted, strict=True)
    _local.places = {id(weight): place for weight, place in pairs}
    try:
        yield
    finally:
        _local.places = before


def gradient_of(weight: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An uninitialised array for the gradient of an array."""
    places = getattr(_local, "places", None)
    if places:
        place = places.pop(id(weight), None)
        if place is not None and place.dtype == dtype:
            return place
    return blocking.empty(weight.shape, dtype)
