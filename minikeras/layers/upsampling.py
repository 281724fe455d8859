"""Layers that give each cell more room: the reverse of pooling."""

from typing import Any

from minikeras import config
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops.resampling import INTERPOLATIONS, enlarge
from minikeras.validation import choice, int_tuple, positive_int


class BaseUpSampling(Layer):
    """Repeats each cell `size` times along each of `rank` axes.

    Args:
        size: cells in the output for each one of the input; one number or one per axis.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
            UpSampling1D has none, as in Keras.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: the same, with each of the sizes times `size`.

    Raises:
        ValueError: for sizes that are not positive integers.
    """

    rank: int
    size: Any
    data_format = "channels_last"
    interpolation = "nearest"

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _factors(self) -> dict[int, int]:
        first = 2 if self.data_format == "channels_first" else 1
        sizes = (self.size,) if self.rank == 1 else self.size
        return {first + i: factor for i, factor in enumerate(sizes)}

    def call(self, inputs: Any) -> Any:
        return enlarge(inputs, self._factors, self.interpolation)

    def compute_output_shape(self, input_shape: Any) -> Any:
        factors = self._factors
        return tuple(
            None if size is None else size * factors.get(axis, 1)
            for axis, size in enumerate(input_shape)
        )

    def get_config(self) -> dict[str, Any]:
        config = {"size": self.size}
        if self.rank > 1:
            config["data_format"] = self.data_format
        return {**super().get_config(), **config}


@family.add()
class UpSampling1D(BaseUpSampling):
    """Repeats each step `size` times.

    Args:
        size: how often, a positive integer.

    Input shape: (batch, steps, channels). Output shape: (batch, steps * size,
    channels).

    Raises:
        ValueError: if `size` is not a positive integer.

    >>> import numpy as np
    >>> UpSampling1D(2)(np.arange(2.0).reshape(1, 2, 1)).ravel()
    array([0., 0., 1., 1.], dtype=float32)
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = positive_int(size, "size", type(self).__name__)


@family.add()
class UpSampling2D(BaseUpSampling):
    """Enlarges images by whole factors.

    Args:
        size: factors for rows and columns; one number or two.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
        interpolation: `"nearest"` repeats pixels; `"bilinear"`, `"bicubic"`,
            `"lanczos3"` and `"lanczos5"` weigh the neighbours of each new pixel's
            centre, as `jax.image.resize`.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns)
    with `"channels_first"`. Output shape: the same, rows and columns times `size`.

    Raises:
        ValueError: for sizes that are not positive integers, and an unknown
            interpolation.

    >>> import numpy as np
    >>> x = np.float32([0, 4]).reshape(1, 1, 2, 1)
    >>> UpSampling2D((1, 2), interpolation="bilinear")(x).ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """

    rank = 2

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        cls = type(self).__name__
        self.size = int_tuple(size, 2, "size", cls)
        self.data_format = config.standardize_data_format(data_format)
        self.interpolation = choice(interpolation, INTERPOLATIONS, "interpolation", cls)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "interpolation": self.interpolation}


@family.add()
class UpSampling3D(BaseUpSampling):
    """Repeats the cells of volumes. See `BaseUpSampling`.

    >>> import numpy as np
    >>> UpSampling3D((1, 2, 3))(np.ones((1, 2, 2, 2, 4))).shape
    (1, 2, 4, 6, 4)
    """

    rank = 3

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.size = int_tuple(size, 3, "size", type(self).__name__)
        self.data_format = config.standardize_data_format(data_format)
