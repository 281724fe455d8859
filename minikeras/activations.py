"""Activation functions, by the names Keras gives them.

The arithmetic is in `ops/nn.py`, and in `ops/activation.py`, which few programs need.
All take any shape, keep the float type, and treat integers as the default float type.
"""

from collections.abc import Callable
from typing import Any

from minikeras import ops
from minikeras.ops.base import Array, float_array
from minikeras.ops.nn import _relu
from minikeras.registry import Family, deserialize_keras_object, serialize_member

family = Family("activation", "keras.activations")


@family.add()
def linear(x: Any) -> Array:
    """x, as it is.

    >>> linear(2.0)
    2.0
    """
    return x


@family.add()
def relu(
    x: Any,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Array:
    """Rectified linear unit: max(x, 0); the derivative at 0 is 0.

    In general: max_value where x >= max_value, x where x > threshold, and
    negative_slope (x - threshold) elsewhere.

    Args:
        x: the input.
        negative_slope: slope below the threshold.
        max_value: upper bound of the result; None for no bound.
        threshold: value up to which the input is cut off.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann
    machines", 2010.

    >>> relu([-2.0, 0.0, 3.0])
    array([0., 0., 3.], dtype=float32)
    >>> relu([-2.0, 0.0, 3.0], negative_slope=0.5, max_value=1.0)
    array([-1.,  0.,  1.], dtype=float32)
    """
    if negative_slope == 0 and max_value is None and threshold == 0:
        return _relu(float_array(x))
    from minikeras.ops.activation import rectify

    return rectify(x, negative_slope, max_value, threshold)


@family.add()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Array:
    """Leaky rectifier: x where x >= 0, negative_slope x elsewhere.

    Args:
        x: the input.
        negative_slope: slope below zero.

    Source: Maas et al., "Rectifier nonlinearities improve neural network acoustic
    models", 2013.

    >>> leaky_relu([-5.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """
    return ops.leaky_relu(x, negative_slope)


@family.add()
def relu6(x: Any) -> Array:
    """Rectifier with an upper bound: min(max(x, 0), 6).

    >>> relu6([-2.0, 3.0, 9.0])
    array([0., 3., 6.], dtype=float32)
    """
    return ops.relu6(x)


@family.add()
def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Array:
    """Probabilities from logits: exp(x) / sum(exp(x)) along an axis.

    Args:
        x: the logits.
        axis: axis, or axes, along which the result sums to 1.

    >>> softmax([0.0, 0.0])
    array([0.5, 0.5], dtype=float32)
    """
    return ops.softmax(x, axis)


@family.add()
def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Array:
    """Logarithm of `softmax`: x - log(sum(exp(x))), exact where that rounds to zero.

    Args:
        x: the logits.
        axis: axis, or axes, along which the probabilities sum to 1.

    >>> log_softmax([0.0, 1000.0])
    array([-1000.,     0.], dtype=float32)
    """
    return ops.log_softmax(x, axis)


@family.add()
def sparsemax(x: Any, axis: int = -1) -> Array:
    """Probabilities from logits, many of them zero: max(x - t, 0) along an axis, with
    t such that they sum to 1.

    Args:
        x: the logits.
        axis: axis along which the result sums to 1.

    Source: Martins and Astudillo, "From softmax to sparsemax", 2016. Keras up to 3.15
    computes another t if more than one result is above zero, and the sum is not 1.

    >>> sparsemax([0.0, 0.5, 1.0])
    array([0.  , 0.25, 0.75], dtype=float32)
    """
    return ops.sparsemax(x, axis)


@family.add()
def sigmoid(x: Any) -> Array:
    """Logistic function: 1 / (1 + exp(-x)).

    >>> sigmoid([0.0, 1000.0])
    array([0.5, 1. ], dtype=float32)
    """
    return ops.sigmoid(x)


@family.add()
def log_sigmoid(x: Any) -> Array:
    """Logarithm of the logistic function: -log(1 + exp(-x)).

    >>> log_sigmoid([-1000.0, 1000.0])
    array([-1000.,    -0.], dtype=float32)
    """
    return ops.log_sigmoid(x)


@family.add()
def hard_sigmoid(x: Any) -> Array:
    """Straight approximation of `sigmoid`: min(max(x + 3, 0), 6) / 6.

    >>> hard_sigmoid([-4.0, 0.0, 4.0])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return ops.hard_sigmoid(x)


@family.add()
def sparse_sigmoid(x: Any) -> Array:
    """Straight approximation of `sigmoid`: min(max(x + 1, 0), 2) / 2.

    Source: Blondel, Martins and Niculae, "Learning classifiers with Fenchel-Young
    losses", 2019.

    >>> sparse_sigmoid([-4.0, 0.0, 4.0])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return ops.sparse_sigmoid(x)


@family.add()
def tanh(x: Any) -> Array:
    """Hyperbolic tangent: (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    >>> tanh([0.0, 1000.0])
    array([0., 1.], dtype=float32)
    """
    return ops.tanh(x)


@family.add()
def hard_tanh(x: Any) -> Array:
    """Straight approximation of `tanh`: min(max(x, -1), 1).

    >>> hard_tanh([-4.0, 0.5, 4.0])
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return ops.hard_tanh(x)


@family.add()
def tanh_shrink(x: Any) -> Array:
    """x - tanh(x).

    >>> tanh_shrink([0.0, 1000.0])
    array([  0., 999.], dtype=float32)
    """
    return ops.tanh_shrink(x)


@family.add()
def soft_shrink(x: Any, threshold: float = 0.5) -> Array:
    """x moved towards zero: sign(x) max(|x| - threshold, 0).

    Args:
        x: the input.
        threshold: distance by which the input is moved.

    >>> soft_shrink([-2.0, 0.25, 1.0])
    array([-1.5,  0. ,  0.5], dtype=float32)
    """
    return ops.soft_shrink(x, threshold)


@family.add()
def hard_shrink(x: Any, threshold: float = 0.5) -> Array:
    """x where |x| > threshold, 0 elsewhere.

    Args:
        x: the input.
        threshold: distance from zero up to which the result is 0.

    >>> hard_shrink([-2.0, 0.25, 1.0])
    array([-2.,  0.,  1.], dtype=float32)
    """
    return ops.hard_shrink(x, threshold)


@family.add()
def threshold(x: Any, threshold: float, default_value: float) -> Array:
    """x where x > threshold, default_value elsewhere.

    Args:
        x: the input.
        threshold: value up to which the input is replaced.
        default_value: what it is replaced by.

    >>> threshold([0.0, 2.0], 1.0, -1.0)
    array([-1.,  2.], dtype=float32)
    """
    return ops.threshold(x, threshold, default_value)


@family.add()
def elu(x: Any, alpha: float = 1.0) -> Array:
    """Exponential linear unit: x where x > 0, alpha (exp(x) - 1) elsewhere.

    Args:
        x: the input.
        alpha: minus the limit far below zero.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential
    linear units", 2015.

    >>> elu([-1000.0, 2.0])
    array([-1.,  2.], dtype=float32)
    """
    return ops.elu(x, alpha)


@family.add()
def selu(x: Any) -> Array:
    """Scaled `elu` that keeps mean 0 and variance 1: 1.0507 elu(x, 1.6733).

    Use it with `LecunNormal` kernels.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.

    >>> selu([0.0, 1.0])
    array([0.      , 1.050701], dtype=float32)
    """
    return ops.selu(x)


@family.add()
def celu(x: Any, alpha: float = 1.0) -> Array:
    """Continuously differentiable `elu`: x where x > 0, alpha (exp(x / alpha) - 1)
    elsewhere.

    Args:
        x: the input.
        alpha: minus the limit far below zero; not 0.

    Raises:
        ValueError: if `alpha` is 0.

    Source: Barron, "Continuously differentiable exponential linear units", 2017.

    >>> celu([-1000.0, 2.0], alpha=0.5)
    array([-0.5,  2. ], dtype=float32)
    """
    return ops.celu(x, alpha)


@family.add("swish")
def silu(x: Any) -> Array:
    """Sigmoid linear unit, also called swish: x sigmoid(x).

    Source: Ramachandran et al., "Searching for activation functions", 2017.

    >>> silu([-1000.0, 0.0, 1000.0])
    array([  -0.,    0., 1000.], dtype=float32)
    """
    return ops.silu(x)


@family.add("hard_swish")
def hard_silu(x: Any) -> Array:
    """Approximation of `silu` without exponentials: x hard_sigmoid(x).

    Source: Howard et al., "Searching for MobileNetV3", 2019.

    >>> hard_silu([-4.0, 1.5, 4.0])
    array([-0.   ,  1.125,  4.   ], dtype=float32)
    """
    return ops.hard_silu(x)


@family.add()
def gelu(x: Any, approximate: bool = False) -> Array:
    """Gaussian error linear unit: x P(X <= x), where X is standard normal.

    Args:
        x: the input.
        approximate: use x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2 instead,
            which is faster and differs by less than 0.001.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.

    >>> gelu([-1.0, 0.0, 1.0]).round(4)
    array([-0.1587,  0.    ,  0.8413], dtype=float32)
    """
    return ops.gelu(x, approximate)


@family.add()
def glu(x: Any, axis: int = -1) -> Array:
    """Gated linear unit: a sigmoid(b), where a and b are the halves of x.

    Args:
        x: the input.
        axis: axis that is cut in two; of even length.

    Raises:
        ValueError: if the length of that axis is odd, or there is no such axis.

    Source: Dauphin et al., "Language modeling with gated convolutional networks", 2017.

    >>> glu([2.0, 4.0, 0.0, 1000.0])
    array([1., 4.], dtype=float32)
    """
    return ops.glu(x, axis)


@family.add()
def mish(x: Any) -> Array:
    """x tanh(log(1 + exp(x))).

    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2019.

    >>> mish([-1000.0, 1000.0])
    array([  -0., 1000.], dtype=float32)
    """
    return ops.mish(x)


@family.add()
def softplus(x: Any) -> Array:
    """Smooth rectifier: log(1 + exp(x)).

    >>> softplus([-1000.0, 0.0, 1000.0])
    array([0.000000e+00, 6.931472e-01, 1.000000e+03], dtype=float32)
    """
    return ops.softplus(x)


@family.add()
def squareplus(x: Any, b: float = 4) -> Array:
    """Smooth rectifier without exponentials: (x + sqrt(x**2 + b)) / 2.

    Args:
        x: the input.
        b: smoothness, not negative; 0 gives `relu`.

    Source: Barron, "Squareplus: a softplus-like algebraic rectifier", 2021.

    >>> squareplus([0.0, 1.5])
    array([1., 2.], dtype=float32)
    """
    return ops.squareplus(x, b)


@family.add()
def sparse_plus(x: Any) -> Array:
    """Smooth rectifier that is exact outside [-1, 1]: (x + 1)**2 / 4 inside.

    >>> sparse_plus([-2.0, 0.0, 2.0])
    array([0.  , 0.25, 2.  ], dtype=float32)
    """
    return ops.sparse_plus(x)


@family.add()
def softsign(x: Any) -> Array:
    """x / (1 + |x|).

    >>> softsign([-3.0, 1.0])
    array([-0.75,  0.5 ], dtype=float32)
    """
    return ops.softsign(x)


@family.add()
def exponential(x: Any) -> Array:
    """exp(x).

    >>> exponential([0.0, 1000.0])
    array([ 1., inf], dtype=float32)
    """
    from minikeras.ops.activation import exponential

    return exponential(x)


swish, hard_swish = silu, hard_silu


def get(identifier: Any) -> Callable[..., Array]:
    """The activation meant by a name, config or function; None means `linear`.

    Raises:
        ValueError: if the name is unknown; the nearest known ones are offered.
        TypeError: if it is none of these.

    >>> get("relu") is relu, get(None) is linear
    (True, True)
    """
    if identifier is None:
        return linear
    return family.get(identifier)


def serialize(activation: Any) -> Any:
    """The name of an activation, or the config of one of the user's own.

    >>> serialize(relu)
    'relu'
    """
    return serialize_member(activation)


def deserialize(
    config: Any, custom_objects: dict[str, Any] | None = None
) -> Callable[..., Array]:
    """The activation a name or config describes; the reverse of `serialize`.

    >>> deserialize("swish") is silu
    True
    """
    return deserialize_keras_object(config, custom_objects, family)
