"""Sums of exponentials, computed in logarithms: no overflow, and -inf counts for 0."""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp

from minikeras.ops.base import (
    Array,
    constant_like,
    float_array,
    getval,
    primitive,
    sum_to,
)
from minikeras.ops.numpy import Axis, _axes, _common, _kept, _sum, _where


def _part(x, ans):
    """exp(x - ans), the share of x in the sum; 0 where the sum is 0 and ans is -inf."""
    ans = _where(ans, constant_like(0, ans), condition=np.isfinite(getval(ans)))
    return anp.exp(anp.subtract(x, ans))


@primitive
def _logsumexp(x, *, axes, keepdims):
    top = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, constant_like(0, x))
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - top), axis=axes, keepdims=True)) + top
    return y if keepdims else y.reshape(np.delete(x.shape, axes))


def _parts(x, ans, axes):
    return _part(x, anp.reshape(ans, _kept(anp.shape(x), axes)))


defvjp(
    _logsumexp,
    lambda ans, x, axes, keepdims: (
        lambda g: anp.reshape(g, _kept(anp.shape(x), axes)) * _parts(x, ans, axes)
    ),
)
defjvp(
    _logsumexp,
    lambda d, ans, x, axes, keepdims: _sum(
        d * _parts(x, ans, axes), axes=axes, keepdims=keepdims
    ),
)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """log(sum(exp(x))) over the given axes, all by default.

    >>> logsumexp([[1000.0, 1000.0]], axis=-1).round(3)
    array([1000.693], dtype=float32)
    """
    x = float_array(x)
    return _logsumexp(x, axes=_axes(axis, x.ndim), keepdims=keepdims)


@primitive
def _logaddexp(x, y):
    return np.logaddexp(x, y)


defvjp(
    _logaddexp,
    lambda ans, x, y: lambda g: sum_to(g * _part(x, ans), anp.shape(x)),
    lambda ans, x, y: lambda g: sum_to(g * _part(y, ans), anp.shape(y)),
)
defjvp(
    _logaddexp,
    lambda d, ans, x, y: d * _part(x, ans),
    lambda d, ans, x, y: d * _part(y, ans),
)


def logaddexp(x1: Any, x2: Any) -> Array:
    """log(exp(x1) + exp(x2)).

    >>> logaddexp([0.0, 1.0], [0.0, -1000.0]).round(3)
    array([0.693, 1.   ], dtype=float32)
    """
    x, y = _common(x1, x2)
    return _logaddexp(float_array(x), float_array(y))
