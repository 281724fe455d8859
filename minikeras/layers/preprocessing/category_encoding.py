"""Whole numbers below a known bound as one-hot, multi-hot or count rows."""

from typing import Any

from minikeras.layers.layer import Layer, family
from minikeras.layers.preprocessing.encoding import (
    encode,
    encoded_shape,
    output_mode,
    refuse,
)
from minikeras.layers.preprocessing.tokens import as_tokens, whole_numbers
from minikeras.ops.numpy import convert_to_numpy
from minikeras.validation import positive_int


@family.add()
class CategoryEncoding(Layer):
    """Whole numbers as rows of zeros and ones, or of counts.

    Args:
        num_tokens: how many numbers there are: 0 to num_tokens - 1.
        output_mode: `"one_hot"`, a row for each number; `"multi_hot"`, a row for each
            sample with ones where its numbers are; `"count"`, how often they are there.

    Call arguments:
        inputs: whole numbers.
        count_weights: what each of them counts for, of the same shape, in mode
            `"count"`.

    Input shape: (batch, ...); samples go along the second axis.
    Output shape: (batch, num_tokens); for `"one_hot"` the input's, with num_tokens in
        place of a last axis of length 1, or else behind.

    Raises:
        ValueError: for arguments out of range, `sparse`, and, when called, for numbers
            out of range, fractions, or `count_weights` in another mode. (Keras, on
            some backends, passes over numbers out of range.)

    >>> CategoryEncoding(4)([[0, 1], [3, 3]])
    array([[1., 1., 0., 0.],
           [0., 0., 0., 1.]], dtype=float32)
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        refuse("CategoryEncoding", sparse=sparse)
        self.output_mode = _mode(output_mode)
        if num_tokens is None:
            raise ValueError(
                "CategoryEncoding: `num_tokens` must be set. If the numbers are not "
                "known beforehand, use IntegerLookup."
            )
        self.num_tokens = positive_int(num_tokens, "num_tokens", "CategoryEncoding")
        self.sparse = False

    def _convert(self, value: Any) -> Any:
        return as_tokens(value, self._owner())

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        index = whole_numbers(as_tokens(inputs, self._owner()), self._owner())
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"{self._owner()}: `count_weights` belongs to output_mode='count'. "
                f"Received: output_mode={self.output_mode!r}"
            )
        if count_weights is not None:
            count_weights = convert_to_numpy(count_weights)
            if count_weights.shape != index.shape:
                raise ValueError(
                    f"{self._owner()}: `count_weights` must have the input's shape "
                    f"{index.shape}. Received: {count_weights.shape}"
                )
        outside = (index < 0) | (index >= self.num_tokens)
        if outside.any():
            raise ValueError(
                f"{self._owner()}: the input must hold whole numbers from 0 to "
                f"{self.num_tokens - 1}, because num_tokens={self.num_tokens}. "
                f"Received: {index[outside][0]}. If the data is right, raise "
                "`num_tokens`."
            )
        depth = self.num_tokens
        return encode(index, self.output_mode, depth, self.dtype, count_weights)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_tokens": self.num_tokens,
            "output_mode": self.output_mode,
        }


def _mode(value: Any) -> str:
    return output_mode(value, ("one_hot", "multi_hot", "count"), "CategoryEncoding")
