"""Noise in training: its statistics over many draws, its seeds, its gradients."""

import copy

import numpy as np
import pytest

import minikeras as keras
from minikeras.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from minikeras.training.step import backpropagate

NOISE = [
    (Dropout, {"rate": 0.4}),
    (SpatialDropout1D, {"rate": 0.4}),
    (GaussianNoise, {"stddev": 0.4}),
    (GaussianDropout, {"rate": 0.4}),
    (AlphaDropout, {"rate": 0.4}),
    (AlphaDropout, {"rate": 0.4, "noise_shape": (None, 1, None)}),
]
every_noise = pytest.mark.parametrize("cls, arguments", NOISE)


def batch(dtype="float32"):
    return np.random.default_rng(0).normal(size=(6, 5, 4)).astype(dtype)


def near(found, expected, spread, count):
    """Whether a mean of `count` draws with this standard deviation is as expected."""
    return abs(found - expected) < 5 * spread / np.sqrt(count)


# What holds for all -----------------------------------------------------------------


@every_noise
def test_nothing_happens_outside_training(cls, arguments):
    layer, x = cls(**arguments), batch()
    assert layer(x) is x
    assert layer(x, training=False) is x
    assert not np.array_equal(layer(x, training=True), x)
    assert layer.compute_output_shape((None, 5, 4)) == (None, 5, 4)


@every_noise
def test_no_noise_for_a_rate_of_zero(cls, arguments):
    x = batch()
    zero = {key: 0 for key in arguments if key != "noise_shape"}
    assert cls(**zero)(x, training=True) is x


@every_noise
def test_two_draws_differ_and_a_seed_repeats_them(cls, arguments):
    x = batch()
    layer, again = cls(**arguments, seed=7), cls(**arguments, seed=np.int64(7))
    first, second = layer(x, training=True), layer(x, training=True)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(again(x, training=True), first)
    np.testing.assert_array_equal(again(x, training=True), second)
    other = cls(**arguments, seed=8)(x, training=True)
    assert not np.array_equal(other, first)


@every_noise
def test_the_process_wide_seed_repeats_everything_bit_for_bit(cls, arguments):
    def run():
        keras.utils.set_random_seed(5)
        layers = [cls(**arguments), cls(**arguments)]
        return [layer(batch(), training=True) for layer in layers for _ in range(2)]

    first, second = run(), run()
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], first[2])  # two layers, two streams


@every_noise
def test_drawing_does_not_use_numpys_global_generator(cls, arguments):
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    cls(**arguments)(batch(), training=True)
    assert np.random.random() == expected


@every_noise
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_number_types(cls, arguments, dtype):
    layer = cls(**arguments, dtype=dtype)
    for training in (False, True):
        assert layer(batch(dtype), training=training).dtype == dtype
        integers = layer(np.ones((6, 5, 4), "int32"), training=training)
        assert integers.dtype == dtype


@every_noise
def test_the_input_is_not_written_into(cls, arguments):
    x = batch()
    x.flags.writeable = False
    cls(**arguments)(x, training=True)


@every_noise
def test_gradients_are_the_factors_of_the_input(cls, arguments):
    layer = cls(**arguments)
    generator = copy.deepcopy(layer._generator)
    x = keras.Variable(batch("float64"))

    def loss():
        y = layer(x * 1.0, training=True)
        return keras.ops.sum(y), None

    layer.dtype = "float64"
    _, _, (gradient,) = backpropagate(loss, [x])
    slopes = []
    for shift in (1.0, -1.0):  # every noise here is linear in the input
        layer._generator = copy.deepcopy(generator)
        slopes.append(layer(batch("float64") + shift, training=True))
    np.testing.assert_allclose(gradient, (slopes[0] - slopes[1]) / 2, atol=1e-12)


@every_noise
def test_config_round_trip(cls, arguments):
    layer = cls(**arguments, seed=3, name="it")
    again = cls.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = batch()
    np.testing.assert_array_equal(again(x, training=True), layer(x, training=True))


@every_noise
@pytest.mark.parametrize("seed", [-1, 1.5, "one", True])
def test_wrong_seeds(cls, arguments, seed):
    with pytest.raises(ValueError, match=f"{cls.__name__}: `seed` must be an integer"):
        cls(**arguments, seed=seed)


@pytest.mark.parametrize("value", [-0.1, 1.1, "0.5", None, float("nan"), True])
@every_noise
def test_wrong_rates(cls, arguments, value):
    name = next(iter(arguments))
    message = f"{cls.__name__}: `{name}` must be a number from 0 to .*{name}={value!r}"
    with pytest.raises(ValueError, match=message):
        cls(**{**arguments, name: value})


# Dropout ----------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.8])
def test_dropout_share_and_mean(rate):
    x = np.ones((400, 500), "float32")
    y = Dropout(rate, seed=1)(x, training=True)
    assert near((y == 0).mean(), rate, np.sqrt(rate * (1 - rate)), y.size)
    assert near(y.mean(dtype="float64"), 1, np.sqrt(rate / (1 - rate)), y.size)
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - rate)], rtol=1e-6)


@pytest.mark.parametrize("cls", [Dropout, AlphaDropout])
def test_noise_shape_shares_the_mask(cls):
    x = np.random.default_rng(0).normal(size=(40, 5, 30)).astype("float32")
    low = cls(0.5)(np.full((99, 9), 5, "float32"), training=True).min()
    y = cls(0.5, noise_shape=(None, 1, 30))(x, training=True)
    dropped = np.isclose(y, low, atol=1e-5)
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 5, axis=1))
    assert near(dropped[:, 0].mean(), 0.5, 0.5, 1200)


