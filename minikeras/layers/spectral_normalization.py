"""A wrapper that divides a layer's kernel by its largest singular value."""

from typing import Any

import numpy as np

from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops.base import convert, getval
from minikeras.ops.normalization import normalize
from minikeras.ops.numpy import divide, matmul, reshape
from minikeras.registry import deserialize_keras_object, serialize_keras_object
from minikeras.validation import positive_int
from minikeras.variables import Variable


@family.add()
class SpectralNormalization(Layer):
    """In training, divides the wrapped layer's kernel by an estimate of its largest
    singular value: with W the kernel as a matrix, and normalised vectors,

    v = u W^T, u = v W (`power_iterations` times), sigma = v W u^T.

    The gradient flows through sigma, with u and v held constant. While a gradient is
    taken, the weight itself stays as it is, but the layer and the kernel's regularizer
    see the divided one; otherwise a call in training overwrites it, as in Keras on JAX.
    Outside training the weight is used as it is.

    Args:
        layer: a layer with a `kernel` or `embeddings`.
        power_iterations: steps of the estimate in one call; it goes on from the last.

    Input and output shape: the wrapped layer's. Whole numbers give what it makes of
    them, such as the vectors of an `Embedding`; Keras would cut these to integers.

    Raises:
        ValueError: if `layer` is not a layer or has neither of these weights, or
            `power_iterations` is not positive.

    Source: Miyato et al., arXiv 1802.05957 (2018).

    >>> from minikeras.layers import Dense
    >>> layer = SpectralNormalization(Dense(2), power_iterations=30)
    >>> y = layer(np.ones((1, 3)), training=True)
    >>> bool(np.isclose(np.linalg.norm(layer.kernel, 2), 1.0, atol=1e-3))
    True
    """

    kernel: Any
    vector_u: Any

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(
                "SpectralNormalization: `layer` must be a layer, such as "
                f"Conv2D(32, 3). Received: layer={layer!r}"
            )
        self.layer = layer
        self.power_iterations = positive_int(
            power_iterations, "power_iterations", "SpectralNormalization"
        )

    def build(self, input_shape: Any) -> None:
        self.layer._build_for(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        found = (self.layer._bound.get(name) for name in ("kernel", "embeddings"))
        kernel = next((v for v in found if v is not None), None)
        if kernel is None:
            raise ValueError(
                f"SpectralNormalization: {self.layer._owner()} has no weight `kernel` "
                "or `embeddings` to normalise. Wrap a layer that has one."
            )
        self.kernel = kernel
        self._trainable_own.append(kernel)  # first among the weights, as in Keras
        self.vector_u = self.add_weight(
            (1, kernel.shape[-1]),
            {"class_name": "TruncatedNormal", "config": {"stddev": 0.02}},
            dtype=kernel.dtype,
            trainable=False,
            name="vector_u",
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        outputs = self._normalized_call(inputs) if training else self.layer(inputs)
        if inputs.dtype.kind == "f":
            outputs = convert(outputs, inputs.dtype)
        return outputs

    def _normalized_call(self, inputs: Any) -> Any:
        weight: Variable = self._bound["kernel"]
        kernel = weight.value
        if not np.any(getval(kernel)):
            return self.layer(inputs)
        self.vector_u, kernel = self.normalized_weights()
        if weight._own_box() is None:
            weight.assign(kernel)
        else:  # to the end of the binding: a regularizer sees it too, as in Keras
            weight._box = kernel
        return self.layer(inputs)

    def normalized_weights(self) -> tuple[np.ndarray, Any]:
        """The next `vector_u`, and the kernel divided by sigma."""
        matrix = reshape(self.kernel, (-1, self.kernel.shape[-1]))
        plain, u = getval(matrix), getval(self.vector_u)
        for _ in range(self.power_iterations):
            v = normalize(u @ plain.T, axis=None)
            u = normalize(v @ plain, axis=None)
        sigma = matmul(matmul(v, matrix), u.T)
        return u, divide(self.kernel, reshape(sigma, ()))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layer": serialize_keras_object(self.layer),
            "power_iterations": self.power_iterations,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpectralNormalization":
        layer = deserialize_keras_object(config["layer"], family=family)
        return cls(**{**config, "layer": layer})
