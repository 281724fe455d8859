"""Pixels under a sliding window as channels, with the names of `keras.ops.image`."""

from math import prod
from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras import config
from minikeras.kernels.windows import geometry
from minikeras.ops.base import Array, convert
from minikeras.ops.reshaping import pad_value, pick_cells
from minikeras.validation import choice, int_tuple, shape_text


def extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The pixels under a window at each of its positions, as channels.

    Args:
        images: one image or a batch; volumes for three sizes.
        size: pixels of the window; one number or two, or three for volumes.
        strides: pixels between positions; `size` for None, so that nothing overlaps.
        dilation_rate: distance of the pixels of a window.
        padding: `"valid"`, or `"same"` for ceil(size / stride) positions, with zeros
            outside.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: the input's with the positions for sizes and (pixels of the window,
    row by row) * channels for channels, the channels of a pixel side by side.

    Raises:
        ValueError: for arrays of another rank, sizes, strides and dilations that are
            not positive integers, and an unknown padding.

    >>> extract_patches(np.arange(8.0).reshape(2, 4, 1), 2)
    array([[[0., 1., 4., 5.],
            [2., 3., 6., 7.]]])
    """
    rank = len(size) if isinstance(size, list | tuple) else 2
    if rank not in (2, 3):
        raise ValueError(
            "extract_patches: `size` must be one number, two, or three for volumes. "
            f"Received: size={size!r}"
        )
    owner = "extract_patches"
    return _patches(
        images, rank, size, strides, dilation_rate, padding, data_format, owner
    )


def extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """`extract_patches` of volumes: one (rank 4) or a batch (rank 5).

    >>> extract_patches_3d(np.ones((1, 4, 4, 4, 3)), 2).shape
    (1, 2, 2, 2, 24)
    """
    owner = "extract_patches_3d"
    return _patches(
        volumes, 3, size, strides, dilation_rate, padding, data_format, owner
    )


def _patches(
    images: Any,
    rank: int,
    size: Any,
    strides: Any,
    dilation_rate: Any,
    padding: str,
    data_format: str | None,
    owner: str,
) -> Array:
    x = convert(images)
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError(
            f"{owner}: `images` must have rank {rank + 1}, or {rank + 2} with a batch, "
            f"for a window of {rank} axes. Received: shape {shape_text(x.shape)}."
        )
    kernel = int_tuple(size, rank, "size", owner)
    steps = int_tuple(strides or kernel, rank, "strides", owner)
    dilation = int_tuple(dilation_rate, rank, "dilation_rate", owner)
    padding = choice(padding, ("valid", "same"), "padding", owner)
    single = x.ndim == rank + 1
    x = anp.reshape(x, (1, *x.shape)) if single else x
    first = config.standardize_data_format(data_format) == "channels_first"
    x = anp.moveaxis(x, 1, -1) if first else x
    plan = geometry(x.shape[1:-1], kernel, steps, padding, dilation)
    x = pad_value(x, widths=((0, 0), *plan.pads, (0, 0)))
    for i in range(rank):  # along each axis, the windows one behind the other
        starts = np.arange(plan.out[i]) * steps[i]
        index = (starts[:, None] + np.arange(kernel[i]) * dilation[i]).reshape(-1)
        x = pick_cells(x, index=index, axis=i + 1)
    channels = prod(kernel) * x.shape[-1]
    apart = [n for pair in zip(plan.out, kernel, strict=True) for n in pair]
    x = anp.reshape(x, (len(x), *apart, x.shape[-1]))
    positions, cells = range(1, 2 * rank, 2), range(2, 2 * rank + 1, 2)
    x = anp.transpose(x, (0, *positions, *cells, 2 * rank + 1))
    x = anp.reshape(x, (len(x), *plan.out, channels))
    x = anp.moveaxis(x, -1, 1) if first else x
    return anp.reshape(x, x.shape[1:]) if single else x
