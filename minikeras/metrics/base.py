"""What all metrics share: state that is updated, read and reset."""

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.tracer import getval

from minikeras import config, initializers
from minikeras.losses.base import same_rank
from minikeras.masks import get_mask
from minikeras.ops.base import convert
from minikeras.registry import (
    Family,
    deserialize_keras_object,
    serialize_keras_object,
    snake_case,
)
from minikeras.variables import Variable, structure

family = Family("metric", "keras.metrics")


def plain(x: Any, dtype: str | None = None) -> np.ndarray:
    """An array-like as a NumPy array, outside of any derivative."""
    return np.asarray(getval(convert(x)), dtype)


def ratio(numerator: Any, denominator: Any) -> Any:
    """Their quotient, 0 where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, 0 * numerator, numerator / denominator)


class Metric:
    """Base class of metrics: numbers collected over batches.

    A metric of your own makes its state with `add_variable`, and defines
    `update_state` and `result`.

    Args:
        dtype: number type of the state; the default float type for None.
        name: key in logs and in `History`; made from the class name for None.

    >>> class Count(Metric):
    ...     def __init__(self, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.seen = self.add_variable((), "zeros", name="seen")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.seen.assign_add(len(y_true))
    ...     def result(self):
    ...         return self.seen
    >>> float(Count()([1, 2], [1, 2]))
    2.0
    """

    _direction: str | None = None  # "up" or "down": which way is better

    def __init__(self, dtype: str | None = None, name: str | None = None):
        self.name = name or config.unique_name(snake_case(type(self).__name__))
        self.dtype = dtype if isinstance(dtype, str) else config.floatx()
        self._state: list[Variable] = []
        structure.changed()  # a model that holds it must look for its metrics again

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = "zeros",
        dtype: str | None = None,
        aggregation: str = "sum",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A variable of the metric's state, zero after each reset."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        kind = dtype or self.dtype
        make = initializers.get(initializer) or initializers.Zeros()
        value = make(shape, dtype=kind)
        variable = Variable(value, name or "variable", trainable=False, dtype=kind)
        variable.path = f"{self.name}/{variable.name}"
        self._state.append(variable)
        return variable

    add_weight = add_variable

    @property
    def variables(self) -> list[Variable]:
        """The metric's state."""
        return list(self._state)

    weights = variables

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Take one batch into account. Every metric defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no `update_state`.")

    def result(self) -> Any:
        """The metric's value now. Every metric defines it."""
        raise NotImplementedError(f"{type(self).__name__} has no `result`.")

    def reset_state(self) -> None:
        """Forget all batches."""
        for variable in self._state:
            variable.assign(np.zeros(variable.shape))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again, as plain values."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A metric from what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def by_sample(
    values: Any, sample_weight: Any, dtype: str, reduce: Any = np.mean
) -> tuple[Any, Any]:
    """Values and weights as one number a sample each; weights may be None."""
    values = plain(values, dtype)
    if sample_weight is not None:
        weight = plain(sample_weight, dtype)
        values, weight = same_rank(values, weight)
        if values.ndim > weight.ndim:
            values = reduce(values, axis=tuple(range(weight.ndim, values.ndim)))
        rank = weight.ndim
        weight = np.broadcast_to(weight, values.shape)
        values = values * weight
        if rank > 1:
            weight = reduce(weight, axis=tuple(range(1, rank)))
        sample_weight = weight
    if values.ndim > 1:
        values = reduce(values, axis=tuple(range(1, values.ndim)))
    return values, sample_weight


@family.add()
class Mean(Metric):
    """Weighted mean of the values seen.

    >>> mean = Mean()
    >>> mean.update_state([1.0, 3.0])
    >>> float(mean.result())
    2.0
    """

    def __init__(self, name: str | None = "mean", dtype: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, weight = by_sample(values, sample_weight, self.dtype)
        if weight is not None:
            count = weight.sum()
        else:
            count = values.shape[0] if values.ndim else 1
        self.add(values.sum(), count)

    def add(self, total: Any, count: Any) -> None:
        """Take in `count` values that sum to `total`."""
        self.total._array += total
        self.count._array += count

    def result(self) -> Any:
        count = self.count.array
        return self.total.array / count if count else np.zeros((), self.dtype)


@family.add()
class Sum(Metric):
    """Weighted sum of the values seen.

    >>> float(Sum()([1.0, 3.0]))
    4.0
    """

    def __init__(self, name: str | None = "sum", dtype: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, _ = by_sample(values, sample_weight, self.dtype, np.sum)
        self.total._array += values.sum()

    def result(self) -> Any:
        return self.total.array.copy()


@family.add()
class MeanMetricWrapper(Mean):
    """Mean of a function `fn(y_true, y_pred, **kwargs)` over the samples.

    Args:
        fn: gives one value a sample.
        name: key in logs; the function's name for None.
        dtype: number type of the state.
        kwargs: further arguments of `fn`.

    >>> metric = MeanMetricWrapper(lambda t, p: abs(t - p), name="distance")
    >>> float(metric(np.array([0.0, 0.0]), np.array([1.0, 3.0])))
    2.0
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name or getattr(fn, "__name__", "metric"), dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if fn.__module__.startswith("minikeras.losses"):
            self._direction = "down"

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        mask = get_mask(y_pred)
        values = self._fn(convert(y_true), convert(y_pred), **self._fn_kwargs)
        if mask is not None:
            weight = mask.astype(self.dtype)
            if sample_weight is not None:
                weight, given = same_rank(weight, plain(sample_weight, self.dtype))
                weight = weight * given
            sample_weight = weight
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        result = {**super().get_config(), **serialize_keras_object(self._fn_kwargs)}
        if type(self) is MeanMetricWrapper:
            result["fn"] = serialize_keras_object(self._fn)
        return result

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        if cls is MeanMetricWrapper and "fn" in config:
            config = {**config, "fn": family.get(config["fn"])}
        return cls(**config)


def get(identifier: Any) -> Any:
    """A metric from a name, config, class, instance or function.

    Raises:
        ValueError: if the name is unknown; the nearest known ones are offered.
    """
    return family.get(identifier)


serialize, deserialize = serialize_keras_object, deserialize_keras_object
