"""Colours of images in other coordinates, with the names of `keras.ops.image`."""

from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras import config
from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.numpy import (
    absolute,
    clip,
    divide,
    matmul,
    maximum,
    minimum,
    squeeze,
    where,
)
from minikeras.ops.reshaping import pick_cells
from minikeras.ops.stacking import stack
from minikeras.validation import shape_text

LUMINANCE = (0.2989, 0.5870, 0.1140)  # of red, green and blue, ITU-R BT.601


def channels_axis(x: Any, data_format: str | None, owner: str) -> int:
    """The axis of the channels of an image, or a batch of images, from the end.

    Raises:
        ValueError: for arrays of another rank.
    """
    if x.ndim not in (3, 4):
        raise ValueError(
            f"{owner}: `images` must be one image (rank 3) or a batch of images (rank "
            f"4). Received: an array of shape {shape_text(x.shape)}."
        )
    data_format = config.standardize_data_format(data_format)
    return -1 if data_format == "channels_last" else -3


def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Array:
    """Brightness: 0.2989 red + 0.5870 green + 0.1140 blue.

    Args:
        images: one image or a batch, of 3 channels, or of 1, which are left as they
            are; the fractions of integers are cut off, as in Keras.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: the input's, with one channel.

    Raises:
        ValueError: for arrays of another rank or number of channels.

    >>> rgb_to_grayscale(np.float32([[[1, 0, 0], [0, 1, 0]]]))
    array([[[0.2989],
            [0.587 ]]], dtype=float32)
    """
    x = convert(images)
    axis = channels_axis(x, data_format, "rgb_to_grayscale")
    if x.shape[axis] == 1:
        return x
    _need_channels(x, axis, "rgb_to_grayscale", "1 or 3")
    weights = np.asarray(LUMINANCE, float_array(x[:0]).dtype)[:, None]
    gray = matmul(anp.moveaxis(float_array(x), axis, -1), weights)
    gray = anp.moveaxis(gray, -1, axis)
    return gray if gray.dtype == x.dtype else gray.astype(x.dtype)


def rgb_to_hsv(images: Any, data_format: str | None = None) -> Array:
    """Hue, saturation and value of red, green and blue.

    Args:
        images: one image or a batch, of 3 channels from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: the input's. Hue goes from 0 (red) over 1/3 (green) and 2/3 (blue) to
    1 (red again); saturation and value from 0 to 1.

    Raises:
        ValueError: for arrays of another rank or number of channels, and integers.

    Source: Smith, Color gamut transform pairs, SIGGRAPH 1978.

    >>> rgb_to_hsv(np.float32([[[0, 1, 0], [0.5, 0.5, 0.5]]])).round(3)
    array([[[0.333, 1.   , 1.   ],
            [0.   , 0.   , 0.5  ]]], dtype=float32)
    """
    x, axis = _float_images(images, data_format, "rgb_to_hsv")
    x = where(absolute(getval(x)) < np.finfo(x.dtype).eps, 0.0, x)
    red, green, blue = _planes(x, axis)
    value = maximum(maximum(red, green), blue)
    spread = value - minimum(minimum(red, green), blue)
    coloured, bright = getval(spread) > 0, getval(value) > 0
    saturation = where(bright, divide(spread, where(bright, value, 1.0)), 0.0)
    unit = divide(1.0, where(coloured, spread, 1.0) * 6)
    hue = where(
        getval(value) == getval(green),
        unit * (blue - red) + 2 / 6,
        unit * (red - green) + 4 / 6,
    )
    hue = where(getval(value) == getval(red), unit * (green - blue), hue)
    hue = where(coloured, hue, 0.0)
    hue = hue + (getval(hue) < 0).astype(x.dtype)
    return stack([hue, saturation, value], axis)


def hsv_to_rgb(images: Any, data_format: str | None = None) -> Array:
    """Red, green and blue of hue, saturation and value; the reverse of `rgb_to_hsv`.

    Args:
        images: one image or a batch, of 3 channels from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: the input's.

    Raises:
        ValueError: for arrays of another rank or number of channels, and integers.

    >>> hsv_to_rgb(np.float32([[[0, 1, 1], [0.5, 0, 0.5]]]))
    array([[[1. , 0. , 0. ],
            [0.5, 0.5, 0.5]]], dtype=float32)
    """
    x, axis = _float_images(images, data_format, "hsv_to_rgb")
    hue, saturation, value = _planes(x, axis)
    sixths = (hue - np.floor(getval(hue))) * 6
    pure = [
        clip(absolute(sixths - 3) - 1, 0.0, 1.0),
        clip(2 - absolute(sixths - 2), 0.0, 1.0),
        clip(2 - absolute(sixths - 4), 0.0, 1.0),
    ]
    return stack([value * ((1 - saturation) + saturation * p) for p in pure], axis)


def _float_images(images: Any, data_format: str | None, owner: str) -> Any:
    """(images, axis of their channels), checked to be floats of 3 channels."""
    x = convert(images)
    axis = channels_axis(x, data_format, owner)
    _need_channels(x, axis, owner, "3")
    if x.dtype.kind != "f":
        raise ValueError(
            f"{owner}: `images` must be floats from 0 to 1. Received: dtype {x.dtype}. "
            "Convert whole numbers with `ops.cast(images, 'float32') / 255`."
        )
    return x, axis


def _need_channels(x: Any, axis: int, owner: str, count: str) -> None:
    if x.shape[axis] != 3:
        raise ValueError(
            f"{owner}: `images` must have {count} channels on axis {axis}. "
            f"Received: an array of shape {shape_text(x.shape)}."
        )


def _planes(x: Array, axis: int) -> list[Array]:
    """Each channel by itself, without the axis of the channels."""
    front = x.ndim + axis
    return [
        squeeze(pick_cells(x, index=np.array([i]), axis=front), front) for i in range(3)
    ]
