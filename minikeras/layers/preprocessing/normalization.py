"""Numbers to mean 0 and variance 1, by what was found in data."""

from collections.abc import Iterable, Iterator
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.layers.layer import Layer, family
from minikeras.layers.preprocessing.rescaling import checked_numbers
from minikeras.layers.preprocessing.tokens import batches_of, is_one_array
from minikeras.ops.base import convert
from minikeras.ops.numpy import (
    add,
    convert_to_numpy,
    divide,
    maximum,
    multiply,
    reshape,
    sqrt,
    subtract,
)
from minikeras.validation import shape_text


@family.add()
class Normalization(Layer):
    """Brings numbers to mean 0 and variance 1, by what `adapt` found in the data:

    y = (x - mean) / max(sqrt(variance), epsilon), with the default epsilon.

    Args:
        axis: axes along which each index has its own mean and variance; None for one
            of all numbers.
        mean: the mean, instead of `adapt`; broadcast to the kept axes.
        variance: the variance, together with `mean`.
        invert: whether to go the other way:
            y = x * max(sqrt(variance), epsilon) + mean.

    Input shape: any, with known sizes of the kept axes. Output shape: the input's.

    The mean, the variance and a count that is always 0, as in Keras, are weights that
    do not train. Setting them takes effect at once. (Keras goes on with those of the
    last `adapt`.)

    Raises:
        ValueError: if only one of `mean` and `variance` is given or their shapes differ
            or do not fit the axes; for axes that the input does not have or whose size
            is not known; from `adapt`, if `mean` was given, for data of another shape,
            or none.
        TypeError: from `adapt`, for anything but arrays and what yields them.

    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 7.0], [2.0, 9.0]]))
    >>> layer(np.array([[0.0, 8.0]]))
    array([[-1.,  0.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.axis = _checked_axes(axis)
        if (mean is None) != (variance is None):
            raise ValueError(
                "Normalization: `mean` and `variance` must be given together, or "
                f"neither, and `adapt` called. Received: mean={mean!r}, "
                f"variance={variance!r}"
            )
        self.input_mean = mean
        self.input_variance = variance
        if mean is not None:
            mean = checked_numbers(mean, "mean", "Normalization")
            variance = checked_numbers(variance, "variance", "Normalization")
            shapes = np.shape(mean), np.shape(variance)
            if shapes[0] != shapes[1] or len(shapes[0]) > len(self.axis):
                raise ValueError(
                    "Normalization: `mean` and `variance` must have the same shape, "
                    f"with at most {len(self.axis)} axes because axis={self.axis}. "
                    f"Received shapes: {shapes[0]} and {shapes[1]}"
                )
        self.invert = invert

    # --- what it is built for ---------------------------------------------------

    def build(self, input_shape: Any) -> None:
        if self.built:
            return
        ndim = len(input_shape)
        if any(not -ndim <= axis < ndim for axis in self.axis):
            raise ValueError(
                f"{self._owner()}: axis={self.axis} is out of range for an input of "
                f"shape {shape_text(input_shape)}."
            )
        self._kept = tuple(sorted(axis % ndim for axis in self.axis))
        if any(input_shape[axis] is None for axis in self._kept):
            raise ValueError(
                f"{self._owner()}: the sizes of axis={self.axis} must be known. "
                f"Received an input of shape {shape_text(input_shape)}. For one mean "
                "and variance of all numbers pass axis=None."
            )
        shape = tuple(input_shape[axis] for axis in self._kept)
        self._broadcast = tuple(
            input_shape[axis] if axis in self._kept else 1 for axis in range(ndim)
        )
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(
                shape, "zeros", trainable=False, name="mean"
            )
            self.adapt_variance = self.add_weight(
                shape, "ones", trainable=False, name="variance"
            )
            self.count = self.add_weight(
                (), "zeros", dtype="int64", trainable=False, name="count"
            )
        else:
            self._given = [
                self._aligned(value) for value in (self.input_mean, self.input_variance)
            ]

    def _aligned(self, value: Any) -> np.ndarray:
        """A given mean or variance along the kept axes, the last ones first."""
        array = np.asarray(value, self.dtype)
        shape = [1] * len(self._broadcast)
        for axis, size in zip(self._kept[::-1], array.shape[::-1], strict=False):
            shape[axis] = size
        try:
            return np.broadcast_to(array.reshape(shape), self._broadcast)
        except ValueError:
            raise ValueError(
                f"{self._owner()}: `mean` and `variance` of shape {array.shape} do not "
                f"fit axis={self.axis} of an input whose kept axes have the sizes "
                f"{tuple(self._broadcast[axis] for axis in self._kept)}."
            ) from None

    def _build_on(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs = convert(args[0] if args else next(iter(kwargs.values())))
        self.build(self._build_shape(inputs.shape))
        self._set_paths(self._path or self.name)

    def _build_shape(self, shape: Any) -> Any:
        """The batch's size counts only if its axis is a kept one."""
        if any(axis in (0, -len(shape)) for axis in self.axis):
            return tuple(shape)
        return (None, *shape[1:])

    # --- learning from data -----------------------------------------------------

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data.

        Args:
            data: an array, or a list, generator or dataset that yields batches: arrays,
                or tuples that begin with one.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"{self._owner()} cannot be adapted: it was made with `mean` and "
                "`variance`. Leave them out."
            )
        batches: Iterable[Any] = [data]
        if not is_one_array(data, lists=False):
            batches = batches_of(data, None, self._owner())
        arrays = map(self._batch, batches)
        first = next(arrays, None)
        if first is None:
            raise ValueError(f"{self._owner()}: adapt received no batches.")
        if not self.built:
            self.build(self._build_shape(first.shape))
            self._set_paths(self._path or self.name)
        mean, variance = self._moments(chain([first], arrays))
        self.adapt_mean = mean
        self.adapt_variance = variance

    def _batch(self, batch: Any) -> np.ndarray:
        batch = batch[0] if isinstance(batch, tuple) else batch
        if not hasattr(batch, "shape"):
            raise TypeError(
                f"{self._owner()}: adapt needs an array, or something that yields "
                f"arrays. Received a {type(batch).__name__}; `np.array(data)` makes "
                "one array of a list of numbers."
            )
        return convert_to_numpy(batch)

    def _moments(self, arrays: Iterator[np.ndarray]) -> tuple[Any, Any]:
        """Mean and variance of all arrays together, kept up to date array by array."""
        mean: Any = 0.0
        variance: Any = 0.0
        total = 0
        for array in arrays:
            sizes = [n for i, n in enumerate(self._broadcast) if i in self._kept]
            kept = [array.shape[i] for i in self._kept if i < array.ndim]
            if array.ndim != len(self._broadcast) or kept != sizes:
                raise ValueError(
                    f"{self._owner()}: adapt received data of shape {array.shape}. "
                    f"Expected {len(self._broadcast)} axes, of which those in "
                    f"axis={self.axis} have the sizes {tuple(sizes)}."
                )
            reduced = tuple(i for i in range(array.ndim) if i not in self._kept)
            count = prod(array.shape[i] for i in reduced)
            if count == 0:
                continue
            total += count
            share = count / total
            new = np.mean(array, reduced, np.float64)
            spread = np.var(array, reduced, np.float64)
            shift = new - mean
            mean = mean + shift * share
            variance = variance + (spread - variance) * share
            variance = variance + shift**2 * share * (1 - share)
        if total == 0:
            raise ValueError(f"{self._owner()}: adapt received no samples.")
        return mean, variance

    def finalize_state(self) -> None:
        """Nothing is left to do: the weights themselves are what `call` uses."""

    # --- use --------------------------------------------------------------------

    @property
    def mean(self) -> Any:
        """The mean, in the shape in which it meets the input; None if not yet known."""
        return self._statistic("mean", 0)

    @property
    def variance(self) -> Any:
        """The variance, likewise."""
        return self._statistic("variance", 1)

    def _statistic(self, name: str, place: int) -> Any:
        if not self.built:
            return None
        if self.input_mean is not None:
            return self._given[place]
        return reshape(getattr(self, f"adapt_{name}"), self._broadcast)

    def call(self, inputs: Any) -> Any:
        x = convert(inputs, self.dtype)
        deviation = maximum(sqrt(self.variance), settings.epsilon())
        if self.invert:
            return add(multiply(x, deviation), self.mean)
        return divide(subtract(x, self.mean), deviation)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": np.array(self.input_mean).tolist(),
            "variance": np.array(self.input_variance).tolist(),
        }


def _checked_axes(axis: Any) -> tuple[int, ...]:
    axes = () if axis is None else (axis,) if isinstance(axis, int) else axis
    if not isinstance(axes, list | tuple) or any(
        not isinstance(item, int | np.integer) for item in axes
    ):
        raise ValueError(
            "Normalization: `axis` must be a whole number, a list of them or None. "
            f"Received: axis={axis!r}"
        )
    return tuple(int(item) for item in axes)
