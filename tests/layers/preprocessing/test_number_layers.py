"""Rescaling, Normalization, Discretization and CategoryEncoding beyond the golden."""

import numpy as np
import pytest
from autograd.test_util import check_grads

import minikeras as keras
from minikeras import config
from minikeras.layers import (
    CategoryEncoding,
    Dense,
    Discretization,
    Normalization,
    Rescaling,
)


@pytest.fixture
def channels_first():
    config.set_image_data_format("channels_first")
    yield
    config.set_image_data_format("channels_last")


class Pages:
    """Batches by index, as Keras' PyDataset has them."""

    def __init__(self, array, size):
        self.parts = [array[i : i + size] for i in range(0, len(array), size)]

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        if index >= len(self):
            raise AssertionError("asked for more than there is")
        return self.parts[index], np.zeros(len(self.parts[index]))


def table(rows=40, columns=3):
    return np.random.default_rng(0).normal(2, 3, (rows, columns))


# Rescaling --------------------------------------------------------------------------


def test_rescaling_goes_along_the_channels(channels_first):
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    y = Rescaling([1.0, 10.0], offset=[0.0, 5.0])(x)
    expected = x * np.reshape([1, 10], (1, 2, 1, 1)) + np.reshape([0, 5], (1, 2, 1, 1))
    np.testing.assert_allclose(y, expected)


def test_rescaling_types():
    assert Rescaling(0.5)(np.arange(3, dtype="uint8")).dtype == np.float32
    assert Rescaling(0.5, dtype="float64")(np.arange(3)).dtype == np.float64
    check_grads(Rescaling([2.0, 3.0], 1.0, dtype="float64"), order=2)(table(4, 2))


def test_rescaling_keeps_arrays_in_its_config():
    layer = Rescaling(np.array([1.0, 2.0]), offset=np.float32(0.5))
    again = Rescaling.from_config(layer.get_config())
    np.testing.assert_array_equal(again.scale, layer.scale)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("arguments", [{"scale": "1"}, {"scale": 1, "offset": None}])
def test_rescaling_refuses_what_is_no_number(arguments):
    with pytest.raises(ValueError, match="must be a number or an array of numbers"):
        Rescaling(**arguments)


# Normalization ----------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, None, 0, (0, 1)])
@pytest.mark.parametrize("invert", [False, True])
def test_normalization_gradients(axis, invert):
    layer = Normalization(axis, invert=invert, dtype="float64")
    x = table(5, 2)
    layer.adapt(x)
    check_grads(layer, order=2)(x)


@pytest.mark.parametrize("kind", ["generator", "list", "dataset", "tuples"])
def test_normalization_learns_the_same_from_batches(kind):
    x = table(41)
    parts = [x[:1], x[1:20], x[20:]]
    data = {
        "generator": (part for part in parts),
        "list": parts,
        "dataset": Pages(x, 7),
        "tuples": ((part, part, part) for part in parts),
    }[kind]
    layer = Normalization()
    layer.adapt(data)
    weights = [v.numpy() for v in layer.weights]
    np.testing.assert_allclose(weights[0], x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(weights[1], x.var(0), rtol=1e-6)
    assert weights[2] == 0


def test_normalization_is_exact_far_from_zero():
    x = (1e4 + np.arange(4000.0) % 2).astype("float32")[:, None]
    layer = Normalization()
    layer.adapt(x)
    np.testing.assert_allclose(layer.adapt_variance, [0.25], rtol=1e-6)


def test_normalization_of_a_batch_without_features():
    x = np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(
        Normalization(mean=1.0, variance=4.0)(x), [0, 0.5, 1.5], rtol=1e-6
    )
    layer = Normalization()
    layer.adapt(x)  # each index of the batch for itself
    assert layer.mean.shape == (3,)
    np.testing.assert_array_equal(layer(x), [0, 0, 0])


def test_normalization_before_and_after_adapt():
    layer = Normalization()
    assert layer.mean is None and layer.variance is None
    x = table()
    np.testing.assert_array_equal(layer(x), x.astype("float32"))  # mean 0, variance 1
    layer.adapt(x)
    assert layer.mean.shape == layer.variance.shape == (1, 3)
    np.testing.assert_allclose(layer(x).mean(0), 0, atol=1e-6)
    layer.adapt(x * 0)
    layer.finalize_state()
    np.testing.assert_array_equal(layer(x * 0), np.zeros_like(x))
    layer.set_weights([np.ones(3), np.full(3, 4.0), np.array(0)])
    np.testing.assert_allclose(layer(x * 0 + 2), np.full_like(x, 0.5))


def test_normalization_inside_a_model():
    x = table(64)
    layer = Normalization()
    layer.adapt(x)
    model = keras.Sequential([layer, Dense(1)])
    model.compile("sgd", "mse")
    before = layer.get_weights()
    losses = model.fit(x, x[:, :1], epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [v.trainable for v in model.weights[-5:]].count(False) == 3
    again = keras.Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        again.predict(x, verbose=0), model.predict(x, verbose=0)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": 1.0}, "must be given together"),
        ({"variance": 1.0}, "must be given together"),
        ({"mean": [1.0], "variance": [1.0, 2.0]}, "must have the same shape"),
        ({"mean": [[1.0]], "variance": [[1.0]]}, "at most 1 axes"),
        ({"mean": "1", "variance": 1.0}, "must be a number or an array"),
        ({"axis": 1.5}, "`axis` must be a whole number"),
    ],
)
def test_normalization_refuses_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Normalization(**arguments)


