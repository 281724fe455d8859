"""Vectors for whole numbers."""

import warnings
from typing import Any

import numpy as np

from minikeras import constraints, initializers, regularizers
from minikeras.layers.layer import Layer, family
from minikeras.ops.gather import take_rows
from minikeras.ops.numpy import convert_to_numpy
from minikeras.validation import positive_int


@family.add()
class Embedding(Layer):
    """A learned vector for each whole number: y[...] = embeddings[x[...]].

    Args:
        input_dim: how many numbers there are: 0 to input_dim - 1.
        output_dim: length of the vectors.
        embeddings_initializer: of the embeddings (input_dim, output_dim).
        embeddings_regularizer: adds a function of the embeddings to the loss.
        embeddings_constraint: applied to the embeddings after each update.
        mask_zero: whether 0 stands for padding, which `compute_mask` then marks.
        weights: initial embeddings, instead of an initializer.

    Input shape: any; (batch, length) for sequences. Floats are cut to whole numbers.
    Output shape: the input's, with output_dim behind.

    Raises:
        ValueError: for sizes that are not positive integers, weights of another shape,
            and, when called, a number below 0 or from input_dim on. (Keras gives NaN
            or counts negative numbers from the end, according to its backend.)

    Source: Bengio et al., "A neural probabilistic language model", 2003.

    >>> layer = Embedding(3, 2, weights=[[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    >>> layer(np.array([[2, 1]]))
    array([[[3., 4.],
            [1., 2.]]], dtype=float32)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ):
        if kwargs.pop("input_length", None) is not None:
            warnings.warn(
                "Embedding: `input_length` is not needed. Leave it out.", stacklevel=2
            )
        super().__init__(**kwargs)
        self.input_dim = positive_int(input_dim, "input_dim", "Embedding")
        self.output_dim = positive_int(output_dim, "output_dim", "Embedding")
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.autocast = False  # half-size floats would round large numbers
        if weights is not None:
            self.build((None, None))
            one = isinstance(weights, list) and len(weights) == 1
            self.set_weights(weights if one else [weights])

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )

    def call(self, inputs: Any) -> Any:
        index = convert_to_numpy(inputs)
        inside = (index > -1) & (index < self.input_dim)  # False for NaN too
        if not inside.all():
            raise ValueError(
                f"{self._owner()}: the input must hold whole numbers from 0 to "
                f"{self.input_dim - 1}, because input_dim={self.input_dim}. Received: "
                f"{index[~inside][0]}. If the data is right, raise `input_dim`."
            )
        return take_rows(self.embeddings, index.astype(np.intp))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where the input is not 0, with `mask_zero`; None without."""
        return convert_to_numpy(inputs) != 0 if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(
                self.embeddings_initializer
            ),
            "embeddings_regularizer": regularizers.serialize(
                self.embeddings_regularizer
            ),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
            "quantization_config": None,
        }
