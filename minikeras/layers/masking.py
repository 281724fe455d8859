"""Masking: steps that hold one value only do not count."""

from typing import Any

import numpy as np

from minikeras.layers.layer import Layer, family
from minikeras.ops.numpy import convert_to_numpy, where, zeros_like
from minikeras.registry import deserialize_keras_object, serialize_keras_object


@family.add()
class Masking(Layer):
    """Masks the steps whose numbers are all equal to `mask_value`, and sets them to 0.

    The layers behind it that know masks, such as `LSTM`, skip these steps.

    Args:
        mask_value: the number, or an array of one for each feature.

    Input shape: (batch, time, features). Output shape: the input's.

    >>> from minikeras.masks import get_mask
    >>> y = Masking(mask_value=-1.0)(np.array([[[1.0, -1.0], [-1.0, -1.0]]]))
    >>> y, get_mask(y)
    (array([[[ 1., -1.],
            [ 0.,  0.]]], dtype=float32), array([[ True, False]]))
    """

    supports_masking = True

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if isinstance(mask_value, dict):
            mask_value = deserialize_keras_object(mask_value)
        self.mask_value = mask_value

    def compute_mask(self, inputs: Any, mask: Any = None) -> np.ndarray:
        """True for the steps that count; what is masked already does not matter."""
        inputs = convert_to_numpy(inputs)
        value = np.asarray(self.mask_value)
        if inputs.dtype.kind == "f":
            value = value.astype(inputs.dtype)
        return np.any(inputs != value, axis=-1)

    def call(self, inputs: Any) -> Any:
        counts = self.compute_mask(inputs)[..., None]
        return where(counts, inputs, zeros_like(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        value = serialize_keras_object(self.mask_value)
        return {**super().get_config(), "mask_value": value}
