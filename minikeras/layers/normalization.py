"""Layers that bring numbers to mean 0 and variance 1, or to length 1."""

import operator
from typing import Any

import numpy as np

from minikeras import constraints, initializers, regularizers
from minikeras.layers.core import known_size
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops.base import convert, float_array
from minikeras.ops.normalization import (
    layer_normalization,
    normalize,
    rms_normalization,
    warn_rms_scaling,
)
from minikeras.ops.standardize import normalize_groups, scale_by_deviation
from minikeras.validation import shape_text


class BaseScale(Layer):
    """A layer that ends with y * gamma + beta.

    Args:
        center: whether to add beta.
        scale: whether to multiply by gamma.
        beta_initializer: of beta.
        gamma_initializer: of gamma.
        beta_regularizer: adds a function of beta to the loss.
        gamma_regularizer: adds a function of gamma to the loss.
        beta_constraint: applied to beta after each update.
        gamma_constraint: applied to gamma after each update.
    """

    axis: Any
    gamma: Any
    beta: Any

    def __init__(
        self,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def _add_gamma_and_beta(
        self, shape: tuple[int, ...], scale: bool, center: bool
    ) -> None:
        for name, used in (("gamma", scale), ("beta", center)):
            weight = None
            if used:
                weight = self.add_weight(
                    shape,
                    getattr(self, f"{name}_initializer"),
                    regularizer=getattr(self, f"{name}_regularizer"),
                    constraint=getattr(self, f"{name}_constraint"),
                    name=name,
                )
            setattr(self, name, weight)

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(self, self.axis, input_shape)
        return input_shape

    def _scale_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"center": self.center, "scale": self.scale}
        for kind, module in (
            ("initializer", initializers),
            ("regularizer", regularizers),
            ("constraint", constraints),
        ):
            for weight in ("beta", "gamma"):
                key = f"{weight}_{kind}"
                config[key] = module.serialize(getattr(self, key))
        return config


@family.add()
class LayerNormalization(BaseScale):
    """Normalises each sample over some axes:

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.

    Args:
        axis: the axes to take mean and variance over; gamma and beta have their shape.
        epsilon: added to the variance.
        center: whether to add beta.
        scale: whether to multiply by gamma.
        beta_initializer: of beta; likewise for gamma.
        gamma_initializer: as above.
        beta_regularizer: adds a function of beta to the loss; likewise for gamma.
        gamma_regularizer: as above.
        beta_constraint: applied to beta after each update; likewise for gamma.
        gamma_constraint: as above.
        rms_scaling: deprecated by Keras: y = x / sqrt(variance + epsilon) * gamma.

    Input shape: any with known sizes of the axes. Output shape: the same.

    Raises:
        ValueError: for axes that the input does not have, or that are named twice.
        TypeError: if `axis` is not an integer or a list of them.

    Source: Ba, Kiros, Hinton, arXiv 1607.06450 (2016).

    >>> LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0]]))
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        rms_scaling = kwargs.pop("rms_scaling", False)
        super().__init__(
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.axis = _axis_or_axes(axis, "LayerNormalization")
        self.epsilon = epsilon
        self.rms_scaling = rms_scaling
        self.autocast = False
        if rms_scaling:
            warn_rms_scaling("LayerNormalization", "layers.RMSNormalization")

    def build(self, input_shape: Any) -> None:
        self.axis, shape = _axes_and_sizes(self, input_shape)
        self._add_gamma_and_beta(
            shape,
            scale=self.scale or self.rms_scaling,
            center=self.center and not self.rms_scaling,
        )

    def call(self, inputs: Any) -> Any:
        x = float_array(inputs)
        if self.rms_scaling:
            y = scale_by_deviation(x, self.gamma, self.axis, self.epsilon)
        else:
            y = layer_normalization(x, self.gamma, self.beta, self.axis, self.epsilon)
        return as_type(y, self._np_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "rms_scaling": self.rms_scaling,
            **self._scale_config(),
        }


@family.add()
class GroupNormalization(BaseScale):
    """Normalises each group of each sample's channels:

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.

    Args:
        groups: number of groups; -1 for one to a channel (instance normalisation).
        axis: the axis of the channels.
        epsilon: added to the variance.
        center: whether to add beta.
        scale: whether to multiply by gamma.
        beta_initializer: of beta (channels,); likewise for gamma.
        gamma_initializer: as above.
        beta_regularizer: adds a function of beta to the loss; likewise for gamma.
        gamma_regularizer: as above.
        beta_constraint: applied to beta after each update; likewise for gamma.
        gamma_constraint: as above.

    Input shape: (batch, ...) with a known number of channels. Output shape: the same.

    Raises:
        ValueError: if `groups` is neither positive nor -1, if it does not divide the
            number of channels, and for an axis that the input does not have or that is
            the batch.
        TypeError: if `axis` is not an integer.

    Source: Wu, He, arXiv 1803.08494 (2018).

    >>> GroupNormalization(2, epsilon=0.0)(np.array([[1.0, 3.0, 4.0, 8.0]]))
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        if isinstance(groups, bool) or not isinstance(groups, int | np.integer):
            groups = 0
        if groups < 1 and groups != -1:
            raise ValueError(
                "GroupNormalization: `groups` must be a positive integer, or -1 for "
                f"one group to a channel. Received: groups={groups!r}"
            )
        self.groups = int(groups)
        self.axis = axis_index(axis, "GroupNormalization")
        self.epsilon = epsilon
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        check_axes(self, self.axis, input_shape)
        if self.axis % len(input_shape) == 0:
            raise ValueError(
                f"{self._owner()}: `axis` must be the axis of the channels, not the "
                f"batch. Received: axis={self.axis}"
            )
        channels = known_size(input_shape, self.axis, self._owner())
        if self.groups == -1:
            self.groups = channels
        if channels % self.groups:
            raise ValueError(
                f"{self._owner()}: `groups` must divide the number of channels. "
                f"Received: groups={self.groups}, {channels} channels"
            )
        self._add_gamma_and_beta((channels,), self.scale, self.center)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Any) -> Any:
        x = at_least_float32(inputs)
        gamma, beta = (as_type(v, x.dtype) for v in (self.gamma, self.beta))
        y = normalize_groups(x, gamma, beta, self.groups, self.axis, self.epsilon)
        return as_type(y, self._np_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            **self._scale_config(),
        }


