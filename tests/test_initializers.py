"""Initializers by their moments, seeds, configs and messages."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from minikeras import config, initializers

GOLDEN = json.loads((Path(__file__).parent / "golden/activations.json").read_text())
SHAPE = (400, 300)
TRUNCATED = 0.87962566103423978  # deviation of a normal variable cut off at -2 and 2
RANDOM = [
    *("RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"),
    *("GlorotUniform", "GlorotNormal", "LecunUniform", "LecunNormal"),
    *("HeUniform", "HeNormal", "Orthogonal"),
]


def normal(deviation):
    return deviation, math.inf


def truncated(deviation):
    """Deviation after the cut, and the farthest value."""
    return deviation, 2 * deviation / TRUNCATED


def uniform(limit):
    return limit / math.sqrt(3), limit


MOMENTS = [
    ("RandomNormal", {"mean": 0.5, "stddev": 0.2}, normal(0.2)),
    ("TruncatedNormal", {"mean": 0.5, "stddev": 0.2}, (0.2 * TRUNCATED, 0.4)),
    ("RandomUniform", {"minval": 0.4, "maxval": 0.6}, uniform(0.1)),
    ("GlorotUniform", {}, uniform(math.sqrt(6 / 700))),
    ("GlorotNormal", {}, truncated(math.sqrt(2 / 700))),
    ("LecunUniform", {}, uniform(math.sqrt(3 / 400))),
    ("LecunNormal", {}, truncated(math.sqrt(1 / 400))),
    ("HeUniform", {}, uniform(math.sqrt(6 / 400))),
    ("HeNormal", {}, truncated(math.sqrt(2 / 400))),
    (
        "VarianceScaling",
        {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"},
        uniform(math.sqrt(9 / 300)),
    ),
    (
        "VarianceScaling",
        {"scale": 3.0, "mode": "fan_avg", "distribution": "untruncated_normal"},
        normal(math.sqrt(3 / 350)),
    ),
    (
        "VarianceScaling",
        {"mode": "fan_in", "distribution": "normal"},
        truncated(math.sqrt(1 / 400)),
    ),
    (
        "VarianceScaling",
        {"input_axes": [1], "output_axes": [0]},
        truncated(math.sqrt(1 / 300)),
    ),
]


@pytest.mark.parametrize("name, arguments, expected", MOMENTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_moments(name, arguments, expected, dtype):
    deviation, farthest = expected
    mean = 0.5 if arguments.keys() & {"mean", "minval"} else 0.0
    values = getattr(initializers, name)(seed=1, **arguments)(SHAPE, dtype)
    assert values.shape == SHAPE
    assert values.dtype == dtype
    values = values.astype("float64")
    error = 5 * deviation / math.sqrt(values.size)  # of a mean of that many draws
    assert abs(values.mean() - mean) < error
    assert abs(values.std() / deviation - 1) < 0.01
    rounding = 1e-3 if dtype == "float16" else 1e-6
    assert np.abs(values - mean).max() <= farthest * (1 + rounding) + rounding
    if math.isfinite(farthest):
        assert np.abs(values - mean).max() > 0.99 * farthest


@pytest.mark.parametrize("shape, fans", GOLDEN["fans"])
def test_fans_are_those_of_keras(shape, fans):
    assert initializers.compute_fans(shape) == tuple(fans)


def test_convolution_kernels_count_the_window():
    values = initializers.HeUniform(seed=0)((5, 5, 16, 64))
    limit = math.sqrt(6 / (25 * 16))
    assert 0.99 * limit < np.abs(values).max() <= limit


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    cls = getattr(initializers, name)
    one = cls(seed=5)
    np.testing.assert_array_equal(one(SHAPE), one(SHAPE))
    np.testing.assert_array_equal(one(SHAPE), cls(seed=5)(SHAPE))
    np.testing.assert_array_equal(one(SHAPE), one.clone()(SHAPE))
    assert not np.array_equal(one(SHAPE), cls(seed=6)(SHAPE))
    assert one.get_config()["seed"] == 5


@pytest.mark.parametrize("name", RANDOM)
def test_without_a_seed_each_instance_draws_one(name):
    cls = getattr(initializers, name)
    config.set_random_seed(3)
    first, second = cls(), cls()
    np.testing.assert_array_equal(first(SHAPE), first(SHAPE))
    assert not np.array_equal(first(SHAPE), second(SHAPE))
    assert first.get_config()["seed"] is None
    config.set_random_seed(3)
    np.testing.assert_array_equal(first(SHAPE), cls()(SHAPE))


@pytest.mark.parametrize(
    "shape", [(6, 6), (8, 5), (5, 8), (3, 3, 4, 16), (2, 2, 2, 64)]
)
def test_orthogonal(shape):
    values = initializers.Orthogonal(gain=2.0, seed=0)(shape)
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    matrix = values.reshape(-1, shape[-1])
    if len(matrix) < shape[-1]:
        matrix = matrix.T
    products = matrix.T @ matrix
    np.testing.assert_allclose(products, 4 * np.eye(len(products)), atol=1e-5)


def test_orthogonal_matrices_are_spread_evenly():
    """Without the signs of R's diagonal, the first entry would never be positive."""
    first = [initializers.Orthogonal(seed=s)((3, 3))[0, 0] for s in range(200)]
    assert abs(np.mean(first)) < 0.2
    assert abs(np.mean(np.square(first)) - 1 / 3) < 0.1


