"""Image layers that move and scale images at random, in training."""

from typing import Any

import numpy as np

from minikeras.layers.augmentation.base import strict_range
from minikeras.layers.augmentation.rotation import BaseAffineLayer
from minikeras.layers.layer import family
from minikeras.ops.base import Array, convert, getval


@family.add()
class RandomTranslation(BaseAffineLayer):
    """In training, moves each image. Otherwise it does nothing.

    Args:
        height_factor: (lowest, highest) way down, as a part of the height; up below 0.
            One number f means (-f, f).
        width_factor: the same to the right, as a part of the width.
        fill_mode: what stands outside of an image a b c d: `"constant"` k k k,
            `"nearest"` d d d, `"wrap"` a b c or `"reflect"` d c b.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: makes the ways repeat; drawn from the process-wide seed for None.
        fill_value: the constant.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same.

    Raises:
        ValueError: for factors outside of [-1, 1], an unknown fill mode or
            interpolation.

    >>> right = RandomTranslation(0.0, (0.5, 0.5), fill_mode="constant")
    >>> right(np.arange(4.0).reshape(1, 4, 1)).ravel()
    array([0., 0., 0., 1.], dtype=float32)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            fill_mode, interpolation, seed, fill_value, data_format, **kwargs
        )
        cls = type(self).__name__
        self.height_factor, self.width_factor = height_factor, width_factor
        self._down = strict_range(height_factor, "height_factor", cls, -1)
        self._right = strict_range(width_factor, "width_factor", cls, -1)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        if not training:
            return None
        count, height, width = self._sizes(data)
        shares = self._uniform((2, count, 1), 0, 1, seed)
        down = _between(shares[0], self._down) * height
        right = _between(shares[1], self._right) * width
        ways = np.concatenate([right, down], axis=1)
        return {"translations": ways, "input_shape": self._shape(data)}

    def _matrix(self, transformation: Any, sizes: tuple[int, int, int]) -> Array:
        ways = np.asarray(getval(convert(transformation["translations"])))
        zero = np.zeros(len(ways), ways.dtype)
        one, right, down = zero + 1, ways[:, 0], ways[:, 1]
        return np.stack([one, zero, -right, zero, one, -down, zero, zero], axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height_factor": self.height_factor,
            "width_factor": self.width_factor,
        }


@family.add()
class RandomZoom(BaseAffineLayer):
    """In training, makes each image smaller or larger about its middle. Otherwise it
    does nothing.

    Args:
        height_factor: (lowest, highest) factor: above 0 more of the image is seen, so
            much that its height is 1 + factor of the output; below 0 less is. One
            number f means (-f, f).
        width_factor: the same for the width; None draws one factor for both.
        fill_mode: what stands outside of an image a b c d: `"constant"` k k k,
            `"nearest"` d d d, `"wrap"` a b c or `"reflect"` d c b.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: makes the factors repeat; drawn from the process-wide seed for None.
        fill_value: the constant.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same.

    Raises:
        ValueError: for factors outside of (-1, 1], an unknown fill mode or
            interpolation.

    >>> out = RandomZoom((1.0, 1.0), fill_mode="constant")
    >>> out(np.ones((4, 4, 1)))[1:3, :, 0]
    array([[0., 1., 1., 0.],
           [0., 1., 1., 0.]], dtype=float32)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            fill_mode, interpolation, seed, fill_value, data_format, **kwargs
        )
        self.height_factor, self.width_factor = height_factor, width_factor
        self._tall = _zoom_range(height_factor, "height_factor", type(self).__name__)
        self._wide = self._tall
        if width_factor is not None:
            self._wide = _zoom_range(width_factor, "width_factor", type(self).__name__)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        if not training:
            return None
        count, _, _ = self._sizes(data)
        kinds = 1 if self.width_factor is None else 2
        shares = self._uniform((kinds, count, 1), 0, 1, seed)
        return {
            "height_zoom": 1 + _between(shares[0], self._tall),
            "width_zoom": 1 + _between(shares[-1], self._wide),
            "input_shape": self._shape(data),
        }

    def _matrix(self, transformation: Any, sizes: tuple[int, int, int]) -> Array:
        wide, tall = (
            np.asarray(getval(convert(transformation[key])))[:, 0]
            for key in ("width_zoom", "height_zoom")
        )
        zero = np.zeros_like(wide)
        _, height, width = sizes
        x, y = (width - 1) / 2 * (1 - wide), (height - 1) / 2 * (1 - tall)
        return np.stack([wide, zero, x, zero, tall, y, zero, zero], axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height_factor": self.height_factor,
            "width_factor": self.width_factor,
        }


def _zoom_range(value: Any, name: str, owner: str) -> tuple[float, float]:
    """As `strict_range` from -1, but -1 itself would leave nothing to see."""
    low, high = strict_range(value, name, owner, -1)
    if low == -1 and value != 1:
        raise ValueError(
            f"{owner}: `{name}` must be above -1, where nothing would be seen. "
            f"Received: {name}={value!r}"
        )
    return low, high


def _between(shares: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Numbers from 0 to 1 brought between two ends."""
    low, high = ends
    return shares * shares.dtype.type(high - low) + shares.dtype.type(low)
