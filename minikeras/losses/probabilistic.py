"""Losses between distributions, and cross-entropies that weigh easy samples less."""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.losses.base import LossFunctionWrapper, family, pair
from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.class_losses import check_labels
from minikeras.ops.nn import sigmoid, softmax
from minikeras.ops.numpy import (
    add,
    divide,
    log,
    maximum,
    mean,
    minimum,
    multiply,
    negative,
    pick,
    power,
    subtract,
    sum,
    where,
)


@family.add()
def kl_divergence(y_true: Any, y_pred: Any) -> Array:
    """Sum of y_true log(y_true / y_pred) over the last axis.

    Args:
        y_true: probabilities, clipped to [1e-7, 1].
        y_pred: probabilities, clipped to [1e-7, 1].

    Source: Kullback and Leibler, On Information and Sufficiency, 1951.

    >>> kl_divergence(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])).round(4)
    array([0.1438])
    """
    y_true, y_pred = pair(y_true, y_pred, "kl_divergence")
    low = config.epsilon()
    y_true, y_pred = _between(y_true, low, 1.0), _between(y_pred, low, 1.0)
    return sum(y_true * log(divide(y_true, y_pred)), axis=-1)


@family.add()
def poisson(y_true: Any, y_pred: Any) -> Array:
    """Mean of y_pred - y_true log(y_pred + 1e-7) over the last axis.

    It is the negative log-likelihood of counts, up to a constant.

    Args:
        y_true: counts.
        y_pred: expected counts, not below 0.

    >>> poisson(np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])).round(4)
    array([1.])
    """
    y_true, y_pred = pair(y_true, y_pred, "poisson")
    values = y_pred - y_true * log(add(y_pred, config.epsilon()))
    return mean(values, axis=-1)


