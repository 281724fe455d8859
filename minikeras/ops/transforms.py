"""Images through a transform of their plane, with the names of `keras.ops.image`."""

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras import config
from minikeras.kernels import image as kernels
from minikeras.ops.base import Array, convert, float_array, getval, isbox
from minikeras.ops.color import channels_axis
from minikeras.ops.warping import sample, warp_images, warp_traced
from minikeras.validation import choice, shape_text

ORDERS = {"nearest": 0, "bilinear": 1}


def whole(x: np.ndarray, dtype: np.dtype, rounded: Callable) -> np.ndarray:
    """`rounded` numbers in a type of whole ones, none beyond its limits.

    >>> whole(np.float32([-3, 7.5, 300]), np.dtype("uint8"), np.rint)
    array([  0,   8, 255], dtype=uint8)
    """
    if dtype.kind == "b":
        return x != 0
    limits, most = np.iinfo(dtype), float(np.finfo(x.dtype).max)
    low, high = x.dtype.type([max(limits.min, -most), min(limits.max, most)])
    if int(high) > limits.max:  # 2**31 - 1 is no float32; the next one is too large
        high = np.nextafter(high, x.dtype.type(0))
    return np.minimum(np.maximum(rounded(x), low), high).astype(dtype)


def _fill(value: float, dtype: np.dtype) -> float:
    """The value as an image of this type can hold it."""
    return (
        float(whole(np.asarray([value]), dtype, np.trunc)[0])
        if dtype.kind in "iu"
        else value
    )


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Array:
    """Images turned, moved, scaled, sheared or seen from aside.

    With a row (a0, a1, a2, b0, b1, b2, c0, c1) of `transform`, the pixel in column x
    and row y shows what was in column (a0 x + a1 y + a2) / k and row
    (b0 x + b1 y + b2) / k, where k = c0 x + c1 y + 1.

    Args:
        images: one image or a batch.
        transform: 8 numbers, or such a row for each image.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what stands outside of an image a b c d: `"constant"` k k k,
            `"nearest"` d d d, `"wrap"` a b c, `"mirror"` c b a or `"reflect"` d c b.
        fill_value: the constant; its whole part for images of whole numbers.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: the input's.

    Raises:
        ValueError: for arrays of another rank, another form of `transform`, and an
            unknown interpolation or fill mode.

    >>> image = np.float32([[[1], [2], [3]]])
    >>> affine_transform(image, [1, 0, 1, 0, 1, 0, 0, 0]).ravel()
    array([2., 3., 0.], dtype=float32)
    """
    x = convert(images)
    channels_axis(x, data_format, "affine_transform")
    count = len(x) if x.ndim == 4 else 1
    rows = convert(transform)
    if rows.ndim == 1:
        rows = anp.reshape(rows, (1, -1))
    if rows.ndim != 2 or rows.shape[1] != 8 or len(rows) not in (1, count):
        raise ValueError(
            "affine_transform: `transform` must have 8 numbers, or 8 for each of the "
            f"{count} images. Received: shape {shape_text(convert(transform).shape)}."
        )
    order = ORDERS[choice(interpolation, ORDERS, "interpolation", "affine_transform")]
    mode = choice(fill_mode, kernels.FILL_MODES, "fill_mode", "affine_transform")
    return _projected(x, rows, order, mode, float(fill_value), data_format)


def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Array:
    """Images bent so that four points get to four other places.

    Args:
        images: one image or a batch.
        start_points: (4, 2) columns and rows of the points, or (batch, 4, 2).
        end_points: where they go, in the same shape.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: what stands outside of an image.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: the input's.

    Raises:
        ValueError: for arrays of another rank, other shapes of the points, and an
            unknown interpolation.

    >>> corners = [[0, 0], [1, 0], [0, 1], [1, 1]]
    >>> turned = [[1, 0], [1, 1], [0, 0], [0, 1]]
    >>> image = np.float32([[[1], [2]], [[3], [4]]])
    >>> perspective_transform(image, corners, turned)[..., 0].round(3)
    array([[3., 1.],
           [4., 2.]], dtype=float32)
    """
    x = convert(images)
    channels_axis(x, data_format, "perspective_transform")
    start, end = float_array(start_points), float_array(end_points)
    count = len(x) if x.ndim == 4 else 1
    if start.shape != end.shape or start.shape not in ((4, 2), (count, 4, 2)):
        raise ValueError(
            "perspective_transform: `start_points` and `end_points` must have shape "
            f"(4, 2), or (batch, 4, 2) for {count} images. Received: shapes "
            f"{shape_text(start.shape)} and {shape_text(end.shape)}."
        )
    start, end = (anp.reshape(points, (-1, 4, 2)) for points in (start, end))
    owner = "perspective_transform"
    order = ORDERS[choice(interpolation, ORDERS, "interpolation", owner)]
    rows = _homography(start, end)
    return _projected(x, rows, order, "constant", float(fill_value), data_format)


