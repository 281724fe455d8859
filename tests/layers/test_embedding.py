"""What Embedding does beyond the golden values of test_activation_layers.py."""

import numpy as np
import pytest

import minikeras as keras
from minikeras.layers.embedding import Embedding
from minikeras.training.step import backpropagate


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "int32", "int64", "uint64", "float32", "float16"]
)
def test_numbers_of_any_type(dtype):
    layer = Embedding(300, 2)
    x = np.array([[0, 255], [7, 7]], dtype)
    np.testing.assert_array_equal(layer(x), layer.embeddings[x.astype(int)])
    assert layer(x.tolist()).shape == (2, 2, 2)
    assert layer(np.array([True, False])).shape == (2, 2)


def test_floats_are_cut_as_in_keras():
    layer = Embedding(3, 1, weights=np.array([[0.0], [1.0], [2.0]]))
    found = layer(np.array([1.9, -0.9, 2.5]))
    np.testing.assert_array_equal(found[:, 0], [1, 0, 2])


def test_large_numbers_are_not_rounded_to_the_type_of_the_vectors():
    layer = Embedding(5000, 1, dtype="float16")
    layer.build((None,))
    layer.set_weights([np.arange(5000)[:, None] % 1000])
    found = layer(np.array([4097, 4099]))
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found[:, 0], [97, 99])


def test_rows_that_were_not_picked_have_no_gradient():
    layer = Embedding(6, 3)
    x = np.array([[1, 4, 1], [1, 1, 0]])
    layer(x)
    _, _, (gradient,) = backpropagate(
        lambda: (keras.ops.sum(layer(x)), None), layer.weights
    )
    assert gradient.dtype == np.float32
    expected = np.bincount(x.ravel(), minlength=6)
    np.testing.assert_array_equal(gradient, expected[:, None] * np.ones((6, 3)))


def test_initial_weights():
    table = np.arange(6.0).reshape(3, 2)
    for weights in (table, table.tolist(), [table]):
        layer = Embedding(3, 2, weights=weights)
        assert layer.built
        np.testing.assert_array_equal(layer.embeddings, table)
        model = keras.Sequential([keras.Input((2,), dtype="int32"), layer])
        assert model.output_shape == (None, 2, 2)
        np.testing.assert_array_equal(layer(np.array([[2, 0]])), [table[[2, 0]]])
    with pytest.raises(ValueError, match=r"shape \(3, 2\).* shape \(2, 3\)"):
        Embedding(3, 2, weights=table.reshape(2, 3))


def test_initial_weights_are_not_the_callers():
    table = np.zeros((3, 2), "float32")
    layer = Embedding(3, 2, weights=table)
    table[:] = 1
    assert not layer.embeddings.any()


def test_mask():
    x = np.array([[1, 0], [0, 2]])
    mask = Embedding(3, 2, mask_zero=True).compute_mask(x)
    np.testing.assert_array_equal(mask, [[True, False], [False, True]])
    assert mask.dtype == bool
    assert Embedding(3, 2).compute_mask(x) is None


def test_learns_which_word_counts():
    random = np.random.default_rng(0)
    x = random.integers(0, 20, (200, 6))
    y = (x == 3).any(axis=1).astype("float32")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            Embedding(20, 4),
            keras.layers.Flatten(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "bce", metrics=["accuracy"])
    history = model.fit(x, y, epochs=40, verbose=0).history
    assert history["accuracy"][-1] > 0.97


def test_input_length_of_old_scripts_is_taken_with_a_warning():
    with pytest.warns(UserWarning, match="`input_length` is not needed"):
        Embedding(3, 2, input_length=5)
    Embedding(3, 2, input_length=None)


@pytest.mark.parametrize(
    "x, wrong", [([[0, 3]], "3"), ([-1], "-1"), ([np.nan], "nan"), ([1e30], "1e[+]30")]
)
def test_numbers_out_of_range_are_named(x, wrong):
    layer = Embedding(3, 2, name="words")
    message = f"'words': .* from 0 to 2, because input_dim=3. Received: {wrong}"
    with pytest.raises(ValueError, match=message):
        layer(np.array(x))


@pytest.mark.parametrize("size", [0, -1, 2.0, None, True])
def test_wrong_sizes(size):
    with pytest.raises(ValueError, match="Embedding: `input_dim` must be a positive"):
        Embedding(size, 2)
    with pytest.raises(ValueError, match="Embedding: `output_dim` must be a positive"):
        Embedding(2, size)


def test_lora_is_not_offered():
    with pytest.raises(ValueError, match="Embedding: `lora_rank` is not offered"):
        Embedding(3, 2, lora_rank=2)
    Embedding(3, 2, lora_rank=None)
