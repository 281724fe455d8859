"""Image layers whose output has another size: cropping and resizing."""

from typing import Any

from minikeras.layers.augmentation.base import BaseRandomLayer, BaseSizedLayer
from minikeras.layers.layer import family
from minikeras.ops.base import convert
from minikeras.ops.image import aspect_window, crop_images, resize
from minikeras.ops.resampling import INTERPOLATIONS
from minikeras.validation import choice, positive_int


@family.add()
class CenterCrop(BaseSizedLayer):
    """The middle of images; of images that are smaller than that, the largest window
    in the middle that has the proportions wanted, resized (bilinear).

    Args:
        height: rows of the output.
        width: columns of the output.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same, with `height` and `width`.

    Raises:
        ValueError: for sizes that are not positive integers.

    >>> import numpy as np
    >>> CenterCrop(1, 2)(np.arange(12.0).reshape(3, 4, 1)).ravel()
    array([5., 6.], dtype=float32)
    """

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height = positive_int(height, "height", type(self).__name__)
        self.width = positive_int(width, "width", type(self).__name__)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        return {"input_shape": self._shape(data)}

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        x = self._floats(images)
        _, height, width = self._sizes(x)
        if height < self.height or width < self.width:
            size = self.height, self.width
            return resize(
                x, size, crop_to_aspect_ratio=True, data_format=self.data_format
            )
        return crop_images(
            x,
            top_cropping=(height - self.height) // 2,
            left_cropping=(width - self.width) // 2,
            target_height=self.height,
            target_width=self.width,
            data_format=self.data_format,
        )


@family.add()
class Resizing(BaseSizedLayer):
    """Images of another height and width.

    Whole numbers stay so: they are rounded, and cut off at the ends of their type.

    Args:
        height: rows of the output.
        width: columns of the output.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"` (Keys), `"lanczos3"` or
            `"lanczos5"`.
        crop_to_aspect_ratio: whether to keep proportions by cutting away borders.
        pad_to_aspect_ratio: whether to keep proportions by adding borders.
        fill_mode: `"constant"`, for the borders added.
        fill_value: their value.
        antialias: whether, where there become fewer pixels, all old ones count.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same, with `height` and `width`.

    Raises:
        ValueError: for sizes that are not positive integers, an unknown interpolation
            or fill mode, and two ways to keep proportions.

    >>> import numpy as np
    >>> Resizing(1, 4)(np.float32([[[0], [4]]])).ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        cls = type(self).__name__
        self.height = positive_int(height, "height", cls)
        self.width = positive_int(width, "width", cls)
        self.interpolation = choice(interpolation, INTERPOLATIONS, "interpolation", cls)
        self.fill_mode = choice(fill_mode, ("constant",), "fill_mode", cls)
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                f"{cls}: only one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio` "
                "can be True."
            )
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_value = fill_value
        self.antialias = bool(antialias)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        return self._sizes(data)[1:]

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        return self._resized(images, self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        return self._resized(segmentation_masks, "nearest")

    def _resized(self, images: Any, interpolation: str) -> Any:
        return resize(
            images,
            (self.height, self.width),
            interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


@family.add()
class RandomCrop(BaseSizedLayer, BaseRandomLayer):
    """In training, a window at a random place, the same for all images of a batch.
    Otherwise, the largest window in the middle that has the proportions wanted,
    resized (bilinear), which is also what becomes of images that are too small.

    Args:
        height: rows of the output.
        width: columns of the output.
        seed: makes the places repeat; drawn from the process-wide seed for None.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same, with `height` and `width`.

    Keras 3.15 returns whole images outside of training, in another shape than it says.

    Raises:
        ValueError: for sizes that are not positive integers.

    >>> import numpy as np
    >>> RandomCrop(2, 3, seed=0)(np.ones((8, 5, 4, 1)), training=True).shape
    (8, 2, 3, 1)
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, seed=seed, name=name, **kwargs)
        self.height = positive_int(height, "height", type(self).__name__)
        self.width = positive_int(width, "width", type(self).__name__)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        _, height, width = self._sizes(data)
        spare = height - self.height, width - self.width
        if training and min(spare) > 0:
            shares = self._uniform(2, 0, 1, seed)
            top, left = (int(u * (n + 1)) for u, n in zip(shares, spare, strict=True))
            return min(top, spare[0]), min(left, spare[1])
        return aspect_window(height, width, (self.height, self.width))[:2]

    def transform_images(
        self, images: Any, transformation: Any, training: bool = True
    ) -> Any:
        x = self._floats(images)
        size = self.height, self.width
        if not training:
            return resize(
                x, size, crop_to_aspect_ratio=True, data_format=self.data_format
            )
        _, height, width = self._sizes(x)
        top, left = (int(convert(start)) for start in transformation)
        x = crop_images(
            x,
            top_cropping=top,
            left_cropping=left,
            target_height=min(self.height, height - top),
            target_width=min(self.width, width - left),
            data_format=self.data_format,
        )
        return resize(x, size, data_format=self.data_format)
