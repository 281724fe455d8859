"""Sizes, borders and places of images, with the names of `keras.ops.image`.

All take one image (rank 3) or a batch of images (rank 4) and are differentiable to any
order. A whole number stays one: the result is rounded to it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.kernels import image as kernels
from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.color import channels_axis, hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from minikeras.ops.patches import extract_patches, extract_patches_3d
from minikeras.ops.resampling import INTERPOLATIONS, interpolate
from minikeras.ops.reshaping import Widths, crop, pad_value, pick_cells
from minikeras.ops.transforms import (
    affine_transform,
    map_coordinates,
    perspective_transform,
    whole,
)
from minikeras.validation import choice, int_tuple

__all__ = [
    "affine_transform",
    "crop_images",
    "extract_patches",
    "extract_patches_3d",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
]

Window = tuple[int, int, int, int]  # top, left, height, width


def size_axes(x: Any, data_format: str | None, owner: str) -> tuple[int, int]:
    """The axes of rows and columns of an image or a batch, counted from the front.

    Raises:
        ValueError: for arrays of another rank.
    """
    last = channels_axis(x, data_format, owner) == -1
    return (x.ndim - 3, x.ndim - 2) if last else (x.ndim - 2, x.ndim - 1)


def aspect_window(height: int, width: int, target: Sequence[int]) -> Window:
    """The largest window in the middle that has the proportions of `target`.

    >>> aspect_window(6, 8, (2, 2))
    (0, 1, 6, 6)
    """
    inner_height = max(min(height, int(float(width * target[0]) / target[1])), 1)
    inner_width = max(min(width, int(float(height * target[1]) / target[0])), 1)
    top, left = int((height - inner_height) / 2), int((width - inner_width) / 2)
    return top, left, inner_height, inner_width


def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Array:
    """Images of another height and width.

    Args:
        images: one image or a batch.
        size: the new (height, width).
        interpolation: `"nearest"`, or `"bilinear"`, `"bicubic"` (Keys), `"lanczos3"`
            or `"lanczos5"`, which weigh the neighbours of each new pixel's centre.
        antialias: whether, where there become fewer pixels, all old ones count.
        crop_to_aspect_ratio: whether to keep proportions by cutting away borders.
        pad_to_aspect_ratio: whether to keep proportions by adding borders.
        fill_mode: `"constant"`, for the borders added.
        fill_value: their value.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: the input's, with the new height and width.

    Raises:
        ValueError: for arrays of another rank, sizes that are not positive integers,
            an unknown interpolation or fill mode, and two ways to keep proportions.

    >>> resize(np.float32([[[0], [4]]]), (1, 4)).ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """
    x = convert(images)
    axes = size_axes(x, data_format, "resize")
    target = int_tuple(size, 2, "size", "resize")
    method = choice(interpolation, INTERPOLATIONS, "interpolation", "resize")
    choice(fill_mode, ("constant",), "fill_mode", "resize")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "resize: only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` can "
            "be True."
        )
    dtype, (height, width) = x.dtype, (x.shape[axis] for axis in axes)
    if crop_to_aspect_ratio:
        top, left, inner_height, inner_width = aspect_window(height, width, target)
        ends = height - top - inner_height, width - left - inner_width
        x = crop(x, widths=_borders(x, axes, (top, ends[0]), (left, ends[1])))
    elif pad_to_aspect_ratio:
        outer_height = max(height, int(float(width * target[0]) / target[1]))
        outer_width = max(width, int(float(height * target[1]) / target[0]))
        top, left = int((outer_height - height) / 2), int((outer_width - width) / 2)
        widths = _borders(x, axes, (top, top), (0, 0) if top else (left, left))
        x = pad_value(float_array(x), widths=widths, value=fill_value)
    for axis, out in zip(axes, target, strict=True):
        if method == "nearest" and out != x.shape[axis]:
            x = pick_cells(x, index=kernels.nearest(x.shape[axis], out), axis=axis)
        elif out != x.shape[axis]:
            options = {"method": method, "antialias": bool(antialias)}
            x = interpolate(float_array(x), axis=axis, out=out, **options)
    return x if x.dtype == dtype else whole(getval(x), dtype, np.rint)


def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Images with zeros around them: two of the three numbers for each direction.

    Args:
        images: one image or a batch.
        top_padding: rows of zeros above.
        left_padding: columns of zeros on the left.
        bottom_padding: rows of zeros below.
        right_padding: columns of zeros on the right.
        target_height: height of the result.
        target_width: width of the result.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Raises:
        ValueError: for arrays of another rank, other than two numbers for a direction,
            and negative ones, also where they follow from the other two.

    >>> pad_images(np.ones((2, 3, 1)), 1, 0, target_height=4, target_width=5).shape
    (4, 5, 1)
    """
    x = convert(images)
    rows = {"top_padding": top_padding, "bottom_padding": bottom_padding}
    columns = {"left_padding": left_padding, "right_padding": right_padding}
    rows["target_height"], columns["target_width"] = target_height, target_width
    axes = size_axes(x, data_format, "pad_images")
    ends = (_ends(n, x.shape[i], 1) for i, n in zip(axes, (rows, columns), strict=True))
    return pad_value(x, widths=_borders(x, axes, *ends))


def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Images without borders: two of the three numbers for each direction.

    Args:
        images: one image or a batch.
        top_cropping: rows to take away above.
        left_cropping: columns to take away on the left.
        bottom_cropping: rows to take away below.
        right_cropping: columns to take away on the right.
        target_height: height of the result.
        target_width: width of the result.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Raises:
        ValueError: for arrays of another rank, other than two numbers for a direction,
            and negative ones, also where they follow from the other two.

    >>> crop_images(np.ones((4, 5, 1)), 1, 0, target_height=2, target_width=3).shape
    (2, 3, 1)
    """
    x = convert(images)
    rows = {"top_cropping": top_cropping, "bottom_cropping": bottom_cropping}
    columns = {"left_cropping": left_cropping, "right_cropping": right_cropping}
    rows["target_height"], columns["target_width"] = target_height, target_width
    axes = size_axes(x, data_format, "crop_images")
    ends = (
        _ends(n, x.shape[i], -1) for i, n in zip(axes, (rows, columns), strict=True)
    )
    return crop(x, widths=_borders(x, axes, *ends))


def _ends(numbers: dict[str, int | None], size: int, sign: int) -> tuple[int, int]:
    """Cells before and after, of which target = size + sign (before + after)."""
    if list(numbers.values()).count(None) != 1:
        raise ValueError(
            f"Exactly two of {', '.join(numbers)} must be given. Received: {numbers}"
        )
    before, after, target = (0 if n is None else int(n) for n in numbers.values())
    names = list(numbers)
    if numbers[names[0]] is None:
        before = sign * (target - size) - after
    elif numbers[names[1]] is None:
        after = sign * (target - size) - before
    else:
        target = size + sign * (before + after)
    for name, value in zip(names, (before, after, target), strict=True):
        if value < 0:
            raise ValueError(
                f"`{name}` must be at least 0; it is {value} for an image of size "
                f"{size} there. Received: {numbers}"
            )
    return before, after


def _borders(x: Array, axes: tuple[int, int], *ends: tuple[int, int]) -> Widths:
    """The cells before and after along each axis of x; none but along `axes`."""
    given = dict(zip(axes, ends, strict=True))
    return tuple(given.get(i, (0, 0)) for i in range(x.ndim))
