"""TimeDistributed: one layer applied to each step of a sequence."""

from typing import Any

import numpy as np

from minikeras.layers.layer import Layer, family
from minikeras.layers.wrapper import Wrapper
from minikeras.ops.base import convert, getval
from minikeras.ops.numpy import reshape
from minikeras.ops.stacking import stack, unstack
from minikeras.validation import shape_text

# Their layers treat each sample for itself: all steps can be samples of one large
# batch. BatchNormalization and Dropout, for example, must see one step after another.
_SAMPLE_BY_SAMPLE = {
    f"minikeras.layers.{module}"
    for module in (
        "activation",
        "adaptive_pooling",
        "convolutional",
        "convolutional_transpose",
        "core",
        "depthwise",
        "embedding",
        "global_pooling",
        "normalization",
        "padding",
        "pooling",
        "reshaping",
        "upsampling",
    )
}
_MODEL = "minikeras.models.sequential"  # is so if all its layers are


@family.add()
class TimeDistributed(Wrapper):
    """Applies a layer to each step of a sequence, with the same weights.

    As in Keras, the layer's `activity_regularizer` adds nothing here.

    Args:
        layer: the layer for one step.

    Input shape: (batch, time, ...). Output shape: (batch, time, ...), with the layer's
    output shape behind.

    Raises:
        ValueError: if `layer` is not a layer, for an input with less than 3 axes, and
            a mask that does not begin with (batch, time).

    >>> from minikeras.layers import Conv2D
    >>> TimeDistributed(Conv2D(4, 3))(np.ones((2, 5, 8, 8, 3))).shape
    (2, 5, 6, 6, 4)
    """

    supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        super().build(self._step_shape(input_shape))

    def _step_shape(self, shape: Any) -> tuple[int | None, ...]:
        if len(shape) < 3:
            raise ValueError(
                f"{self._owner()} expects an input with at least 3 axes: batch, time "
                f"and what the layer gets. Received: shape {shape_text(shape)}"
            )
        return (shape[0], *shape[2:])

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (shape[0], input_shape[1], *shape[1:])

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        self._step_shape(inputs.shape)
        mask = self._checked_mask(mask, inputs.shape)
        options: dict[str, Any] = {}
        if self.layer._call_takes_training and training is not None:
            options["training"] = training
        if mask is not None and self.layer._call_takes_mask:
            pairs = zip(unstack(inputs, axis=1), mask.swapaxes(0, 1), strict=True)
            outputs = [self.layer.call(x, mask=m, **options) for x, m in pairs]
        elif inputs.shape[1] == 0 or _is_sample_by_sample(self.layer):
            batch, length, *sizes = inputs.shape
            y = self.layer.call(reshape(inputs, (batch * length, *sizes)), **options)
            return reshape(y, (batch, length, *y.shape[1:]))
        else:
            steps = unstack(inputs, axis=1)
            outputs = [self.layer.call(x, **options) for x in steps]
        return stack(outputs, axis=1)

    def _checked_mask(self, mask: Any, shape: Any) -> np.ndarray | None:
        if mask is None:
            return None
        mask = np.asarray(getval(convert(mask)))
        if mask.shape[:2] != tuple(shape[:2]):
            raise ValueError(
                f"{self._owner()}: the mask must begin with the axes (batch, time) of "
                f"the input, here {shape_text(shape[:2])}. Received: a mask of shape "
                f"{shape_text(mask.shape)}"
            )
        return mask


def _is_sample_by_sample(layer: Layer) -> bool:
    inside = layer._all_layers()
    if type(layer).__module__ == _MODEL:
        inside = inside[1:]
    return all(
        type(one).__module__ in _SAMPLE_BY_SAMPLE and one.activity_regularizer is None
        for one in inside
    )
