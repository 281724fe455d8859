"""What all losses share: weights, reductions, and losses made from functions.

A loss function gives one value a sample; a loss class weighs and reduces them to one
number. Both take `(y_true, y_pred)`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.tracer import getval

from minikeras import config
from minikeras.masks import get_mask
from minikeras.ops.base import Array, convert, float_array
from minikeras.ops.nn import sum_over
from minikeras.ops.numpy import expand_dims, multiply, squeeze, sum
from minikeras.registry import (
    Family,
    deserialize_keras_object,
    serialize_keras_object,
    snake_case,
)

family = Family("loss", "keras.losses")

# Short names that are also those of metrics.
SHORT_NAMES = {
    "bce": "binary_crossentropy",
    "BCE": "binary_crossentropy",
    "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "MAPE": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "MSE": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
    "MSLE": "mean_squared_logarithmic_error",
}
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")


class Loss:
    """Base class of losses: `call` gives values, `__call__` weighs and reduces them.

    Args:
        name: name in configs.
        reduction: `"sum_over_batch_size"` or `"mean"` (sum over number of values),
            `"sum"`, `"mean_with_sample_weight"` (sum over sum of weights), or
            `"none"` or None (the values themselves).
        dtype: number type to compute in; the default float type for None.

    Raises:
        ValueError: for another reduction.

    >>> from minikeras import ops
    >>> class Distance(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ops.mean(ops.absolute(y_true - y_pred), axis=-1)
    >>> float(Distance()(np.zeros((2, 2)), np.ones((2, 2))))
    1.0
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: str | None = None,
    ):
        if reduction is not None and reduction not in REDUCTIONS:
            raise ValueError(
                f"{type(self).__name__}: `reduction` must be one of "
                f"{', '.join(map(repr, REDUCTIONS))} or None. "
                f"Received: reduction={reduction!r}"
            )
        self.name = name or config.unique_name(snake_case(type(self).__name__))
        self.reduction = reduction
        self._dtype = dtype

    @property
    def dtype(self) -> str:
        """Number type the loss is computed in."""
        return self._dtype or config.floatx()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value a sample, or any array of values. Every loss defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no `call` method.")

    def mask(self, y_true: Any, values: np.ndarray) -> np.ndarray | None:
        """Which of the values count; all for None."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Array:
        mask = get_mask(y_pred)
        y_true, y_pred = convert(y_true), float_array(y_pred)
        if y_true.dtype.kind != "f" or y_true.dtype != y_pred.dtype:
            if not getattr(self, "_labels", False):
                y_true = y_true.astype(y_pred.dtype)
        values = self.call(y_true, y_pred)
        counted = self.mask(y_true, getval(values))
        if mask is not None:
            counted = mask if counted is None else mask & counted
        return reduce_weighted(values, sample_weight, counted, self.reduction)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this loss again, as plain values."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A loss from what `get_config` returned."""
        return cls(**config)


def reduce_weighted(
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
) -> Array:
    """Weigh values and reduce them to one number, as `reduction` says.

    A mask leaves values out; a mean is then over those that are left.
    """
    values = convert(values)
    weight = None if sample_weight is None else convert(sample_weight, values.dtype)
    if mask is not None:
        kept = convert(mask, values.dtype)
        if reduction in ("mean", "sum_over_batch_size"):
            valid = float(kept.sum())
            kept = kept * values.dtype.type(kept.size / valid if valid else 0)
        if weight is not None:
            kept, weight = same_rank(kept, weight)
            weight = weight * kept
        else:
            weight = kept
    if weight is not None:
        values, weight = same_rank(values, weight)
        values = multiply(values, weight)
    plain = getval(values)
    if reduction in (None, "none") or plain.shape in ((), (0,)):
        return values
    if reduction == "sum":
        return sum(values)
    if reduction == "mean_with_sample_weight" and weight is not None:
        count = float(getval(weight).sum())
    else:
        count = float(plain.size)
    return sum_over(values, count) if count else multiply(sum(values), 0.0)


def same_rank(x: Array, y: Array, expand_vectors: bool = True) -> tuple[Array, Array]:
    """Two arrays whose ranks differ by a last axis of length 1, as equal ranks.

    (n, 1) and (n,) become (n, 1) and (n, 1); with more axes the 1 is dropped.
    """
    of_x, of_y = getval(x).shape, getval(y).shape
    if len(of_x) == len(of_y) + 1 and of_x[-1] == 1:
        if len(of_y) == 1 and expand_vectors:
            return x, expand_dims(y, -1)
        return squeeze(x, -1), y
    if len(of_y) == len(of_x) + 1 and of_y[-1] == 1:
        if len(of_x) == 1 and expand_vectors:
            return expand_dims(x, -1), y
        return x, squeeze(y, -1)
    return x, y


class LossFunctionWrapper(Loss):
    """A loss made from a function `fn(y_true, y_pred, **kwargs)`.

    Args:
        fn: gives the values.
        reduction: as for `Loss`.
        name: name in configs.
        dtype: as for `Loss`.
        kwargs: further arguments of `fn`.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs
        self._labels = getattr(fn, "takes_labels", False)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def mask(self, y_true: Any, values: np.ndarray) -> np.ndarray | None:
        counts = getattr(self.fn, "counts", None)
        return None if counts is None else counts(values)

    def get_config(self) -> dict[str, Any]:
        result = super().get_config()
        if type(self) is LossFunctionWrapper:
            result["fn"] = serialize_keras_object(self.fn)
        return {**result, **serialize_keras_object(self._fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        if cls is LossFunctionWrapper and "fn" in config:
            config = {**config, "fn": family.get(config["fn"])}
        return cls(**config)


def pair(y_true: Any, y_pred: Any, name: str) -> tuple[Array, Array]:
    """Truth and prediction as float arrays that fit each other.

    Raises:
        ValueError: if their shapes cannot be broadcast.
    """
    y_pred = float_array(y_pred)
    y_true = convert(y_true, y_pred.dtype)
    y_true, y_pred = same_rank(y_true, y_pred)
    try:
        np.broadcast_shapes(y_true.shape, y_pred.shape)
    except ValueError:
        raise ValueError(
            f"{name}: y_true and y_pred must have the same shape. Received: y_true of "
            f"shape {y_true.shape}, y_pred of shape {y_pred.shape}"
        ) from None
    return y_true, y_pred


def get(identifier: Any) -> Any:
    """A loss from a name, config, class, instance or function.

    Raises:
        ValueError: if the name is unknown; the nearest known ones are offered.

    >>> get("mse").__name__
    'mean_squared_error'
    """
    return family.get(identifier)


def serialize(loss: Any) -> Any:
    """The config of a loss."""
    return serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A loss from its config."""
    return deserialize_keras_object(name, custom_objects, family)
