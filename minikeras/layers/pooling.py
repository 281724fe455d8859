"""Pooling layers: one implementation for every number of axes."""

from typing import Any

from minikeras import config
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.layers.windows import window_output_shape
from minikeras.ops.pooling import average_pool, max_pool
from minikeras.validation import choice, int_tuple


class BasePooling(Layer):
    """Pooling over `rank` axes: one number from each window of each channel.

    Args:
        pool_size: size of the window; one number or one per axis.
        strides: cells between neighbouring windows; `pool_size` for None.
        padding: `"valid"` (none) or `"same"`, so that the output has
            ceil(size / stride) cells.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: (batch, new sizes..., channels), likewise.

    Raises:
        ValueError: for sizes that are not positive and, with `"valid"`, a window
            larger than the input.
    """

    rank: int
    pool: Any

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        cls = type(self).__name__
        self.pool_size = int_tuple(pool_size, self.rank, "pool_size", cls)
        strides = self.pool_size if strides is None else strides
        self.strides = int_tuple(strides, self.rank, "strides", cls)
        self.padding = choice(padding, ("valid", "same"), "padding", cls)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        if None not in inputs.shape[1:]:
            self.compute_output_shape(inputs.shape)  # refuses a window too large
        return type(self).pool(
            inputs, self.pool_size, self.strides, self.padding, self.data_format
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return window_output_shape(self, input_shape, self.pool_size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }


class _MaxPooling(BasePooling):
    """The largest value of each window; ties go to the first, row by row."""

    pool = staticmethod(max_pool)


class _AveragePooling(BasePooling):
    """The mean of each window; cells added by padding do not count."""

    pool = staticmethod(average_pool)


@family.add()
class MaxPooling1D(_MaxPooling):
    """Max pooling over one axis, such as time. See `BasePooling`.

    >>> import numpy as np
    >>> MaxPooling1D(2)(np.arange(4.0).reshape(1, 4, 1)).ravel()
    array([1., 3.], dtype=float32)
    """

    rank = 1


@family.add()
class MaxPooling2D(_MaxPooling):
    """Max pooling over two axes, such as images. See `BasePooling`.

    >>> import numpy as np
    >>> MaxPooling2D((2, 2))(np.ones((1, 4, 6, 3))).shape
    (1, 2, 3, 3)
    """

    rank = 2


@family.add()
class MaxPooling3D(_MaxPooling):
    """Max pooling over three axes, such as volumes. See `BasePooling`.

    >>> import numpy as np
    >>> MaxPooling3D(2)(np.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    rank = 3


@family.add()
class AveragePooling1D(_AveragePooling):
    """Average pooling over one axis, such as time. See `BasePooling`.

    >>> import numpy as np
    >>> AveragePooling1D(2)(np.arange(4.0).reshape(1, 4, 1)).ravel()
    array([0.5, 2.5], dtype=float32)
    """

    rank = 1


@family.add()
class AveragePooling2D(_AveragePooling):
    """Average pooling over two axes, such as images. See `BasePooling`.

    >>> import numpy as np
    >>> AveragePooling2D((2, 2))(np.ones((1, 4, 6, 3))).shape
    (1, 2, 3, 3)
    """

    rank = 2


@family.add()
class AveragePooling3D(_AveragePooling):
    """Average pooling over three axes, such as volumes. See `BasePooling`.

    >>> import numpy as np
    >>> AveragePooling3D(2)(np.ones((1, 4, 4, 4, 3))).shape
    (1, 2, 2, 2, 3)
    """

    rank = 3
