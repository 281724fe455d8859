"""New arrays: numbers in a row, patterns, windows."""

from collections.abc import Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defvjp

from minikeras import config
from minikeras.ops.base import Array, convert, primitive
from minikeras.ops.numpy import (
    _spread,
    convert_to_numpy,
)
from minikeras.ops.stacking import stack


@primitive
def _copy(x):
    return np.array(x)


defvjp(_copy, lambda y, x: lambda g: g)
def_linear(_copy)


def array(x: Any, dtype: str | None = None) -> Array:
    """A new array with the numbers of `x`.

    >>> array([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    return _copy(convert(x, dtype))


def copy(x: Any) -> Array:
    """A new array with the numbers of `x`; gradients pass."""
    return _copy(convert(x))


def empty(shape: Sequence[int] | int, dtype: str | None = None) -> np.ndarray:
    """An array to be filled; it holds zeros."""
    return np.zeros(shape, dtype or config.floatx())


def empty_like(x: Any, dtype: str | None = None) -> np.ndarray:
    """An array to be filled, in the shape of `x`; it holds zeros."""
    return np.zeros_like(convert_to_numpy(x), dtype=dtype)


def full(
    shape: Sequence[int] | int, fill_value: Any, dtype: str | None = None
) -> Array:
    """An array with the same number everywhere, or a smaller array repeated.

    >>> full(2, 7)
    array([7., 7.], dtype=float32)
    """
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return _spread(convert(fill_value, dtype or config.floatx()), shape=shape)


def full_like(x: Any, fill_value: Any, dtype: str | None = None) -> Array:
    """The same in the shape and number type of `x`."""
    x = convert(x)
    return full(x.shape, fill_value, dtype or x.dtype)


def eye(
    N: int, M: int | None = None, k: int = 0, dtype: str | None = None
) -> np.ndarray:
    """An (N, M) matrix with ones on its diagonal number k.

    Raises:
        TypeError: if N or M is no whole number.
    """
    for name, value in (("N", N), ("M", M)):
        if value is not None and convert_to_numpy(value).dtype.kind not in "iu":
            raise TypeError(f"eye: `{name}` must be an integer. Received: {value!r}")
    return np.eye(int(N), None if M is None else int(M), k, dtype or config.floatx())


def identity(n: int, dtype: str | None = None) -> np.ndarray:
    """An (n, n) matrix with ones on its diagonal."""
    return eye(n, dtype=dtype)


def tri(
    N: int, M: int | None = None, k: int = 0, dtype: str | None = None
) -> np.ndarray:
    """An (N, M) matrix with ones on its diagonal number k and below."""
    return np.tri(N, M, k, dtype or config.floatx())


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """The powers 0 to N - 1 of each number: a matrix with a row for each.

    Args:
        x: vector.
        N: how many powers; None for as many as there are numbers.
        increasing: whether the power 0 comes first; else it comes last.

    Raises:
        ValueError: if `x` is no vector, or N negative.
        TypeError: if N is no integer, or `increasing` no boolean.

    >>> vander([2.0, 3.0], 3)
    array([[4., 2., 1.],
           [9., 3., 1.]], dtype=float32)
    """
    x = convert(x)
    if not isinstance(N, int | None) or not isinstance(increasing, bool):
        raise TypeError(
            "vander: `N` must be an integer or None, `increasing` True or False. "
            f"Received: N={N!r}, increasing={increasing!r}"
        )
    if x.ndim != 1 or (N or 0) < 0:
        raise ValueError(
            "vander: `x` must be a vector, and `N` at least 0. Received: shape "
            f"{x.shape}, N={N}"
        )
    N = x.shape[0] if N is None else N
    columns = [np.ones(x.shape, x.dtype)]
    while len(columns) < N:  # products, so that 0 has all its derivatives
        columns.append(anp.multiply(columns[-1], x))
    columns = columns[:N] if increasing else columns[:N][::-1]
    return stack(columns, 1) if columns else np.zeros((*x.shape, 0), x.dtype)


def _window(function, x, *more):
    return function(int(convert_to_numpy(x)), *more).astype(config.floatx())


def bartlett(x: Any) -> np.ndarray:
    """Triangle of x numbers, from 0 to 1 and back."""
    return _window(np.bartlett, x)


def blackman(x: Any) -> np.ndarray:
    """Blackman's window of x numbers: 0.42 - 0.5 cos t + 0.08 cos 2t, t to 2 pi."""
    return _window(np.blackman, x)


def hamming(x: Any) -> np.ndarray:
    """Hamming's window of x numbers: 0.54 - 0.46 cos t, t from 0 to 2 pi."""
    return _window(np.hamming, x)


def hanning(x: Any) -> np.ndarray:
    """Hann's window of x numbers: 0.5 - 0.5 cos t, t from 0 to 2 pi.

    >>> hanning(3)
    array([0., 1., 0.], dtype=float32)
    """
    return _window(np.hanning, x)


def kaiser(x: Any, beta: Any) -> np.ndarray:
    """Kaiser's window of x numbers: i0(beta sqrt(1 - s^2)) / i0(beta), |s| up to 1."""
    return _window(np.kaiser, x, float(convert_to_numpy(beta)))
