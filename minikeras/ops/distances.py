"""How far arrays are from each other."""

import math
from typing import Any

import numpy as np

from minikeras.ops.base import Array, float_array, getval
from minikeras.ops.numpy import (
    _common,
    _where,
    expand_dims,
    log,
    masked,
    mean,
    multiply,
    sqrt,
    square,
    subtract,
    sum,
)
from minikeras.validation import shape_text


def cdist(x: Any, y: Any) -> Array:
    """The distance of each vector of x from each of y: sqrt(sum (x - y)**2).

    The derivative at distance 0 is 0 (Keras on JAX gives nan).

    Args:
        x: vectors (..., M, D).
        y: vectors (..., N, D).

    Output shape: (..., M, N).

    Raises:
        ValueError: for arrays of fewer than two axes, or vectors of other lengths.

    >>> cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])
    array([[5., 1.]], dtype=float32)
    """
    x, y = _common(float_array(x), float_array(y))
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            "cdist: `x` must be vectors (..., M, D) and `y` (..., N, D). Received: "
            f"shapes {shape_text(x.shape)} and {shape_text(y.shape)}"
        )
    steps = subtract(expand_dims(x, -2), expand_dims(y, -3))
    squares = sum(square(steps), axis=-1)
    apart = getval(squares) > 0
    one = np.ones((), squares.dtype)
    return masked(sqrt(_where(squares, one, condition=apart)), keep=apart)


def psnr(x1: Any, x2: Any, max_val: float) -> Array:
    """Peak signal-to-noise ratio: 10 log10(max_val**2 / mean (x1 - x2)**2) decibels.

    Args:
        x1: a signal.
        x2: another of the same shape.
        max_val: the largest value that there can be.

    Output shape: (). Equal signals give infinity.

    Raises:
        ValueError: if the shapes differ.

    >>> round(float(psnr([0.0, 0.0], [10.0, 10.0], 100.0)), 4)
    20.0
    """
    x1, x2 = _common(float_array(x1), float_array(x2))
    if x1.shape != x2.shape:
        raise ValueError(
            "psnr: `x1` and `x2` must have the same shape. Received: "
            f"{shape_text(x1.shape)} and {shape_text(x2.shape)}"
        )
    error = mean(square(subtract(x1, x2)))
    if not getval(error).any():
        return np.full((), np.inf, x1.dtype)
    peak = log(np.asarray(max_val, x1.dtype))
    ratio = subtract(multiply(2.0, peak), log(error))
    return multiply(10 / math.log(10), ratio)
