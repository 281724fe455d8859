"""What all image layers share: one image or a batch, alone or with labels and masks.

A layer draws a transformation (`get_random_transformation`) and applies it
(`transform_images`), so that the same one can be applied to a segmentation mask too.
"""

from numbers import Real
from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras import config
from minikeras.layers.layer import Layer
from minikeras.layers.regularization import BaseNoise
from minikeras.ops.base import Array, convert
from minikeras.ops.image import size_axes
from minikeras.ops.numpy import cast
from minikeras.validation import shape_text


class BaseImageLayer(Layer):
    """A layer that changes images.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch of images; with
    `"channels_first"` the channels stand before the rows. Or a dictionary of
    `"images"` with `"labels"` and `"segmentation_masks"` that go with them; other
    entries are handed on.

    Raises:
        ValueError: for `bounding_box_format`, which is not offered, and in a call for
            inputs of another rank or with `"bounding_boxes"`.
    """

    def __init__(
        self,
        data_format: str | None = None,
        bounding_box_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if bounding_box_format is not None:
            raise ValueError(
                f"{type(self).__name__}: `bounding_box_format` is not offered; "
                "transform boxes yourself, and leave it out. "
                f"Received: bounding_box_format={bounding_box_format!r}"
            )
        self.data_format = config.standardize_data_format(data_format)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        """What to do with these images: numbers, or None for nothing.

        Args:
            data: the images, or a dictionary with `"images"`.
            training: whether to draw at all.
            seed: makes the draw repeat; the layer's own random numbers go on for None.
        """
        return None

    def transform_images(
        self, images: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The images after a transformation."""
        raise NotImplementedError

    def transform_labels(
        self, labels: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The labels after a transformation: what is seen stays the same."""
        return labels

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        """The masks after a transformation; as images unless a layer says otherwise."""
        return self.transform_images(segmentation_masks, transformation, training)

    def call(self, data: Any, training: bool = True) -> Any:
        if isinstance(data, dict):
            return self._call_dictionary(data, training)
        size_axes(data, self.data_format, self._owner())
        transformation = self.get_random_transformation(data, training=training)
        return self._on_batch(self.transform_images, data, transformation, training)

    def _call_dictionary(self, data: dict[str, Any], training: bool) -> dict[str, Any]:
        if "images" not in data or "bounding_boxes" in data:
            raise ValueError(
                f"{self._owner()}: the dictionary must have 'images', and may have "
                "'labels' and 'segmentation_masks'; 'bounding_boxes' are not offered. "
                f"Received: {sorted(data)}"
            )
        size_axes(data["images"], self.data_format, self._owner())
        drawn = self.get_random_transformation(data, training=training)
        result = dict(data)
        for key, transform in (
            ("images", self.transform_images),
            ("segmentation_masks", self.transform_segmentation_masks),
        ):
            if key in data:
                result[key] = self._on_batch(transform, data[key], drawn, training)
        if "labels" in data:
            result["labels"] = self.transform_labels(data["labels"], drawn, training)
        return result

    @staticmethod
    def _on_batch(
        transform: Any, images: Any, transformation: Any, training: bool
    ) -> Any:
        """`transform` of a batch, which one image is made for the time."""
        x = convert(images)
        if x.ndim == 4:
            return transform(x, transformation, training=training)
        x = anp.reshape(x, (1, *x.shape))
        y = transform(x, transformation, training=training)
        return anp.reshape(y, y.shape[1:])

    def _sizes(self, data: Any) -> tuple[int, int, int]:
        """Number of images, rows and columns."""
        shape = self._shape(data)
        first = 1 if self.data_format == "channels_first" else 0
        height, width = shape[-3 + first], shape[-2 + first]
        return shape[0] if len(shape) == 4 else 1, height, width

    @staticmethod
    def _shape(data: Any) -> tuple[int, ...]:
        return convert(data["images"] if isinstance(data, dict) else data).shape

    def _floats(self, images: Any) -> Array:
        """The images in the layer's number type."""
        return cast(images, self.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if isinstance(input_shape, dict):
            changed = ("images", "segmentation_masks")
            return {
                key: self.compute_output_shape(shape) if key in changed else shape
                for key, shape in input_shape.items()
            }
        if len(input_shape) not in (3, 4):
            raise ValueError(
                f"{self._owner()}: the input must be one image (rank 3) or a batch of "
                f"images (rank 4). Received: shape {shape_text(input_shape)}."
            )
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class BaseSizedLayer(BaseImageLayer):
    """An image layer whose output has a height and a width of its own."""

    height: int
    width: int

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = super().compute_output_shape(input_shape)
        if isinstance(shape, dict):
            return shape
        first = self.data_format == "channels_first"
        ahead, channels = (shape[:-2], ()) if first else (shape[:-3], shape[-1:])
        return (*ahead, self.height, self.width, *channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


class BaseRandomLayer(BaseImageLayer, BaseNoise):
    """An image layer that draws its transformations, in training only.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
        seed: makes the draws repeat; drawn from the process-wide seed for None. Each
            call goes on with the random numbers where the last one stopped.
    """

    def _uniform(
        self, shape: Any, low: float, high: float, seed: int | None
    ) -> np.ndarray:
        """Numbers from `low` to `high`, as floats of at least single size."""
        generator = self._generator
        if seed is not None:
            generator = np.random.Generator(np.random.SFC64(seed))
        dtype: Any = np.float64 if self.dtype == "float64" else np.float32
        draws = generator.random(shape, dtype)
        return draws * dtype(high - low) + dtype(low)


def number_range(
    value: Any, name: str, owner: str, bounds: tuple[float, float]
) -> tuple[float, float]:
    """A number f as (-f, f), or a pair in rising order.

    As in Keras, a single number must lie within the bounds, and -f is cut off there; a
    pair must not lie beyond them altogether.

    Raises:
        ValueError: for another value.

    >>> number_range(0.2, "factor", "RandomContrast", (0, 1))
    (0, 0.2)
    """
    low, high = bounds
    if _is_number(value) and low <= value <= high:
        return max(-abs(value), low), abs(value)
    if _is_pair(value) and value[0] <= high and value[1] >= low:
        return min(value), max(value)
    raise ValueError(
        f"{owner}: `{name}` must be a number, or two numbers, in the range [{low}, "
        f"{high}]. Received: {name}={value!r}"
    )


def strict_range(
    value: Any, name: str, owner: str, above: float
) -> tuple[float, float]:
    """A number f as (-f, f), or a pair in rising order, all from `above` to 1.

    Raises:
        ValueError: for another value.

    >>> strict_range([0.3, -0.2], "height_factor", "RandomTranslation", -1)
    (-0.2, 0.3)
    """
    numbers = value if _is_pair(value) else [value]
    if not all(_is_number(n) and above <= n <= 1 for n in numbers):
        raise ValueError(
            f"{owner}: `{name}` must be a number, or two numbers, in the range "
            f"[{above}, 1]. Received: {name}={value!r}"
        )
    if _is_number(value):
        return -abs(value), abs(value)
    return min(value), max(value)


def value_pair(value: Any, name: str, owner: str) -> tuple[float, float]:
    """Two numbers.

    Raises:
        ValueError: for another value.
    """
    if not _is_pair(value):
        raise ValueError(
            f"{owner}: `{name}` must be two numbers, the lowest and the highest. "
            f"Received: {name}={value!r}"
        )
    return value[0], value[1]


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(map(_is_number, value))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)
