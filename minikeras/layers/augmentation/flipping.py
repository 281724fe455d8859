"""An image layer that turns images over at random, in training."""

from typing import Any

import numpy as np

from minikeras.layers.augmentation.base import BaseRandomLayer
from minikeras.layers.layer import family
from minikeras.ops.base import getval
from minikeras.ops.warping import flip_some
from minikeras.validation import choice

_FLIPS = {  # mode -> axes from the end, with the channels last
    "horizontal": (-2,),
    "vertical": (-3,),
    "horizontal_and_vertical": (-3, -2),
}


@family.add()
class RandomFlip(BaseRandomLayer):
    """In training, turns every second image over, on average. Otherwise it does
    nothing.

    Args:
        mode: `"horizontal"` (left and right change places), `"vertical"` (top and
            bottom do), or `"horizontal_and_vertical"` (both at once).
        seed: makes the choice repeat; drawn from the process-wide seed for None.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Input shape: one image (rows, columns, channels) or a batch; channels before rows
    with `"channels_first"`. Output shape: the same.

    Raises:
        ValueError: for an unknown mode.

    >>> RandomFlip("horizontal")(np.ones((1, 2, 1)), training=False).shape
    (1, 2, 1)
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.mode = choice(mode, _FLIPS, "mode", type(self).__name__)

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> Any:
        if not training:
            return None
        shape = self._shape(data)
        drawn = self._uniform((*shape[:-3], 1, 1, 1), 0, 1, seed)
        return {"flips": drawn <= 0.5, "input_shape": shape}

    def transform_images(
        self, images: Any, transformation: Any, training: bool = True
    ) -> Any:
        x = self._floats(images)
        if not training or transformation is None:
            return x
        shift = 1 if self.data_format == "channels_first" else 0
        axes = tuple(axis + shift + 4 for axis in _FLIPS[self.mode])
        which = np.asarray(getval(transformation["flips"]), bool).reshape(-1)
        which = np.broadcast_to(which, len(x))
        return flip_some(x, which=which, axes=axes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}
