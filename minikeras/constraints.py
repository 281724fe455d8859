"""Projections of weights onto an allowed set, applied after each update."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.ops.numpy import convert_to_numpy
from minikeras.registry import Family, deserialize_keras_object, serialize_member

Axis = int | Sequence[int] | None

family = Family("constraint", "keras.constraints")


@family.add()
class Constraint:
    """Base of constraints: a subclass defines `__call__`, and `get_config` if its
    `__init__` has arguments.

    `__call__(w)` takes an array and returns an allowed one of the same shape. Any
    function of an array serves as well.

    >>> class Rounded(Constraint):
    ...     def __call__(self, w):
    ...         return np.round(w)
    >>> Rounded()(np.array([0.4, 0.6]))
    array([0., 1.])
    """

    def __call__(self, w: Any) -> np.ndarray:
        """The allowed array; `w` itself in the base class."""
        return w

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, for saving."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Constraint":
        """A constraint with the arguments in `config`."""
        return cls(**config)


@family.add()
class MaxNorm(Constraint):
    """Vectors longer than `max_value` are shortened to it.

    w * min(n, max_value) / (epsilon + n), where n is the length of w along `axis`.

    Args:
        max_value: the greatest length.
        axis: axis, or axes, along which a vector lies: 0 for the kernel of Dense,
            (0, 1, 2) for that of Conv2D.

    Raises:
        ValueError: if `max_value` is not a number, or negative.

    Source: Srivastava et al., "Dropout", 2014.

    >>> MaxNorm(1.0)([[3.0], [4.0]])
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0):
        self.max_value = _length(max_value, "max_value", "MaxNorm")
        self.axis = axis

    def __call__(self, w: Any) -> np.ndarray:
        w, norms = _with_norms(w, self.axis)
        return _rescaled(w, norms, np.minimum(norms, self.max_value))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


@family.add()
class NonNeg(Constraint):
    """Negative weights become zero: max(w, 0).

    >>> NonNeg()([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """

    def __call__(self, w: Any) -> np.ndarray:
        return np.maximum(convert_to_numpy(w), 0)


@family.add()
class UnitNorm(Constraint):
    """Vectors are scaled to length 1: w / (epsilon + n), n their length along `axis`.

    Args:
        axis: axis, or axes, along which a vector lies: 0 for the kernel of Dense,
            (0, 1, 2) for that of Conv2D.

    >>> UnitNorm()([[3.0], [4.0]])
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(self, axis: Axis = 0):
        self.axis = axis

    def __call__(self, w: Any) -> np.ndarray:
        w, norms = _with_norms(w, self.axis)
        return _rescaled(w, norms, 1)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


@family.add()
class MinMaxNorm(Constraint):
    """The lengths of vectors are brought between two bounds, at once or step by step.

    w * (rate * clip(n, min_value, max_value) + (1 - rate) * n) / (epsilon + n), where
    n is the length of w along `axis`.

    Args:
        min_value: the smallest length.
        max_value: the greatest length.
        rate: share of the way to go at each update, from 0 to 1; 1 goes all of it.
        axis: axis, or axes, along which a vector lies: 0 for the kernel of Dense,
            (0, 1, 2) for that of Conv2D.

    Raises:
        ValueError: if a bound is not a number or negative, the bounds are in the wrong
            order, or `rate` is not from 0 to 1.

    >>> MinMaxNorm(1.0, 2.0)([[0.3], [0.4]]).round(4)
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: Axis = 0,
    ):
        self.min_value = _length(min_value, "min_value", "MinMaxNorm")
        self.max_value = _length(max_value, "max_value", "MinMaxNorm")
        if self.min_value > self.max_value:
            raise ValueError(
                "MinMaxNorm: `min_value` must not be above `max_value`. "
                f"Received: min_value={min_value!r}, max_value={max_value!r}"
            )
        if not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ValueError(
                f"MinMaxNorm: `rate` must be from 0 to 1. Received: rate={rate!r}"
            )
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> np.ndarray:
        w, norms = _with_norms(w, self.axis)
        allowed = np.clip(norms, self.min_value, self.max_value)
        return _rescaled(w, norms, self.rate * allowed + (1 - self.rate) * norms)

    def get_config(self) -> dict[str, Any]:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm


def get(identifier: Any) -> Callable[[Any], np.ndarray] | None:
    """The constraint meant by a name, config, class, instance or function.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if it is none of these.

    >>> get("max_norm").get_config()
    {'max_value': 2, 'axis': 0}
    """
    return family.get(identifier)


def serialize(constraint: Any) -> Any:
    """The config of a constraint, for saving."""
    return serialize_member(constraint)


def deserialize(
    config: Any, custom_objects: dict[str, Any] | None = None
) -> Callable[[Any], np.ndarray]:
    """The constraint a config describes; the reverse of `serialize`."""
    return deserialize_keras_object(config, custom_objects, family)


def _length(value: Any, name: str, owner: str) -> float:
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, int | float) or not value >= 0:
        raise ValueError(
            f"{owner}: `{name}` must be a number, not negative. "
            f"Received: {name}={value!r}"
        )
    return value


def _with_norms(w: Any, axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    w = convert_to_numpy(w)
    if w.dtype.kind != "f":
        w = w.astype(config.floatx())
    axes = axis if axis is None or isinstance(axis, int) else tuple(axis)
    return w, np.sqrt(np.sum(np.square(w), axis=axes, keepdims=True))


def _rescaled(w: np.ndarray, norms: np.ndarray, desired: Any) -> np.ndarray:
    scale = desired / (norms + config.epsilon())
    return w * scale.astype(w.dtype, copy=False)
