"""Derivatives of normalisation.

Letters as in `kernels/norm.py`. `standardize` takes its statistics from x, which its
derivatives account for; `affine` is given them. First-order gradients are fused; where
anything is boxed, the composed formulas take over, so any order works.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defjvp_argnum, defvjp, defvjp_argnums

from minikeras import config
from minikeras.kernels import norm as kernels
from minikeras.kernels.norm_rows import split
from minikeras.kernels.session import quiet
from minikeras.ops.base import (
    Array,
    constant_like,
    convert,
    dtype_of,
    getval,
    plain,
    primitive,
)
from minikeras.ops.numpy import (
    _axes,
    broadcast_to,
    divide,
    masked,
    mean,
    sqrt,
    square,
    sum,
    var,
    where,
)

Layout = tuple[int, int, int, int]  # B, R, G, D


# --- by the input's own statistics ----------------------------------------------


@primitive
def standardize(
    x, gamma, beta, *, layout: Layout, stats: kernels.Stats, epsilon, relu=False
):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, seen as B, R, G, D.

    `stats` must be those of x; gamma and beta (C,) may be None. With `relu` what is
    below zero is cut off.
    """
    with quiet:
        y = kernels.normalize(x.reshape(layout), gamma, beta, stats, epsilon, relu)
    return y.reshape(x.shape)


def _group_mean(x):
    return mean(x, axis=(1, 3), keepdims=True)


def _standard(x, layout, stats, epsilon):
    """xhat (B, R, G, D) and 1 / sqrt(variance + epsilon), composed."""
    x = anp.reshape(x, layout)
    if stats.centred:
        x = x - _group_mean(x)
    variance = _group_mean(square(x))
    inverse = divide(1.0, sqrt(variance + constant_like(epsilon, x)))
    return x * inverse, inverse


def _project(d, xhat, inverse, stats):
    """Derivative of xhat along d, a map that is its own adjoint."""
    change = d - xhat * _group_mean(d * xhat)
    if stats.centred:
        change = change - _group_mean(d)
    return inverse * change


def _per_group(values, layout):
    """gamma (C,) as (1, 1, G, D)."""
    return anp.reshape(values, (1, 1, *layout[2:]))


def _standardize_vjp(argnums, y, args, kwargs):
    x, gamma, beta = args
    layout, stats, epsilon = kwargs["layout"], kwargs["stats"], kwargs["epsilon"]
    output = getval(y).reshape(layout) if kwargs.get("relu") else None

    def vjp(g):
        if plain(g, x, gamma):
            wanted = "".join("xgb"[n] for n in argnums)
            blocks = x.reshape(layout), gamma, g.reshape(layout)
            with quiet:
                dx, *rest = kernels.backward(*blocks, stats, epsilon, wanted, output)
            found = (dx if dx is None else dx.reshape(x.shape), *rest)
            return tuple(found[n] for n in argnums)
        if output is not None:
            g = masked(g, keep=output.reshape(x.shape) > 0)
        xhat, inverse = _standard(x, layout, stats, epsilon)
        grad = anp.reshape(g, layout)
        scaled = grad if gamma is None else grad * _per_group(gamma, layout)

        def column_sum(values):
            return anp.reshape(sum(values, axis=(0, 1)), (-1,))

        makers = (
            lambda: anp.reshape(_project(scaled, xhat, inverse, stats), x.shape),
            lambda: column_sum(grad * xhat),
            lambda: column_sum(grad),
        )
        return tuple(makers[n]() for n in argnums)

    return vjp


def _standardize_jvp(argnum, d, y, args, kwargs):
    x, gamma, _ = args
    layout, stats, epsilon = kwargs["layout"], kwargs["stats"], kwargs["epsilon"]
    if argnum == 2:
        tangent = broadcast_to(_per_group(d, layout), layout)
    else:
        xhat, inverse = _standard(x, layout, stats, epsilon)
        if argnum == 1:
            tangent = xhat * _per_group(d, layout)
        else:
            tangent = _project(anp.reshape(d, layout), xhat, inverse, stats)
            if gamma is not None:
                tangent = tangent * _per_group(gamma, layout)
    tangent = anp.reshape(tangent, x.shape)
    return masked(tangent, keep=getval(y) > 0) if kwargs.get("relu") else tangent


