"""Activations: a primitive each where a plain composition would overflow, promote to
float64, or be slow."""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defjvp, defvjp, defvjp_argnums

from minikeras.kernels import blocking, curves
from minikeras.kernels import dense as kernels
from minikeras.kernels import softmax as softmax_kernels
from minikeras.ops.base import (
    Array,
    constant_like,
    dtype_of,
    float_array,
    fused,
    getval,
    plain,
    primitive,
)
from minikeras.ops.numpy import _matmul as product
from minikeras.ops.numpy import (
    _spread,
    _where,
    absolute,
    add,
    divide,
    exp,
    log1p,
    masked,
    maximum,
    multiply,
    sum,
    sum_leading,
)


@primitive
def dense(x, w, bias, *, relu: bool):
    """x @ w + bias on the last axis, then ReLU if asked; bias may be None."""
    rows = kernels.dense(x.reshape(-1, x.shape[-1]), w, bias, relu)
    return rows.reshape(*x.shape[:-1], w.shape[-1])


def _dense_vjp(argnums, y, args, kwargs):
    x, w, _ = args
    relu = kwargs["relu"]
    wanted = "".join("xwb"[n] for n in argnums)

    def vjp(g):
        if plain(g, x, w):
            rows = x.reshape(-1, x.shape[-1]), w, getval(y).reshape(-1, w.shape[-1])
            flat = g.reshape(-1, w.shape[-1])
            result = kernels.backward(
                *rows[:2], rows[2] if relu else None, flat, wanted
            )
            return tuple(
                result[n] if n else result[n].reshape(x.shape) for n in argnums
            )
        if relu:
            g = masked(g, keep=getval(y) > 0)
        columns = anp.transpose(anp.reshape(x, (-1, x.shape[-1])))
        makers = (
            lambda: product(g, anp.transpose(w)),
            lambda: product(columns, anp.reshape(g, (-1, g.shape[-1]))),
            lambda: sum_leading(g),
        )
        return tuple(makers[n]() for n in argnums)

    return vjp


def _dense_jvp(argnum):
    def jvp(d, y, x, w, bias, relu):
        if argnum == 0:
            tangent = product(d, w)
        elif argnum == 1:
            tangent = product(x, d)
        else:
            tangent = d + np.zeros(y.shape, y.dtype)
        return masked(tangent, keep=getval(y) > 0) if relu else tangent

    return jvp


defvjp_argnums(dense, _dense_vjp)
defjvp(dense, _dense_jvp(0), _dense_jvp(1), _dense_jvp(2))


@primitive
def _relu(x):
    y = blocking.empty(x.shape, x.dtype)
    blocking.each_piece(lambda x, y: np.maximum(x, 0, out=y), x, y)
    return y


defvjp(_relu, lambda y, x: lambda g: masked(g, keep=getval(y) > 0))
defjvp(_relu, lambda d, y, x: masked(d, keep=getval(y) > 0))


def relu(x: Any) -> Array:
    """max(x, 0); the derivative at 0 is 0.

    >>> relu([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """
    return _relu(float_array(x))


@primitive
def _sigmoid(x):
    return curves.sigmoid(x)


def _sigmoid_vjp(y, x):
    return lambda g: curves.sigmoid_backward(g, y) if plain(g, y) else g * (y - y * y)


defvjp(_sigmoid, _sigmoid_vjp)
defjvp(_sigmoid, lambda d, y, x: d * (y - y * y))


def sigmoid(x: Any) -> Array:
    """1 / (1 + exp(-x)), without overflow.

    >>> sigmoid([0.0])
    array([0.5], dtype=float32)
    """
    return _sigmoid(float_array(x))


@primitive
def _tanh(x):
    return curves.tanh(x)


def _tanh_vjp(y, x):
    return lambda g: curves.tanh_backward(g, y) if plain(g, y) else g - g * y * y


defvjp(_tanh, _tanh_vjp)
defjvp(_tanh, lambda d, y, x: d - d * y * y)


def tanh(x: Any) -> Array:
    """Hyperbolic tangent."""
    return _tanh(float_array(x))


@primitive
def _sum_over(x, *, count):
    return np.asarray(np.add.reduce(x, axis=None) / x.dtype.type(count))


