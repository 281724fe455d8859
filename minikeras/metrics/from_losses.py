"""Losses as metrics: their mean over the samples."""

from typing import Any

from minikeras import losses
from minikeras.metrics.base import MeanMetricWrapper, family

for _function, _aliases in (
    (losses.mean_squared_error, ("mse", "MSE")),
    (losses.mean_absolute_error, ("mae", "MAE")),
    (losses.binary_crossentropy, ("bce", "BCE")),
    (losses.categorical_crossentropy, ()),
    (losses.sparse_categorical_crossentropy, ()),
):
    for _name in (_function.__name__, *_aliases):
        family.members[_name] = _function


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


def get(identifier: Any) -> Any:
    """A metric from a name, config, class, instance or function.

    Raises:
        ValueError: if the name is unknown; the nearest known ones are offered.
    """
    return family.get(identifier)