@pytest.mark.parametrize("cls", [Dropout, AlphaDropout])
def test_wrong_noise_shapes(cls):
    for shape in ((0, 1), (1.5,), 3, "ab"):
        with pytest.raises(ValueError, match="`noise_shape` must be a tuple of"):
            cls(0.5, noise_shape=shape)
    for shape in ((2,), (6, 5, 2), (None, None, None, 1), (1, 1, 8)):
        with pytest.raises(ValueError, match=r"1, the input's size or None.*\(6, 5, 4"):
            cls(0.5, noise_shape=shape)(batch(), training=True)


# Whole channels ---------------------------------------------------------------------


SPATIAL = [
    (SpatialDropout1D, {}, (60, 7, 50), (1,)),
    (SpatialDropout2D, {}, (60, 3, 4, 50), (1, 2)),
    (SpatialDropout2D, {"data_format": "channels_first"}, (60, 50, 3, 4), (2, 3)),
    (SpatialDropout3D, {}, (60, 2, 3, 2, 50), (1, 2, 3)),
    (SpatialDropout3D, {"data_format": "channels_first"}, (60, 50, 2, 3, 2), (2, 3, 4)),
]


@pytest.mark.parametrize("cls, arguments, shape, axes", SPATIAL)
@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_channels_are_dropped_whole(cls, arguments, shape, axes, rate):
    x = np.random.default_rng(0).uniform(1, 2, shape).astype("float32")
    y = cls(rate, **arguments, seed=2)(x, training=True)
    none, every = (y == 0).any(axis=axes), (y == 0).all(axis=axes)
    np.testing.assert_array_equal(none, every)
    assert every.shape == (60, 50)
    assert near(every.mean(), rate, np.sqrt(rate * (1 - rate)), every.size)
    kept = y != 0
    np.testing.assert_allclose(y[kept], (x / (1 - rate))[kept], rtol=1e-6)
    drops = every.mean(axis=0), every.mean(axis=1)  # samples and channels differ
    assert all(0 < d.min() and d.max() < 1 and np.ptp(d) > 0 for d in drops)


@pytest.mark.parametrize("cls, arguments, shape, axes", SPATIAL)
def test_spatial_dropout_knows_its_rank(cls, arguments, shape, axes):
    with pytest.raises(ValueError, match=f"{len(shape)} axes"):
        cls(0.5)(np.ones((2, 3)))


def test_spatial_dropout_follows_the_default_layout():
    keras.config.set_image_data_format("channels_first")
    try:
        assert SpatialDropout2D(0.5).data_format == "channels_first"
        assert SpatialDropout1D(0.5).noise_shape == (None, 1, None)
    finally:
        keras.config.set_image_data_format("channels_last")
    with pytest.raises(ValueError, match="`data_format`"):
        SpatialDropout2D(0.5, "channels")


# Normal numbers ---------------------------------------------------------------------


@pytest.mark.parametrize("stddev", [0.1, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gaussian_noise_moments(stddev, dtype):
    x = np.full((300, 400), 3, dtype)
    noise = GaussianNoise(stddev, seed=1, dtype=dtype)(x, training=True) - x
    noise = noise.astype("float64") / stddev
    assert near(noise.mean(), 0, 1, noise.size)
    assert near((noise**2).mean(), 1, np.sqrt(2), noise.size)
    assert near((noise**3).mean(), 0, np.sqrt(15), noise.size)
    assert near((noise**4).mean(), 3, np.sqrt(96), noise.size)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_gaussian_dropout_moments(rate):
    x = np.full((300, 400), 2, "float32")
    factors = (GaussianDropout(rate, seed=1)(x, training=True) / 2).astype("float64")
    spread = np.sqrt(rate / (1 - rate))
    z = (factors - 1) / spread
    assert near(z.mean(), 0, 1, z.size)
    assert near((z**2).mean(), 1, np.sqrt(2), z.size)
    assert near((z**4).mean(), 3, np.sqrt(96), z.size)


# Alpha dropout ----------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.8])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    x = np.random.default_rng(3).normal(size=(700, 800))
    y = AlphaDropout(rate, seed=1, dtype="float64")(x, training=True)
    assert near(y.mean(), 0, 1, y.size)
    assert abs(y.var() - 1) < 0.01
    lowest = -1.7580993408473766  # -scale alpha of Klambauer et al.
    a = ((1 - rate) * (1 + rate * lowest**2)) ** -0.5
    b = -a * rate * lowest
    dropped = np.isclose(y, a * lowest + b, rtol=0, atol=1e-12)
    assert near(dropped.mean(), rate, np.sqrt(rate * (1 - rate)), y.size)
    np.testing.assert_allclose(y[~dropped], (a * x + b)[~dropped], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cls", [AlphaDropout, GaussianDropout])
def test_a_rate_of_one_would_be_infinite(cls):
    with pytest.raises(ValueError, match="less than 1, where the noise would be inf"):
        cls(1)


# Activity ---------------------------------------------------------------------------


def test_activity_regularization_adds_to_the_loss():
    x = batch()
    layer = ActivityRegularization(l1=0.5, l2=0.25)
    assert layer(x) is x
    expected = (0.5 * np.abs(x).sum() + 0.25 * np.square(x).sum()) / len(x)
    np.testing.assert_allclose(float(layer.losses[0]), expected, rtol=1e-6)
    model = keras.Sequential([keras.Input((5, 4)), layer])
    model.compile("sgd", "mse")
    found = model.evaluate(x, x, batch_size=len(x), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("factor", [-1, float("inf"), "1"])
def test_wrong_factors(factor):
    with pytest.raises(ValueError, match="`l1` must be a finite number"):
        ActivityRegularization(l1=factor)
    with pytest.raises(ValueError, match="`l2` must be a finite number"):
        ActivityRegularization(l2=factor)
