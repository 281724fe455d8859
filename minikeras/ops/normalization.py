"""The functions of `keras.ops` that normalise; float16 is summed in float32."""

import warnings
from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras import config
from minikeras.ops.base import Array, convert, float_array
from minikeras.ops.numpy import (
    _axes,
    absolute,
    cast,
    clip,
    divide,
    maximum,
    mean,
    power,
    sqrt,
    square,
    sum,
    var,
)
from minikeras.ops.standardize import along, normalize_by, scale_by_deviation
from minikeras.validation import shape_text


def moments(
    x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False
) -> tuple[Array, Array]:
    """Mean and variance (of the population) over the given axes.

    Args:
        x: any array.
        axes: one axis or several.
        keepdims: whether these axes stay, with length 1.
        synchronized: not offered.

    Raises:
        ValueError: if `synchronized`, which needs several devices.

    >>> [float(m) for m in moments([1.0, 3.0], axes=[0])]
    [2.0, 1.0]
    """
    if synchronized:
        raise ValueError(
            "moments: `synchronized` averages over devices, and there is one. Leave it "
            f"out. Received: synchronized={synchronized!r}"
        )
    x = float_array(x)
    wide = _wide(x)
    found = mean(wide, axes, keepdims), var(wide, axes, keepdims)
    if x.dtype != wide.dtype:
        most = float(np.finfo(x.dtype).max)
        found = tuple(cast(clip(m, -most, most), x.dtype.name) for m in found)
    return found


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> Array:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset along one axis.

    Args:
        x: any array.
        mean: vector as long as the axis; likewise `variance`, `offset` and `scale`.
        axis: the axis the vectors belong to.
        offset: added at the end; nothing for None.
        scale: multiplied before that; nothing for None.
        epsilon: added to the variance.

    Raises:
        ValueError: if a vector has another length than the axis.

    >>> batch_normalization([[1.0], [3.0]], [2.0], [1.0], axis=-1, epsilon=0.0)
    array([[-1.],
           [ 1.]], dtype=float32)
    """
    x = float_array(x)
    given = {"mean": mean, "variance": variance, "offset": offset, "scale": scale}
    vectors: dict[str, Any] = {
        k: None if v is None else float_array(v) for k, v in given.items()
    }
    _check_axes("batch_normalization", axis, x)
    expected = (x.shape[axis],)
    for name, vector in vectors.items():
        if vector is not None and vector.shape != expected:
            raise ValueError(
                f"batch_normalization: `{name}` must be a vector as long as axis "
                f"{axis} of `x`, {shape_text(expected)}. Received: {name} of shape "
                f"{shape_text(vector.shape)}, x of shape {shape_text(x.shape)}"
            )
    used = [v.dtype for v in vectors.values() if v is not None]
    dtype = np.result_type(x.dtype, *used)
    wide = np.result_type(dtype, np.float32)
    for name, vector in vectors.items():
        vectors[name] = None if vector is None else convert(vector, wide)
    m, v, b, a = vectors.values()
    return convert(normalize_by(convert(x, wide), m, v, a, b, axis, epsilon), dtype)


def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: Any = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> Array:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and variance
    over the given axes.

    Args:
        x: any array.
        gamma: scale, in the shape of the axes; none for None. Likewise `beta`.
        axis: one axis or several.
        epsilon: added to the variance; `config.epsilon()` for None.
        rms_scaling: deprecated by Keras: x / sqrt(variance + epsilon) * gamma.

    Raises:
        ValueError: for axes that x does not have, and vectors that do not fit.
        TypeError: for other keyword arguments.

    Source: Ba, Kiros, Hinton, arXiv 1607.06450 (2016).

    >>> layer_normalization([[1.0, 3.0]], epsilon=0.0)
    array([[-1.,  1.]], dtype=float32)
    """
    rms_scaling = kwargs.pop("rms_scaling", False)
    if kwargs:
        raise TypeError(
            f"layer_normalization: unexpected keyword arguments {', '.join(kwargs)}"
        )
    if rms_scaling:
        warn_rms_scaling("layer_normalization", "ops.rms_normalization")
    x = float_array(x)
    wide = _wide(x)
    axes = _check_axes("layer_normalization", axis, x)
    shape = tuple(n if i in axes else 1 for i, n in enumerate(x.shape))
    size = prod(shape)
    vectors = []
    for name, vector in (("gamma", gamma), ("beta", beta)):
        if vector is not None:
            vector = convert(vector, wide.dtype)
            if prod(vector.shape) != size:
                fits = tuple(x.shape[a] for a in axes)
                raise ValueError(
                    f"layer_normalization: `{name}` must have the shape of the axes, "
                    f"{shape_text(fits)}. Received: {name} of shape "
                    f"{shape_text(vector.shape)}, x of shape {shape_text(x.shape)}"
                )
            vector = anp.reshape(vector, (-1,))
        vectors.append(vector)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if rms_scaling:
        y = scale_by_deviation(wide, vectors[0], axes, epsilon)
    else:
        y = along(wide, vectors[0], vectors[1], axes, epsilon)
    return convert(y, x.dtype)


