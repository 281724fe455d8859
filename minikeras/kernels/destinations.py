"""Where the gradients of weights are wanted, so that kernels write them there.

An optimizer wants all gradients side by side in one array. To copy them there takes 3
to 4 % of a step of dense layers (benchmarks/kernels.py, "gradients").
"""

import threading
from collections.abc import Sequence

import numpy as np

from minikeras.kernels import blocking

_local = threading.local()


class of_gradients:
    """Within the block, in this thread, the first gradient of each weight goes into the
    array of the same place."""

    def __init__(self, weights: Sequence[np.ndarray], wanted: Sequence[np.ndarray]):
        self._places = dict(zip(map(id, weights), wanted, strict=True))

    def __enter__(self) -> None:
        self._before = getattr(_local, "places", None)
        _local.places = self._places

    def __exit__(self, *exception: object) -> None:
        _local.places = self._before


def gradient_of(weight: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An uninitialised array for the gradient of an array."""
    places = getattr(_local, "places", None)
    if places:
        place = places.pop(id(weight), None)
        if place is not None and place.dtype == dtype:
            return place
    return blocking.empty(weight.shape, dtype)
