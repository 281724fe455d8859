"""Losses for numbers: how far predictions are from the truth."""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.losses.base import LossFunctionWrapper, family, pair
from minikeras.ops.base import Array
from minikeras.ops.nn import softplus
from minikeras.ops.numpy import (
    absolute,
    divide,
    log1p,
    maximum,
    mean,
    multiply,
    negative,
    sqrt,
    square,
    subtract,
    sum,
    where,
)


@family.add()
def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """Mean of (y_true - y_pred)^2 over the last axis.

    >>> import numpy as np
    >>> mean_squared_error(np.array([[0.0, 2.0]]), np.array([[1.0, 2.0]]))
    array([0.5])
    """
    y_true, y_pred = pair(y_true, y_pred, "mean_squared_error")
    return mean(square(subtract(y_true, y_pred)), axis=-1)


@family.add()
def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """Mean of |y_true - y_pred| over the last axis.

    >>> import numpy as np
    >>> mean_absolute_error(np.array([[0.0, 2.0]]), np.array([[1.0, 2.0]]))
    array([0.5])
    """
    y_true, y_pred = pair(y_true, y_pred, "mean_absolute_error")
    return mean(absolute(subtract(y_true, y_pred)), axis=-1)


@family.add()
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Array:
    """100 times the mean of |y_true - y_pred| / |y_true| over the last axis.

    The divisor is at least 1e-7.

    >>> mean_absolute_percentage_error(np.array([[2.0, 4.0]]), np.array([[1.0, 4.0]]))
    array([25.])
    """
    y_true, y_pred = pair(y_true, y_pred, "mean_absolute_percentage_error")
    size = maximum(absolute(y_true), config.epsilon())
    return multiply(100.0, mean(absolute(divide(y_true - y_pred, size)), axis=-1))


@family.add()
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Array:
    """Mean of (log(1 + y_true) - log(1 + y_pred))^2 over the last axis.

    Values below 1e-7 count as 1e-7.

    >>> y_true, y_pred = np.array([[0.0, 2.0]]), np.array([[1.0, 2.0]])
    >>> mean_squared_logarithmic_error(y_true, y_pred).round(4)
    array([0.2402])
    """
    y_true, y_pred = pair(y_true, y_pred, "mean_squared_logarithmic_error")
    low = config.epsilon()
    error = log1p(maximum(y_pred, low)) - log1p(maximum(y_true, low))
    return mean(square(error), axis=-1)


@family.add()
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Array:
    """Mean over the last axis of e^2 / 2, or delta (|e| - delta / 2) for |e| > delta.

    Args:
        y_true: the truth.
        y_pred: the prediction; e is its error.
        delta: error up to which the loss is a square.

    Source: Huber, Robust Estimation of a Location Parameter, 1964.

    >>> huber(np.array([[0.0, 0.0]]), np.array([[1.0, 2.0]]))
    array([1.])
    """
    y_true, y_pred = pair(y_true, y_pred, "huber")
    error = subtract(y_pred, y_true)
    size = absolute(error)
    near = multiply(0.5, square(error))
    far = subtract(multiply(delta, size), 0.5 * delta * delta)
    return mean(where(size <= delta, near, far), axis=-1)


@family.add()
def log_cosh(y_true: Any, y_pred: Any) -> Array:
    """Mean of log(cosh(y_pred - y_true)) over the last axis, without overflow.

    >>> log_cosh(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]])).round(4)
    array([0.2169])
    """
    y_true, y_pred = pair(y_true, y_pred, "log_cosh")
    error = subtract(y_pred, y_true)
    values = error + softplus(multiply(-2.0, error))
    return mean(subtract(values, float(np.log(2.0))), axis=-1)


@family.add()
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """-cos of the angle between y_true and y_pred: -1 where they point the same way.

    A vector of zeros has similarity 0.

    Args:
        y_true: the truth.
        y_pred: the prediction.
        axis: axis along which the vectors lie.

    >>> cosine_similarity(np.array([[0.0, 2.0]]), np.array([[3.0, 3.0]])).round(4)
    array([-0.7071])
    """
    y_true, y_pred = pair(y_true, y_pred, "cosine_similarity")
    product = multiply(_unit(y_true, axis), _unit(y_pred, axis))
    return negative(sum(product, axis=axis))


def _unit(x: Array, axis: int) -> Array:
    """x / |x|, with |x| at least 1e-7."""
    length = sum(square(x), axis=axis, keepdims=True)
    # The smallest length is taken before the root, whose slope at 0 is infinite.
    return divide(x, sqrt(maximum(length, config.epsilon() ** 2)))


@family.add()
class MeanSquaredError(LossFunctionWrapper):
    """`mean_squared_error`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(
        self, reduction="sum_over_batch_size", name="mean_squared_error", dtype=None
    ):
        super().__init__(mean_squared_error, reduction, name, dtype)


@family.add()
class MeanAbsoluteError(LossFunctionWrapper):
    """`mean_absolute_error`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(
        self, reduction="sum_over_batch_size", name="mean_absolute_error", dtype=None
    ):
        super().__init__(mean_absolute_error, reduction, name, dtype)


@family.add()
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """`mean_absolute_percentage_error`, weighed and reduced.

    Arguments as for `Loss`.
    """

    def __init__(
        self,
        reduction="sum_over_batch_size",
        name="mean_absolute_percentage_error",
        dtype=None,
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@family.add()
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """`mean_squared_logarithmic_error`, weighed and reduced.

    Arguments as for `Loss`.
    """

    def __init__(
        self,
        reduction="sum_over_batch_size",
        name="mean_squared_logarithmic_error",
        dtype=None,
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@family.add()
class Huber(LossFunctionWrapper):
    """`huber`, weighed and reduced."""

    def __init__(
        self,
        delta=1.0,
        reduction="sum_over_batch_size",
        name="huber_loss",
        dtype=None,
    ):
        super().__init__(huber, reduction, name, dtype, delta=delta)

    def get_config(self) -> dict[str, Any]:
        return _without_default(super().get_config(), "delta", 1.0)


@family.add()
class LogCosh(LossFunctionWrapper):
    """`log_cosh`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(self, reduction="sum_over_batch_size", name="log_cosh", dtype=None):
        super().__init__(log_cosh, reduction, name, dtype)


@family.add()
class CosineSimilarity(LossFunctionWrapper):
    """`cosine_similarity`, weighed and reduced."""

    def __init__(
        self,
        axis=-1,
        reduction="sum_over_batch_size",
        name="cosine_similarity",
        dtype=None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)

    def get_config(self) -> dict[str, Any]:
        return _without_default(super().get_config(), "axis", -1)


def _without_default(
    settings: dict[str, Any], key: str, default: Any
) -> dict[str, Any]:
    """Keras reads these keys but never writes them: they are written when they say
    something, so that a config keeps its meaning and is otherwise that of Keras."""
    if settings[key] == default:
        del settings[key]
    return settings
