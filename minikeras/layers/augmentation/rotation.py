"""Image layers over an affine transform of each image, and the one that turns them."""

from typing import Any

import numpy as np

from minikeras.kernels.image import FILL_MODES
from minikeras.layers.augmentation.base import BaseRandomLayer, number_range
from minikeras.layers.layer import family
from minikeras.ops.base import Array
from minikeras.ops.image import affine_transform
from minikeras.ops.transforms import ORDERS
from minikeras.validation import choice

_FILL_MODES = tuple(mode for mode in FILL_MODES if mode != "mirror")  # as in Keras


class BaseAffineLayer(BaseRandomLayer):
    """In training, looks each image up through a random affine transform. Otherwise
    it does nothing.

    Args:
        fill_mode: what stands outside of an image a b c d: `"constant"` k k k,
            `"nearest"` d d d, `"wrap"` a b c or `"reflect"` d c b.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: makes the draws repeat; drawn from the process-wide seed for None.
        fill_value: the constant.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same.

    Raises:
        ValueError: for factors out of range, an unknown fill mode or interpolation.
    """

    def __init__(
        self,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        cls = type(self).__name__
        self.fill_mode = choice(fill_mode, _FILL_MODES, "fill_mode", cls)
        self.interpolation = choice(interpolation, ORDERS, "interpolation", cls)
        self.fill_value = fill_value

    def transform_images(
        self, images: Any, transformation: Any, training: bool = True
    ) -> Any:
        x = self._floats(images)
        if not training or transformation is None:
            return x
        return self._transformed(x, transformation, self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training or transformation is None:
            return segmentation_masks
        return self._transformed(segmentation_masks, transformation, "nearest")

    def _transformed(self, x: Any, transformation: Any, interpolation: str) -> Array:
        return affine_transform(
            x,
            self._matrix(transformation, self._sizes(x)),
            interpolation,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )

    def _matrix(self, transformation: Any, sizes: tuple[int, int, int]) -> Array:
        """Rows a0 a1 a2 b0 b1 b2 c0 c1 of `affine_transform`; sizes are N, H, W."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fill_mode": self.fill_mode,
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
        }


@family.add()
class RandomRotation(BaseAffineLayer):
    """In training, turns each image about its middle. Otherwise it does nothing.

    Args:
        factor: (lowest, highest) angle, as a part of a full turn; counterclockwise
            above 0. One number f means (-f, f).
        fill_mode: what stands outside of an image a b c d: `"constant"` k k k,
            `"nearest"` d d d, `"wrap"` a b c or `"reflect"` d c b.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: makes the angles repeat; drawn from the process-wide seed for None.
        fill_value: the constant.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same.

    Raises:
        ValueError: for a factor outside of [-1, 1], an unknown fill mode or
            interpolation.

    >>> quarter = RandomRotation((0.25, 0.25), interpolation="nearest")
    >>> quarter(np.arange(4.0).reshape(2, 2, 1))[..., 0]
    array([[1., 3.],
           [0., 2.]], dtype=float32)
    """

    def __init__(
        self,
        factor: Any,
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
        self.factor = number_range(
            0.0 if factor is None else factor, "factor", type(self).__name__, (-1, 1)
        )

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        if not training:
            return None
        count, height, width = self._sizes(data)
        low, high = self.factor
        angle = self._uniform(count, low * 360, high * 360, seed)
        matrix = rotation_matrix(angle, height, width)
        return {
            "angle": angle,
            "rotation_matrix": matrix if len(self._shape(data)) == 4 else matrix[0],
            "image_height": height,
            "image_width": width,
            "batch_size": count,
        }

    def _matrix(self, transformation: Any, sizes: tuple[int, int, int]) -> Array:
        return transformation["rotation_matrix"]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def rotation_matrix(angle: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rows (N, 8) of `affine_transform` that turn by degrees about the middle.

    >>> rotation_matrix(np.array([90.0]), 3, 3).round(6) + 0.0
    array([[ 0., -1.,  2.,  1.,  0.,  0.,  0.,  0.]])
    """
    angle = angle * angle.dtype.type(np.pi / 180)
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = 0.5 * (width - 1), 0.5 * (height - 1)
    zero = np.zeros_like(angle)
    across = [cosine, -sine, x - x * cosine - y * -sine]
    down = [sine, cosine, y - x * sine - y * cosine]
    return np.stack([*across, *down, zero, zero], axis=1)
