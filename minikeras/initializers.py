"""First values of weights.

Random ones come from NumPy's PCG64 with the instance's own seed, so an instance gives
the same values at each call, whatever else draws numbers.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.kernels.session import single_threaded_blas
from minikeras.registry import (
    Family,
    deserialize_keras_object,
    serialize_keras_object,
    serialize_member,
)
from minikeras.validation import choice, shape_text
from minikeras.variables import default_dtype

Shape = Sequence[int]
Axes = Sequence[int] | None

# Standard deviation of a standard normal variable cut off at -2 and 2.
_TRUNCATED_STDDEV = 0.87962566103423978

# Window functions as sums of cosines: coefficients of cos(0), -cos(t), cos(2t) ...
_WINDOWS = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
}

family = Family("initializer", "keras.initializers")


@family.add()
class Initializer:
    """Base of initializers: a subclass defines `__call__`, and `get_config` if its
    `__init__` has arguments.

    `__call__(shape, dtype=None)` returns an array. Any function with these arguments
    serves as well.

    >>> class Counting(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return np.arange(math.prod(shape), dtype=dtype).reshape(shape)
    >>> Counting()((2, 2), "float32")
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        """An array of this shape and number type, by default the configured one.

        Raises:
            NotImplementedError: in a subclass that does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `__call__(self, shape, dtype=None)`."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, for saving."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Initializer":
        """An initializer with the arguments in `config`."""
        return cls(**config)

    def clone(self) -> "Initializer":
        """Another one with the same arguments; without a seed it draws a new one."""
        return self.from_config(self.get_config())


@family.add("zero")
class Zeros(Initializer):
    """All 0.

    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        return np.zeros(shape, default_dtype(dtype))


@family.add("one")
class Ones(Initializer):
    """All 1.

    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        return np.ones(shape, default_dtype(dtype))


@family.add()
class Constant(Initializer):
    """All `value`.

    Args:
        value: a number, or an array that broadcasts to the shape asked for.

    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0):
        self.value = value

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        return np.full(shape, self.value, default_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"value": serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Constant":
        return cls(**deserialize_keras_object(config))


@family.add("IdentityInitializer")
class Identity(Initializer):
    """A matrix with `gain` on the diagonal and 0 elsewhere.

    Args:
        gain: value on the diagonal.

    Raises:
        ValueError: when called for a shape that is not a matrix.

    >>> Identity(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(
                f"Identity makes matrices (2 axes). Received: shape={shape_text(shape)}"
            )
        matrix = np.zeros(shape, default_dtype(dtype))
        np.fill_diagonal(matrix, self.gain)
        return matrix

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


@family.add("STFTInitializer")
class STFT(Initializer):
    """Convolution kernels that compute a short-time Fourier transform.

    w(t) cos(-2 pi t f / F) (or sin, for the imaginary side), divided by the norm of
    the window w, for kernels of shape (T, 1, F // 2 + 1).

    Args:
        side: `"real"` or `"imag"`.
        window: `"hann"`, `"hamming"`, `"blackman"`, `"nuttall"`, `"blackmanharris"`,
            `"boxcar"`; or the T values of the window; or None for no window.
        scaling: `"density"` divides by the window's L2 norm, `"spectrum"` by its L1
            norm, None leaves it. Without a window there is nothing to divide by.
        periodic: whether the window continues periodically (its last value would be
            the first one again), or is symmetric.

    Raises:
        ValueError: for another word, when called for a shape without 3 axes, or when
            the values of the window are not T.

    >>> STFT("real", window=None)((4, 1, 3))[:, 0].round(6) + 0.0
    array([[ 1.,  1.,  1.],
           [ 1.,  0., -1.],
           [ 1., -1.,  1.],
           [ 1.,  0., -1.]], dtype=float32)
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ):
        self.side = choice(side, ("real", "imag"), "side", "STFT")
        if isinstance(window, str):
            window = choice(window, tuple(_WINDOWS), "window", "STFT")
        self.window = window
        if scaling is not None:
            scaling = choice(scaling, ("density", "spectrum"), "scaling", "STFT")
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        if len(shape) != 3:
            raise ValueError(
                "STFT makes kernels of shape (frame length, 1, frequencies). "
                f"Received: shape={shape_text(shape)}"
            )
        length, _, count = shape
        time = np.arange(length)[:, None, None]
        frequency = np.arange(count) / max(1, 2 * (count - 1))
        angle = -2 * np.pi * time * frequency
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is not None:
            kernel *= self._window(length)[:, None, None]
        return kernel.astype(default_dtype(dtype))

    def _window(self, length: int) -> np.ndarray:
        if isinstance(self.window, str):
            window = _cosine_window(_WINDOWS[self.window], length, self.periodic)
        else:
            window = np.asarray(self.window, "float64")
        if window.shape != (length,):
            raise ValueError(
                f"STFT: `window` must have one value for each of the {length} steps of "
                f"a frame. Received: a window of shape {shape_text(window.shape)}"
            )
        if self.scaling == "density":
            return window / np.sqrt(np.sum(np.square(window)))
        if self.scaling == "spectrum":
            return window / np.sum(np.abs(window))
        return window

    def get_config(self) -> dict[str, Any]:
        return {
            "side": self.side,
            "window": serialize_keras_object(self.window),
            "periodic": self.periodic,
            "scaling": self.scaling,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "STFT":
        window = deserialize_keras_object(config.get("window", "hann"))
        return cls(**{**config, "window": window})


def _cosine_window(terms: Sequence[float], length: int, periodic: bool) -> np.ndarray:
    turn = 2 * np.pi * np.arange(length) / max(1, length - (not periodic))
    if length == 1:
        return np.ones(1)
    return sum((-1) ** k * a * np.cos(k * turn) for k, a in enumerate(terms))


class _Random(Initializer):
    """What the random initializers share: a seed, and draws of a float type."""

    def __init__(self, seed: Any = None):
        self._given = seed
        if isinstance(seed, dict):  # a SeedGenerator in a config of Keras
            seed = seed.get("config", {}).get("seed")
        if seed is None:
            seed = config.next_seed()
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(
                f"{type(self).__name__}: `seed` must be an integer, not negative, or "
                f"None. Received: seed={self._given!r}"
            )
        self.seed = int(seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": serialize_keras_object(self._given)}

    def _generator(self) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(self.seed))

    def _dtypes(self, dtype: str | None) -> tuple[str, Any]:
        """The type asked for, and the one to draw in: NumPy has no half-size draws."""
        what = f"{type(self).__name__}: `dtype`"
        name = config.float_name(config.floatx() if dtype is None else dtype, what)
        return name, np.float64 if name == "float64" else np.float32

    def _uniform(self, shape: Shape, low: float, high: float, dtype: str | None):
        name, draw = self._dtypes(dtype)
        values = self._generator().random(shape, draw)
        values *= high - low
        values += low
        return values.astype(name, copy=False)

    def _normal(self, shape: Shape, mean: float, stddev: float, dtype: str | None):
        name, draw = self._dtypes(dtype)
        values = self._generator().standard_normal(shape, draw)
        values *= stddev
        values += mean
        return values.astype(name, copy=False)

    def _truncated_normal(
        self, shape: Shape, mean: float, stddev: float, dtype: str | None
    ):
        name, draw = self._dtypes(dtype)
        generator = self._generator()
        values = generator.standard_normal(math.prod(shape), draw)
        (far,) = np.nonzero(np.abs(values) > 2)
        while far.size:
            values[far] = generator.standard_normal(far.size, draw)
            far = far[np.abs(values[far]) > 2]
        values *= stddev
        values += mean
        return values.reshape(shape).astype(name, copy=False)


@family.add("normal")
class RandomNormal(_Random):
    """Normal distribution.

    Args:
        mean: its mean.
        stddev: its standard deviation.
        seed: an integer, not negative; None draws one when the object is made.

    Raises:
        ValueError: for another seed, and when called for a type that is not a float.

    >>> values = RandomNormal(stddev=0.1, seed=0)((1000,))
    >>> bool(abs(values.std() - 0.1) < 0.01)
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        return self._normal(shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@family.add()
class TruncatedNormal(_Random):
    """Normal distribution without its tails: values farther than two standard
    deviations from the mean are drawn again.

    Args:
        mean: mean of the distribution.
        stddev: standard deviation before the tails are cut off; 0.88 of it remain.
        seed: an integer, not negative; None draws one when the object is made.

    Raises:
        ValueError: for another seed, and when called for a type that is not a float.

    >>> values = TruncatedNormal(stddev=0.1, seed=0)((1000,))
    >>> bool(abs(values).max() <= 0.2)
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        return self._truncated_normal(shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@family.add("uniform")
class RandomUniform(_Random):
    """Uniform distribution.

    Args:
        minval: lower end of the range.
        maxval: upper end of the range.
        seed: an integer, not negative; None draws one when the object is made.

    Raises:
        ValueError: for another seed, and when called for a type that is not a float.

    >>> values = RandomUniform(seed=0)((1000,))
    >>> bool(abs(values).max() <= 0.05)
    True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        return self._uniform(shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


@family.add()
class VarianceScaling(_Random):
    """Distribution with mean 0 and variance scale / n, n by the shape of the weight.

    n is the number of inputs of a unit, of its outputs, or their mean. Both count the
    cells of a convolution's window: a kernel (K..., C, F) has prod(K) C inputs and
    prod(K) F outputs.

    Args:
        scale: factor of the variance, above zero.
        mode: `"fan_in"`, `"fan_out"` or `"fan_avg"`: what n is.
        distribution: `"truncated_normal"` (or `"normal"`), `"untruncated_normal"` or
            `"uniform"`.
        seed: an integer, not negative; None draws one when the object is made.
        input_axes: axes of the weight that are inputs, if the rule does not fit.
        output_axes: axes that are outputs; both or neither must be given.

    Raises:
        ValueError: for another scale, word or seed, and when called for a type that is
            not a float.

    >>> kernel = VarianceScaling(2.0, "fan_in", "uniform", seed=0)((100, 50))
    >>> bool(abs(kernel.var() - 2 / 100) < 0.001)
    True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ):
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(
                f"VarianceScaling: `scale` must be above zero. Received: scale={scale}"
            )
        self.scale = scale
        modes = ("fan_in", "fan_out", "fan_avg")
        self.mode = choice(mode, modes, "mode", "VarianceScaling")
        kinds = ("truncated_normal", "untruncated_normal", "uniform", "normal")
        kind = choice(distribution, kinds, "distribution", "VarianceScaling")
        self.distribution = "truncated_normal" if kind == "normal" else kind
        self.input_axes = input_axes
        self.output_axes = output_axes

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        inputs, outputs = compute_fans(shape, self.input_axes, self.output_axes)
        averages = {
            "fan_in": inputs,
            "fan_out": outputs,
            "fan_avg": (inputs + outputs) / 2,
        }
        variance = self.scale / max(1, averages[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return self._uniform(shape, -limit, limit, dtype)
        stddev = math.sqrt(variance)
        if self.distribution == "untruncated_normal":
            return self._normal(shape, 0.0, stddev, dtype)
        return self._truncated_normal(shape, 0.0, stddev / _TRUNCATED_STDDEV, dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Scaled(VarianceScaling):
    """`VarianceScaling` with the scale, mode and distribution of a paper."""

    _rule: tuple[float, str, str]

    def __init__(
        self, seed: Any = None, input_axes: Axes = None, output_axes: Axes = None
    ):
        super().__init__(*self._rule, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {key: config[key] for key in ("seed", "input_axes", "output_axes")}


@family.add()
class GlorotUniform(_Scaled):
    """Uniform up to sqrt(6 / (inputs + outputs)): `VarianceScaling(1, "fan_avg")`.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", 2010.

    >>> kernel = GlorotUniform(seed=0)((100, 50))
    >>> bool(abs(kernel).max() <= (6 / 150) ** 0.5)
    True
    """

    _rule = (1.0, "fan_avg", "uniform")


@family.add()
class GlorotNormal(_Scaled):
    """Truncated normal of deviation sqrt(2 / (inputs + outputs)).

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", 2010.

    >>> kernel = GlorotNormal(seed=0)((100, 50))
    >>> bool(abs(kernel.std() - (2 / 150) ** 0.5) < 0.01)
    True
    """

    _rule = (1.0, "fan_avg", "truncated_normal")


@family.add()
class LecunUniform(_Scaled):
    """Uniform up to sqrt(3 / inputs): `VarianceScaling(1, "fan_in")`.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Source: LeCun et al., "Efficient BackProp", 1998.

    >>> kernel = LecunUniform(seed=0)((100, 50))
    >>> bool(abs(kernel).max() <= (3 / 100) ** 0.5)
    True
    """

    _rule = (1.0, "fan_in", "uniform")


@family.add()
class LecunNormal(_Scaled):
    """Truncated normal of deviation sqrt(1 / inputs); the one for `selu`.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Source: LeCun et al., "Efficient BackProp", 1998.

    >>> kernel = LecunNormal(seed=0)((100, 50))
    >>> bool(abs(kernel.std() - (1 / 100) ** 0.5) < 0.01)
    True
    """

    _rule = (1.0, "fan_in", "truncated_normal")


@family.add()
class HeUniform(_Scaled):
    """Uniform up to sqrt(6 / inputs): `VarianceScaling(2, "fan_in")`.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Source: He et al., "Delving deep into rectifiers", 2015.

    >>> kernel = HeUniform(seed=0)((100, 50))
    >>> bool(abs(kernel).max() <= (6 / 100) ** 0.5)
    True
    """

    _rule = (2.0, "fan_in", "uniform")


@family.add()
class HeNormal(_Scaled):
    """Truncated normal of deviation sqrt(2 / inputs); the one for `relu`.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Source: He et al., "Delving deep into rectifiers", 2015.

    >>> kernel = HeNormal(seed=0)((100, 50))
    >>> bool(abs(kernel.std() - (2 / 100) ** 0.5) < 0.01)
    True
    """

    _rule = (2.0, "fan_in", "truncated_normal")


@family.add("OrthogonalInitializer")
class Orthogonal(_Random):
    """A matrix with orthogonal columns, or rows if there are fewer rows.

    Q of the QR decomposition of a normal random matrix, with the signs that make R's
    diagonal positive, times `gain`. A weight with more than 2 axes is such a matrix of
    prod(shape[:-1]) rows.

    Args:
        gain: length of each column (or row).
        seed: an integer, not negative; None draws one when the object is made.

    Raises:
        ValueError: for another seed, and when called for a type that is not a float or
            a shape with less than 2 axes.

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", 2014.

    >>> matrix = Orthogonal(seed=0)((4, 4))
    >>> bool(np.allclose(matrix.T @ matrix, np.eye(4), atol=1e-6))
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Shape, dtype: str | None = None) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(
                "Orthogonal makes weights of at least 2 axes. "
                f"Received: shape={shape_text(shape)}"
            )
        name, _ = self._dtypes(dtype)
        rows, columns = math.prod(shape[:-1]), shape[-1]
        size = (max(rows, columns), min(rows, columns))
        draws = self._generator().standard_normal(size)
        with single_threaded_blas:  # the same bits on any number of threads
            q, r = np.linalg.qr(draws)
        q *= np.where(np.diag(r) < 0, -self.gain, self.gain)
        matrix = q.T if rows < columns else q
        return np.ascontiguousarray(matrix.reshape(shape), name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}


zeros, ones, constant = Zeros, Ones, Constant
identity = IdentityInitializer = Identity
stft = STFTInitializer = STFT
random_normal, random_uniform = RandomNormal, RandomUniform
truncated_normal, variance_scaling = TruncatedNormal, VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
he_uniform, he_normal = HeUniform, HeNormal
orthogonal = OrthogonalInitializer = Orthogonal


def get(identifier: Any) -> Callable[..., np.ndarray] | None:
    """The initializer meant by a name, config, class, instance, function or array.

    An array stands for a function that returns it, for its own shape only.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if it is none of these.

    >>> get("zeros")((2,))
    array([0., 0.], dtype=float32)
    """
    if isinstance(identifier, np.ndarray | np.generic):
        return _fixed(np.array(identifier))
    return family.get(identifier)


def _fixed(values: np.ndarray) -> Callable[..., np.ndarray]:
    def fixed(shape: Shape, dtype: str | None = None) -> np.ndarray:
        if tuple(shape) != values.shape:
            raise ValueError(
                f"The array given as initializer has shape {shape_text(values.shape)}. "
                f"Received: shape={shape_text(shape)} for the weight."
            )
        return values.astype(default_dtype(dtype))

    return fixed


def serialize(initializer: Any) -> Any:
    """The config of an initializer, for saving."""
    return serialize_member(initializer)


def deserialize(
    config: Any, custom_objects: dict[str, Any] | None = None
) -> Callable[..., np.ndarray]:
    """The initializer a config describes; the reverse of `serialize`."""
    return deserialize_keras_object(config, custom_objects, family)


def compute_fans(
    shape: Shape, input_axes: Axes = None, output_axes: Axes = None
) -> tuple[int, int]:
    """Numbers of inputs and outputs of a unit, by the shape of its weight.

    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    shape = tuple(int(n) for n in shape)
    if input_axes is not None and output_axes is not None:
        inputs = math.prod(shape[axis] for axis in input_axes)
        return inputs, math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]
