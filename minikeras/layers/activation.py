"""Activation functions with settings, as layers."""

import warnings
from numbers import Real
from typing import Any

import numpy as np

from minikeras import activations, constraints, initializers, regularizers
from minikeras.layers.core import known_size
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops.base import convert
from minikeras.ops.numpy import convert_to_numpy, multiply, negative, subtract, where
from minikeras.regularizers import _factor as not_negative
from minikeras.validation import shape_text


class BaseActivation(Layer):
    """What the layers of this file share: the output has the input's shape."""

    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@family.add()
class ReLU(BaseActivation):
    """Rectified linear unit: y = max(x, 0).

    In general: max_value where x >= max_value, x where x > threshold, and
    negative_slope (x - threshold) elsewhere.

    Args:
        max_value: upper bound of the output, not negative; None for no bound.
        negative_slope: slope below the threshold, not negative.
        threshold: value up to which the input is cut off, not negative.

    Output shape: the input's.

    Raises:
        ValueError: for a negative setting.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann
    machines", 2010.

    >>> ReLU(max_value=6.0, negative_slope=0.5)(np.array([-2.0, 3.0, 9.0]))
    array([-1.,  3.,  6.], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.max_value = None
        if max_value is not None:
            self.max_value = not_negative(max_value, "max_value", "ReLU")
        self.negative_slope = not_negative(negative_slope, "negative_slope", "ReLU")
        self.threshold = not_negative(threshold, "threshold", "ReLU")

    def call(self, inputs: Any) -> Any:
        settings = self.negative_slope, self.max_value, self.threshold
        return activations.relu(_floats(self, inputs), *settings)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


@family.add()
class LeakyReLU(BaseActivation):
    """Leaky rectifier: y = x where x >= 0, negative_slope x elsewhere.

    Args:
        negative_slope: slope below zero, not negative. Its old name `alpha` is taken
            with a warning.

    Output shape: the input's.

    Raises:
        ValueError: for a negative slope.

    Source: Maas et al., "Rectifier nonlinearities improve neural network acoustic
    models", 2013.

    >>> LeakyReLU(0.5)(np.array([-2.0, 3.0]))
    array([-1.,  3.], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn(
                "LeakyReLU: `alpha` is the old name of `negative_slope`. Use "
                f"LeakyReLU(negative_slope={negative_slope!r}).",
                stacklevel=2,
            )
        super().__init__(**kwargs)
        slope = not_negative(negative_slope, "negative_slope", "LeakyReLU")
        self.negative_slope = slope

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(_floats(self, inputs), self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


@family.add()
class PReLU(BaseActivation):
    """Rectifier with a learned slope: y = x where x > 0, alpha x elsewhere.

    Args:
        alpha_initializer: of the slopes, shaped like a sample.
        alpha_regularizer: adds a function of the slopes to the loss.
        alpha_constraint: applied to the slopes after each update.
        shared_axes: axes along which one slope serves all, counted from 1, the one
            after the batch: [1, 2] for images gives a slope a channel.

    Output shape: the input's.

    Raises:
        ValueError: for axes that are not whole numbers from 1, or that the input does
            not have.

    Source: He et al., "Delving deep into rectifiers", 2015.

    >>> PReLU("ones")(np.array([[-2.0, 3.0]]))
    array([[-2.,  3.]], dtype=float32)
    """

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = None
        if shared_axes is not None:
            self.shared_axes = _axes(shared_axes, "shared_axes", "PReLU", 1)

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or []
        ndim = len(input_shape)
        if shared and max(shared) >= ndim:
            raise ValueError(
                f"{self._owner()}: `shared_axes` must be axes of the input, from 1 to "
                f"{ndim - 1}. Received: shared_axes={shared} for an input of shape "
                f"{shape_text(input_shape)}."
            )
        axes: dict[int, int | None] = {
            axis: known_size(input_shape, axis, self._owner())
            for axis in range(1, ndim)
            if axis not in shared
        }
        self.alpha = self.add_weight(
            [axes.get(axis, 1) for axis in range(1, ndim)],
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        self.input_spec = InputSpec(ndim=ndim, axes=axes)

    def call(self, inputs: Any) -> Any:
        x = _floats(self, inputs)
        below = activations.relu(negative(x))
        return subtract(activations.relu(x), multiply(self.alpha, below))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


@family.add()
class ELU(BaseActivation):
    """Exponential linear unit: y = x where x > 0, alpha (exp(x) - 1) elsewhere.

    Args:
        alpha: minus the limit of the output far below zero.

    Output shape: the input's.

    Raises:
        ValueError: if `alpha` is not a number.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential
    linear units", 2015.

    >>> ELU(2.0)(np.array([-100.0, 3.0]))
    array([-2.,  3.], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(alpha, Real) or isinstance(alpha, bool):
            raise ValueError(f"ELU: `alpha` must be a number. Received: alpha={alpha}")
        self.alpha: float = float(alpha)

    def call(self, inputs: Any) -> Any:
        return activations.elu(_floats(self, inputs), self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


@family.add()
class Softmax(BaseActivation):
    """Probabilities from logits: y = exp(x) / sum(exp(x)) along an axis.

    `call` takes a `mask` that is broadcast to the input: where it is False (or at
    most 0.5) the output is 0 and the input is left out of the sum.

    Args:
        axis: axis, or list of axes, along which the output sums to 1.

    Output shape: the input's.

    Raises:
        ValueError: if `axis` is not a whole number or a list of them, if the input
            does not have it, or if a mask does not fit the input.

    >>> Softmax()(np.zeros((1, 3)), mask=np.array([True, False, True]))
    array([[0.5, 0. , 0.5]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        axes = _axes(axis, "axis", "Softmax")
        self.axis = axes if isinstance(axis, list | tuple) else axes[0]
        self.input_spec = InputSpec(min_ndim=max(max(axes) + 1, -min(axes)))

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = _floats(self, inputs)
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        if mask is None:
            return activations.softmax(x, axis)
        keep = self._keep(mask, x)
        low = -3e4 if x.dtype == np.float16 else -1e9
        return where(keep, activations.softmax(where(keep, x, low), axis), 0.0)

    def _keep(self, mask: Any, x: Any) -> np.ndarray:
        mask = convert_to_numpy(mask)
        ends = zip(mask.shape[::-1], x.shape[::-1], strict=False)
        if mask.ndim > x.ndim or any(m not in (1, n) for m, n in ends):
            raise ValueError(
                f"{self._owner()}: each axis of `mask` must be as long as the input's, "
                f"or 1. Received a mask of shape {shape_text(mask.shape)} for an input "
                f"of shape {shape_text(x.shape)}."
            )
        return mask if mask.dtype == bool else mask > 0.5

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def _floats(layer: Layer, inputs: Any) -> Any:
    """The input in the layer's number type."""
    return convert(inputs, layer.dtype)


def _axes(value: Any, name: str, owner: str, least: int | None = None) -> list[int]:
    """One whole number, or several different ones, as a list."""
    axes = list(value) if isinstance(value, list | tuple) else [value]
    if (
        not axes
        or len(set(map(str, axes))) < len(axes)
        or any(not isinstance(a, int | np.integer) or isinstance(a, bool) for a in axes)
        or (least is not None and min(axes) < least)
    ):
        first = "" if least is None else f" from {least} on"
        raise ValueError(
            f"{owner}: `{name}` must be a whole number{first}, or a list of different "
            f"ones. Received: {name}={value!r}"
        )
    return [int(axis) for axis in axes]