def test_normalization_refuses_shapes():
    with pytest.raises(ValueError, match="out of range"):
        Normalization(axis=2)(table())
    with pytest.raises(ValueError, match="sizes of axis"):
        Normalization().build((None, None))
    with pytest.raises(ValueError, match="do not fit"):
        Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])(table())


def test_normalization_refuses_data():
    layer = Normalization()
    layer.adapt(table())
    before = layer.get_weights()
    with pytest.raises(ValueError, match="Expected 2 axes"):
        layer.adapt(table(4, 5))
    with pytest.raises(ValueError, match="Expected 2 axes"):
        layer.adapt([table(), table(4, 5)])
    with pytest.raises(ValueError, match="no samples"):
        layer.adapt(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="no batches"):
        layer.adapt([])
    with pytest.raises(TypeError, match="yields arrays"):
        layer.adapt([[1.0, 2.0, 3.0]])
    with pytest.raises(TypeError, match="yields batches"):
        layer.adapt(object())
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(ValueError, match="made with `mean`"):
        Normalization(mean=1.0, variance=1.0).adapt(table())


# Discretization ---------------------------------------------------------------------


def test_discretization_cuts_into_equal_parts():
    x = np.random.default_rng(0).normal(size=20000)
    layer = Discretization(num_bins=4)
    layer.adapt(x)
    counts = np.bincount(layer(x), minlength=4) / x.size
    np.testing.assert_allclose(counts, 0.25, atol=0.01)
    batches = Discretization(num_bins=4)
    batches.adapt((x[i : i + 500] for i in range(0, x.size, 500)), steps=20)
    half = Discretization(num_bins=4)
    for i in range(0, 10000, 500):
        half.update_state(x[i : i + 500])
    half.finalize_state()
    assert batches.bin_boundaries == half.bin_boundaries
    again = Discretization.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x), layer(x))


def test_discretization_steps_of_a_generator_leave_the_rest():
    data = iter([np.arange(4.0), np.arange(4.0), np.arange(9.0)])
    Discretization(num_bins=2).adapt(data, steps=2)
    assert next(data).size == 9


def test_discretization_of_whole_numbers_and_nan():
    layer = Discretization([0.5, 2])
    np.testing.assert_array_equal(layer(np.array([0, 1, 2])), [0, 1, 2])
    np.testing.assert_array_equal(layer(np.array([np.nan, -np.inf])), [2, 0])
    assert layer.compute_output_shape((None, 3)) == (None, 3)
    layer = Discretization(num_bins=7, output_mode="one_hot")
    assert layer.compute_output_shape((None, 3)) == (None, 3, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs `bin_boundaries`, or `num_bins`"),
        ({"bin_boundaries": [1.0], "num_bins": 2}, "needs `bin_boundaries`"),
        ({"bin_boundaries": [2.0, 1.0]}, "ascending"),
        ({"bin_boundaries": [1.0, np.nan]}, "ascending"),
        ({"bin_boundaries": [[1.0]]}, "ascending"),
        ({"bin_boundaries": ["a"]}, "ascending"),
        ({"num_bins": 0}, "positive integer"),
        ({"num_bins": 2, "epsilon": 0.0}, "`epsilon`"),
        ({"num_bins": 2, "output_mode": "tf_idf"}, "`output_mode` must be one of"),
        ({"num_bins": 2, "output_mode": "one_hot", "sparse": True}, "not offered"),
    ],
)
def test_discretization_refuses_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Discretization(**arguments)


def test_discretization_refuses_data():
    layer = Discretization(num_bins=3)
    with pytest.raises(ValueError, match="no boundaries yet"):
        layer(np.arange(3.0))
    with pytest.raises(ValueError, match="no numbers"):
        layer.adapt([])
    with pytest.raises(ValueError, match="NaN"):
        layer.adapt(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="`steps` counts"):
        layer.adapt(np.arange(3.0), steps=1)
    with pytest.raises(ValueError, match="made with"):
        Discretization([1.0]).adapt(np.arange(3.0))


# CategoryEncoding -------------------------------------------------------------------


@pytest.mark.parametrize("x", [[0, 4], [-1, 0], [0.5, 1.0], ["a", "b"], [np.nan, 1.0]])
def test_category_encoding_refuses_what_is_no_category(x):
    with pytest.raises(ValueError, match="must hold whole numbers"):
        CategoryEncoding(4)(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`num_tokens` must be set"),
        ({"num_tokens": 0}, "positive integer"),
        ({"num_tokens": 2, "output_mode": "int"}, "`output_mode` must be one of"),
        ({"num_tokens": 2, "sparse": True}, "`sparse` is not offered"),
    ],
)
def test_category_encoding_refuses_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CategoryEncoding(**arguments)


def test_category_encoding_weights():
    x, weights = np.array([[0, 1]]), np.array([[2.0, 3.0]])
    with pytest.raises(ValueError, match="belongs to output_mode='count'"):
        CategoryEncoding(3)(x, count_weights=weights)
    with pytest.raises(ValueError, match="the input's shape"):
        CategoryEncoding(3, "count")(x, count_weights=weights[0])


def test_category_encoding_takes_floats_old_names_and_no_samples():
    layer = CategoryEncoding(3, output_mode="binary", dtype="float64")
    assert layer.output_mode == "multi_hot"
    y = layer(np.array([[0.0, 2.0]]))
    np.testing.assert_array_equal(y, [[1, 0, 1]])
    assert y.dtype == np.float64
    assert layer(np.zeros((0, 2))).shape == (0, 3)
    with pytest.raises(ValueError, match="ragged"):
        layer([[0], [1, 2]])
