"""The base class of layers that make one array of several."""

from functools import reduce
from typing import Any

import numpy as np

from minikeras.layers.layer import Layer
from minikeras.layers.structure import is_shape
from minikeras.ops.numpy import reshape
from minikeras.validation import shape_text


class Merge(Layer):
    """Base of layers that are called on a list of arrays and make one of them.

    A subclass defines `_merge_function(inputs)`. Axes of length 1 are broadcast, the
    batch apart; inputs with fewer axes than others get axes of length 1 behind the
    batch. The mask of the output is True where that of any input is, and there is none
    if one of the inputs has none.

    Input shape: a list of shapes. Output shape: theirs, broadcast.

    Raises:
        ValueError: for anything but a list of arrays, and for shapes that do not fit.
    """

    supports_masking = True
    _count: int | None = None  # of inputs, if there must be so many

    def _merge_function(self, inputs: Any) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} must define `_merge_function(self, inputs)`."
        )

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Any:
        shapes = self._shapes(inputs)
        if any(shape != shapes[0] for shape in shapes):
            self.compute_output_shape(shapes)  # refuses those that do not fit
            most = max(map(len, shapes))
            inputs = [_with_axes(x, most) for x in inputs]
        return self._merge_function(inputs)

    def _shapes(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, list | tuple):
            self._check_list(inputs.shape)
        shapes = [x.shape for x in inputs]
        self._check_list(shapes)
        return shapes

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._check_list(input_shape)
        batch = self._batch(input_shape)
        most = max(map(len, input_shape))
        rest = [(1,) * (most - len(shape)) + tuple(shape[1:]) for shape in input_shape]
        axes = zip(*rest, strict=True)
        return (batch, *(self._size(sizes, input_shape) for sizes in axes))

    def _batch(self, shapes: Any) -> int | None:
        sizes = {shape[0] for shape in shapes if shape} - {None}
        if len(sizes) > 1:
            raise ValueError(
                f"{self._owner()}: the inputs must have the same batch size. "
                f"Received the shapes {texts(shapes)}."
            )
        return sizes.pop() if sizes else None

    def _size(self, sizes: Any, shapes: Any) -> int | None:
        """Sizes of one axis of all inputs, broadcast."""
        longer = set(sizes) - {1, None}
        if len(longer) > 1:
            raise ValueError(
                f"{self._owner()}: on each axis the inputs must be equally long, or of "
                f"length 1. Received the shapes {texts(shapes)}."
            )
        return None if None in sizes else max(sizes)

    def _check_list(self, shapes: Any) -> None:
        if not isinstance(shapes, list | tuple) or is_shape(shapes):
            got = f"the shape {shape_text(shapes)}" if is_shape(shapes) else shapes
            raise ValueError(
                f"{self._owner()} must be called on a list of arrays, such as "
                f"[x, y]. Received {got}."
            )
        if self._count is not None and len(shapes) != self._count:
            raise ValueError(
                f"{self._owner()} must be called on a list of {self._count} arrays. "
                f"Received {len(shapes)}, of the shapes {texts(shapes)}."
            )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where the mask of any input is; None if an input has none."""
        if mask is None:
            return None
        for name, value in (("inputs", inputs), ("mask", mask)):
            if not isinstance(value, list | tuple) or len(value) != len(mask):
                raise ValueError(
                    f"{self._owner()}: `inputs` and `mask` must be lists of the same "
                    f"length. Received: {name}={value!r}"
                )
        return self._join_masks(inputs, mask)

    def _join_masks(self, inputs: Any, masks: Any) -> Any:
        if any(mask is None for mask in masks):
            return None
        return reduce(np.logical_or, masks)


def texts(shapes: Any) -> str:
    """Shapes as people write them."""
    return ", ".join(map(shape_text, shapes))


def _with_axes(x: Any, ndim: int) -> Any:
    """x with axes of length 1 behind the batch, so that it has `ndim`."""
    if x.ndim == ndim:
        return x
    return reshape(x, (x.shape[0], *[1] * (ndim - x.ndim), *x.shape[1:]))
