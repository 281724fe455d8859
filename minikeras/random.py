"""Random arrays with the functions of `keras.random`.

`seed` is an integer, for the same numbers at each call; a `SeedGenerator`, for other
numbers at each call that repeat from one run to the next; or None, for numbers drawn
from the process-wide seed. They are not the numbers Keras draws from the same seed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.dropout import drop
from minikeras.validation import shape_text

Seed = Any  # int, SeedGenerator or None
Shape = int | Sequence[int]


class SeedGenerator:
    """A stream of seeds: random functions that are given it draw anew at each call.

    Args:
        seed: an integer, not negative; None draws one from the process-wide seed.
        name: name of the generator, for texts only.

    Raises:
        ValueError: for another seed.

    >>> generator = SeedGenerator(7)
    >>> first, second = normal((3,), seed=generator), normal((3,), seed=generator)
    >>> bool((first == second).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None):
        self.seed = _checked(seed, "SeedGenerator")
        self.name = name
        start = config.next_seed() if seed is None else seed
        self._sequence = np.random.SeedSequence(start)

    def next(self) -> int:
        """The next seed."""
        (child,) = self._sequence.spawn(1)
        return int(child.generate_state(1, np.uint64)[0])

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this generator again."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SeedGenerator":
        """A generator from what `get_config` returned."""
        return cls(**config)


def normal(
    shape: Shape,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: Seed = None,
) -> np.ndarray:
    """Normal numbers.

    >>> normal((2, 3), seed=1).shape
    (2, 3)
    """
    draw, dtype = _generator(seed, "normal"), dtype or config.floatx()
    return (draw.standard_normal(shape) * stddev + mean).astype(dtype)


def truncated_normal(
    shape: Shape,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: Seed = None,
) -> np.ndarray:
    """Normal numbers, drawn again where they are over two `stddev` from the mean."""
    draw, dtype = _generator(seed, "truncated_normal"), dtype or config.floatx()
    values = np.atleast_1d(draw.standard_normal(shape))
    while (far := np.abs(values) > 2).any():
        values[far] = draw.standard_normal(int(far.sum()))
    sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    return (values.reshape(sizes) * stddev + mean).astype(dtype)


def uniform(
    shape: Shape,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: Seed = None,
) -> np.ndarray:
    """Numbers spread evenly from `minval` (included) to `maxval` (not included).

    For an integer `dtype` as for `randint`.
    """
    kind = np.dtype(dtype or config.floatx())
    if kind.kind in "iu":
        return randint(shape, int(minval), int(maxval), kind.name, seed)
    draw = _generator(seed, "uniform")
    values = np.asarray(draw.random(shape) * (maxval - minval) + minval).astype(kind)
    below = np.nextafter(kind.type(maxval), kind.type(minval))
    return np.minimum(values, below) if maxval > minval else values


def randint(
    shape: Shape, minval: int, maxval: int, dtype: str = "int32", seed: Seed = None
) -> np.ndarray:
    """Whole numbers from `minval` (included) to `maxval` (not included).

    Raises:
        ValueError: if there is none.

    >>> bool((randint(100, 3, 5) >= 3).all())
    True
    """
    if not minval < maxval:
        raise ValueError(
            "randint: `minval` must be below `maxval`. Received: "
            f"minval={minval!r}, maxval={maxval!r}"
        )
    draw = _generator(seed, "randint")
    return np.asarray(draw.integers(minval, maxval, shape)).astype(dtype)


def categorical(
    logits: Any, num_samples: int, dtype: str = "int32", seed: Seed = None
) -> np.ndarray:
    """Classes drawn with the probabilities softmax(logits), with replacement.

    Args:
        logits: (batch, classes).
        num_samples: how many to draw for each row.

    Returns:
        (batch, num_samples) indices of classes.

    Raises:
        ValueError: if `logits` has another rank.

    >>> categorical([[0.0, 100.0]], 3)
    array([[1, 1, 1]], dtype=int32)
    """
    scores = np.asarray(getval(float_array(logits)), np.float64)
    if scores.ndim != 2:
        raise ValueError(
            "categorical: `logits` must have the shape (batch, classes). "
            f"Received: shape {shape_text(scores.shape)}"
        )
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    edges = np.cumsum(weights, axis=1)
    draw = _generator(seed, "categorical")
    points = draw.random((len(scores), num_samples)) * edges[:, -1:]
    found = [
        np.searchsorted(*row, side="right") for row in zip(edges, points, strict=True)
    ]
    classes = np.asarray(found).reshape(points.shape)
    return np.minimum(classes, scores.shape[1] - 1).astype(dtype)


def dropout(
    inputs: Any, rate: float, noise_shape: Any = None, seed: Seed = None
) -> Array:
    """Numbers set to zero with probability `rate`, the others divided by 1 - rate.

    Args:
        noise_shape: shape of the random mask, which is broadcast to the input; None in
            it stands for the input's size.

    Raises:
        ValueError: if `rate` is outside [0, 1].
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"dropout: `rate` must be from 0 to 1. Received: rate={rate}")
    x = float_array(inputs)
    sizes = x.shape if noise_shape is None else noise_shape
    sizes = [n if m is None else m for n, m in zip(x.shape, sizes, strict=True)]
    return drop(x, rate, _generator(seed, "dropout"), sizes)


def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> np.ndarray:
    """The numbers along an axis in random order, each row in an order of its own."""
    values = np.asarray(getval(convert(x)))
    return _generator(seed, "shuffle").permuted(values, axis=axis)


def gamma(
    shape: Shape, alpha: Any, dtype: str | None = None, seed: Seed = None
) -> np.ndarray:
    """Numbers of the gamma distribution with shape `alpha` and scale 1."""
    draw = _generator(seed, "gamma")
    return np.asarray(draw.gamma(alpha, size=shape)).astype(dtype or config.floatx())


def beta(
    shape: Shape, alpha: Any, beta: Any, dtype: str | None = None, seed: Seed = None
) -> np.ndarray:
    """Numbers of the beta distribution."""
    draw = _generator(seed, "beta")
    return np.asarray(draw.beta(alpha, beta, shape)).astype(dtype or config.floatx())


def binomial(
    shape: Shape,
    counts: Any,
    probabilities: Any,
    dtype: str | None = None,
    seed: Seed = None,
) -> np.ndarray:
    """Numbers of successes in `counts` trials."""
    draw = _generator(seed, "binomial")
    trials = np.asarray(getval(convert(counts))).astype(np.int64)
    found = draw.binomial(trials, np.asarray(getval(convert(probabilities))), shape)
    return np.asarray(found).astype(dtype or config.floatx())


def _generator(seed: Seed, name: str) -> np.random.Generator:
    if isinstance(seed, SeedGenerator):
        number = seed.next()
    else:
        number = config.next_seed() if seed is None else _checked(seed, name)
    return np.random.Generator(np.random.SFC64(number))


def _checked(seed: Any, name: str) -> Any:
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if seed is not None and (not whole or seed < 0):
        raise ValueError(
            f"{name}: `seed` must be an integer, not negative, a SeedGenerator, or "
            f"None. Received: seed={seed!r}"
        )
    return seed
