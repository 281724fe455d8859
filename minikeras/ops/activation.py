"""Derivatives of the less common activations; the common ones are in `ops/nn.py`.

At kinks the derivative is the one Keras has on JAX: each function says which. Most are
compositions; the primitives are those with a formula of their own to differentiate.
"""

import math
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defjvp, defvjp

from minikeras.kernels import blocking, curves
from minikeras.ops.base import (
    Array,
    constant_like,
    float_array,
    fused,
    getval,
    primitive,
)
from minikeras.ops.nn import _relu, _sigmoid, _softplus, _tanh
from minikeras.ops.numpy import masked, negative, sqrt, square, sum
from minikeras.validation import shape_text

# --- straight pieces ------------------------------------------------------------


@primitive
def _clipped(x, *, low, high, edge):
    """x in [low, high]; the derivative at either end is `edge`."""
    return np.minimum(np.maximum(x, constant_like(low, x)), constant_like(high, x))


def _clipped_slope(x, low, high, edge):
    x = getval(x)
    if edge == 0:
        return (low < x) & (x < high)
    if edge == 1:
        return (low <= x) & (x <= high)
    ends = constant_like(edge, x) * ((x == low) | (x == high))
    return ends + ((low < x) & (x < high))


defvjp(
    _clipped,
    lambda y, x, low, high, edge: (
        lambda g: anp.multiply(g, _clipped_slope(x, low, high, edge))
    ),
)
defjvp(
    _clipped,
    lambda d, y, x, low, high, edge: anp.multiply(
        d, _clipped_slope(x, low, high, edge)
    ),
)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Array:
    """x from zero on, negative_slope x below; the derivative at 0 is 1."""
    x = float_array(x)
    above, slope = getval(x) >= 0, constant_like(negative_slope, x)
    if 0 <= negative_slope <= 1:  # np.where is four times slower on mixed signs
        slopes = np.maximum(above.astype(x.dtype), slope)
    else:
        slopes = np.where(above, constant_like(1, x), slope)
    return anp.multiply(x, slopes)


def rectify(
    x: Any, negative_slope: float, max_value: float | None, threshold: float
) -> Array:
    """x above the threshold and at most max_value, negative_slope (x - threshold)
    below; the derivative is that below at the threshold, and half at max_value."""
    x = float_array(x)
    if negative_slope and max_value is None and not threshold:
        return leaky_relu(x, negative_slope)
    if threshold:
        y = masked(x, keep=getval(x) > threshold)
    else:
        y = _relu(x)
    if max_value is not None:
        edge = 0 if max_value == 6 and not threshold else 0.5
        y = _clipped(y, low=0, high=max_value, edge=edge)
    if negative_slope:
        below = _relu(anp.subtract(constant_like(threshold, x), x))
        y = anp.subtract(y, anp.multiply(constant_like(negative_slope, x), below))
    return y


def relu6(x: Any) -> Array:
    """x between 0 and 6, and the nearer end outside; the derivative there is 0."""
    return _clipped(float_array(x), low=0, high=6, edge=0)


def hard_tanh(x: Any) -> Array:
    """x between -1 and 1, and the nearer end outside; the derivative there is 1."""
    return _clipped(float_array(x), low=-1, high=1, edge=1)


def hard_sigmoid(x: Any) -> Array:
    """relu6(x + 3) / 6; the derivative at -3 and 3 is 0."""
    x = float_array(x)
    return anp.divide(relu6(anp.add(x, constant_like(3, x))), constant_like(6, x))


def hard_silu(x: Any) -> Array:
    """x hard_sigmoid(x); the derivative is 0 at -3 and 1 at 3."""
    x = float_array(x)
    return anp.multiply(x, hard_sigmoid(x))