@family.add()
class RMSNormalization(Layer):
    """Divides each sample by the root mean square over some axes:

    y = x / sqrt(mean of x^2 + epsilon) * scale.

    Args:
        axis: the axes to take the mean over; the weight `scale` has their shape, and
            is multiplied as NumPy broadcasts it, as in Keras.
        epsilon: added to the mean square.

    Input shape: any with known sizes of the axes. Output shape: the same.

    Raises:
        ValueError: for axes that the input does not have, or that are named twice, and
            if `scale` does not fit the input's last axes.
        TypeError: if `axis` is not an integer or a list of them.

    Source: Zhang, Sennrich, arXiv 1910.07467 (2019).

    >>> RMSNormalization(epsilon=0.0)(np.array([[3.0, 3.0]]))
    array([[1., 1.]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = _axis_or_axes(axis, "RMSNormalization")
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        self.axis, shape = _axes_and_sizes(self, input_shape)
        self.scale = self.add_weight(shape, "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return rms_normalization(inputs, self.scale, self.axis, self.epsilon)

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(self, self.axis, input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {"axis": self.axis, "epsilon": self.epsilon}
        return {**super().get_config(), **config}


@family.add()
class UnitNormalization(Layer):
    """Divides each sample by its Euclidean length over some axes.

    Args:
        axis: the axes of the vectors.

    Output shape: the input's.

    Raises:
        ValueError: for axes that the input does not have, or that are named twice.
        TypeError: if `axis` is not an integer or a list of them.

    >>> UnitNormalization()(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = _axis_or_axes(axis, "UnitNormalization")

    def call(self, inputs: Any) -> Any:
        return normalize(inputs, self.axis, order=2, epsilon=1e-12)

    def compute_output_shape(self, input_shape: Any) -> Any:
        check_axes(self, self.axis, input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def axis_index(axis: Any, owner: str) -> int:
    """`axis` as a Python int.

    Raises:
        TypeError: if it is not an integer.
    """
    if not isinstance(axis, bool):
        try:
            return operator.index(axis)
        except TypeError:
            pass
    raise TypeError(f"{owner}: `axis` must be an integer. Received: axis={axis!r}")


def check_axes(layer: Layer, axis: int | list[int], shape: Any) -> None:
    """Refuse axes that a shape does not have, or that are named twice."""
    axes, rank = axis if isinstance(axis, list) else [axis], len(shape)
    inside = all(-rank <= a < rank for a in axes)
    if not inside or len({a % rank for a in axes}) != len(axes):
        raise ValueError(
            f"{layer._owner()}: `axis` must name axes of the input, each once. "
            f"Received: axis={axis}, input shape {shape_text(shape)}"
        )


def at_least_float32(x: Any) -> Any:
    """float16 as float32, in which sums do not overflow; integers as floats."""
    x = float_array(x)
    return convert(x, np.result_type(x.dtype, np.float32))


def as_type(x: Any, dtype: Any) -> Any:
    """x, which may be None, as a number type."""
    return None if x is None else convert(x, dtype)


def _axis_or_axes(axis: Any, owner: str) -> int | list[int]:
    if isinstance(axis, list | tuple):
        return [axis_index(a, owner) for a in axis]
    return axis_index(axis, owner)


def _axes_and_sizes(layer: Any, shape: Any) -> tuple[list[int], tuple[int, ...]]:
    """The axes as a sorted list, as Keras keeps them, and their sizes."""
    check_axes(layer, layer.axis, shape)
    axes = sorted(layer.axis) if isinstance(layer.axis, list) else [layer.axis]
    return axes, tuple(known_size(shape, a, layer._owner()) for a in axes)
