"""Convolution layers: one implementation for every number of axes."""

from collections.abc import Callable
from typing import Any

from minikeras import activations, config, constraints, initializers, regularizers
from minikeras.layers.core import known_size, weight_config
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.layers.structure import channel_axis
from minikeras.layers.windows import (
    window_geometry,
    window_output_shape,
)
from minikeras.ops.convolution import conv_bias, merge_groups
from minikeras.ops.depthwise import depthwise_bias
from minikeras.ops.numpy import moveaxis, reshape
from minikeras.validation import choice, int_tuple, positive_int


class BaseConv(Layer):
    """Convolution over `rank` axes: y = activation(conv(x, kernel) + bias), with

    y[n,o,f] = sum_{k,c} x[n, o*stride + k*dilation - pad, c] kernel[k,c,f].

    Args:
        filters: number of output channels.
        kernel_size: size of the window; one number or one per axis.
        strides: cells between neighbouring windows.
        padding: `"valid"` (none), `"same"` (zeros, so that the output has
            ceil(size / stride) cells) or, over one axis, `"causal"` (zeros before
            only, so that no output sees a later input).
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
        dilation_rate: cells between neighbouring cells of a window.
        groups: number of groups into which channels and filters are divided.
        activation: name, function or None for none.
        use_bias: whether to add a bias.
        kernel_initializer: of the kernel (K..., channels / groups, filters).
        bias_initializer: of the bias (filters,).
        kernel_regularizer: adds a function of the kernel to the loss.
        bias_regularizer: adds a function of the bias to the loss.
        activity_regularizer: adds a function of the output to the loss.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: (batch, new sizes..., filters), likewise.

    Raises:
        ValueError: for sizes that are not positive, strides and dilation both above
            1, channels or filters not divisible by `groups`, and, with `"valid"`, a
            window larger than the input.
    """

    rank: int
    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        cls, rank = type(self).__name__, self.rank
        self.filters = positive_int(filters, "filters", cls)
        self.groups = positive_int(groups, "groups", cls)
        self.kernel_size = int_tuple(kernel_size, rank, "kernel_size", cls)
        self.strides = int_tuple(strides, rank, "strides", cls)
        self.dilation_rate = int_tuple(dilation_rate, rank, "dilation_rate", cls)
        self.padding = choice(padding, self.paddings, "padding", cls)
        self.data_format = config.standardize_data_format(data_format)
        if self.filters % self.groups:
            raise ValueError(
                f"{cls}: `filters` must be divisible by `groups`. "
                f"Received: filters={filters}, groups={groups}"
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{cls}: strides and dilation_rate cannot both be above 1. "
                f"Received: strides={strides}, dilation_rate={dilation_rate}"
            )
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(ndim=rank + 2)

    def build(self, input_shape: Any) -> None:
        axis = channel_axis(self.data_format)
        channels = known_size(input_shape, axis, self._owner())
        if channels % self.groups:
            raise ValueError(
                f"{self._owner()}: the number of input channels must be divisible by "
                f"`groups`. Received: {channels} channels, groups={self.groups}"
            )
        self.compute_output_shape(input_shape)  # refuses a window that does not fit
        self.kernel = add_weight_of(self, "kernel", self._kernel_shape(channels))
        self.bias = (
            add_weight_of(self, "bias", (self.filters,)) if self.use_bias else None
        )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, channels // self.groups, self.filters)

    def call(self, inputs: Any) -> Any:
        return run_channels_last(self, inputs, self._convolve)

    def _convolve(self, x: Any, relu: bool) -> Any:
        where = window_geometry(self, x.shape)
        channels = x.shape[-1]
        if self.groups != channels or channels == 1:
            kernel = merge_groups(self.kernel, self.groups)
            return conv_bias(x, kernel, self.bias, geometry=where, relu=relu)
        each = self.filters // channels  # a group for each channel: nothing is mixed
        kernel = reshape(self.kernel, (*self.kernel_size, channels, each))
        return depthwise_bias(x, kernel, self.bias, geometry=where, relu=relu)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return window_output_shape(
            self, input_shape, self.kernel_size, self.filters, self.dilation_rate
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            **weight_config(self),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }


@family.add()
class Conv1D(BaseConv):
    """Convolution over one axis, such as time. See `BaseConv`.

    >>> import numpy as np
    >>> layer = Conv1D(1, 2, padding="causal", kernel_initializer="ones")
    >>> layer(np.array([[[1.0], [2.0], [3.0]]])).ravel()
    array([1., 3., 5.], dtype=float32)
    """

    rank = 1
    paddings = ("valid", "same", "causal")


@family.add()
class Conv2D(BaseConv):
    """Convolution over two axes, such as images. See `BaseConv`.

    >>> import numpy as np
    >>> Conv2D(4, 3, padding="same")(np.ones((1, 5, 5, 2))).shape
    (1, 5, 5, 4)
    """

    rank = 2


@family.add()
class Conv3D(BaseConv):
    """Convolution over three axes, such as volumes. See `BaseConv`.

    >>> import numpy as np
    >>> Conv3D(4, 3)(np.ones((1, 5, 6, 7, 2))).shape
    (1, 3, 4, 5, 4)
    """

    rank = 3


def add_weight_of(
    layer: Layer, kind: str, shape: tuple[int, ...], name: str | None = None
) -> Any:
    """A weight with the layer's `<kind>_initializer`, regularizer and constraint."""
    return layer.add_weight(
        shape,
        getattr(layer, f"{kind}_initializer"),
        regularizer=getattr(layer, f"{kind}_regularizer"),
        constraint=getattr(layer, f"{kind}_constraint"),
        name=name or kind,
    )


def run_channels_last(
    layer: Any, inputs: Any, compute: Callable[[Any, bool], Any]
) -> Any:
    """The layer's activation of `compute(x, relu)`, both in the layer's data format.

    Args:
        compute: gets its input with channels last, and whether to apply ReLU itself.
    """
    x = inputs if inputs.dtype == layer._np_dtype else inputs.astype(layer.dtype)
    first = layer.data_format == "channels_first"
    relu = layer.activation is activations.relu
    y = compute(moveaxis(x, 1, -1) if first else x, relu)
    y = moveaxis(y, -1, 1) if first else y
    return y if relu else layer.activation(y)
