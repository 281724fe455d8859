"""Pooling layers whose output has a given size, whatever the input's."""

from typing import Any

from minikeras import config
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops.adaptive import adaptive_average_pool, adaptive_max_pool
from minikeras.validation import int_tuple


class BaseAdaptivePooling(Layer):
    """Pooling over `rank` axes into a given number of windows along each.

    Window i of O on S cells has the cells from floor(i S / O) up to, not including,
    ceil((i + 1) S / O): as equal as can be, neighbours sharing cells where O does not
    divide S. The bounds are exact integers. (Keras on JAX rounds them in float32, so
    that some sizes, such as 7 to 7, come out as other cells or nan there.)

    Args:
        output_size: number of windows; one number or one per axis.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: (batch, *output_size, channels), likewise.

    Raises:
        ValueError: for output sizes that are not positive, and an input without cells.
    """

    rank: int
    pool: Any

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        cls = type(self).__name__
        self.output_size = int_tuple(output_size, self.rank, "output_size", cls)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        return type(self).pool(inputs, self.output_size, self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.data_format == "channels_first":
            return (*input_shape[:2], *self.output_size)
        return (input_shape[0], *self.output_size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "data_format": self.data_format,
        }


class _AdaptiveMaxPooling(BaseAdaptivePooling):
    """The largest value of each window; ties go to the first column's first cell."""

    pool = staticmethod(adaptive_max_pool)


class _AdaptiveAveragePooling(BaseAdaptivePooling):
    """The mean of each window."""

    pool = staticmethod(adaptive_average_pool)


@family.add()
class AdaptiveMaxPooling1D(_AdaptiveMaxPooling):
    """Adaptive max pooling over time. See `BaseAdaptivePooling`.

    >>> import numpy as np
    >>> AdaptiveMaxPooling1D(3)(np.ones((1, 8, 4))).shape
    (1, 3, 4)
    """

    rank = 1


@family.add()
class AdaptiveMaxPooling2D(_AdaptiveMaxPooling):
    """Adaptive max pooling over images. See `BaseAdaptivePooling`.

    >>> import numpy as np
    >>> AdaptiveMaxPooling2D((2, 3))(np.ones((1, 8, 8, 4))).shape
    (1, 2, 3, 4)
    """

    rank = 2


@family.add()
class AdaptiveMaxPooling3D(_AdaptiveMaxPooling):
    """Adaptive max pooling over volumes. See `BaseAdaptivePooling`.

    >>> import numpy as np
    >>> AdaptiveMaxPooling3D(2)(np.ones((1, 5, 5, 5, 4))).shape
    (1, 2, 2, 2, 4)
    """

    rank = 3


@family.add()
class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """Adaptive average pooling over time. See `BaseAdaptivePooling`.

    >>> import numpy as np
    >>> AdaptiveAveragePooling1D(3)(np.ones((1, 8, 4))).shape
    (1, 3, 4)
    """

    rank = 1


@family.add()
class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """Adaptive average pooling over images. See `BaseAdaptivePooling`.

    >>> import numpy as np
    >>> AdaptiveAveragePooling2D((2, 3))(np.ones((1, 8, 8, 4))).shape
    (1, 2, 3, 4)
    """

    rank = 2


@family.add()
class AdaptiveAveragePooling3D(_AdaptiveAveragePooling):
    """Adaptive average pooling over volumes. See `BaseAdaptivePooling`.

    >>> import numpy as np
    >>> AdaptiveAveragePooling3D(2)(np.ones((1, 5, 5, 5, 4))).shape
    (1, 2, 2, 2, 4)
    """

    rank = 3