def sparse_sigmoid(x: Any) -> Array:
    """(x + 1) / 2 between 0 and 1; the derivative at -1 and 1 is 1 / 4."""
    x = float_array(x)
    rise = _clipped(anp.add(x, constant_like(1, x)), low=0, high=2, edge=0.5)
    return anp.multiply(rise, constant_like(0.5, x))


def soft_shrink(x: Any, threshold: float = 0.5) -> Array:
    """x moved towards 0 by the threshold; 0, and derivative 0, up to there."""
    x = float_array(x)
    return anp.subtract(x, _clipped(x, low=-threshold, high=threshold, edge=1))


def hard_shrink(x: Any, threshold: float = 0.5) -> Array:
    """x farther from 0 than the threshold; 0, and derivative 0, up to there."""
    x = float_array(x)
    return masked(x, keep=np.abs(getval(x)) > threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Array:
    """x above the threshold; default_value, and derivative 0, up to there."""
    x = float_array(x)
    keep = getval(x) > threshold
    rest = np.where(keep, constant_like(0.0, x), constant_like(default_value, x))
    return anp.add(masked(x, keep=keep), rest)


# --- curves ---------------------------------------------------------------------


@primitive
def _sparse_plus(x):
    bend = np.square(np.clip(x, -1, 1) + constant_like(1.0, x)) / 4
    return np.where(x < 1, bend, x).astype(x.dtype, copy=False)


defvjp(_sparse_plus, lambda y, x: lambda g: anp.multiply(g, sparse_sigmoid(x)))
defjvp(_sparse_plus, lambda d, y, x: anp.multiply(d, sparse_sigmoid(x)))


def sparse_plus(x: Any) -> Array:
    """0 up to -1, (x + 1)**2 / 4 from there to 1, then x."""
    return _sparse_plus(float_array(x))


@primitive
def _exponential(x):
    with np.errstate(over="ignore"):  # infinity is the answer, not an accident
        return np.exp(x)


defvjp(_exponential, lambda y, x: lambda g: anp.multiply(g, y))
defjvp(_exponential, lambda d, y, x: anp.multiply(d, y))


def exponential(x: Any) -> Array:
    """e to the power x; infinity where that is too large, without a warning."""
    return _exponential(float_array(x))


@primitive
def _decay(x, *, alpha):
    """exp(x / alpha) below zero, 1 from there on: the slope of celu."""
    return np.exp(np.minimum(x, constant_like(0, x)) / constant_like(alpha, x))


def _decay_slope(y, x, alpha):
    inverse = constant_like(1 / alpha, getval(x))
    return anp.multiply(y, (getval(x) < 0) * inverse)


defvjp(_decay, lambda y, x, alpha: lambda g: anp.multiply(g, _decay_slope(y, x, alpha)))
defjvp(_decay, lambda d, y, x, alpha: anp.multiply(d, _decay_slope(y, x, alpha)))


@primitive
def _celu(x, *, alpha):
    scale = constant_like(alpha, x)
    zero = constant_like(0, x)
    below = np.expm1(np.minimum(x, zero) / scale) * scale
    return np.maximum(x, zero) + below  # one of them is zero: exact


defvjp(_celu, lambda y, x, alpha: lambda g: anp.multiply(g, _decay(x, alpha=alpha)))
defjvp(_celu, lambda d, y, x, alpha: anp.multiply(d, _decay(x, alpha=alpha)))


def celu(x: Any, alpha: float = 1.0) -> Array:
    """x above zero, alpha (exp(x / alpha) - 1) below."""
    if not alpha:
        raise ValueError(f"celu: `alpha` must not be 0. Received: alpha={alpha!r}")
    return _celu(float_array(x), alpha=alpha)


def squareplus(x: Any, b: float = 4) -> Array:
    """(x + sqrt(x**2 + b)) / 2."""
    x = float_array(x)
    root = sqrt(anp.add(square(x), constant_like(b, x)))
    return anp.multiply(anp.add(x, root), constant_like(0.5, x))


def tanh_shrink(x: Any) -> Array:
    """x - tanh(x)."""
    x = float_array(x)
    return anp.subtract(x, _tanh(x))


def log_sigmoid(x: Any) -> Array:
    """log(sigmoid(x)), exact where the sigmoid rounds to 0 or 1."""
    return negative(_softplus(negative(float_array(x))))


def mish(x: Any) -> Array:
    """x tanh(softplus(x))."""
    x = float_array(x)
    return anp.multiply(x, _tanh(_softplus(x)))


# --- the normal distribution ----------------------------------------------------

# (1 + 2z) exp(z**2) erfc(z), z >= 0, as polynomials in s = (z - 3) / (z + 3), highest
# power first: Chebyshev series cut where the number type ends. The form is that of
# Shepherd and Laframboise, Mathematics of Computation 36, 1981.
_ERFC_SINGLE = (
    *(7.73102425e-05, -9.25451668e-05, -0.00072645368, 0.00187507912),
    *(0.00249911687, -0.0237635764, 0.0683165678, -0.119275275),
    *(0.129644114, -0.0475621569, -0.135621069, 1.25300806),
)
_ERFC_DOUBLE = (
    *(-3.3248215913772586e-09, -7.4179843068122862e-09, 2.8752256184816339e-08),
    *(8.6481450125575e-08, -1.2304866686463351e-07, -5.9372076066210866e-07),
    *(3.4064200008288023e-07, 3.4508427779655906e-06, -7.226697562146001e-07),
    *(-2.0087223310838455e-05, 4.9465931806480518e-06, 0.0001250938730618145),
    *(-0.00010515932549424179, -0.00077983080144235814, 0.0018886903564606426),
    *(0.0025293915692554945, -0.023770514929649808, 0.068308027367568289),
    *(-0.11927366341399395, 0.12964515870170881, -0.047562294353488979),
    *(-0.13562110612456729, 1.2530080582697296),
)


def _normal_cdf_of(x: np.ndarray, y: np.ndarray) -> None:
    """P(X <= x) into y, for X normal with mean 0 and variance 1.

    Relative accuracy holds in the left tail too: erfc(-x / sqrt(2)) / 2.
    """
    dtype = x.dtype.type
    distance = np.minimum(np.abs(x), dtype(50))
    z = distance * dtype(math.sqrt(0.5))
    s = (z - dtype(3)) / (z + dtype(3))
    tail = np.full_like(z, 0)
    for coefficient in _ERFC_DOUBLE if x.itemsize == 8 else _ERFC_SINGLE:
        tail *= s
        tail += dtype(coefficient)
    tail *= dtype(0.5) / (dtype(1) + dtype(2) * z)
    tail *= np.exp(dtype(-0.5) * distance * distance)
    np.subtract(dtype(0.5), tail, out=y)
    y *= x >= 0
    y += y
    y += tail  # 1 - tail from zero on, else tail


@primitive
def _normal_cdf(x):
    if x.dtype == np.float16:
        return _normal_cdf(x.astype("float32")).astype("float16")
    y = blocking.empty(x.shape, x.dtype)
    rows, out = np.ascontiguousarray(x).reshape(-1), y.reshape(-1)
    parts = blocking.slices(x.size, 8 * x.itemsize, 4 * len(_ERFC_SINGLE))
    blocking.parallel(lambda part: _normal_cdf_of(rows[part], out[part]), parts)
    return y


@primitive
def _normal_density(x):
    z = np.minimum(np.abs(x), constant_like(40.0, x))
    return np.exp(z * z * constant_like(-0.5, x)) * constant_like(
        1 / math.sqrt(2 * math.pi), x
    )


defvjp(_normal_cdf, lambda y, x: lambda g: anp.multiply(g, _normal_density(x)))
defjvp(_normal_cdf, lambda d, y, x: anp.multiply(d, _normal_density(x)))
defvjp(
    _normal_density,
    lambda y, x: lambda g: anp.negative(anp.multiply(g, anp.multiply(x, y))),
)
defjvp(
    _normal_density,
    lambda d, y, x: anp.negative(anp.multiply(d, anp.multiply(x, y))),
)


# (1 + tanh(u)) / 2 is sigmoid(2 u), without cancellation: 2 u = bend x^3 + slope x
_SLOPE = math.sqrt(8 / math.pi)
_BEND = 0.044715 * _SLOPE


def _composed_gelu(x):
    u = anp.multiply(square(x), constant_like(_BEND, x))
    u = anp.multiply(x, anp.add(u, constant_like(_SLOPE, x)))
    return anp.multiply(x, _sigmoid(u))


_gelu = fused(
    lambda x: curves.gate(x, (_BEND, _SLOPE)),
    lambda argnums, g, y, x: (curves.gate_backward(g, x, (_BEND, _SLOPE)),),
    _composed_gelu,
)


def gelu(x: Any, approximate: bool = True) -> Array:
    """x P(X <= x) for X standard normal; or x sigmoid of a cubic close to it."""
    x = float_array(x)
    return _gelu(x) if approximate else anp.multiply(x, _normal_cdf(x))


# --- whole axes -----------------------------------------------------------------


@primitive
def _half(x, *, axis, second):
    return np.split(x, 2, axis)[second]


@primitive
def _from_half(g, *, axis, second):
    x = np.zeros(_doubled(g.shape, axis), g.dtype)
    np.split(x, 2, axis)[second][...] = g
    return x


def _doubled(shape, axis):
    return tuple(2 * n if i == axis else n for i, n in enumerate(shape))


defvjp(
    _half,
    lambda y, x, axis, second: lambda g: _from_half(g, axis=axis, second=second),
)
defvjp(
    _from_half, lambda x, g, axis, second: lambda u: _half(u, axis=axis, second=second)
)
def_linear(_half)
def_linear(_from_half)


def glu(x: Any, axis: int = -1) -> Array:
    """a sigmoid(b), where a and b are the halves of x along an axis."""
    x = float_array(x)
    if not -x.ndim <= axis < x.ndim or x.shape[axis] % 2:
        raise ValueError(
            f"glu: axis {axis} of `x` must exist and have an even length, to be cut in "
            f"two halves. Received: x of shape {shape_text(x.shape)}"
        )
    axis %= x.ndim
    gate = _sigmoid(_half(x, axis=axis, second=1))
    return anp.multiply(_half(x, axis=axis, second=0), gate)


@primitive
def _sparsemax(x, *, axis):
    x = x - np.max(x, axis=axis, keepdims=True)
    ordered = -np.sort(-x, axis=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    ranks = np.arange(1, x.shape[axis] + 1, dtype=x.dtype).reshape(shape)
    sums = np.cumsum(ordered, axis=axis) - 1
    count = np.sum(ordered * ranks > sums, axis=axis, keepdims=True)
    level = np.take_along_axis(sums, count - 1, axis) / count.astype(x.dtype)
    return np.maximum(x - level, 0)


def _sparsemax_product(y, g, axis):
    """The Jacobian, which is symmetric, times g: mean removed within the support."""
    keep = getval(y) > 0
    kept = masked(g, keep=keep)
    count = keep.sum(axis=axis, keepdims=True).astype(getval(y).dtype)
    mean = anp.divide(sum(kept, axis=axis, keepdims=True), count)
    return masked(anp.subtract(g, mean), keep=keep)


defvjp(_sparsemax, lambda y, x, axis: lambda g: _sparsemax_product(y, g, axis))
defjvp(_sparsemax, lambda d, y, x, axis: _sparsemax_product(y, d, axis))


def sparsemax(x: Any, axis: int = -1) -> Array:
    """The nearest point to x of those that are not negative and sum to 1."""
    return _sparsemax(float_array(x), axis=axis)
