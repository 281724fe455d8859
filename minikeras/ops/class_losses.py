"""Cross-entropies, one number for each label, with the names of `keras.ops`.

Those of `minikeras.losses` smooth labels, leave classes out and take means besides.
"""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.ops.base import Array, convert, float_array
from minikeras.ops.log_loss import sparse_log_loss
from minikeras.ops.nn import binary_log_loss, log_softmax
from minikeras.ops.numpy import (
    _axes,
    clip,
    convert_to_numpy,
    divide,
    log,
    moveaxis,
    multiply,
    negative,
    sum,
)
from minikeras.validation import shape_text


def _clipped(p: Array) -> Array:
    return clip(p, config.epsilon(), 1.0 - config.epsilon())


def binary_values(labels: Array, output: Array, from_logits: bool) -> Array:
    """-(y log p + (1 - y) log(1 - p)), for arrays of one type."""
    if from_logits:
        return binary_log_loss(labels, output)
    p = _clipped(output)
    return negative(labels * log(p) + (1.0 - labels) * log(1.0 - p))


def log_probability(output: Array, from_logits: bool, axis: int) -> Array:
    """Logarithms of probabilities, which are scaled to sum 1; or `log_softmax`."""
    if from_logits:
        return log_softmax(output, axis)
    return log(_clipped(divide(output, sum(output, axis=axis, keepdims=True))))


def check_labels(labels: np.ndarray, classes: int) -> None:
    """Refuse integer labels outside 0 ... classes - 1."""
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = np.unique(labels[(labels < 0) | (labels >= classes)])[:5]
        raise ValueError(
            f"The model has {classes} outputs, so labels must be from 0 to "
            f"{classes - 1}. Received labels such as "
            f"{', '.join(str(n) for n in wrong)}. Change the number of units of the "
            "last layer, or number the labels from 0."
        )


def _same_shape(target: Array, output: Array, owner: str) -> None:
    if target.shape != output.shape:
        raise ValueError(
            f"{owner}: `target` and `output` must have the same shape. Received: "
            f"{shape_text(target.shape)} and {shape_text(output.shape)}"
        )


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Array:
    """-(y log p + (1 - y) log(1 - p)) for each label.

    Args:
        target: labels y, 0 and 1, or probabilities.
        output: probabilities p, brought into [1e-7, 1 - 1e-7]; or logits.
        from_logits: whether `output` are logits z, with p = sigmoid(z).

    Raises:
        ValueError: if the shapes differ.

    >>> binary_crossentropy([1.0, 0.0], [0.5, 0.25]).round(4)
    array([0.6931, 0.2877], dtype=float32)
    """
    target, output = convert(target), float_array(output)
    _same_shape(target, output, "binary_crossentropy")
    return binary_values(convert(target, output.dtype), output, from_logits)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Array:
    """-sum over classes of y log p.

    Args:
        target: one-hot labels y, or probabilities.
        output: probabilities p, scaled to sum 1 and brought into [1e-7, 1 - 1e-7]; or
            logits.
        from_logits: whether `output` are logits z, with p = softmax(z).
        axis: the axis of the classes, which the result does not have.

    Raises:
        ValueError: if the shapes differ, or there is no such axis.

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
    array([0.6931], dtype=float32)
    """
    target, output = convert(target), float_array(output)
    _same_shape(target, output, "categorical_crossentropy")
    (axis,) = _axes(axis, output.ndim)
    logarithms = log_probability(output, from_logits, axis)
    return negative(sum(multiply(target, logarithms), axis=axis))


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Array:
    """-log of the probability of the labelled class.

    Args:
        target: labels, whole numbers, of the shape of `output` without the axis of
            classes, or with 1 in its place at the end.
        output: probabilities, scaled to sum 1 and brought into [1e-7, 1 - 1e-7]; or
            logits.
        from_logits: whether `output` are logits z, with p = softmax(z).
        axis: the axis of the classes.

    Raises:
        ValueError: if the shapes do not fit, there is no such axis, or a label is no
            class (Keras gives it a loss of 0).

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(4)
    array([0.6931], dtype=float32)
    """
    output, labels = float_array(output), convert_to_numpy(target)
    (axis,) = _axes(axis, output.ndim)
    if labels.ndim == output.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if axis != output.ndim - 1:
        output = moveaxis(output, axis, -1)
    if labels.shape != output.shape[:-1]:
        raise ValueError(
            "sparse_categorical_crossentropy: `target` must have the shape of `output` "
            f"without axis {axis}, the classes. Received: target of shape "
            f"{shape_text(labels.shape)}, output without it of shape "
            f"{shape_text(output.shape[:-1])}"
        )
    labels = labels.astype(np.int64)
    check_labels(labels, output.shape[-1])
    return sparse_log_loss(output, labels, config.epsilon(), from_logits)
