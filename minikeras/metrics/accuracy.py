"""How often predictions hit the label."""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.losses.base import same_rank
from minikeras.metrics.base import MeanMetricWrapper, family, plain
from minikeras.validation import positive_int


def _hits(equal: np.ndarray) -> np.ndarray:
    return equal.astype(config.floatx())


def accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the prediction equals the label, else 0.

    >>> accuracy([1, 2], [1, 3])
    array([1., 0.], dtype=float32)
    """
    y_true, y_pred = same_rank(plain(y_true), plain(y_pred))
    return _hits(y_true == y_pred)


@family.add()
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """1 where `y_pred > threshold` agrees with the label 0 or 1, else 0.

    >>> binary_accuracy([[1.0], [0.0]], [[0.9], [0.6]])
    array([[1.],
           [0.]], dtype=float32)
    """
    y_true, y_pred = same_rank(plain(y_true), plain(y_pred))
    return _hits(y_true == (y_pred > threshold).astype(y_true.dtype))


@family.add()
def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the largest prediction is at the place of the largest label, else 0.

    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.], dtype=float32)
    """
    labels, predicted = plain(y_true).argmax(-1), plain(y_pred).argmax(-1)
    return _hits(labels == predicted)


@family.add()
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the largest prediction is at the integer label, else 0.

    >>> sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.], dtype=float32)
    """
    labels, y_pred = plain(y_true), plain(y_pred)
    if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    hits = _hits(labels == y_pred.argmax(-1))
    return hits[..., 0] if hits.ndim > 1 and hits.shape[-1] == 1 else hits


@family.add()
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """1 where fewer than k predictions exceed that at the one-hot label, else 0.

    >>> top_k_categorical_accuracy([[0, 0, 1]], [[0.5, 0.2, 0.3]], k=2)
    array([1.], dtype=float32)
    """
    return sparse_top_k_categorical_accuracy(plain(y_true).argmax(-1), y_pred, k)


@family.add()
def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> np.ndarray:
    """1 where fewer than k predictions exceed that at the integer label, else 0.

    Args:
        y_true: the labels.
        y_pred: a score for each class; or the best classes, best first.
        k: how many of the best predictions count.
        from_sorted_ids: whether `y_pred` are classes and not scores.

    Output shape:
        That of `y_true`.

    >>> sparse_top_k_categorical_accuracy([2, 1], [[0.5, 0.2, 0.3], [0.5, 0, 0.3]], k=2)
    array([1., 0.], dtype=float32)
    """
    labels, y_pred = plain(y_true), plain(y_pred)
    rows = y_pred.reshape(-1, y_pred.shape[-1])
    column = labels.reshape(-1, 1)
    if from_sorted_ids:
        return _hits((column == rows[:, :k]).any(-1)).reshape(labels.shape)
    column = column.astype("int64")
    known = (column >= 0) & (column < rows.shape[1])
    score = np.take_along_axis(rows, np.where(known, column, 0), -1)
    known &= ~np.isnan(score)
    better = (rows > score).sum(-1, keepdims=True)
    return _hits(known & (better < k)).reshape(labels.shape)


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


@family.add()
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose one-hot label is among the k largest predictions.

    Args:
        k: how many of the largest predictions count.

    Raises:
        ValueError: if k is no positive integer.
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "top_k_categorical_accuracy",
        dtype: str | None = None,
    ):
        self.k = positive_int(k, "k", "TopKCategoricalAccuracy")
        super().__init__(top_k_categorical_accuracy, name, dtype, k=self.k)


@family.add()
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose integer label is among the k largest predictions.

    Args:
        k: how many of the largest predictions count.
        from_sorted_ids: whether predictions are classes, best first, and not scores.

    Raises:
        ValueError: if k is no positive integer.
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: str | None = None,
        from_sorted_ids: bool = False,
    ):
        self.k = positive_int(k, "k", "SparseTopKCategoricalAccuracy")
        self.from_sorted_ids = from_sorted_ids
        super().__init__(
            sparse_top_k_categorical_accuracy,
            name,
            dtype,
            k=self.k,
            from_sorted_ids=from_sorted_ids,
        )

    def get_config(self) -> dict[str, Any]:
        settings = super().get_config()
        if not self.from_sorted_ids:  # as Keras writes it
            del settings["from_sorted_ids"]
        return settings
