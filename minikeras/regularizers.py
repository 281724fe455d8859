"""Penalties on weights or activities that are added to the loss."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

from minikeras import config, ops
from minikeras.ops.base import Array, constant_like, float_array
from minikeras.registry import Family, deserialize_keras_object, serialize_member
from minikeras.validation import choice, shape_text

family = Family("regularizer", "keras.regularizers")


@family.add()
class Regularizer:
    """Base of regularizers: a subclass defines `__call__` and `get_config`.

    `__call__(x)` returns a scalar, computed with `minikeras.ops`, `autograd.numpy` or
    Python's operators, so that it can be differentiated. Any function of an array
    serves as well.

    >>> class Mean(Regularizer):
    ...     def __call__(self, x):
    ...         return ops.mean(ops.square(x))
    ...
    ...     def get_config(self):
    ...         return {}
    >>> float(Mean()(np.array([1.0, 3.0])))
    5.0
    """

    def __call__(self, x: Any) -> Array:
        """The penalty of an array; 0 in the base class."""
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, for saving.

        Raises:
            NotImplementedError: in a subclass that does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot be saved: define `get_config` to return the "
            "arguments of `__init__`."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Regularizer":
        """A regularizer with the arguments in `config`."""
        return cls(**config)


@family.add()
class L1(Regularizer):
    """Penalty on absolute values, l1 * sum(|x|), which drives weights to zero.

    The derivative at 0 is 0.

    Args:
        l1: factor, finite and not negative.

    Raises:
        ValueError: for another factor.

    Source: Tibshirani, "Regression shrinkage and selection via the lasso", 1996.

    >>> float(L1(0.5)([1.0, -2.0]))
    1.5
    """

    def __init__(self, l1: float = 0.01):
        self.l1 = _factor(0.01 if l1 is None else l1, "l1", "L1")

    def __call__(self, x: Any) -> Array:
        return _scaled(self.l1, ops.sum(ops.absolute(float_array(x))))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


@family.add()
class L2(Regularizer):
    """Penalty on squares, l2 * sum(x**2), which keeps weights small.

    Args:
        l2: factor, finite and not negative.

    Raises:
        ValueError: for another factor.

    Source: Hoerl and Kennard, "Ridge regression", 1970.

    >>> float(L2(0.5)([1.0, -2.0]))
    2.5
    """

    def __init__(self, l2: float = 0.01):
        self.l2 = _factor(0.01 if l2 is None else l2, "l2", "L2")

    def __call__(self, x: Any) -> Array:
        return _scaled(self.l2, ops.sum(ops.square(float_array(x))))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


@family.add("l1_l2")
class L1L2(Regularizer):
    """Both penalties, l1 * sum(|x|) + l2 * sum(x**2); each factor is 0 by default.

    Args:
        l1: factor of the absolute values, finite and not negative.
        l2: factor of the squares, finite and not negative.

    Raises:
        ValueError: for another factor.

    Source: Zou and Hastie, "Regularization and variable selection via the elastic
    net", 2005.

    >>> float(L1L2(l1=0.5, l2=0.5)([1.0, -2.0]))
    4.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1 = _factor(0.0 if l1 is None else l1, "l1", "L1L2")
        self.l2 = _factor(0.0 if l2 is None else l2, "l2", "L1L2")

    def __call__(self, x: Any) -> Array:
        x = float_array(x)
        penalty = constant_like(0.0, x)
        if self.l1:
            penalty = penalty + _scaled(self.l1, ops.sum(ops.absolute(x)))
        if self.l2:
            penalty = penalty + _scaled(self.l2, ops.sum(ops.square(x)))
        return penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


@family.add()
class OrthogonalRegularizer(Regularizer):
    """Penalty on rows (or columns) of a matrix that are not orthogonal to each other.

    factor * mean(|u_i . u_j|) over the pairs i < j, where u are the rows (or columns)
    scaled to length 1.

    Args:
        factor: factor of the penalty, finite and not negative.
        mode: `"rows"` or `"columns"`.

    Raises:
        ValueError: for another factor or mode, and when called on anything but a
            matrix.

    >>> float(OrthogonalRegularizer(0.5)([[1.0, 0.0], [3.0, 0.0]]))
    0.5
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _factor(factor, "factor", "OrthogonalRegularizer")
        self.mode = choice(mode, ("rows", "columns"), "mode", "OrthogonalRegularizer")

    def __call__(self, inputs: Any) -> Array:
        rows = float_array(inputs)
        if rows.ndim != 2:
            raise ValueError(
                "OrthogonalRegularizer expects a matrix (2 axes). "
                f"Received: inputs of shape {shape_text(rows.shape)}"
            )
        if self.mode == "columns":
            rows = ops.transpose(rows)
        count = rows.shape[0]
        lengths = ops.sqrt(
            ops.maximum(
                ops.sum(ops.square(rows), axis=1, keepdims=True),
                np.square(constant_like(config.epsilon(), rows)),
            )
        )
        units = ops.divide(rows, lengths)
        others = 1 - np.eye(count, dtype=rows.dtype)
        cosines = ops.absolute(ops.matmul(units, ops.transpose(units))) * others
        return _scaled(self.factor / max(1, count * (count - 1)), ops.sum(cosines))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(identifier: Any) -> Callable[[Any], Array] | None:
    """The regularizer meant by a name, config, class, instance or function.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if it is none of these.

    >>> get("l2").get_config()
    {'l2': 0.01}
    """
    return family.get(identifier)


def serialize(regularizer: Any) -> Any:
    """The config of a regularizer, for saving."""
    return serialize_member(regularizer)


def deserialize(
    config: Any, custom_objects: dict[str, Any] | None = None
) -> Callable[[Any], Array]:
    """The regularizer a config describes; the reverse of `serialize`."""
    return deserialize_keras_object(config, custom_objects, family)


def _factor(value: Any, name: str, owner: str) -> float:
    if not isinstance(value, Real) or not math.isfinite(value) or value < 0:
        raise ValueError(
            f"{owner}: `{name}` must be a finite number, not negative. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def _scaled(factor: float, total: Array) -> Array:
    return constant_like(factor, total) * total
