"""Layers that add cells at the borders of an input, or take them away."""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops.reshaping import Widths, crop, pad_value
from minikeras.validation import shape_text


class _Borders(Layer):
    """Numbers of cells before and after along each of `rank` axes."""

    rank: int
    data_format = "channels_last"

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _widths(self, borders: Any) -> Widths:
        """The borders of all axes; those of the batch and the channels are 0."""
        pairs = (borders,) if self.rank == 1 else borders
        if self.data_format == "channels_first":
            return ((0, 0), (0, 0), *pairs)
        return ((0, 0), *pairs, (0, 0))


class BaseZeroPadding(_Borders):
    """Zeros before and after an input, along `rank` axes.

    Args:
        padding: number of zeros: one number for all ends; one per axis, for both of
            its ends; or a pair (before, after) per axis. Over one axis: one number, or
            the pair.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: the same, with larger sizes.

    Raises:
        ValueError: for another form of `padding`, and negative numbers.
    """

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.padding = _borders(padding, self.rank, "padding", type(self).__name__)

    def call(self, inputs: Any) -> Any:
        return pad_value(inputs, widths=self._widths(self.padding))

    def compute_output_shape(self, input_shape: Any) -> Any:
        widths = self._widths(self.padding)
        return tuple(
            None if size is None else size + sum(width)
            for size, width in zip(input_shape, widths, strict=True)
        )

    def get_config(self) -> dict[str, Any]:
        config = {"padding": self.padding, "data_format": self.data_format}
        return {**super().get_config(), **config}


class BaseCropping(_Borders):
    """An input without its borders, along `rank` axes.

    Args:
        cropping: number of cells to take away: one number for all ends; one per axis,
            for both of its ends; or a pair (before, after) per axis. Over one axis:
            one number, or the pair.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
            Cropping1D has none, as in Keras.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: the same, with smaller sizes.

    Raises:
        ValueError: for another form of `cropping`, negative numbers, and an input of
            which nothing would be left.
    """

    def __init__(self, cropping: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.cropping = _borders(cropping, self.rank, "cropping", type(self).__name__)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape)  # refuses to leave nothing
        return crop(inputs, widths=self._widths(self.cropping))

    def compute_output_shape(self, input_shape: Any) -> Any:
        widths = self._widths(self.cropping)
        out = tuple(
            None if size is None else size - sum(width)
            for size, width in zip(input_shape, widths, strict=True)
        )
        for axis, (size, width) in enumerate(zip(out, widths, strict=True)):
            if any(width) and size is not None and size <= 0:
                raise ValueError(
                    f"{self._owner()}: cropping={self.cropping} leaves nothing of axis "
                    f"{axis}; it must be smaller than the input. Received the input "
                    f"shape {shape_text(input_shape)}."
                )
        return out

    def get_config(self) -> dict[str, Any]:
        config = {"cropping": self.cropping}
        if self.rank > 1:
            config["data_format"] = self.data_format
        return {**super().get_config(), **config}


@family.add()
class ZeroPadding1D(BaseZeroPadding):
    """Zeros before and after a sequence. See `BaseZeroPadding`.

    >>> import numpy as np
    >>> ZeroPadding1D((1, 2))(np.ones((1, 2, 1))).ravel()
    array([0., 1., 1., 0., 0.], dtype=float32)
    """

    rank = 1


@family.add()
class ZeroPadding2D(BaseZeroPadding):
    """Zeros around an image. See `BaseZeroPadding`.

    >>> import numpy as np
    >>> ZeroPadding2D(((1, 0), (2, 2)))(np.ones((1, 4, 4, 3))).shape
    (1, 5, 8, 3)
    """

    rank = 2


@family.add()
class ZeroPadding3D(BaseZeroPadding):
    """Zeros around a volume. See `BaseZeroPadding`.

    >>> import numpy as np
    >>> ZeroPadding3D((1, 2, 3))(np.ones((1, 4, 4, 4, 3))).shape
    (1, 6, 8, 10, 3)
    """

    rank = 3


@family.add()
class Cropping1D(BaseCropping):
    """A sequence (batch, steps, channels) without its ends. See `BaseCropping`.

    >>> import numpy as np
    >>> Cropping1D((1, 0))(np.arange(3.0).reshape(1, 3, 1)).ravel()
    array([1., 2.], dtype=float32)
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any):
        super().__init__(cropping, **kwargs)


@family.add()
class Cropping2D(BaseCropping):
    """An image without its borders. See `BaseCropping`.

    >>> import numpy as np
    >>> Cropping2D(((1, 0), (2, 2)))(np.ones((1, 6, 6, 3))).shape
    (1, 5, 2, 3)
    """

    rank = 2

    def __init__(
        self,
        cropping: Any = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(cropping, **kwargs)
        self.data_format = config.standardize_data_format(data_format)


@family.add()
class Cropping3D(BaseCropping):
    """A volume without its borders. See `BaseCropping`.

    >>> import numpy as np
    >>> Cropping3D((1, 2, 1))(np.ones((1, 6, 6, 6, 3))).shape
    (1, 4, 2, 4, 3)
    """

    rank = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(cropping, **kwargs)
        self.data_format = config.standardize_data_format(data_format)


def _borders(value: Any, rank: int, name: str, owner: str) -> Any:
    """Pairs (before, after), one per axis; just the pair for one axis."""
    whole = (value,) if rank == 1 else value
    if _is_count(value):
        whole = (value,) * rank
    pairs = list(whole) if isinstance(whole, list | tuple) else []
    pairs = [(item, item) if _is_count(item) else item for item in pairs]
    if len(pairs) != rank or not all(map(_is_pair, pairs)):
        form = {
            1: "an integer or a pair (before, after)",
            2: "an integer, two of them, or two pairs (before, after)",
            3: "an integer, three of them, or three pairs (before, after)",
        }[rank]
        raise ValueError(
            f"{owner}: `{name}` must be {form}, none of them negative. "
            f"Received: {name}={value!r}"
        )
    result = tuple((int(before), int(after)) for before, after in pairs)
    return result[0] if rank == 1 else result


def _is_count(value: Any) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and value >= 0


def _is_pair(value: Any) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    return all(map(_is_count, value))