@family.add()
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """`binary_crossentropy` times (1 - q)^gamma, q the probability of the label.

    Args:
        y_true: labels 0 and 1, or probabilities.
        y_pred: probabilities, or logits.
        apply_class_balancing: whether class 1 weighs alpha and class 0 1 - alpha.
        alpha: weight of class 1.
        gamma: how much less sure samples weigh; 0 for not at all.
        from_logits: whether `y_pred` are logits z, with probabilities sigmoid(z).
        label_smoothing: s moves labels to y (1 - s) + s / 2.
        axis: the axis of the mean.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017.

    >>> binary_focal_crossentropy(np.array([[1.0]]), np.array([[0.5]])).round(4)
    array([0.1733])
    """
    y_true, p = pair(y_true, y_pred, "binary_focal_crossentropy")
    if label_smoothing:
        y_true = multiply(y_true, 1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        p = sigmoid(p)
    off = subtract(1.0, y_true)
    sure = _clipped(p)
    values = negative(y_true * log(sure) + off * log(subtract(1.0, sure)))
    right = y_true * p + off * subtract(1.0, p)
    values = _power(subtract(1.0, right), gamma) * values
    if apply_class_balancing:
        values = (multiply(alpha, y_true) + multiply(1.0 - alpha, off)) * values
    return mean(values, axis=axis)


@family.add()
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """-sum over classes of alpha (1 - p)^gamma y log p.

    Args:
        y_true: one-hot labels, or probabilities.
        y_pred: probabilities p, scaled to sum 1 and clipped to [1e-7, 1 - 1e-7]; or
            logits.
        alpha: weight of all classes, or a list with one for each.
        gamma: how much less sure samples weigh; 0 for not at all.
        from_logits: whether `y_pred` are logits z, with p = softmax(z).
        label_smoothing: s moves labels to y (1 - s) + s / classes.
        axis: the axis of the classes.

    Raises:
        ValueError: if the shapes differ.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017.

    >>> y_true, y_pred = np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])
    >>> categorical_focal_crossentropy(y_true, y_pred).round(4)
    array([0.0433])
    """
    y_true, p = pair(y_true, y_pred, "categorical_focal_crossentropy")
    if y_true.shape != p.shape:
        raise ValueError(
            "categorical_focal_crossentropy: labels must be one-hot, of the shape of "
            f"the predictions. Received: y_true of shape {y_true.shape}, y_pred of "
            f"shape {p.shape}. Make them so with `utils.to_categorical`."
        )
    if label_smoothing:
        smoothing = label_smoothing / y_true.shape[-1]
        y_true = multiply(y_true, 1.0 - label_smoothing) + smoothing
    if from_logits:
        p = softmax(p, axis=axis)
    p = _clipped(divide(p, sum(p, axis=axis, keepdims=True)))
    weight = multiply(_power(subtract(1.0, p), gamma), np.asarray(alpha, p.dtype))
    return negative(sum(weight * (y_true * log(p)), axis=axis))


@family.add()
def categorical_generalized_cross_entropy(
    y_true: Any, y_pred: Any, q: float = 0.5
) -> Array:
    """(1 - p^q) / q, with p the probability of the labelled class.

    It lies between the cross-entropy (q near 0) and the mean absolute error (q near
    1), and wrong labels mislead it less than they do the first.

    Args:
        y_true: integer labels, of the shape of `y_pred` without the last axis.
        y_pred: probabilities; classes on the last axis.
        q: a number between 0 and 1.

    Raises:
        ValueError: if the shapes do not fit, or a label is not from 0 to the number
            of classes - 1.

    Source: Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural
    Networks with Noisy Labels, 2018.

    >>> categorical_generalized_cross_entropy([1], np.array([[0.75, 0.25]]))
    array([1.])
    """
    y_pred = float_array(y_pred)
    labels = np.asarray(getval(convert(y_true)))
    if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.shape != y_pred.shape[:-1]:
        raise ValueError(
            "categorical_generalized_cross_entropy: labels must be integers, one for "
            f"each row of predictions. Received: y_true of shape {labels.shape}, "
            f"y_pred of shape {y_pred.shape}."
        )
    labels = labels.astype(np.int64)
    check_labels(labels, y_pred.shape[-1])
    return divide(subtract(1.0, _power(pick(y_pred, labels), q)), q)


categorical_generalized_cross_entropy.takes_labels = True  # type: ignore[attr-defined]


def _between(x: Array, low: float, high: float) -> Array:
    """`clip` whose slope at the ends is one half, as that of Keras on JAX.

    It matters in float32, where a softmax gives probabilities of exactly 1.
    """
    return minimum(maximum(x, low), high)


def _clipped(p: Array) -> Array:
    return _between(p, config.epsilon(), 1.0 - config.epsilon())


def _power(x: Array, exponent: float) -> Array:
    """x^exponent; where its slope at x = 0 were infinite, it is 0.

    An infinite slope meets a factor 0 in the next rule, and the gradient is nan. Here
    x = 0 is a sample that is fitted already or, behind a softmax, cannot be reached.
    """
    if not 0 < exponent < 1:
        return power(x, exponent)
    positive = getval(x) != 0
    return where(positive, power(where(positive, x, 1.0), exponent), 0.0)


@family.add()
class KLDivergence(LossFunctionWrapper):
    """`kl_divergence`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(
        self, reduction="sum_over_batch_size", name="kl_divergence", dtype=None
    ):
        super().__init__(kl_divergence, reduction, name, dtype)


@family.add()
class Poisson(LossFunctionWrapper):
    """`poisson`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(self, reduction="sum_over_batch_size", name="poisson", dtype=None):
        super().__init__(poisson, reduction, name, dtype)


@family.add()
class BinaryFocalCrossentropy(LossFunctionWrapper):
    """`binary_focal_crossentropy`, weighed and reduced."""

    def __init__(
        self,
        apply_class_balancing=False,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_focal_crossentropy",
        dtype=None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@family.add()
class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """`categorical_focal_crossentropy`, weighed and reduced."""

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_focal_crossentropy",
        dtype=None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@family.add()
class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """`categorical_generalized_cross_entropy`, weighed and reduced.

    Raises:
        ValueError: if q is not between 0 and 1.
    """

    def __init__(
        self,
        q=0.5,
        reduction="sum_over_batch_size",
        name="categorical_generalized_cross_entropy",
        dtype=None,
    ):
        if not 0 < q < 1:
            raise ValueError(
                "CategoricalGeneralizedCrossEntropy: `q` must be above 0 and below 1. "
                f"Received: q={q!r}"
            )
        super().__init__(
            categorical_generalized_cross_entropy, reduction, name, dtype, q=q
        )
