"""Concatenation and products of two inputs along an axis."""

from string import ascii_lowercase
from typing import Any

import numpy as np

from minikeras.layers.layer import family
from minikeras.layers.merge import Merge, texts
from minikeras.ops.normalization import normalize
from minikeras.ops.numpy import concatenate, expand_dims
from minikeras.ops.summation import einsum


@family.add()
class Concatenate(Merge):
    """The inputs joined along an axis.

    The mask of an input without one is True everywhere. Joined along the steps, masks
    are joined; along features, a step counts if it does in any input.

    Args:
        axis: the axis.

    Input shape: a list of shapes, equal but for the axis. Output shape: theirs, with
    the sum of the sizes on the axis.

    Raises:
        ValueError: for an axis that is not a whole number or that the inputs do not
            have, for anything but a list of arrays, and for shapes that do not fit.

    >>> Concatenate()([np.zeros((1, 1)), np.ones((1, 2))])
    array([[0., 1., 1.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        if not _is_int(axis):
            raise ValueError(
                f"Concatenate: `axis` must be a whole number. Received: axis={axis!r}"
            )
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(self._shapes(inputs))
        return concatenate(inputs, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._check_list(input_shape)
        first = tuple(input_shape[0])
        ndim, axis = len(first), self.axis
        if not -ndim <= axis < ndim or any(len(s) != ndim for s in input_shape):
            raise ValueError(
                f"{self._owner()}: the inputs must have the same number of axes, and "
                f"axis {axis} must be one of them. Received the shapes "
                f"{texts(input_shape)}."
            )
        axes = enumerate(zip(*input_shape, strict=True))
        return tuple(
            self._joined(k == axis % ndim, sizes, input_shape) for k, sizes in axes
        )

    def _joined(self, along: bool, sizes: Any, shapes: Any) -> int | None:
        if along:
            return None if None in sizes else sum(sizes)
        known = set(sizes) - {None}
        if len(known) > 1:
            raise ValueError(
                f"{self._owner()}: the inputs must have equal shapes but for axis "
                f"{self.axis}. Received the shapes {texts(shapes)}."
            )
        return known.pop() if known else None

    def _join_masks(self, inputs: Any, masks: Any) -> Any:
        if all(mask is None for mask in masks):
            return None
        full = [
            np.broadcast_to(True if mask is None else ahead(mask, x.ndim), x.shape)
            for x, mask in zip(inputs, masks, strict=True)
        ]
        return np.concatenate(full, axis=self.axis).any(axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


@family.add()
class Dot(Merge):
    """Sums of products of two inputs along one axis of each, for each sample:

    y[n, i..., j...] = sum_k x1[n, i..., k] x2[n, k, j...], for axes (-1, 1).

    Args:
        axes: the axis of both, or a pair: of the first and of the second; not the
            batch.
        normalize: whether vectors along the axes are divided by their lengths, so that
            the output is the cosine of the angle between them.

    Input shape: a list of two shapes. Output shape: the first without its axis, then
    the second without the batch and its axis; (batch, 1) if nothing else is left.

    Raises:
        TypeError: if `axes` is neither a whole number nor a pair of them.
        ValueError: for anything but two inputs, and for axes that they do not have,
            that are the batch, or that are not equally long.

    >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])])
    array([[11.]], dtype=float32)
    """

    _count = 2

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        pair = isinstance(axes, list | tuple)
        if not pair and not _is_int(axes):
            raise TypeError(
                "Dot: `axes` must be a whole number or a pair of them. "
                f"Received: axes={axes!r}"
            )
        if pair and (len(axes) != 2 or not all(map(_is_int, axes))):
            raise ValueError(
                f"Dot: `axes` must be a pair of whole numbers. Received: axes={axes!r}"
            )
        self.axes = axes
        self.normalize = normalize

    def call(self, inputs: Any) -> Any:
        axes = self._axes(self._shapes(inputs))
        if self.normalize:
            inputs = [normalize(x, axis=a) for x, a in zip(inputs, axes, strict=True)]
        letters = iter(ascii_lowercase)
        batch, summed = next(letters), next(letters)
        first, second = (
            "".join(summed if k == axis else next(letters) for k in range(1, x.ndim))
            for x, axis in zip(inputs, axes, strict=True)
        )
        output = (batch + first + second).replace(summed, "")
        y = einsum(f"{batch}{first},{batch}{second}->{output}", *inputs)
        return y if len(output) > 1 else expand_dims(y, -1)

    def _axes(self, shapes: Any) -> tuple[int, int]:
        """The axis of each input, counted from the front."""
        self._check_list(shapes)
        self._batch(shapes)
        pair = self.axes if isinstance(self.axes, list | tuple) else [self.axes] * 2
        for axis, shape in zip(pair, shapes, strict=True):
            ndim = len(shape)
            if not -ndim <= axis < ndim or axis % ndim == 0:
                raise ValueError(
                    f"{self._owner()}: `axes` must be axes of the inputs, and not the "
                    f"batch. Received: axes={self.axes} for the shapes {texts(shapes)}."
                )
        first, second = (a % len(s) for a, s in zip(pair, shapes, strict=True))
        sizes = shapes[0][first], shapes[1][second]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"{self._owner()}: axis {first} of the first input and axis {second} "
                "of the second must be equally long. Received the shapes "
                f"{texts(shapes)}."
            )
        return first, second

    def compute_output_shape(self, input_shape: Any) -> Any:
        axes = self._axes(input_shape)
        first, second = (
            tuple(n for k, n in enumerate(shape) if k != axis)
            for shape, axis in zip(input_shape, axes, strict=True)
        )
        output = first + second[1:]
        return output if len(output) > 1 else (*output, 1)

    def _join_masks(self, inputs: Any, masks: Any) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def ahead(mask: Any, ndim: int) -> np.ndarray:
    """A mask of the first axes, to be broadcast to an array of `ndim` axes."""
    mask = np.asarray(mask, bool)
    return mask.reshape(mask.shape + (1,) * (ndim - mask.ndim))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
