"""Layers against overfitting: noise in training, and a penalty on activities."""

from math import sqrt
from numbers import Real
from typing import Any

import numpy as np

from minikeras import config, regularizers
from minikeras.kernels.dropout import kept
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.layers.structure import channel_axis
from minikeras.ops.base import constant_like, convert
from minikeras.ops.dropout import drop
from minikeras.ops.numpy import add, multiply
from minikeras.validation import shape_text


class BaseNoise(Layer):
    """What the layers share that draw random numbers in training.

    Args:
        seed: makes the numbers repeat; drawn from the process-wide seed for None.

    Raises:
        ValueError: for another seed.
    """

    supports_masking = True

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        integer = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
        if seed is not None and (not integer or seed < 0):
            raise ValueError(
                f"{type(self).__name__}: `seed` must be an integer, not negative, or "
                f"None. Received: seed={seed!r}"
            )
        self.seed = seed
        seed = config.next_seed() if seed is None else seed
        self._generator = np.random.Generator(np.random.SFC64(seed))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}

    def _normal(self, x: Any, stddev: float) -> np.ndarray:
        """Normal numbers of mean 0 in the shape and type of `x`."""
        single = x.dtype != np.float64  # NumPy draws no half-size floats
        dtype: Any = np.float32 if single else np.float64
        draws = np.asarray(self._generator.standard_normal(x.shape, dtype))
        draws *= draws.dtype.type(stddev)
        return draws.astype(x.dtype, copy=False)


class BaseDropout(BaseNoise):
    """What `Dropout` and `AlphaDropout` share: a rate and the shape of the mask."""

    _below_one = False  # whether a rate of 1 is refused

    def __init__(
        self,
        rate: float,
        noise_shape: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed, **kwargs)
        self.rate = _fraction(rate, "rate", type(self).__name__, self._below_one)
        self.noise_shape = _noise_shape(noise_shape, type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "noise_shape": self.noise_shape,
        }

    def _mask_shape(self, x: Any) -> tuple[int, ...]:
        return _concrete(self.noise_shape, x.shape, self._owner())


@family.add()
class Dropout(BaseDropout):
    """In training, sets each number to zero with probability `rate`, and divides the
    others by 1 - rate, so that the mean stays. Otherwise it does nothing.

    Args:
        rate: probability from 0 to 1.
        noise_shape: shape of the random mask, which is broadcast to the input: for
            each axis 1, the input's size, or None for the input's size.
        seed: makes the masks repeat; drawn from the process-wide seed for None.

    Output shape: the input's.

    Raises:
        ValueError: if `rate` is outside [0, 1], or `noise_shape` is not a tuple of
            positive sizes and Nones, or does not fit the input.

    Source: Srivastava et al., Journal of Machine Learning Research 15 (2014).

    >>> Dropout(0.5)(np.ones((1, 3)), training=False)
    array([[1., 1., 1.]], dtype=float32)
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = convert(inputs, self._np_dtype)
        if not training or self.rate == 0:
            return x
        return drop(x, self.rate, self._generator, self._mask_shape(x))


class BaseSpatialDropout(Dropout):
    """In training, sets whole channels of a sample to zero with probability `rate`,
    and divides the others by 1 - rate. Otherwise it does nothing.

    Neighbouring cells of a channel are much alike: without one of them the rest still
    tells the same, without the channel it does not.

    Args:
        rate: probability from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.
            Over one axis the channels are always last.
        seed: makes the masks repeat; drawn from the process-wide seed for None.
        name: name of the layer.
        dtype: number type; the default float type for None.

    Input shape: (batch, sizes..., channels), or (batch, channels, sizes...) with
    `"channels_first"`. Output shape: the input's.

    Raises:
        ValueError: if `rate` is outside [0, 1], or for another data format.

    Source: Tompson et al., "Efficient object localization using convolutional
    networks", 2015.
    """

    rank: int

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        self.data_format = config.standardize_data_format(data_format)
        mask: list[int | None] = [None] + [1] * (self.rank + 1)
        mask[channel_axis(self.data_format)] = None
        super().__init__(rate, mask, seed, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def get_config(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "seed": self.seed,
            "name": self.name,
            "dtype": self.dtype,
            "data_format": self.data_format,
        }


@family.add()
class SpatialDropout1D(BaseSpatialDropout):
    """`BaseSpatialDropout` for sequences: (batch, steps, channels).

    >>> SpatialDropout1D(1.0)(np.ones((1, 2, 2)), training=True)[0]
    array([[0., 0.],
           [0., 0.]], dtype=float32)
    """

    rank = 1

    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(rate, "channels_last", seed, name, dtype)

    def get_config(self) -> dict[str, Any]:
        result = super().get_config()
        del result["data_format"]
        return result


@family.add()
class SpatialDropout2D(BaseSpatialDropout):
    """`BaseSpatialDropout` for images: (batch, rows, columns, channels).

    >>> y = SpatialDropout2D(0.5, seed=0)(np.ones((1, 2, 2, 3)), training=True)
    >>> bool(np.all(y == y[:, :1, :1]))
    True
    """

    rank = 2


@family.add()
class SpatialDropout3D(BaseSpatialDropout):
    """`BaseSpatialDropout` for volumes: (batch, three sizes, channels).

    >>> SpatialDropout3D(0.5, "channels_first").noise_shape
    (None, None, 1, 1, 1)
    """

    rank = 3


@family.add()
class GaussianNoise(BaseNoise):
    """In training, adds normal numbers: y = x + N(0, stddev**2). Otherwise it does
    nothing.

    Args:
        stddev: standard deviation of the noise, from 0 to 1.
        seed: makes the noise repeat; drawn from the process-wide seed for None.

    Output shape: the input's.

    Raises:
        ValueError: if `stddev` is outside [0, 1].

    >>> GaussianNoise(0.1)(np.ones((1, 3)), training=False)
    array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        self.stddev = _fraction(stddev, "stddev", type(self).__name__)

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = convert(inputs, self._np_dtype)
        if not training or self.stddev == 0:
            return x
        return add(x, self._normal(x, self.stddev))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


