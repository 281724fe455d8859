"""Losses for classes: cross-entropies of probabilities or logits."""

from typing import Any

import numpy as np
from autograd.tracer import getval

from minikeras import config
from minikeras.losses.base import LossFunctionWrapper, family, pair, same_rank
from minikeras.ops.base import Array, convert, float_array
from minikeras.ops.class_losses import binary_values, check_labels, log_probability
from minikeras.ops.log_loss import sparse_log_loss
from minikeras.ops.numpy import (
    mean,
    moveaxis,
    negative,
    sum,
    where,
)


@family.add()
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Mean over an axis of -(y log p + (1 - y) log(1 - p)).

    Args:
        y_true: labels 0 and 1, or probabilities.
        y_pred: probabilities p, clipped to [1e-7, 1 - 1e-7]; or logits.
        from_logits: whether `y_pred` are logits z, with p = sigmoid(z).
        label_smoothing: s moves labels to y (1 - s) + s / 2.
        axis: the axis of the mean.

    >>> binary_crossentropy(np.array([[1.0]]), np.array([[0.5]])).round(4)
    array([0.6931])
    """
    y_true, y_pred = pair(y_true, y_pred, "binary_crossentropy")
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return mean(binary_values(y_true, y_pred, from_logits), axis=axis)


@family.add()
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """-sum over classes of y log p.

    Args:
        y_true: one-hot labels, or probabilities.
        y_pred: probabilities p, scaled to sum 1 and clipped to [1e-7, 1 - 1e-7]; or
            logits.
        from_logits: whether `y_pred` are logits z, with p = softmax(z).
        label_smoothing: s moves labels to y (1 - s) + s / classes.
        axis: the axis of the classes.

    Raises:
        ValueError: if the shapes differ.

    >>> y_true, y_pred = np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])
    >>> categorical_crossentropy(y_true, y_pred).round(4)
    array([0.6931])
    """
    y_pred = float_array(y_pred)
    y_true, y_pred = same_rank(convert(y_true, y_pred.dtype), y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            "categorical_crossentropy: labels must be one-hot, of the shape of the "
            f"predictions. Received: y_true of shape {y_true.shape}, y_pred of shape "
            f"{y_pred.shape}. For integer labels use sparse_categorical_crossentropy."
        )
    if label_smoothing:
        smoothing = label_smoothing / y_true.shape[-1]
        y_true = y_true * (1.0 - label_smoothing) + smoothing
    return negative(sum(y_true * log_probability(y_pred, from_logits, axis), axis))


@family.add()
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Array:
    """-log of the probability of the labelled class.

    Args:
        y_true: integer labels, of the shape of `y_pred` without the class axis.
        y_pred: probabilities, scaled to sum 1 and clipped to [1e-7, 1 - 1e-7]; or
            logits.
        from_logits: whether `y_pred` are logits z, with p = softmax(z).
        ignore_class: label whose samples do not count.
        axis: the axis of the classes.

    Raises:
        ValueError: if the shapes do not fit, or a label is not from 0 to the number
            of classes - 1.

    >>> sparse_categorical_crossentropy([1], np.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """
    y_pred = float_array(y_pred)
    labels = np.asarray(getval(convert(y_true)))
    rank = getval(y_pred).ndim
    if labels.ndim == rank and labels.shape[axis] == 1:
        labels = np.squeeze(labels, axis)
    if axis not in (-1, rank - 1):
        y_pred = moveaxis(y_pred, axis, -1)
    shape = getval(y_pred).shape
    if labels.shape != shape[:-1]:
        raise ValueError(
            "sparse_categorical_crossentropy: labels must be integers, one for each "
            f"row of predictions. Received: y_true of shape {labels.shape}, y_pred of "
            f"shape {shape}. For one-hot labels use categorical_crossentropy."
        )
    labels = labels.astype(np.int64)
    keep = None if ignore_class is None else labels != ignore_class
    labels = labels if keep is None else np.where(keep, labels, 0)
    check_labels(labels, shape[-1])
    values = sparse_log_loss(y_pred, labels, config.epsilon(), from_logits)
    return values if keep is None else where(keep, values, 0.0)


sparse_categorical_crossentropy.takes_labels = True  # type: ignore[attr-defined]


@family.add()
class BinaryCrossentropy(LossFunctionWrapper):
    """`binary_crossentropy`, weighed and reduced."""

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_crossentropy",
        dtype=None,
    ):
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@family.add()
class CategoricalCrossentropy(LossFunctionWrapper):
    """`categorical_crossentropy`, weighed and reduced."""

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@family.add()
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """`sparse_categorical_crossentropy`, weighed and reduced; samples of
    `ignore_class` do not count in the mean."""

    def __init__(
        self,
        from_logits=False,
        ignore_class=None,
        reduction="sum_over_batch_size",
        axis=-1,
        name="sparse_categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )

    def mask(self, y_true: Any, values: np.ndarray) -> np.ndarray | None:
        ignored = self._fn_kwargs["ignore_class"]
        if ignored is None:
            return None
        labels = np.asarray(y_true)
        keep = labels != ignored
        return keep[..., 0] if keep.ndim > 1 and keep.shape[-1] == 1 else keep

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "reduction": self.reduction,
            "from_logits": self._fn_kwargs["from_logits"],
            "ignore_class": self._fn_kwargs["ignore_class"],
        }
