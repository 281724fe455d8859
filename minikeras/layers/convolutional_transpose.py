"""Transposed convolution layers: one implementation for every number of axes."""

from typing import Any

from minikeras.kernels.windows import transposed_geometry, transposed_size
from minikeras.layers.convolutional import BaseConv
from minikeras.layers.layer import family
from minikeras.layers.windows import join_shape, spatial_sizes
from minikeras.ops.transposed import conv_transpose_bias, output_padding_tuple
from minikeras.validation import shape_text


class BaseConvTranspose(BaseConv):
    """Transposed convolution over `rank` axes, from a small input to a larger output:

    y[n, i*stride + k*dilation - cut, f] += x[n,i,c] kernel[k,f,c] for all i, k and c,

    then the bias and the activation. It is the gradient of a convolution with respect
    to its input.

    Args:
        filters: number of output channels.
        kernel_size: size of the kernel; one number or one per axis.
        strides: cells of the output between neighbouring cells of the input.
        padding: `"valid"` (nothing is cut) or `"same"` (the edges are cut, so that the
            output has size * stride cells).
        output_padding: cells to add after each axis, less than its stride: the output
            then has, with reach = (kernel_size - 1) * dilation_rate + 1,
            (size - 1) * stride + reach + output_padding cells with `"valid"`, and
            (size - 1) * stride + reach % 2 + output_padding with `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
        dilation_rate: cells between neighbouring cells of the kernel.
        activation: name, function or None for none.
        use_bias: whether to add a bias.
        kernel_initializer: of the kernel (K..., filters, channels).
        bias_initializer: of the bias (filters,).
        kernel_regularizer: adds a function of the kernel to the loss.
        bias_regularizer: adds a function of the bias to the loss.
        activity_regularizer: adds a function of the output to the loss.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: (batch, new sizes..., filters), likewise.

    Raises:
        ValueError: for sizes that are not positive, an `output_padding` not below the
            stride, strides and dilation both above 1, and an output without cells.

    Source: Zeiler et al., "Deconvolutional Networks", CVPR 2010.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        cls = type(self).__name__
        if "groups" in kwargs:
            raise ValueError(
                f"{cls}: `groups` is not offered, as in Keras; leave it out. "
                f"Received: groups={kwargs['groups']!r}"
            )
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.output_padding = output_padding_tuple(output_padding, self.strides, cls)

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, self.filters, channels)

    def _convolve(self, x: Any, relu: bool) -> Any:
        where = transposed_geometry(
            x.shape[1:-1],
            self.kernel_size,
            self.strides,
            self.padding,
            self.output_padding,
            self.dilation_rate,
        )
        if 0 in where.sizes:
            shape = join_shape(self, x.shape[0], x.shape[1:-1], x.shape[-1])
            self.compute_output_shape(shape)  # raises
        return conv_transpose_bias(x, self.kernel, self.bias, geometry=where, relu=relu)

    def compute_output_shape(self, input_shape: Any) -> Any:
        sizes = spatial_sizes(self, input_shape)
        extra = self.output_padding or (None,) * self.rank
        out = tuple(
            transposed_size(size, k, s, self.padding, p, d)
            for size, k, s, p, d in zip(
                sizes,
                self.kernel_size,
                self.strides,
                extra,
                self.dilation_rate,
                strict=True,
            )
        )
        if 0 in out:
            raise ValueError(
                f"{self._owner()}: an input of {shape_text(sizes)} gives an output "
                f"without cells, {shape_text(out)}, with kernel_size="
                f"{self.kernel_size}, strides={self.strides}, padding={self.padding!r} "
                f"and output_padding={self.output_padding}; leave `output_padding` "
                "out, or pass a larger input"
            )
        return join_shape(self, input_shape[0], out, self.filters)

    def get_config(self) -> dict[str, Any]:
        result = {**super().get_config(), "output_padding": self.output_padding}
        del result["groups"]
        return result


@family.add()
class Conv1DTranspose(BaseConvTranspose):
    """Transposed convolution over one axis, such as time. See `BaseConvTranspose`.

    >>> import numpy as np
    >>> layer = Conv1DTranspose(1, 2, strides=2, kernel_initializer="ones")
    >>> layer(np.array([[[1.0], [2.0]]])).ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """

    rank = 1


@family.add()
class Conv2DTranspose(BaseConvTranspose):
    """Transposed convolution over two axes, such as images. See `BaseConvTranspose`.

    >>> import numpy as np
    >>> Conv2DTranspose(8, 3, strides=2, padding="same")(np.ones((1, 7, 7, 4))).shape
    (1, 14, 14, 8)
    """

    rank = 2


@family.add()
class Conv3DTranspose(BaseConvTranspose):
    """Transposed convolution over three axes, such as volumes.

    See `BaseConvTranspose`; only here `data_format` comes before `output_padding`.

    >>> import numpy as np
    >>> Conv3DTranspose(2, 3, strides=2)(np.ones((1, 2, 3, 4, 1))).shape
    (1, 5, 7, 9, 2)
    """

    rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        *args: Any,
        **kwargs: Any,
    ):
        middle = (output_padding, data_format)
        super().__init__(
            filters, kernel_size, strides, padding, *middle, *args, **kwargs
        )