@family.add()
class GaussianDropout(BaseNoise):
    """In training, multiplies by normal numbers: y = x N(1, rate / (1 - rate)), which
    have the mean and variance of `Dropout`'s factors. Otherwise it does nothing.

    Args:
        rate: as the probability of `Dropout`, from 0 to less than 1.
        seed: makes the factors repeat; drawn from the process-wide seed for None.

    Output shape: the input's.

    Raises:
        ValueError: if `rate` is outside [0, 1): 1 would be an infinite variance.

    Source: Srivastava et al., Journal of Machine Learning Research 15 (2014), part 10.

    >>> GaussianDropout(0.5)(np.ones((1, 3)), training=False)
    array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(seed, **kwargs)
        self.rate = _fraction(rate, "rate", type(self).__name__, below_one=True)

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = convert(inputs, self._np_dtype)
        if not training or self.rate == 0:
            return x
        factors = self._normal(x, sqrt(self.rate / (1 - self.rate)))
        factors += constant_like(1, x)
        return multiply(x, factors)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@family.add()
class AlphaDropout(BaseDropout):
    """In training, sets each number to the lowest value s of `selu` with probability
    `rate`, and y = a x + b, which keep mean 0 and variance 1. Otherwise it does
    nothing.

    a = ((1 - rate) (1 + rate s**2))**(-1/2) and b = -a rate s, with s = -1.758...

    Args:
        rate: probability from 0 to less than 1.
        noise_shape: as for `Dropout`.
        seed: makes the masks repeat; drawn from the process-wide seed for None.

    Output shape: the input's.

    Raises:
        ValueError: if `rate` is outside [0, 1), or `noise_shape` is not a tuple of
            positive sizes and Nones, or does not fit the input.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.

    >>> AlphaDropout(0.5)(np.ones((1, 3)), training=False)
    array([[1., 1., 1.]], dtype=float32)
    """

    _below_one = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = convert(inputs, self._np_dtype)
        if not training or self.rate == 0:
            return x
        mask = kept(self._generator, self._mask_shape(x), self.rate)
        a = ((1 - self.rate) * (1 + self.rate * _SELU_LOWEST**2)) ** -0.5
        b = -a * self.rate * _SELU_LOWEST
        shift = ~mask * constant_like(a * _SELU_LOWEST, x) + constant_like(b, x)
        return add(multiply(x, mask * constant_like(a, x)), shift)


_SELU_LOWEST = -1.0507009873554805 * 1.6732632423543772  # as in ops.selu


@family.add()
class ActivityRegularization(Layer):
    """Adds l1 sum(|x|) + l2 sum(x**2), divided by the batch size, to the loss; the
    output is the input. The loss has it in `evaluate` too.

    Args:
        l1: factor of the absolute values.
        l2: factor of the squares.

    Output shape: the input's.

    Raises:
        ValueError: for a negative or infinite factor.

    >>> layer = ActivityRegularization(l2=0.5)
    >>> layer(np.array([[1.0, 3.0]])), float(layer.losses[0])
    (array([[1., 3.]], dtype=float32), 5.0)
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        del base["activity_regularizer"]  # made of the factors
        return {**base, "l1": self.l1, "l2": self.l2}


def _fraction(value: Any, name: str, owner: str, below_one: bool = False) -> float:
    """`value` if it is a number from 0 to 1."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or (below_one and value == 1):
        limit = "less than 1, where the noise would be infinite" if below_one else "1"
        raise ValueError(
            f"{owner}: `{name}` must be a number from 0 to {limit}. "
            f"Received: {name}={value!r}"
        )
    return value


def _noise_shape(value: Any, owner: str) -> tuple[int | None, ...] | None:
    """`value` as a tuple of sizes and Nones; None stays None."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or any(
        n is not None and (not isinstance(n, int | np.integer) or n < 1) for n in value
    ):
        raise ValueError(
            f"{owner}: `noise_shape` must be a tuple of positive sizes and Nones. "
            f"Received: noise_shape={value!r}"
        )
    return tuple(None if n is None else int(n) for n in value)


def _concrete(noise_shape: Any, shape: Any, owner: str) -> tuple[int, ...]:
    """`noise_shape` with the input's sizes for None."""
    if noise_shape is None:
        return shape
    if len(noise_shape) != len(shape) or any(
        n not in (None, 1, size) for n, size in zip(noise_shape, shape, strict=True)
    ):
        raise ValueError(
            f"{owner}: `noise_shape` must have, for each axis of the input, 1, the "
            f"input's size or None. Received: noise_shape={shape_text(noise_shape)} "
            f"for an input of shape {shape_text(shape)}."
        )
    sizes = zip(noise_shape, shape, strict=True)
    return tuple(size if n is None else n for n, size in sizes)