def _homography(start: Array, end: Array) -> Array:
    """The rows (N, 8) of the transforms that map `end` to `start`, both (N, 4, 2).

    For each of the points a0 x + a1 y + a2 - (c0 x + c1 y) x' = x', and with b for y'.
    """
    x, y = end[..., :1], end[..., 1:]
    ones = np.ones(x.shape, x.dtype)
    linear, none = [x, y, ones], [np.zeros((*x.shape[:2], 3), x.dtype)]
    across, down = start[..., :1], start[..., 1:]
    equations = anp.concatenate(
        [
            anp.concatenate([*linear, *none, -across * x, -across * y], -1),
            anp.concatenate([*none, *linear, -down * x, -down * y], -1),
        ],
        1,
    )
    return anp.linalg.solve(equations, anp.concatenate([across, down], 1))[..., 0]


def _projected(
    x: Array, rows: Array, order: int, mode: str, fill: float, data_format: str | None
) -> Array:
    """`affine_transform` of checked arguments."""
    dtype, fill = x.dtype, _fill(fill, x.dtype)
    y = float_array(x)
    y = y if x.ndim == 4 else anp.reshape(y, (1, *y.shape))
    first = config.standardize_data_format(data_format) == "channels_first"
    y = anp.moveaxis(y, 1, -1) if first else y
    rows = rows.astype("float64" if y.dtype == np.float64 else "float32")
    height, width = y.shape[1:3]
    if isbox(rows) and order:
        column, row = _traced_places(rows, height, width)
        zeros = np.zeros((len(y), 1, 1), rows.dtype)
        y = warp_traced(y, zeros + row, zeros + column, mode, fill)
    else:
        matrix = np.broadcast_to(getval(rows), (len(y), 8))
        grid = kernels.Projective(matrix, height, width)
        y = warp_images(y, grid=grid, order=order, mode=mode, fill=fill)
    y = anp.moveaxis(y, -1, 1) if first else y
    y = anp.reshape(y, x.shape)
    return y if dtype == y.dtype else whole(getval(y), dtype, kernels.half_away)


def _traced_places(rows: Array, height: int, width: int) -> tuple[Array, Array]:
    """Columns and rows (N, H, W) as `Projective.places`, with gradients for `rows`."""
    y, x = np.mgrid[:height, :width].astype(rows.dtype)
    by_x, by_y, shift = (rows[:, i::3, None, None] for i in range(3))
    scale = by_x[:, 2] * x + by_y[:, 2] * y + 1
    column, row = (by_x[:, i] * x + by_y[:, i] * y + shift[:, i] for i in (0, 1))
    return column / scale, row / scale


def map_coordinates(
    inputs: Any,
    coordinates: Any,
    order: int,
    fill_mode: str = "constant",
    fill_value: float = 0,
) -> Array:
    """An array looked up at any places between its cells.

    Args:
        inputs: array of any rank.
        coordinates: for each of its axes, the coordinates of all places.
        order: 0 for the nearest cell, 1 for linear interpolation.
        fill_mode: as for `affine_transform`.
        fill_value: the constant.

    Output shape: that of the coordinates of one axis.

    Raises:
        ValueError: for coordinates that do not fit, another order or fill mode.

    >>> map_coordinates(np.float32([1, 2, 4]), [[0.5, 1.5]], 1)
    array([1.5, 3. ], dtype=float32)
    """
    x, places = convert(inputs), float_array(coordinates)
    if places.ndim < 2 or len(places) != x.ndim:
        raise ValueError(
            f"map_coordinates: `coordinates` must have {x.ndim} entries on its first "
            "axis, one for each axis of `inputs`, and another axis for the places. "
            f"Received: shape {shape_text(places.shape)} for inputs of shape "
            f"{shape_text(x.shape)}."
        )
    if order not in (0, 1):
        raise ValueError(
            "map_coordinates: `order` must be 0 (nearest) or 1 (linear). "
            f"Received: order={order!r}"
        )
    mode = choice(fill_mode, kernels.FILL_MODES, "fill_mode", "map_coordinates")
    axes = [places[i] for i in range(x.ndim)]
    fill = _fill(float(fill_value), x.dtype)
    y = sample(float_array(x), axes, order, mode, fill)
    return y if y.dtype == x.dtype else whole(getval(y), x.dtype, kernels.half_away)