def test_constants():
    np.testing.assert_array_equal(initializers.Zeros()((2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.Ones()((2, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(initializers.Constant(3)((2,)), [3, 3])
    rows = initializers.Constant(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(rows((2, 2)), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(rows.clone()((2, 2)), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(
        initializers.Identity(2)((2, 3)), [[2, 0, 0], [0, 2, 0]]
    )
    for name in ("Zeros", "Ones", "Constant", "Identity"):
        make = initializers.get(name)
        assert make((2, 3)).dtype == np.float32
        assert make((2, 3), "float64").dtype == np.float64
        assert make((2, 3), "int32").dtype == np.int32


@pytest.mark.parametrize("case", GOLDEN["stft"], ids=lambda c: str(c["arguments"]))
def test_stft_is_that_of_keras(case):
    values = initializers.STFT(*case["arguments"])((6, 1, 5), "float64")
    np.testing.assert_allclose(values, case["value"], atol=1e-6)  # float32 angles


def test_stft_with_own_window_and_of_one_step():
    window = np.array([1.0, 2.0, 1.0])
    make = initializers.STFT("real", window, scaling="spectrum")
    np.testing.assert_allclose(make((3, 1, 2))[:, 0, 0], window / 4)
    np.testing.assert_allclose(make.clone()((3, 1, 2)), make((3, 1, 2)))
    np.testing.assert_array_equal(initializers.STFT()((1, 1, 1)), [[[1]]])


@pytest.mark.parametrize("written", GOLDEN["initializers"], ids=str)
def test_configs_of_keras_load_and_come_back(written):
    loaded = initializers.deserialize(written)
    again = initializers.serialize(loaded)
    if written["class_name"] == "Identity":  # Keras forgets its gain
        assert again.pop("config") == {"gain": 1.0}
        assert written.pop("config") == {}
    assert again == written
    assert type(initializers.get(written)) is type(loaded)


def test_a_seed_generator_in_a_config_of_keras_gives_its_seed():
    seed = {"class_name": "SeedGenerator", "config": {"seed": 9, "name": "s"}}
    loaded = initializers.deserialize(
        {"class_name": "HeNormal", "config": {"seed": seed}}
    )
    np.testing.assert_array_equal(loaded((3, 2)), initializers.HeNormal(9)((3, 2)))
    assert loaded.get_config()["seed"] == seed


def test_names():
    members = {
        **dict(zeros="Zeros", zero="Zeros", ones="Ones", one="Ones"),
        **dict(constant="Constant", identity="Identity", stft="STFT"),
        **dict(IdentityInitializer="Identity", STFTInitializer="STFT"),
        **dict(OrthogonalInitializer="Orthogonal", orthogonal="Orthogonal"),
        **dict(normal="RandomNormal", uniform="RandomUniform"),
        **dict(random_normal="RandomNormal", random_uniform="RandomUniform"),
        **dict(truncated_normal="TruncatedNormal", variance_scaling="VarianceScaling"),
        **dict(glorot_uniform="GlorotUniform", glorot_normal="GlorotNormal"),
        **dict(lecun_uniform="LecunUniform", lecun_normal="LecunNormal"),
        **dict(he_uniform="HeUniform", he_normal="HeNormal"),
    }
    for alias, name in members.items():
        cls = getattr(initializers, name)
        assert type(initializers.get(alias)) is cls
        assert type(initializers.get(name)) is cls
        if alias not in ("zero", "one", "normal", "uniform"):
            assert getattr(initializers, alias) is cls


def test_get():
    assert initializers.get(None) is None
    assert type(initializers.get(initializers.Ones)) is initializers.Ones
    ones = initializers.Ones()
    assert initializers.get(ones) is ones
    assert initializers.get(np.zeros) is np.zeros
    values = np.arange(6.0).reshape(2, 3)
    make = initializers.get(values)
    values[0] = 7  # a copy was taken
    np.testing.assert_array_equal(make((2, 3)), [[0, 1, 2], [3, 4, 5]])
    assert make((2, 3)).dtype == np.float32
    assert initializers.get(np.float64(2))(()) == 2


def test_own_initializer():
    class Twos(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 2.0, dtype)

    written = initializers.serialize(Twos())
    loaded = initializers.deserialize(written, custom_objects={"Twos": Twos})
    np.testing.assert_array_equal(loaded((2,)), [2, 2])


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: initializers.get("glorot"),
            ValueError,
            "Unknown initializer: 'glorot'",
        ),
        (lambda: initializers.get(3), TypeError, "Expected the initializer as a name"),
        (
            lambda: initializers.get(np.ones((2, 3)))((3, 2)),
            ValueError,
            "The array given as initializer has shape (2, 3). Received: shape=(3, 2)",
        ),
        (
            lambda: initializers.Initializer()((2,)),
            NotImplementedError,
            "Initializer must define `__call__(self, shape, dtype=None)`",
        ),
        (
            lambda: initializers.Identity()((2, 2, 2)),
            ValueError,
            "Identity makes matrices (2 axes). Received: shape=(2, 2, 2)",
        ),
        (
            lambda: initializers.Orthogonal()((2,)),
            ValueError,
            "Orthogonal makes weights of at least 2 axes. Received: shape=(2,)",
        ),
        (
            lambda: initializers.HeNormal(seed="x"),
            ValueError,
            "HeNormal: `seed` must be an integer, not negative, or None. Received: "
            "seed='x'",
        ),
        (
            lambda: initializers.RandomNormal(seed=-1),
            ValueError,
            "RandomNormal: `seed` must be an integer, not negative, or None. Received: "
            "seed=-1",
        ),
        (
            lambda: initializers.RandomUniform()((2,), "int32"),
            ValueError,
            "RandomUniform: `dtype` must be one of float16, float32, float64",
        ),
        (
            lambda: initializers.VarianceScaling(0),
            ValueError,
            "VarianceScaling: `scale` must be above zero. Received: scale=0",
        ),
        (
            lambda: initializers.VarianceScaling(mode="fan"),
            ValueError,
            "VarianceScaling: `mode` must be one of 'fan_in', 'fan_out', 'fan_avg'. "
            "Received: mode='fan'",
        ),
        (
            lambda: initializers.VarianceScaling(distribution="cauchy"),
            ValueError,
            "VarianceScaling: `distribution` must be one of",
        ),
        (
            lambda: initializers.STFT("left"),
            ValueError,
            "STFT: `side` must be one of 'real', 'imag'. Received: side='left'",
        ),
        (
            lambda: initializers.STFT(window="kaiser"),
            ValueError,
            "STFT: `window` must be one of",
        ),
        (
            lambda: initializers.STFT(scaling="none"),
            ValueError,
            "STFT: `scaling` must be one of 'density', 'spectrum'.",
        ),
        (
            lambda: initializers.STFT()((3, 4)),
            ValueError,
            "STFT makes kernels of shape (frame length, 1, frequencies). Received: "
            "shape=(3, 4)",
        ),
        (
            lambda: initializers.STFT(window=[1.0, 2.0])((3, 1, 4)),
            ValueError,
            "STFT: `window` must have one value for each of the 3 steps of a frame. "
            "Received: a window of shape (2,)",
        ),
    ],
)
def test_messages(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
