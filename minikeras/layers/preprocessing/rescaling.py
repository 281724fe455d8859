"""Numbers to another scale."""

from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.layers.layer import Layer, family
from minikeras.ops.base import convert
from minikeras.ops.numpy import add, multiply
from minikeras.registry import deserialize_keras_object, serialize_keras_object


@family.add()
class Rescaling(Layer):
    """y = x * scale + offset, for example pixels from 0..255 to 0..1.

    Args:
        scale: a number, or an array that fits the input, such as one for each channel.
        offset: likewise.

    Input shape: any. Output shape: the input's. With `"channels_first"` as the default
    image layout, an array of channels goes along the axis before the last two. (Keras
    moves `scale` there, but not `offset`.)

    Raises:
        ValueError: if `scale` or `offset` is not made of numbers.

    >>> Rescaling(1 / 2, offset=-1)(np.array([0, 1, 4]))
    array([-1. , -0.5,  1. ], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = checked_numbers(scale, "scale", "Rescaling")
        self.offset = checked_numbers(offset, "offset", "Rescaling")

    def call(self, inputs: Any) -> Any:
        scaled = multiply(convert(inputs, self.dtype), self._placed(self.scale))
        return add(scaled, self._placed(self.offset))

    def _placed(self, values: Any) -> np.ndarray:
        array = np.asarray(values, self.dtype)
        if array.ndim and settings.image_data_format() == "channels_first":
            array = array.reshape(array.shape + (1,) * (3 - array.ndim))
        return array

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": serialize_keras_object(self.scale),
            "offset": serialize_keras_object(self.offset),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Rescaling":
        """A layer from what `get_config` returned."""
        config = dict(config)
        for key in ("scale", "offset"):
            if key in config:
                config[key] = deserialize_keras_object(config[key])
        return cls(**config)


def checked_numbers(value: Any, name: str, owner: str) -> Any:
    """`value` if it is a number or an array of them, else a ValueError."""
    if np.asarray(value).dtype.kind not in "fiub":
        raise ValueError(
            f"{owner}: `{name}` must be a number or an array of numbers. "
            f"Received: {name}={value!r}"
        )
    return value
