"""Shapes of layers that slide a window: convolution and pooling."""

from typing import Any

from minikeras.kernels.windows import geometry, output_size
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.structure import channel_axis
from minikeras.validation import shape_text


def window_geometry(layer: Any, shape: tuple[int, ...]) -> Any:
    """Where the layer's windows lie on an input of this shape, channels last.

    Raises:
        ValueError: if no window fits into the input.
    """
    window = (layer.kernel_size, layer.strides, layer.padding, layer.dilation_rate)
    where = geometry(shape[1:-1], *window)
    if 0 in where.out:
        layer.compute_output_shape(
            join_shape(layer, shape[0], shape[1:-1], shape[-1])
        )  # raises
    return where


def spatial_sizes(layer: Any, input_shape: Any) -> tuple[int | None, ...]:
    """Sizes of the axes that are neither the batch nor the channels.

    Raises:
        ValueError: if the number of axes is not that of the layer's rank.
    """
    if len(input_shape) != layer.rank + 2:
        InputSpec(ndim=layer.rank + 2).check(tuple(input_shape), layer._owner())
    first = layer.data_format == "channels_first"
    return tuple(input_shape[2:] if first else input_shape[1:-1])


def join_shape(
    layer: Any, batch: int | None, sizes: tuple[int | None, ...], channels: int | None
) -> tuple[int | None, ...]:
    """A shape in the layer's data format."""
    if layer.data_format == "channels_first":
        return (batch, channels, *sizes)
    return (batch, *sizes, channels)


def window_output_shape(
    layer: Any,
    input_shape: Any,
    window: tuple[int, ...],
    channels: int | None = None,
    dilation: tuple[int, ...] | None = None,
) -> tuple[int | None, ...]:
    """Output shape of a layer that slides a window.

    Args:
        layer: has `rank`, `strides`, `padding` and `data_format`.
        channels: of the output; the input's for None.

    Raises:
        ValueError: if no window fits into the input.
    """
    sizes = spatial_sizes(layer, input_shape)
    dilation = dilation or (1,) * layer.rank
    out = tuple(
        output_size(size, k, s, layer.padding, d)
        for size, k, s, d in zip(sizes, window, layer.strides, dilation, strict=True)
    )
    if 0 in out:
        fix = '; use padding="same" or a smaller window' if 0 not in sizes else ""
        raise ValueError(
            f"{layer._owner()}: its window of {shape_text(window)}, dilation "
            f"{shape_text(dilation)}, does not fit into an input of "
            f"{shape_text(sizes)} with padding={layer.padding!r}{fix}. "
            f"Received the input shape {shape_text(input_shape)}."
        )
    if channels is None:
        channels = input_shape[channel_axis(layer.data_format)]
    return join_shape(layer, input_shape[0], out, channels)
