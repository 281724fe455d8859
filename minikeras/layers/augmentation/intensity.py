"""Image layers that change how bright pixels are at random, in training."""

from typing import Any

import numpy as np

from minikeras.layers.augmentation.base import (
    BaseRandomLayer,
    number_range,
    value_pair,
)
from minikeras.layers.layer import family
from minikeras.ops.base import convert, getval
from minikeras.ops.image import size_axes
from minikeras.ops.numpy import add, clip, mean, multiply, subtract


class BaseIntensityLayer(BaseRandomLayer):
    """In training, changes the values of pixels, and clips them to their range.
    Otherwise it does nothing.

    Args:
        factor: see the layer; a number or two.
        value_range: the lowest and the highest value of a pixel.
        seed: makes the draws repeat; drawn from the process-wide seed for None.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same.

    Raises:
        ValueError: for a factor out of range, or a `value_range` of other than two
            numbers.
    """

    _bounds: tuple[float, float]
    value_range: Any

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        cls = type(self).__name__
        self.factor = number_range(factor, "factor", cls, self._bounds)
        self.value_range = value_pair(value_range, "value_range", cls)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The masks: how bright a pixel is does not change what it shows."""
        return segmentation_masks

    def _one_each(
        self, data: Any, training: bool, low: float, high: float, seed: int | None
    ) -> np.ndarray:
        """A number for each image, in a shape to be broadcast to it."""
        shape = (*self._shape(data)[:-3], 1, 1, 1)
        if not training:
            return np.zeros(shape, self.dtype)
        return self._uniform(shape, low, high, seed)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "factor": self.factor,
            "value_range": self.value_range,
        }


@family.add()
class RandomContrast(BaseIntensityLayer):
    """In training, y = (x - m) c + m with the mean m of each channel of an image and a
    random c for each image, clipped to the range of values. Otherwise it does nothing.

    Args:
        factor: (a, b): c is drawn between 1 - a and 1 + b. One number f means (0, f),
            as Keras 3.15 takes it, so that contrast rises only.
        value_range: the lowest and the highest value of a pixel.
        seed: makes the draws repeat; drawn from the process-wide seed for None.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same; floats in training.

    Raises:
        ValueError: for a factor outside of [0, 1], or a `value_range` of other than
            two numbers.

    >>> twice = RandomContrast((-1.0, 1.0), value_range=(0, 9))
    >>> twice(np.float32([[[1], [3], [8]]])).ravel()
    array([0., 2., 9.], dtype=float32)
    """

    _bounds = (0, 1)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        low, high = 1.0 - self.factor[0], 1.0 + self.factor[1]
        return {"contrast_factor": self._one_each(data, training, low, high, seed)}

    def transform_images(
        self, images: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training:
            return images
        x = self._floats(images)
        rows, columns = size_axes(x, self.data_format, self._owner())
        middle = mean(mean(x, rows, keepdims=True), columns, keepdims=True)
        along = [x.shape[i] if i == columns else 1 for i in range(x.ndim)]
        middle = add(middle, np.zeros(along, x.dtype))  # long runs below, not of C
        factor = np.asarray(getval(convert(transformation["contrast_factor"])), x.dtype)
        y = add(multiply(subtract(x, middle), factor), middle)
        return clip(y, *self.value_range)


@family.add()
class RandomBrightness(BaseIntensityLayer):
    """In training, y = x + f (highest - lowest value) with a random f for each image,
    clipped to the range of values. Otherwise it does nothing.

    To whole numbers, what is added is cut off to one too; they stay whole unless the
    range has floats. (In Keras 3.15 their sum runs over, and nothing gets darker.)

    Args:
        factor: (lowest, highest) f from -1, all dark, to 1, all bright. One number f
            means (-f, f).
        value_range: the lowest and the highest value of a pixel.
        seed: makes the draws repeat; drawn from the process-wide seed for None.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same.

    Raises:
        ValueError: for a factor outside of [-1, 1], or a `value_range` of other than
            two numbers.

    >>> brighter = RandomBrightness((0.1, 0.1))
    >>> brighter(np.float32([[[10], [250]]])).ravel()
    array([ 35.5, 255. ], dtype=float32)
    """

    _bounds = (-1, 1)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ):
        factor = 0.0 if factor is None else factor
        super().__init__(factor, value_range, seed, **kwargs)
        self.value_range = sorted(self.value_range)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        span = self.value_range[1] - self.value_range[0]
        low, high = (end * span for end in self.factor)
        return {"rgb_delta": self._one_each(data, training, low, high, seed)}

    def transform_images(
        self, images: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training:
            return images
        x = convert(images)
        delta = np.asarray(getval(convert(transformation["rgb_delta"])))
        if x.dtype.kind == "f":
            return clip(add(x, delta.astype(x.dtype)), *self.value_range)
        total = x.astype(np.int64) + np.trunc(delta).astype(np.int64)
        if any(isinstance(end, float | np.floating) for end in self.value_range):
            return clip(self._floats(total), *self.value_range)
        dtype = np.dtype(np.int32) if x.dtype.kind == "b" else x.dtype
        limits = np.iinfo(dtype)
        low, high = np.clip(self.value_range, limits.min, limits.max)
        return np.clip(total, low, high).astype(dtype)