def _sum_over_vjp(_, x, count):
    shape = getval(x).shape

    def vjp(g):
        part = g / dtype_of(g).type(count)
        if plain(part):  # benchmarks/kernels.py, "softmax"
            return np.full(shape, part)
        return _spread(anp.reshape(part, (1,) * len(shape)), shape=shape)

    return vjp


defvjp(_sum_over, _sum_over_vjp)
def_linear(_sum_over)


def sum_over(x: Array, count: float) -> Array:
    """sum(x) / count, of floats: the last thing that a loss does, as one primitive."""
    return _sum_over(x, count=count)


@primitive
def _softmax(x, *, axis):
    return softmax_kernels.softmax(x, axis)


def _softmax_product(y, g, axis):
    if plain(y, g):
        return softmax_kernels.softmax_backward(g, y, axis)
    return y * (g - sum(g * y, axis=axis, keepdims=True))


defvjp(_softmax, lambda y, x, axis: lambda g: _softmax_product(y, g, axis))
defjvp(_softmax, lambda d, y, x, axis: _softmax_product(y, d, axis))


def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Array:
    """exp(x) / sum of exp(x) along an axis, shifted by the maximum so that it never
    overflows.

    >>> softmax([0.0, 0.0])
    array([0.5, 0.5], dtype=float32)
    """
    return _softmax(float_array(x), axis=axis)


@primitive
def _log_softmax(x, *, axis):
    y = x - x.max(axis=axis, keepdims=True)
    return y - np.log(np.exp(y).sum(axis=axis, keepdims=True))


defvjp(
    _log_softmax,
    lambda y, x, axis: lambda g: g - anp.exp(y) * sum(g, axis=axis, keepdims=True),
)
defjvp(
    _log_softmax,
    lambda d, y, x, axis: d - sum(anp.exp(y) * d, axis=axis, keepdims=True),
)


def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Array:
    """Logarithm of `softmax`, exact where that would round to zero."""
    return _log_softmax(float_array(x), axis=axis)


@primitive
def _softplus(x):
    return np.maximum(x, constant_like(0, x)) + np.log1p(np.exp(-np.abs(x)))


defvjp(_softplus, lambda y, x: lambda g: g * _sigmoid(x))
defjvp(_softplus, lambda d, y, x: d * _sigmoid(x))


def softplus(x: Any) -> Array:
    """log(1 + exp(x)), without overflow."""
    return _softplus(float_array(x))


def softsign(x: Any) -> Array:
    """x / (1 + |x|)."""
    x = float_array(x)
    return divide(x, add(absolute(x), 1))


@primitive
def _elu(x, *, alpha):
    return curves.elu(x, alpha)


def _elu_slope(y, x, alpha):
    below = anp.add(y, constant_like(alpha, x))
    return _where(constant_like(1, x), below, condition=getval(x) > 0)


def _elu_vjp(y, x, alpha):
    def vjp(g):
        if alpha > 0 and plain(g, x, y):
            return curves.elu_backward(g, y, alpha)
        return g * _elu_slope(y, x, alpha)

    return vjp


defvjp(_elu, _elu_vjp)
defjvp(_elu, lambda d, y, x, alpha: d * _elu_slope(y, x, alpha))


def elu(x: Any, alpha: float = 1.0) -> Array:
    """x above zero, alpha (exp(x) - 1) below (Clevert et al., 2015)."""
    return _elu(float_array(x), alpha=alpha)


def selu(x: Any) -> Array:
    """Scaled `elu` that keeps mean 0 and variance 1 (Klambauer et al., 2017)."""
    return multiply(1.0507009873554805, elu(x, 1.6732632423543772))


_silu = fused(
    curves.gate,
    lambda argnums, g, y, x: (curves.gate_backward(g, x),),
    lambda x: x * _sigmoid(x),
)


def silu(x: Any) -> Array:
    """x sigmoid(x), also called swish."""
    return _silu(float_array(x))


def binary_log_loss(labels: Any, logits: Any) -> Array:
    """Cross-entropy of sigmoid(logits): max(z, 0) - z y + log(1 + exp(-|z|))."""
    z = float_array(logits)
    return maximum(z, 0) - z * labels + log1p(exp(-absolute(z)))