def rms_normalization(
    x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Array:
    """x / sqrt(mean of x^2 + epsilon) * scale, with the mean over the given axes.

    Args:
        x: any array.
        scale: multiplied at the end, as NumPy broadcasts it; none for None.
        axis: one axis or several.
        epsilon: added to the mean; `config.epsilon()` for None.

    Raises:
        ValueError: for axes that x does not have, and a scale that does not fit.

    Source: Zhang, Sennrich, arXiv 1910.07467 (2019).

    >>> rms_normalization([[3.0, 3.0]], epsilon=0.0)
    array([[1., 1.]], dtype=float32)
    """
    x = float_array(x)
    wide = anp.reshape(_wide(x), x.shape or (1,))
    axes = _check_axes("rms_normalization", axis, wide)
    epsilon = config.epsilon() if epsilon is None else epsilon
    trailing = axes == tuple(range(wide.ndim - len(axes), wide.ndim))
    fused = None
    if scale is not None:
        scale = convert(scale, wide.dtype)
        if trailing and scale.shape == wide.shape[-len(axes) :]:
            fused, scale = anp.reshape(scale, (-1,)), None
        elif not _broadcasts(scale.shape, wide.shape):
            raise ValueError(
                "rms_normalization: `scale` is multiplied with `x` and must fit its "
                f"last axes. Received: scale of shape {shape_text(scale.shape)}, x of "
                f"shape {shape_text(x.shape)}"
            )
    y = along(wide, fused, None, axes, epsilon, centred=False)
    return convert(y if scale is None else y * scale, x.dtype)


def normalize(
    x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None
) -> Array:
    """x / max(norm of x, epsilon), with the norm over the given axes.

    Args:
        x: any array.
        axis: one axis, several with order 2, or None for all of them.
        order: p of the norm (sum of |x|^p)^(1/p).
        epsilon: least norm; `config.epsilon()` for None.

    Raises:
        ValueError: if `order` is not a positive integer, for axes that x does not
            have, and for several axes with another order than 2.

    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]], dtype=float32)
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueError(
            f"normalize: `order` must be a positive integer. Received: order={order!r}"
        )
    x = float_array(x)
    wide = anp.reshape(_wide(x), x.shape or (1,))
    axes = tuple(range(wide.ndim))
    if axis is not None:
        axes = _check_axes("normalize", axis, wide)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        squares = sum(square(wide), axis=axes, keepdims=True)
        y = wide * divide(1.0, sqrt(maximum(squares, epsilon**2)))
        return convert(y, x.dtype)
    if len(axes) != 1:
        raise ValueError(
            "normalize: over several axes only order 2 is offered. "
            f"Received: order={order}, axis={axis!r}, x of shape {shape_text(x.shape)}"
        )
    powers = absolute(wide) if order == 1 else power(absolute(wide), float(order))
    norm = sum(powers, axis=axes, keepdims=True)
    if order != 1:
        least = float(np.finfo(wide.dtype).tiny)  # x^(1/p) has no slope at 0
        norm = power(maximum(norm, least), 1.0 / order)
    return convert(divide(wide, maximum(norm, epsilon)), x.dtype)


def warn_rms_scaling(owner: str, instead: str) -> None:
    """Say, as Keras does, that `rms_scaling` is not what its name promises."""
    warnings.warn(
        f"{owner}: `rms_scaling=True` is deprecated: it divides by the standard "
        f"deviation, not by the root mean square. Use `{instead}` instead.",
        stacklevel=3,
    )


def _check_axes(owner: str, axis: Any, x: Any) -> tuple[int, ...]:
    given = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    if any(not -x.ndim <= a < x.ndim for a in given) or len(
        set(_axes(given, x.ndim or 1))
    ) != len(given):
        raise ValueError(
            f"{owner}: `axis` must name axes of `x`, each once. "
            f"Received: axis={axis!r}, x of shape {shape_text(x.shape)}"
        )
    return _axes(given, x.ndim)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _wide(x: Any) -> Any:
    """float16 as float32, in which sums do not overflow."""
    return x.astype(np.float32) if x.dtype == np.float16 else x
