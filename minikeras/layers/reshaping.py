"""Layers that only change the shape."""

from math import prod
from typing import Any

import numpy as np

from minikeras import config
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops.numpy import expand_dims, moveaxis, reshape, transpose
from minikeras.ops.reshaping import repeat
from minikeras.validation import positive_int, shape_text


@family.add()
class Flatten(Layer):
    """All axes of a sample in one.

    Args:
        data_format: with `"channels_first"` the channels are moved to the end before,
            so that both layouts give the same order.

    Input shape: (batch, ...). Output shape: (batch, product of the other sizes).

    >>> import numpy as np
    >>> Flatten()(np.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = moveaxis(inputs, 1, -1)
        return reshape(inputs, (inputs.shape[0], prod(inputs.shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        sizes = input_shape[1:]
        return (input_shape[0], None if None in sizes else prod(sizes))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


@family.add()
class Reshape(Layer):
    """Each sample in another shape, its numbers in the same order.

    Args:
        target_shape: shape of a sample, without the batch axis; one size may be -1 (or
            None), and follows from the others.

    Input shape: (batch, ...). Output shape: (batch, *target_shape).

    Raises:
        ValueError: for a target that is not made of sizes or has several -1, and an
            input whose samples have another number of numbers.

    >>> import numpy as np
    >>> Reshape((-1, 2))(np.ones((5, 3, 4))).shape
    (5, 6, 2)
    """

    def __init__(self, target_shape: Any, **kwargs: Any):
        super().__init__(**kwargs)
        sizes = target_shape if isinstance(target_shape, list | tuple) else (0.5,)
        if any(not _is_size(n) for n in sizes) or sum(map(_is_free, sizes)) > 1:
            raise ValueError(
                f"{type(self).__name__}: `target_shape` must be a tuple of sizes "
                "without the batch axis, at most one of them -1. "
                f"Received: target_shape={target_shape!r}"
            )
        self.target_shape = tuple(None if n is None else int(n) for n in sizes)

    def call(self, inputs: Any) -> Any:
        return reshape(inputs, self._resolved(inputs.shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        if None in input_shape[1:]:
            free = (None if _is_free(n) else n for n in self.target_shape)
            return (input_shape[0], *free)
        return self._resolved(input_shape)

    def _resolved(self, input_shape: Any) -> tuple[int, ...]:
        sizes = self.target_shape
        numbers = prod(input_shape[1:])
        known = prod(n for n in sizes if n is not None and n != -1)
        fits = numbers == known
        if any(map(_is_free, sizes)):
            fits = known > 0 and numbers % known == 0
            sizes = tuple(numbers // max(1, known) if _is_free(n) else n for n in sizes)
        if not fits:
            raise ValueError(
                f"{self._owner()}: a sample of shape {shape_text(input_shape[1:])} has "
                f"{numbers} numbers, which do not make one of target_shape="
                f"{self.target_shape}."
            )
        return (input_shape[0], *sizes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


@family.add()
class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: the order, counted from 1, the batch axis left out: axis i of the output
            is axis `dims[i - 1]` of the input.

    Input shape: (batch, ...), with as many axes as `dims`. Output shape: the sizes in
    the new order.

    Raises:
        ValueError: if `dims` does not have each number from 1 on once.

    >>> import numpy as np
    >>> Permute((3, 1, 2))(np.ones((5, 6, 7, 8))).shape
    (5, 8, 6, 7)
    """

    def __init__(self, dims: Any, **kwargs: Any):
        super().__init__(**kwargs)
        given = dims if isinstance(dims, list | tuple) else (0,)
        if sorted(given) != list(range(1, len(given) + 1)):
            raise ValueError(
                f"{type(self).__name__}: `dims` must have each of the numbers 1 to the "
                f"number of axes once (0 is the batch). Received: dims={dims!r}"
            )
        self.dims = tuple(int(n) for n in given)
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *(input_shape[n] for n in self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


@family.add()
class RepeatVector(Layer):
    """Each sample, a vector, `n` times in a row: the same input at every step.

    Args:
        n: number of steps.

    Input shape: (batch, features). Output shape: (batch, n, features).

    Raises:
        ValueError: if `n` is not a positive integer.

    >>> import numpy as np
    >>> RepeatVector(3)(np.ones((2, 4))).shape
    (2, 3, 4)
    """

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.n = positive_int(n, "n", type(self).__name__)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        return repeat(expand_dims(inputs, 1), self.n, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


def _is_free(size: int | None) -> bool:
    return size is None or size == -1


def _is_size(size: Any) -> bool:
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    return size is None or (whole and size >= -1)
