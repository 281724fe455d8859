"""Depthwise and separable convolution layers, over one and two axes."""

from typing import Any

from minikeras import activations, config, constraints, initializers, regularizers
from minikeras.layers.convolutional import add_weight_of, run_channels_last
from minikeras.layers.core import known_size
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.layers.structure import channel_axis
from minikeras.layers.windows import window_geometry, window_output_shape
from minikeras.ops.depthwise import depthwise, depthwise_bias, pointwise_bias
from minikeras.validation import choice, int_tuple, positive_int


class BaseDepthwiseConv(Layer):
    """Convolution of every channel by itself over `rank` axes, with M filters for each:

    y[n,o,c*M+m] = activation(bias + sum_k x[n, o*stride + k*dilation - pad, c]
    kernel[k,c,m]).

    Args:
        kernel_size: size of the window; one number or one per axis.
        strides: cells between neighbouring windows.
        padding: `"valid"` (none) or `"same"` (zeros, so that the output has
            ceil(size / stride) cells).
        depth_multiplier: M, the number of filters for each channel.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
        dilation_rate: cells between neighbouring cells of a window.
        activation: name, function or None for none.
        use_bias: whether to add a bias.
        depthwise_initializer: of the kernel (K..., channels, M).
        bias_initializer: of the bias (channels * M,).
        depthwise_regularizer: adds a function of the kernel to the loss.
        bias_regularizer: adds a function of the bias to the loss.
        activity_regularizer: adds a function of the output to the loss.
        depthwise_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: (batch, new sizes..., channels * M), likewise; the
    filters of one channel are neighbours.

    Raises:
        ValueError: for sizes that are not positive and, with `"valid"`, a window
            larger than the input.

    Source: Howard et al., "MobileNets", arXiv 1704.04861.
    """

    rank: int
    weight_kinds: tuple[str, ...] = ("depthwise", "bias")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        cls, rank = type(self).__name__, self.rank
        self.kernel_size = int_tuple(kernel_size, rank, "kernel_size", cls)
        self.strides = int_tuple(strides, rank, "strides", cls)
        self.dilation_rate = int_tuple(dilation_rate, rank, "dilation_rate", cls)
        self.depth_multiplier = positive_int(depth_multiplier, "depth_multiplier", cls)
        self.padding = choice(padding, ("valid", "same"), "padding", cls)
        self.data_format = config.standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(ndim=rank + 2)

    def build(self, input_shape: Any) -> None:
        axis = channel_axis(self.data_format)
        channels = known_size(input_shape, axis, self._owner())
        filters = self.compute_output_shape(input_shape)[axis]  # or refuses the shape
        self._add_kernels(channels)
        self.bias = add_weight_of(self, "bias", (filters,)) if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})

    def _add_kernels(self, channels: int) -> None:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = add_weight_of(self, "depthwise", shape, "kernel")

    def call(self, inputs: Any) -> Any:
        return run_channels_last(self, inputs, self._convolve)

    def _convolve(self, x: Any, relu: bool) -> Any:
        where = window_geometry(self, x.shape)
        return depthwise_bias(x, self.kernel, self.bias, geometry=where, relu=relu)

    def compute_output_shape(self, input_shape: Any) -> Any:
        channels = input_shape[channel_axis(self.data_format)]
        filters = None if channels is None else channels * self.depth_multiplier
        return self._window_shape(input_shape, filters)

    def _window_shape(self, input_shape: Any, filters: int | None) -> Any:
        return window_output_shape(
            self, input_shape, self.kernel_size, filters, self.dilation_rate
        )

    def get_config(self) -> dict[str, Any]:
        result = {
            **super().get_config(),
            "depth_multiplier": self.depth_multiplier,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }
        for weight in self.weight_kinds:
            for kind, module in (
                ("initializer", initializers),
                ("regularizer", regularizers),
                ("constraint", constraints),
            ):
                key = f"{weight}_{kind}"
                result[key] = module.serialize(getattr(self, key))
        return result


@family.add()
class DepthwiseConv1D(BaseDepthwiseConv):
    """Depthwise convolution over one axis, such as time. See `BaseDepthwiseConv`.

    >>> import numpy as np
    >>> DepthwiseConv1D(3, depth_multiplier=2)(np.ones((1, 5, 4))).shape
    (1, 3, 8)
    """

    rank = 1


@family.add()
class DepthwiseConv2D(BaseDepthwiseConv):
    """Depthwise convolution over two axes, such as images. See `BaseDepthwiseConv`.

    >>> import numpy as np
    >>> layer = DepthwiseConv2D(2, depthwise_initializer="ones")
    >>> layer(np.ones((1, 3, 2, 1))).ravel()
    array([4., 4.], dtype=float32)
    """

    rank = 2


class BaseSeparableConv(BaseDepthwiseConv):
    """A depthwise convolution, then a mix of its channels at every position:

    y[n,o,f] = activation(bias + sum_c depthwise(x)[n,o,c] pointwise_kernel[c,f]).

    Args:
        filters: number of output channels.
        kernel_size: size of the window; one number or one per axis.
        strides: cells between neighbouring windows.
        padding: `"valid"` or `"same"`, as in `BaseDepthwiseConv`.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
        dilation_rate: cells between neighbouring cells of a window.
        depth_multiplier: M, the number of depthwise filters for each channel.
        activation: name, function or None for none; applied once, at the end.
        use_bias: whether to add a bias (filters,).
        depthwise_initializer: of the depthwise kernel (K..., channels, M).
        pointwise_initializer: of the pointwise kernel (1..., channels * M, filters).

    Regularizers and constraints of `depthwise`, `pointwise` and `bias`, and
    `activity_regularizer`, as in `BaseDepthwiseConv`.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: (batch, new sizes..., filters), likewise.

    Raises:
        ValueError: as `BaseDepthwiseConv`.

    Source: Chollet, "Xception", arXiv 1610.02357.
    """

    weight_kinds = ("depthwise", "pointwise", "bias")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            depthwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            bias_constraint,
            **kwargs,
        )
        self.filters = positive_int(filters, "filters", type(self).__name__)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def _add_kernels(self, channels: int) -> None:
        depth = self.depth_multiplier
        shape = (*self.kernel_size, channels, depth)
        self.depthwise_kernel = add_weight_of(
            self, "depthwise", shape, "depthwise_kernel"
        )
        shape = (*(1,) * self.rank, channels * depth, self.filters)
        self.pointwise_kernel = add_weight_of(
            self, "pointwise", shape, "pointwise_kernel"
        )

    def _convolve(self, x: Any, relu: bool) -> Any:
        where = window_geometry(self, x.shape)
        y = depthwise(x, self.depthwise_kernel, geometry=where)
        return pointwise_bias(y, self.pointwise_kernel, self.bias, relu=relu)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._window_shape(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


@family.add()
class SeparableConv1D(BaseSeparableConv):
    """Separable convolution over one axis, such as time. See `BaseSeparableConv`.

    >>> import numpy as np
    >>> SeparableConv1D(6, 3, padding="same")(np.ones((1, 5, 4))).shape
    (1, 5, 6)
    """

    rank = 1


@family.add()
class SeparableConv2D(BaseSeparableConv):
    """Separable convolution over two axes, such as images. See `BaseSeparableConv`.

    >>> import numpy as np
    >>> SeparableConv2D(6, 3, strides=2)(np.ones((1, 7, 7, 4))).shape
    (1, 3, 3, 6)
    """

    rank = 2