defvjp_argnums(standardize, _standardize_vjp)
defjvp_argnum(standardize, _standardize_jvp)


# --- by given statistics --------------------------------------------------------


@primitive
def affine(x, scale, offset, *, shift, relu=False):
    """(x - shift) * scale + offset on the last axis; offset and shift may be None.

    With `relu` what is below zero is cut off.
    """
    rows = x.reshape(1, -1, x.shape[-1])
    offset = None if offset is None else offset[None]
    shift = None if shift is None else shift[None]
    with quiet:
        return kernels.affine(rows, scale[None], offset, shift, relu).reshape(x.shape)


def _affine_vjp(argnums, y, args, kwargs):
    x, scale, offset = args
    shift = kwargs["shift"]
    leading = tuple(range(x.ndim - 1))

    def vjp(g):
        if kwargs.get("relu"):
            g = masked(g, keep=getval(y) > 0)
        sums = None
        if plain(g, x) and argnums != (0,):
            rows = x.reshape(1, -1, x.shape[-1]), g.reshape(1, -1, x.shape[-1])
            near = None if shift is None else shift[None]
            sums = [s[0].astype(x.dtype) for s in kernels.affine_sums(*rows, near)]

        def for_scale():
            if sums is not None:
                return sums[1]
            return sum(g * (x if shift is None else x - shift), axis=leading)

        makers = (
            lambda: affine(g, scale, None, shift=None),
            for_scale,
            lambda: sum(g, axis=leading) if sums is None else sums[0],
        )
        return tuple(makers[n]() for n in argnums)

    return vjp


def _affine_jvp(argnum, d, y, args, kwargs):
    x, scale, _ = args
    shift = kwargs["shift"]
    if argnum == 0:
        tangent = affine(d, scale, None, shift=None)
    elif argnum == 1:
        tangent = d * (x if shift is None else x - shift)
    else:
        tangent = broadcast_to(d, y.shape)
    return masked(tangent, keep=getval(y) > 0) if kwargs.get("relu") else tangent


defvjp_argnums(affine, _affine_vjp)
defjvp_argnum(affine, _affine_jvp)


# --- layers' own ----------------------------------------------------------------


def normalize_batch(
    x: Any, gamma: Any, beta: Any, axis: int, epsilon: float, relu: bool = False
) -> tuple[Array, np.ndarray, np.ndarray]:
    """Batch normalisation by the batch's own statistics, and these, never traced.

    Args:
        x: at least two axes, floats.
        gamma: scale (size of `axis`,), or None; likewise `beta`, the offset.
        axis: the axis that keeps its statistics apart.
        epsilon: added to the variance.
        relu: whether to cut off what is below zero.

    Returns:
        y in the shape of x, and mean and variance of shape (size of `axis`,).
    """
    x = last(x, axis)
    layout = (1, prod(x.shape[:-1]), x.shape[-1], 1)
    stats = kernels.statistics(getval(x).reshape(layout))
    how = {"layout": layout, "stats": stats, "epsilon": epsilon, "relu": relu}
    y = standardize(x, gamma, beta, **how)
    found = stats.mean[0].astype(x.dtype), stats.variance[0].astype(x.dtype)
    return back(y, axis), *found


