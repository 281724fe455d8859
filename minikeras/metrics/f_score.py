"""F scores: precision and recall in one number."""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.metrics.base import Metric, family, plain
from minikeras.validation import shape_text

_AVERAGES = (None, "micro", "macro", "weighted")


@family.add()
class FBetaScore(Metric):
    """(1 + b^2) precision recall / (b^2 precision + recall), for each class.

    Args:
        average: `"micro"` counts all classes together, `"macro"` is the mean over
            classes, `"weighted"` the mean by how often a class occurs; None gives one
            score a class.
        beta: b; above 1 recall matters more.
        threshold: predictions above it are positive; for None the largest one is.

    Input shape:
        (N, classes), both; `sample_weight` is (N,).

    Raises:
        ValueError: if an argument or the shapes are of another kind.

    Source: van Rijsbergen, Information Retrieval, 1979.

    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> metric([[1, 1], [1, 0]], [[0.9, 0.6], [0.2, 0.7]]).round(4)
    array([0.5556, 0.8333], dtype=float32)
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        if average not in _AVERAGES:
            raise ValueError(
                f"{owner}: `average` must be one of {_AVERAGES}. "
                f"Received: average={average!r}"
            )
        if not isinstance(beta, float) or not beta > 0:
            raise ValueError(
                f"{owner}: `beta` must be a float above 0. Received: beta={beta!r}"
            )
        if threshold is not None and (
            not isinstance(threshold, float) or not 0 < threshold <= 1
        ):
            raise ValueError(
                f"{owner}: `threshold` must be None or a float with "
                f"0 < threshold <= 1. Received: threshold={threshold!r}"
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._axis = None if average == "micro" else 0
        self._built = False

    def _build(self, classes: int) -> None:
        shape = () if self.average == "micro" else (classes,)
        self.true_positives = self.add_variable(shape, name="true_positives")
        self.false_positives = self.add_variable(shape, name="false_positives")
        self.false_negatives = self.add_variable(shape, name="false_negatives")
        self.intermediate_weights = self.add_variable(
            shape, name="intermediate_weights"
        )
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = plain(y_true, self.dtype), plain(y_pred, self.dtype)
        owner = type(self).__name__
        if y_pred.ndim != 2 or y_true.shape != y_pred.shape:
            raise ValueError(
                f"{owner} expects y_true and y_pred of one shape (batch, classes). "
                f"Received: y_true of shape {shape_text(y_true.shape)}, y_pred of "
                f"shape {shape_text(y_pred.shape)}"
            )
        if not self._built:
            self._build(y_pred.shape[1])
        if self.threshold is None:
            positive = y_pred >= y_pred.max(-1, keepdims=True)
            positive &= np.abs(y_pred) > 1e-9
        else:
            positive = y_pred > self.threshold
        predicted = positive.astype(self.dtype)
        weight = self._column(sample_weight, len(y_true))
        truth, missed = y_true * weight, (1 - y_true) * weight
        self.true_positives.assign_add((predicted * truth).sum(self._axis))
        self.false_positives.assign_add((predicted * missed).sum(self._axis))
        self.false_negatives.assign_add(((1 - predicted) * truth).sum(self._axis))
        self.intermediate_weights.assign_add(truth.sum(self._axis))

    def _column(self, sample_weight: Any, rows: int) -> np.ndarray:
        if sample_weight is None:
            return np.ones((1, 1), self.dtype)
        weight = plain(sample_weight, self.dtype)
        if weight.shape not in ((), (rows,), (rows, 1)):
            raise ValueError(
                f"{type(self).__name__}: `sample_weight` must be one number a sample, "
                f"of shape ({rows},). Received shape {shape_text(weight.shape)}"
            )
        return weight.reshape(-1, 1)

    def result(self) -> Any:
        if not self._built:
            return np.zeros((), self.dtype)
        low = config.epsilon()
        found = self.true_positives.array
        precision = found / (found + self.false_positives.array + low)
        recall = found / (found + self.false_negatives.array + low)
        square = self.beta**2
        score = precision * recall / (square * precision + recall + low) * (1 + square)
        if self.average == "weighted":
            weight = self.intermediate_weights.array
            score = (score * (weight / (weight.sum() + low))).sum()
        elif self.average is not None:
            score = score.mean()
        # NumPy 1 lets Python's floats promote arrays without axes.
        return np.asarray(score, self.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "average": self.average,
            "beta": self.beta,
            "threshold": self.threshold,
        }


@family.add()
class F1Score(FBetaScore):
    """2 precision recall / (precision + recall). Arguments as for `FBetaScore`."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: str | None = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        settings = super().get_config()
        del settings["beta"]
        return settings
