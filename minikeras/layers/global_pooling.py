"""Pooling over all cells of a sample: one number for each channel."""

from math import prod
from typing import Any

import numpy as np

from minikeras import config
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops import numpy as ops
from minikeras.ops.adaptive import sum_cells


class BaseGlobalPooling(Layer):
    """Pooling over `rank` axes at once: one number for each channel.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
        keepdims: whether the pooled axes stay, with length 1.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: (batch, channels), and with `keepdims`
    (batch, 1..., channels) or (batch, channels, 1...).

    Raises:
        ValueError: if `keepdims` is not True or False.
    """

    rank: int

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if not isinstance(keepdims, bool | np.bool_):
            raise ValueError(
                f"{type(self).__name__}: `keepdims` must be True or False. "
                f"Received: keepdims={keepdims!r}"
            )
        self.data_format = config.standardize_data_format(data_format)
        self.keepdims = bool(keepdims)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _axes(self) -> tuple[int, ...]:
        first = 2 if self.data_format == "channels_first" else 1
        return tuple(range(first, first + self.rank))

    def compute_output_shape(self, input_shape: Any) -> Any:
        kept = (
            1 if axis in self._axes else size for axis, size in enumerate(input_shape)
        )
        if self.keepdims:
            return tuple(kept)
        return (input_shape[0], input_shape[1 if 1 not in self._axes else -1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "keepdims": self.keepdims,
        }


class _GlobalMaxPooling(BaseGlobalPooling):
    """The largest value of each channel; equal ones share the gradient, as in Keras."""

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, self._axes, self.keepdims)


class _GlobalAveragePooling(BaseGlobalPooling):
    """The mean of each channel."""

    def call(self, inputs: Any) -> Any:
        if self.data_format == "channels_first" or inputs.dtype.kind != "f":
            return ops.mean(inputs, self._axes, self.keepdims)
        total = ops.divide(sum_cells(inputs), float(prod(inputs.shape[1:-1])))
        return ops.reshape(total, self.compute_output_shape(inputs.shape))


@family.add()
class GlobalMaxPooling1D(_GlobalMaxPooling):
    """Global max pooling over one axis, such as time. See `BaseGlobalPooling`.

    >>> import numpy as np
    >>> GlobalMaxPooling1D()(np.ones((1, 8, 4))).shape
    (1, 4)
    """

    rank = 1


@family.add()
class GlobalMaxPooling2D(_GlobalMaxPooling):
    """Global max pooling over two axes, such as images. See `BaseGlobalPooling`.

    >>> import numpy as np
    >>> GlobalMaxPooling2D()(np.ones((1, 8, 8, 4))).shape
    (1, 4)
    """

    rank = 2


@family.add()
class GlobalMaxPooling3D(_GlobalMaxPooling):
    """Global max pooling over three axes, such as volumes. See `BaseGlobalPooling`.

    >>> import numpy as np
    >>> GlobalMaxPooling3D()(np.ones((1, 5, 5, 5, 4))).shape
    (1, 4)
    """

    rank = 3


@family.add()
class GlobalAveragePooling1D(_GlobalAveragePooling):
    """Global average pooling over one axis, such as time. See `BaseGlobalPooling`.

    Called with a `mask` (batch, steps), it takes the mean of the steps where the mask
    is true; a sample without any has nan, as in Keras.

    >>> import numpy as np
    >>> x = np.float32([[[1], [2], [9]]])
    >>> GlobalAveragePooling1D()(x, mask=[[True, True, False]])
    array([[1.5]], dtype=float32)
    """

    rank = 1
    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return super().call(inputs)
        mask = ops.convert_to_numpy(mask).astype(bool)
        (axis,) = self._axes
        allowed = [(n, inputs.shape[axis]) for n in (1, inputs.shape[0])]
        if mask.shape not in allowed:
            raise ValueError(
                f"{self._owner()}: `mask` must have the shape (batch, steps), here "
                f"{allowed[-1]}. Received: a mask of shape {mask.shape}"
            )
        kept = np.expand_dims(mask, 3 - axis)
        total = ops.sum(ops.where(kept, inputs, 0), axis, self.keepdims)
        return ops.divide(
            total, kept.sum(axis, keepdims=self.keepdims, dtype=inputs.dtype)
        )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: there are no steps left to mask."""
        return None


@family.add()
class GlobalAveragePooling2D(_GlobalAveragePooling):
    """Global average pooling over two axes, such as images. See `BaseGlobalPooling`.

    >>> import numpy as np
    >>> GlobalAveragePooling2D()(np.ones((1, 8, 8, 4))).shape
    (1, 4)
    """

    rank = 2


@family.add()
class GlobalAveragePooling3D(_GlobalAveragePooling):
    """Global average pooling over three axes, such as volumes. See `BaseGlobalPooling`.

    >>> import numpy as np
    >>> GlobalAveragePooling3D()(np.ones((1, 5, 5, 5, 4))).shape
    (1, 4)
    """

    rank = 3