def normalize_by(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Any,
    beta: Any,
    axis: int,
    epsilon: float,
    relu: bool = False,
) -> Array:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta along an axis.

    Args:
        x: floats.
        mean: vector as long as the axis, of the type of x; likewise `variance`.
        gamma: such a vector, or None; likewise `beta`.
        axis: the axis the vectors belong to.
        epsilon: added to the variance.
        relu: whether to cut off what is below zero.
    """
    vectors = mean, variance, gamma, beta
    scale, offset, shift = coefficients(*vectors, epsilon, dtype_of(x))
    return back(affine(last(x, axis), scale, offset, shift=shift, relu=relu), axis)


def coefficients(
    mean: Array,
    variance: Array,
    gamma: Any,
    beta: Any,
    epsilon: float,
    dtype: np.dtype,
) -> tuple[Array, Array, np.ndarray | None]:
    """Scale, offset and shift of `affine`, to normalise by these statistics."""
    root = np.sqrt if plain(variance) else sqrt
    inverse = 1 / root(variance + constant_like(epsilon, variance))
    scale = inverse if gamma is None else inverse * gamma
    shift, _ = split(getval(mean), getval(inverse), dtype)
    offset = -(mean if shift is None else mean - shift) * scale
    return scale, offset if beta is None else offset + beta, shift


def normalize_groups(
    x: Any, gamma: Any, beta: Any, groups: int, axis: int, epsilon: float
) -> Array:
    """Each sample's groups of channels with mean 0 and variance 1, then scaled.

    Args:
        x: (N, ...), floats.
        gamma: scale (size of `axis`,), or None; likewise `beta`, the offset.
        groups: a divisor of the number of channels.
        axis: the axis of the channels.
        epsilon: added to the variance.
    """
    x = last(x, axis)
    layout = (len(x), prod(x.shape[1:-1]), groups, x.shape[-1] // groups)
    stats = kernels.statistics(getval(x).reshape(layout))
    y = standardize(x, gamma, beta, layout=layout, stats=stats, epsilon=epsilon)
    return back(y, axis)


def along(
    x: Array,
    gamma: Array,
    beta: Array,
    axes: tuple[int, ...],
    epsilon: float,
    centred: bool = True,
) -> Array:
    """Normalised over some axes.

    Args:
        x: floats.
        gamma: scale, flat, in the order of the axes; or None. Likewise `beta`.
        axes: in ascending order.
        epsilon: added to the variance.
        centred: False for the mean square in place of mean and variance.
    """
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    order = kept + axes
    moved = order != tuple(range(x.ndim))
    x = anp.transpose(x, order) if moved else x
    width = prod(x.shape[len(kept) :])
    layout = (prod(x.shape[: len(kept)]), 1, 1, width)
    stats = kernels.statistics(getval(x).reshape(layout), centred)
    y = standardize(x, gamma, beta, layout=layout, stats=stats, epsilon=epsilon)
    return anp.transpose(y, tuple(np.argsort(order))) if moved else y


def scale_by_deviation(
    x: Any, gamma: Any, axes: Sequence[int], epsilon: float
) -> Array:
    """x / sqrt(variance + epsilon) * gamma over some axes; gamma may be None."""
    variance = var(x, axes, keepdims=True)
    y = x * divide(1.0, sqrt(variance + constant_like(epsilon, x)))
    if gamma is None:
        return y
    kept = [n if i in _axes(axes, x.ndim) else 1 for i, n in enumerate(x.shape)]
    return y * anp.reshape(convert(gamma, x.dtype), kept)


def masked_moments(x: Any, mask: Any, axes: Sequence[int]) -> tuple[Array, Array]:
    """Mean and variance over `axes` of the places where `mask` holds.

    Args:
        x: floats.
        mask: the shape of x without its last axis.
        axes: all axes of x but one.
    """
    keep = np.broadcast_to(getval(convert(mask)).astype(bool)[..., None], x.shape)
    count = sum(keep.astype(x.dtype), axes, keepdims=True)
    count = count + constant_like(config.epsilon(), x)  # as in Keras: 0 / 0 is 0
    average = divide(sum(where(keep, x, 0.0), axes, keepdims=True), count)
    distance = where(keep, x - average, 0.0)
    variance = divide(sum(square(distance), axes, keepdims=True), count)
    return anp.reshape(average, (-1,)), anp.reshape(variance, (-1,))


@primitive
def _last(x, *, axis):
    return np.ascontiguousarray(np.moveaxis(x, axis, -1))


defvjp(_last, lambda y, x, axis: lambda g: anp.moveaxis(g, -1, axis))
def_linear(_last)


def last(x: Array, axis: int) -> Array:
    """x with an axis moved to the end, contiguous."""
    return x if axis in (-1, x.ndim - 1) else _last(x, axis=axis)


def back(x: Array, axis: int) -> Array:
    """The reverse of `last`."""
    return x if axis in (-1, x.ndim - 1) else anp.moveaxis(x, -1, axis)
