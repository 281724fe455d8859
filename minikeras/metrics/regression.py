"""How well predictions explain the truth: R^2 and correlations."""

import warnings
from typing import Any

import numpy as np

from minikeras import config
from minikeras.losses.base import pair, same_rank
from minikeras.metrics.base import MeanMetricWrapper, Metric, family, plain
from minikeras.validation import shape_text

_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


def _pair(y_true: Any, y_pred: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    y_true, y_pred = pair(y_true, y_pred, name)
    return plain(y_true), plain(y_pred)


@family.add()
def pearson_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> np.ndarray:
    """Mean of the product of the two, each shifted to mean 0 and scaled to deviation 1.

    It is not a number where either of them is constant.

    Args:
        y_true: the truth.
        y_pred: the prediction.
        axis: axis or axes along which they are compared.

    >>> pearson_correlation([[1.0, 2.0, 3.0]], [[0.2, 0.4, 0.6]]).round(4)
    array([1.], dtype=float32)
    """
    y_true, y_pred = _pair(y_true, y_pred, "pearson_correlation")
    axis = tuple(axis) if isinstance(axis, list) else axis
    true = y_true - y_true.mean(axis, keepdims=True)
    pred = y_pred - y_pred.mean(axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        true = true / true.std(axis, keepdims=True)
        pred = pred / pred.std(axis, keepdims=True)
        return np.asarray((true * pred).mean(axis))


@family.add()
def concordance_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> np.ndarray:
    """2 cov(t, p) / (var(t) + var(p) + (mean(t) - mean(p))^2), and 1e-7 below.

    Args:
        y_true: the truth t.
        y_pred: the prediction p.
        axis: axis or axes along which they are compared.

    Source: Lin, A Concordance Correlation Coefficient to Evaluate Reproducibility,
    1989.

    >>> concordance_correlation([[1.0, 2.0, 3.0]], [[2.0, 3.0, 4.0]]).round(4)
    array([0.5714], dtype=float32)
    """
    y_true, y_pred = _pair(y_true, y_pred, "concordance_correlation")
    axis = tuple(axis) if isinstance(axis, list) else axis
    true_mean = y_true.mean(axis, keepdims=True)
    pred_mean = y_pred.mean(axis, keepdims=True)
    spread = y_true.var(axis, keepdims=True) + y_pred.var(axis, keepdims=True)
    norm = spread + np.square(true_mean - pred_mean) + config.epsilon()
    # Shifting y_true by the other mean changes nothing: the right factor sums to 0.
    covariance = (y_true - pred_mean) * (y_pred - pred_mean)
    return np.asarray((2 * covariance / norm).mean(axis))


@family.add()
class PearsonCorrelation(MeanMetricWrapper):
    """Mean of `pearson_correlation` over the samples.

    Args:
        axis: axis or axes along which truth and prediction are compared.
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "pearson_correlation",
        dtype: str | None = None,
        axis: Any = -1,
    ):
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


@family.add()
class ConcordanceCorrelation(MeanMetricWrapper):
    """Mean of `concordance_correlation` over the samples.

    Args:
        axis: axis or axes along which truth and prediction are compared.
    """

    _direction = "up"

    def __init__(
        self,
        name: str | None = "concordance_correlation",
        dtype: str | None = None,
        axis: Any = -1,
    ):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis


@family.add()
class R2Score(Metric):
    """1 - sum((t - p)^2) / sum((t - mean(t))^2) for each output: 1 is best.

    Args:
        class_aggregation: `"uniform_average"` of the outputs,
            `"variance_weighted_average"`, or None for one score an output.
        num_regressors: number of independent inputs of the model; above 0 it gives
            the adjusted score.

    Input shape:
        (N, outputs), both.

    Raises:
        ValueError: if an argument or the shapes are of another kind.

    >>> metric = R2Score()
    >>> round(float(metric([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in _AGGREGATIONS:
            raise ValueError(
                f"R2Score: `class_aggregation` must be one of {_AGGREGATIONS}. "
                f"Received: class_aggregation={class_aggregation!r}"
            )
        if num_regressors < 0:
            raise ValueError(
                "R2Score: `num_regressors` must be 0 or more. Received: "
                f"num_regressors={num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), name="num_samples")
        self._built = False

    def _build(self, outputs: int) -> None:
        self.squared_sum = self.add_variable(outputs, name="squared_sum")
        self.sum = self.add_variable(outputs, name="sum")
        self.total_mse = self.add_variable(outputs, name="residual")
        self.count = self.add_variable(outputs, name="count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = same_rank(plain(y_true, self.dtype), plain(y_pred, self.dtype))
        if y_pred.ndim != 2 or y_true.shape != y_pred.shape:
            raise ValueError(
                "R2Score expects y_true and y_pred of one shape (batch, outputs). "
                f"Received: y_true of shape {shape_text(y_true.shape)}, y_pred of "
                f"shape {shape_text(y_pred.shape)}"
            )
        if not self._built:
            self._build(y_pred.shape[1])
        weight = plain(1 if sample_weight is None else sample_weight, self.dtype)
        if weight.ndim == 1:
            weight = weight[:, None]
        weight = np.broadcast_to(weight, y_true.shape)
        weighted = y_true * weight
        self.sum.assign_add(weighted.sum(0))
        self.squared_sum.assign_add((y_true * weighted).sum(0))
        self.total_mse.assign_add((np.square(y_true - y_pred) * weight).sum(0))
        self.count.assign_add(weight.sum(0))
        self.num_samples.assign_add(y_true.size)

    def result(self) -> Any:
        if not self._built:
            return np.zeros((), self.dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.sum.array / self.count.array
            total = self.squared_sum.array - self.sum.array * mean
            score = 1 - self.total_mse.array / total
            score = np.where(np.isinf(score), 0 * mean, score)
            if self.class_aggregation == "uniform_average":
                score = score.mean()
            elif self.class_aggregation == "variance_weighted_average":
                score = (total * score).sum() / total.sum()
        score = self._adjusted(score) if self.num_regressors else score
        return np.asarray(score, self.dtype)

    def _adjusted(self, score: Any) -> Any:
        spare = self.num_samples.array - self.num_regressors - 1
        if spare > 0:
            return 1 - (1 - score) * (self.num_samples.array - 1) / spare
        warnings.warn(
            f"R2Score: with num_regressors={self.num_regressors} and only "
            f"{int(self.num_samples.array)} values the adjusted score is undefined; "
            "the plain score is given.",
            stacklevel=3,
        )
        return score

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }
