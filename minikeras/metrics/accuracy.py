"""How often predictions hit the label."""

from typing import Any

import numpy as np
from autograd.tracer import getval

from minikeras import config
from minikeras.losses.base import same_rank
from minikeras.metrics.base import MeanMetricWrapper, family
from minikeras.ops.base import convert


def _plain(x: Any) -> np.ndarray:
    return np.asarray(getval(convert(x)))


def _hits(equal: np.ndarray) -> np.ndarray:
    return equal.astype(config.floatx())


def accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the prediction equals the label, else 0.

    >>> accuracy([1, 2], [1, 3])
    array([1., 0.], dtype=float32)
    """
    y_true, y_pred = same_rank(_plain(y_true), _plain(y_pred))
    return _hits(y_true == y_pred)


@family.add()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """1 where `y_pred > threshold` agrees with the label 0 or 1, else 0.

    >>> binary_accuracy([[1.0], [0.0]], [[0.9], [0.6]])
    array([[1.],
           [0.]], dtype=float32)
    """
    y_true, y_pred = same_rank(_plain(y_true), _plain(y_pred))
    return _hits(y_true == (y_pred > threshold).astype(y_true.dtype))


@family.add()
def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the largest prediction is at the place of the largest label, else 0.

    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.], dtype=float32)
    """
    labels, predicted = _plain(y_true).argmax(-1), _plain(y_pred).argmax(-1)
    return _hits(labels == predicted)


@family.add()
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the largest prediction is at the integer label, else 0.

    >>> sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.], dtype=float32)
    """
    labels, y_pred = _plain(y_true), _plain(y_pred)
    if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    hits = _hits(labels == y_pred.argmax(-1))
    return hits[..., 0] if hits.ndim > 1 and hits.shape[-1] == 1 else hits


@family.add()
class Accuracy(MeanMetricWrapper):
    """Share of predictions equal to the label.

    >>> float(Accuracy()([1, 2], [1, 3]))
    0.5
    """

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: str | None = None):
        super().__init__(accuracy, name, dtype)


@family.add()
class BinaryAccuracy(MeanMetricWrapper):
    """Share of predictions on the label's side of a threshold.

    Args:
        threshold: predictions above it count as 1.
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "binary_accuracy",
        dtype: str | None = None,
        threshold: float = 0.5,
    ):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


@family.add()
class CategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose largest prediction is at the one-hot label."""

    _direction = "up"

    def __init__(
        self, name: str | None = "categorical_accuracy", dtype: str | None = None
    ):
        super().__init__(categorical_accuracy, name, dtype)


@family.add()
class SparseCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose largest prediction is at the integer label."""

    _direction = "up"

    def __init__(
        self,
        name: str | None = "sparse_categorical_accuracy",
        dtype: str | None = None,
    ):
        super().__init__(sparse_categorical_accuracy, name, dtype)
