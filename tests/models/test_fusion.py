"""Layers that a model joins give what they give one after the other."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops, weight_gradients
from minikeras.models import fusion


def apart(model, x):
    for layer in model.layers:
        x = layer(x)
    return x


def joined(model):
    return [pair for pair in fusion.stages(model.layers) if pair[1] is not None]


def network(activation="relu", **pool):
    return keras.Sequential(
        [
            keras.Input((11, 11, 2)),
            layers.Conv2D(3, 3, activation=activation, bias_initializer="ones"),
            layers.MaxPooling2D(2, **pool),
            layers.Conv2D(4, 2, padding="same"),
            layers.MaxPooling2D((1, 2)),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


X = np.random.default_rng(0).normal(size=(5, 11, 11, 2)).astype("float32")


@pytest.mark.parametrize("activation", ["relu", None])
def test_output_and_gradients(activation):
    model = network(activation)
    assert len(joined(model)) == 2
    np.testing.assert_allclose(model(X), apart(model, X), rtol=1e-5, atol=1e-6)
    results = [
        weight_gradients(lambda f=f: ops.sum(ops.square(f())), model)
        for f in (lambda: model(X), lambda: apart(model, X))
    ]
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_other_kinds_are_called_one_after_the_other():
    class Own(layers.Conv2D):
        pass

    def count(conv, pool):
        return len(joined(keras.Sequential([keras.Input((9, 9, 4)), conv, pool])))

    conv = layers.Conv2D
    assert count(conv(4, 3), layers.MaxPooling2D()) == 1
    assert count(conv(4, 3, activation="tanh"), layers.MaxPooling2D()) == 0
    assert count(conv(4, 3, groups=2), layers.MaxPooling2D()) == 0
    assert count(conv(4, 3), layers.MaxPooling2D(3, strides=2)) == 0
    assert count(conv(4, 3), layers.MaxPooling2D(padding="same")) == 0
    assert count(conv(4, 3), layers.AveragePooling2D()) == 0
    assert count(Own(4, 3), layers.MaxPooling2D()) == 0
    assert count(conv(4, 3, activity_regularizer="l2"), layers.MaxPooling2D()) == 0


def test_a_replaced_call_is_called():
    model = network()
    before = model(X)
    pool = model.layers[1]
    pool.call = lambda inputs: inputs[:, ::2, ::2][:, :4, :4] * 0
    assert len(joined(model)) == 1
    assert (model(X) != before).any()


def test_a_layer_that_is_added_or_taken_away_counts():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3)])
    x = X[:, :8, :8, :1]
    assert model(x).shape == (5, 6, 6, 2)
    model.add(layers.MaxPooling2D())
    assert model(x).shape == (5, 3, 3, 2)
    model.pop()
    assert model(x).shape == (5, 6, 6, 2)


def test_a_mask_is_not_lost_without_a_warning():
    model = keras.Sequential([layers.Conv1D(2, 3), layers.MaxPooling1D()])
    x = X[:, 0, :8]
    model(x)
    keras.masks.set_mask(x, np.ones((5, 8), bool))
    with pytest.warns(UserWarning, match="received an input with a mask"):
        model(x)


def test_errors_name_the_layer():
    model = network()
    with pytest.raises(ValueError, match="Sequential"):
        model(X[..., :1])
    first = model.layers[0]
    with pytest.raises(ValueError, match="Conv2D"):
        fusion.convolve_and_pool(first, model.layers[1], X[..., :1], True)
