"""Losses as metrics: their mean over the samples."""

from typing import Any

import numpy as np

from minikeras import losses
from minikeras.losses.base import same_rank
from minikeras.metrics.base import Mean, MeanMetricWrapper, family, plain


@family.add()
class MeanSquaredError(MeanMetricWrapper):
    """Mean of `losses.mean_squared_error`."""

    def __init__(
        self, name: str | None = "mean_squared_error", dtype: str | None = None
    ):
        super().__init__(losses.mean_squared_error, name, dtype)


@family.add()
class MeanAbsoluteError(MeanMetricWrapper):
    """Mean of `losses.mean_absolute_error`."""

    def __init__(
        self, name: str | None = "mean_absolute_error", dtype: str | None = None
    ):
        super().__init__(losses.mean_absolute_error, name, dtype)


@family.add()
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """Mean of `losses.mean_absolute_percentage_error`."""

    def __init__(
        self,
        name: str | None = "mean_absolute_percentage_error",
        dtype: str | None = None,
    ):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@family.add()
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """Mean of `losses.mean_squared_logarithmic_error`."""

    def __init__(
        self,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: str | None = None,
    ):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@family.add()
class LogCoshError(MeanMetricWrapper):
    """Mean of `losses.log_cosh`."""

    def __init__(self, name: str | None = "logcosh", dtype: str | None = None):
        super().__init__(losses.log_cosh, name, dtype)


@family.add()
class KLDivergence(MeanMetricWrapper):
    """Mean of `losses.kl_divergence`."""

    def __init__(self, name: str | None = "kl_divergence", dtype: str | None = None):
        super().__init__(losses.kl_divergence, name, dtype)


@family.add()
class Poisson(MeanMetricWrapper):
    """Mean of `losses.poisson`."""

    def __init__(self, name: str | None = "poisson", dtype: str | None = None):
        super().__init__(losses.poisson, name, dtype)


@family.add()
class Hinge(MeanMetricWrapper):
    """Mean of `losses.hinge`."""

    def __init__(self, name: str | None = "hinge", dtype: str | None = None):
        super().__init__(losses.hinge, name, dtype)


@family.add()
class SquaredHinge(MeanMetricWrapper):
    """Mean of `losses.squared_hinge`."""

    def __init__(self, name: str | None = "squared_hinge", dtype: str | None = None):
        super().__init__(losses.squared_hinge, name, dtype)


@family.add()
class CategoricalHinge(MeanMetricWrapper):
    """Mean of `losses.categorical_hinge`."""

    def __init__(
        self, name: str | None = "categorical_hinge", dtype: str | None = None
    ):
        super().__init__(losses.categorical_hinge, name, dtype)


@family.add()
class RootMeanSquaredError(Mean):
    """Square root of the mean of (y_true - y_pred)^2 over all batches.

    >>> float(RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [3.0]]))
    3.0
    """

    _direction = "down"

    def __init__(
        self, name: str | None = "root_mean_squared_error", dtype: str | None = None
    ):
        super().__init__(name, dtype)

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        y_true, y_pred = same_rank(plain(y_true, self.dtype), plain(y_pred, self.dtype))
        super().update_state(np.square(y_pred - y_true), sample_weight)

    def result(self) -> Any:
        return np.sqrt(super().result())


def _cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    return -losses.cosine_similarity(y_true, y_pred, axis)


@family.add()
class CosineSimilarity(MeanMetricWrapper):
    """Mean cosine of the angle between truth and prediction: 1 is best.

    Args:
        axis: axis along which the vectors lie.
    """

    def __init__(
        self,
        name: str | None = "cosine_similarity",
        dtype: str | None = None,
        axis: int = -1,
    ):
        super().__init__(_cosine_similarity, name, dtype, axis=axis)
        self.axis = axis
        self._direction = "up"

    def get_config(self) -> dict[str, Any]:
        settings = super().get_config()
        if self.axis == -1:  # Keras never writes it, and so forgets another axis
            del settings["axis"]
        return settings


@family.add()
class BinaryCrossentropy(MeanMetricWrapper):
    """Mean of `losses.binary_crossentropy`."""

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        super().__init__(
            losses.binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@family.add()
class CategoricalCrossentropy(MeanMetricWrapper):
    """Mean of `losses.categorical_crossentropy`."""

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        super().__init__(
            losses.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@family.add()
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Mean of `losses.sparse_categorical_crossentropy`."""

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(
            losses.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
