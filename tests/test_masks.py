"""Masks belong to arrays, and pass through layers, losses and metrics as in Keras.

Losses and metrics against NumPy formulas written here; the numbers of whole models with
masks are compared with Keras in tests/layers and in the fuzz.
"""

import gc
import warnings

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, masks, ops
from minikeras.masks import get_mask, set_mask
from minikeras.training.step import input_gradients

IDS = np.array([[1, 2, 0], [3, 0, 0]])
MASK = IDS != 0


def embedding(**more):
    return layers.Embedding(5, 4, mask_zero=True, **more)


def test_a_mask_lives_as_long_as_its_array():
    x, other = np.zeros((2, 3)), np.zeros((2, 3))
    set_mask(x, MASK)
    assert get_mask(other) is None
    np.testing.assert_array_equal(get_mask(x), MASK)
    del x
    gc.collect()
    assert not masks.any_masks()


def test_a_mask_can_be_taken_away_and_replaced():
    x = np.zeros((2, 3))
    set_mask(x, MASK)
    set_mask(x, ~MASK)
    np.testing.assert_array_equal(get_mask(x), ~MASK)
    set_mask(x, None)
    assert get_mask(x) is None


def test_embedding_gives_a_mask_that_passes_through_layers():
    x = embedding()(IDS)
    np.testing.assert_array_equal(get_mask(x), MASK)
    for layer in (
        layers.Dense(2),
        layers.Dropout(0.5),
        layers.Activation("tanh"),
        layers.ReLU(),
        layers.LayerNormalization(),
        layers.GaussianNoise(0.1),
        layers.Identity(),
    ):
        x = layer(x, training=True)
        np.testing.assert_array_equal(get_mask(x), MASK)


def test_a_mask_passes_through_a_change_of_type():
    layer = layers.Dense(2, dtype="float64")
    np.testing.assert_array_equal(get_mask(layer(embedding()(IDS))), MASK)


def test_a_mask_passes_while_a_gradient_is_taken():
    layer = layers.Dense(2)
    x = embedding()(IDS)

    def total(x):
        set_mask(x, MASK)
        y = layer(x)
        np.testing.assert_array_equal(get_mask(y), MASK)
        return ops.sum(y)

    input_gradients(total, x)


def test_a_layer_without_support_warns_and_loses_it():
    with pytest.warns(UserWarning, match="received an input with a mask, which it"):
        y = layers.Flatten()(embedding()(IDS))
    assert get_mask(y) is None


def test_layers_of_a_user():
    seen = []

    class Takes(keras.Layer):
        def call(self, inputs, mask=None):
            seen.append(mask)
            return inputs + 1

        def compute_mask(self, inputs, previous_mask):
            return ~previous_mask

    class Passes(keras.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, inputs):
            return inputs * 2

    x = Takes()(embedding()(IDS))
    np.testing.assert_array_equal(seen[0], MASK)
    np.testing.assert_array_equal(get_mask(x), ~MASK)
    np.testing.assert_array_equal(get_mask(Passes()(x)), ~MASK)


def test_a_mask_that_is_passed_explicitly_counts():
    seen = []

    class Takes(keras.Layer):
        supports_masking = True

        def call(self, inputs, mask=None):
            seen.append(mask)
            return inputs + 1

    y = Takes()(embedding()(IDS), mask=~MASK)
    np.testing.assert_array_equal(seen[0], ~MASK)
    np.testing.assert_array_equal(get_mask(y), ~MASK)


def test_several_inputs_get_their_own_masks():
    seen = {}

    class Two(keras.Layer):
        def call(self, query, value, query_mask=None, value_mask=None, mask=None):
            seen.update(query=query_mask, value=value_mask, mask=mask)
            return query

        def compute_mask(self, inputs, previous_mask):
            return previous_mask

    y = Two()(embedding()(IDS), embedding()(IDS[::-1].copy()))
    np.testing.assert_array_equal(seen["query"], MASK)
    np.testing.assert_array_equal(seen["value"], MASK[::-1])
    assert seen["mask"] is None
    np.testing.assert_array_equal(get_mask(y), MASK)


def test_a_list_of_inputs_gets_a_list_of_masks():
    seen = []

    class Joined(keras.Layer):
        def call(self, inputs, mask=None):
            seen.append(mask)
            return inputs[0] + inputs[1]

        def compute_mask(self, inputs, previous_mask):
            return previous_mask[0]

    plain = np.ones((2, 3, 4), "float32")
    y = Joined()([embedding()(IDS), plain])
    assert seen[0][1] is None
    np.testing.assert_array_equal(get_mask(y), MASK)


def test_masks_pass_through_nested_models_without_a_warning():
    inner = keras.Sequential([layers.Dense(3), layers.Activation("relu")])
    model = keras.Sequential([embedding(), inner, layers.Dense(2)])
    np.testing.assert_array_equal(get_mask(model(IDS)), MASK)


@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_metrics_leave_masked_steps_out(weighted):
    model = keras.Sequential([embedding(), layers.Dense(1)])
    y = np.arange(6.0, dtype="float32").reshape(2, 3, 1)
    weight = np.array([[1.0, 2, 3], [4, 5, 6]], "float32") if weighted else None
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    found = model.evaluate(IDS, y, sample_weight=weight, verbose=0, return_dict=True)
    error = model.predict(IDS, verbose=0)[..., 0].astype("float64") - y[..., 0]
    kept = MASK * (1 if weight is None else weight)
    # Keras divides the loss by the number of steps left, metrics by their weights:
    # weights are first averaged over a sample, and so are weighted values.
    assert found["loss"] == pytest.approx(
        float((error**2 * kept).sum() / MASK.sum()), rel=1e-5
    )
    plain = MASK.astype(float)
    for key, values, weights in (
        ("mae", np.abs(error), plain),
        ("mse", error**2, kept),
    ):
        expected = (values * weights).mean(1).sum() / weights.mean(1).sum()
        assert found[key] == pytest.approx(float(expected), rel=1e-5)


def test_masked_steps_get_no_gradient():
    model = keras.Sequential([embedding(), layers.Dense(1)])
    model.build((None, 3))
    model.compile(keras.optimizers.SGD(0.5), "mse")
    before = model.get_weights()[0]
    y = np.ones((2, 3, 1), "float32")
    model.train_on_batch(IDS, y)
    changed = (model.get_weights()[0] != before).any(axis=1)
    np.testing.assert_array_equal(changed, [False, True, True, True, False])


def test_nothing_warns_where_there_is_no_mask():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.Flatten()(layers.Embedding(5, 4)(IDS))
