"""Layers one after the other, as one layer."""

from typing import Any

from minikeras.layers.layer import Layer, family
from minikeras.registry import deserialize_keras_object, serialize_keras_object


@family.add()
class Pipeline(Layer):
    """Layers one after the other, such as all steps that prepare and vary images.

    Unlike a Sequential it is a plain layer, active as in training unless a call or
    the model around it says otherwise.

    Args:
        layers: the layers, in order.
        name: name of the layer.

    Input shape: that of the first layer. Output shape: that of the last one.

    Raises:
        TypeError: for anything that is no layer.

    >>> import numpy as np
    >>> from minikeras.layers.augmentation.sizing import CenterCrop, Resizing
    >>> Pipeline([CenterCrop(4, 4), Resizing(2, 2)])(np.ones((1, 8, 6, 3))).shape
    (1, 2, 2, 3)
    """

    def __init__(self, layers: Any, name: str | None = None):
        super().__init__(name=name, autocast=False)
        wrong = [layer for layer in layers if not isinstance(layer, Layer)]
        if wrong:
            raise TypeError(
                "Pipeline: `layers` must be a list of layers. Received in it: "
                f"{wrong[0]!r} of type {type(wrong[0]).__name__}"
            )
        self._pipeline_layers = list(layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return self._pipeline_layers

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        for layer in self._pipeline_layers:
            given = (
                {"mask": mask} if layer._call_takes_mask and mask is not None else {}
            )
            inputs, mask = layer(inputs, training=training, **given), None
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        for layer in self._pipeline_layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        layers = [serialize_keras_object(layer) for layer in self._pipeline_layers]
        return {"layers": layers, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Pipeline":
        layers = config.get("layers")
        if not isinstance(layers, list | tuple):
            raise ValueError(
                "Pipeline: its config must have a list of configs under 'layers'. "
                f"Received: layers={layers!r}"
            )
        made = [deserialize_keras_object(layer) for layer in layers]
        return cls(**{**config, "layers": made})
