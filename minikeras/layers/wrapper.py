"""The base class of layers that change what another layer does."""

from typing import Any

from minikeras.layers.layer import Layer, family
from minikeras.registry import deserialize_keras_object, serialize_keras_object


@family.add()
class Wrapper(Layer):
    """A layer around another layer, which it builds and whose weights it has.

    It computes nothing itself: a wrapper of your own defines `call`.

    Args:
        layer: the layer inside.

    Raises:
        ValueError: if `layer` is not a layer.

    >>> import numpy as np
    >>> from minikeras.layers import Dense
    >>> class Twice(Wrapper):
    ...     def call(self, inputs):
    ...         return self.layer(self.layer(inputs))
    >>> Twice(Dense(2, kernel_initializer="ones"))(np.ones((1, 2)))
    array([[4., 4.]], dtype=float32)
    """

    def __init__(self, layer: Layer, **kwargs: Any):
        if not isinstance(layer, Layer):
            raise ValueError(
                f"{type(self).__name__}: `layer` must be a layer, such as Dense(8). "
                f"Received: layer={layer!r}"
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer._build_for(input_shape)
        self._set_paths(self._path or self.name)

    def get_config(self) -> dict[str, Any]:
        layer = serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        layer = deserialize_keras_object(config["layer"], custom_objects, family)
        return cls(**{**config, "layer": layer})
