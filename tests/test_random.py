"""Random arrays: distributions, seeds, errors."""

import numpy as np
import pytest

from minikeras import config, ops, random
from minikeras.training.step import input_gradients

DRAWS = {
    "normal": lambda s: random.normal((40_000,), 2.0, 3.0, seed=s),
    "truncated_normal": lambda s: random.truncated_normal((40_000,), 2.0, 3.0, seed=s),
    "uniform": lambda s: random.uniform((40_000,), -1.0, 3.0, seed=s),
    "randint": lambda s: random.randint((40_000,), 2, 6, seed=s),
    "gamma": lambda s: random.gamma((40_000,), 2.0, seed=s),
    "beta": lambda s: random.beta((40_000,), 2.0, 3.0, seed=s),
    "binomial": lambda s: random.binomial((40_000,), 10, 0.3, seed=s),
    "dropout": lambda s: random.dropout(np.ones(40_000, "float32"), 0.25, seed=s),
    "shuffle": lambda s: random.shuffle(np.arange(40_000.0), seed=s),
}
# Mean and standard deviation, from the distributions' formulas. A normal distribution
# cut at two standard deviations has 0.879626 of its standard deviation left.
MOMENTS = {
    "normal": (2.0, 3.0),
    "truncated_normal": (2.0, 3.0 * 0.879626),
    "uniform": (1.0, 4 / 12**0.5),
    "randint": (3.5, (15 / 12) ** 0.5),
    "gamma": (2.0, 2.0**0.5),
    "beta": (0.4, 0.2),
    "binomial": (3.0, 2.1**0.5),
    "dropout": (1.0, (1 / 0.75 - 1) ** 0.5),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    mean, stddev = MOMENTS[name]
    values = DRAWS[name](5).astype("float64")
    error = stddev / len(values) ** 0.5
    assert abs(values.mean() - mean) < 5 * error
    assert abs(values.std() - stddev) < 0.02 * stddev


@pytest.mark.parametrize("name", DRAWS)
def test_seeds(name):
    draw = DRAWS[name]
    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(3) != draw(4)).any()
    one, two = random.SeedGenerator(3), random.SeedGenerator(3)
    first = draw(one)
    assert (first != draw(one)).any()
    np.testing.assert_array_equal(first, draw(two))
    config.set_random_seed(1)
    first = draw(None)
    assert (first != draw(None)).any()
    config.set_random_seed(1)
    np.testing.assert_array_equal(first, draw(None))


def test_number_types():
    assert random.normal((2,)).dtype == "float32"
    assert random.normal((), dtype="float64").dtype == "float64"
    assert random.uniform((2,), 0, 9, dtype="int32").dtype == "int32"
    assert random.randint((2,), 0, 9).dtype == "int32"
    assert random.categorical([[0.0, 1.0]], 4).dtype == "int32"
    assert random.truncated_normal(5).shape == (5,)
    assert random.truncated_normal(()).shape == ()


def test_uniform_never_reaches_the_upper_end():
    assert random.uniform((100_000,), 0.0, 1.0, "float16", seed=2).max() < 1


def test_categorical_has_the_probabilities_of_the_logits():
    logits = np.log([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0 + 1e-30]])
    drawn = random.categorical(logits, 20_000, seed=4)
    shares = [np.bincount(row, minlength=3) / 20_000 for row in drawn]
    np.testing.assert_allclose(shares, np.exp(logits), atol=0.015)


def test_shuffle_moves_each_row_by_itself():
    x = np.arange(200).reshape(2, 100)
    moved = random.shuffle(x, axis=1, seed=1)
    np.testing.assert_array_equal(np.sort(moved, axis=1), x)
    assert (moved[0] + 100 != moved[1]).any()


def test_dropout_is_differentiable_and_takes_a_noise_shape():
    x = np.ones((4, 5), "float32")
    dropped = random.dropout(x, 0.5, (None, 1), seed=3)
    assert (dropped == dropped[:, :1]).all()
    _, (gradient,) = input_gradients(
        lambda x: ops.sum(random.dropout(x, 0.5, (None, 1), seed=3)), x
    )
    np.testing.assert_array_equal(gradient, dropped)


def test_generator_goes_round_its_config():
    generator = random.SeedGenerator(5)
    again = random.SeedGenerator.from_config(generator.get_config())
    assert generator.next() == again.next()
    assert generator.next() != random.SeedGenerator(5).next()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random.normal((2,), seed=-1), "normal: `seed` must be an integer"),
        (lambda: random.SeedGenerator("a"), "SeedGenerator: `seed` must be"),
        (lambda: random.randint((2,), 3, 3), "randint: `minval` must be below"),
        (lambda: random.categorical([1.0], 2), "categorical: `logits` must have"),
        (lambda: random.dropout([1.0], 1.5), "dropout: `rate` must be from 0 to 1"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
