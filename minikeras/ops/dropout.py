"""Dropout with a given mask."""

from typing import Any

import numpy as np
from autograd.extend import def_linear, defvjp

from minikeras.kernels import dropout as kernels
from minikeras.ops.base import Array, primitive


@primitive
def _drop(x, *, kept, scale):
    return kernels.drop(x, kept, scale)


defvjp(_drop, lambda y, x, kept, scale: lambda g: _drop(g, kept=kept, scale=scale))
def_linear(_drop)


def drop(x: Array, rate: float, generator: np.random.Generator, shape: Any) -> Array:
    """x divided by 1 - rate, and zero with probability `rate`.

    Args:
        shape: of the mask, which is broadcast to x.
    """
    scale = 1 / (1 - rate) if rate < 1 else 0.0
    return _drop(x, kept=kernels.kept(generator, shape, rate), scale=scale)
