"""What people are told when they make the common mistakes."""

import re

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers


def ones(*shape):
    return np.ones(shape, "float32")


def net(*parts, **compiled):
    model = keras.Sequential([keras.Input((4,)), *parts])
    if compiled:
        model.compile(**compiled)
    return model


def softmax():
    return net(
        layers.Dense(3, activation="softmax"), loss="sparse_categorical_crossentropy"
    )


def dense(**options):
    return net(layers.Dense(1), **{"loss": "mse", **options})


X, Y = ones(2, 4), ones(2, 1)

# What is wrong; code; the type of the error; what its text must say.
MISTAKES = {
    "fit before compile": (
        lambda: net(layers.Dense(1)).fit(X, Y),
        ValueError,
        ["Call `compile` before `fit`", "model.compile('adam', 'mse')"],
    ),
    "evaluate before compile": (
        lambda: net(layers.Dense(1)).evaluate(X, Y),
        ValueError,
        ["Call `compile` before `evaluate`"],
    ),
    "unknown loss": (
        lambda: dense(loss="msse"),
        ValueError,
        ["Unknown loss: 'msse'", "Did you mean 'mse'"],
    ),
    "unknown optimizer": (
        lambda: dense(optimizer="adamm"),
        ValueError,
        ["Unknown optimizer: 'adamm'", "Did you mean 'adam'"],
    ),
    "unknown metric": (
        lambda: dense(metrics=["acurracy"]),
        ValueError,
        ["Unknown metric: 'acurracy'", "'accuracy'"],
    ),
    "a metric that is nothing": (
        lambda: dense(metrics=[None]),
        ValueError,
        ["`metrics` contains None"],
    ),
    "metrics that are no list": (
        lambda: dense(metrics="accuracy"),
        ValueError,
        ["`metrics` must be a list such as ['accuracy']", "metrics='accuracy'"],
    ),
    "no loss": (
        lambda: dense(loss=None, optimizer="sgd").fit(X, Y),
        ValueError,
        ["There is no loss to minimise", "loss='mse'"],
    ),
    "several losses": (
        lambda: dense(loss=["mse", "mae"]),
        ValueError,
        ["one output", "['mse', 'mae']"],
    ),
    "several loss weights": (
        lambda: dense(loss_weights=[0.5, 0.5]),
        ValueError,
        ["`loss_weights` must be one number", "[0.5, 0.5]"],
    ),
    "jit_compile": (
        lambda: dense(jit_compile=True),
        ValueError,
        ["`jit_compile` must be 'auto' or False", "jit_compile=True"],
    ),
    "steps_per_execution": (
        lambda: dense(steps_per_execution=0),
        ValueError,
        ["`steps_per_execution` must be a positive integer"],
    ),
    "an argument of compile that is not known": (
        lambda: dense(losses="mse"),
        TypeError,
        ["losses"],
    ),
    "an old argument of an optimizer": (
        lambda: keras.optimizers.Adam(lr=0.1),
        ValueError,
        ["Adam: unrecognized arguments: lr", "`learning_rate`"],
    ),
    "y of another shape, mse": (
        lambda: net(layers.Dense(3), loss="mse").fit(X, ones(2, 2)),
        ValueError,
        ["y_true of shape (2, 2)", "y_pred of shape (2, 3)"],
    ),
    "y of another shape, one-hot": (
        lambda: net(layers.Dense(3), loss="categorical_crossentropy").fit(
            X, ones(2, 2)
        ),
        ValueError,
        ["labels must be one-hot", "(2, 2)", "(2, 3)"],
    ),
    "integer labels for a one-hot loss": (
        lambda: net(layers.Dense(3), loss="categorical_crossentropy").fit(X, [0, 1]),
        ValueError,
        ["For integer labels use sparse_categorical_crossentropy"],
    ),
    "one-hot labels for an integer loss": (
        lambda: softmax().fit(X, ones(2, 3)),
        ValueError,
        ["For one-hot labels use categorical_crossentropy"],
    ),
    "labels above the classes": (
        lambda: softmax().fit(X, np.array([0, 3])),
        ValueError,
        ["3 outputs", "from 0 to 2", "such as 3", "number of units"],
    ),
    "labels below zero": (
        lambda: softmax().evaluate(X, np.array([0, -1])),
        ValueError,
        ["from 0 to 2", "such as -1"],
    ),
    "x and y of different lengths": (
        lambda: dense().fit(ones(3, 4), Y),
        ValueError,
        ["same number of samples", "x has 3", "y has 2"],
    ),
    "y is missing": (
        lambda: dense().fit(X),
        ValueError,
        ["The targets `y` are missing"],
    ),
    "x is missing": (lambda: dense().fit(), TypeError, ["`x` is missing"]),
    "x has no samples": (
        lambda: dense().fit(ones(0, 4), ones(0, 1)),
        ValueError,
        ["There are no samples", "(0, 4)"],
    ),
    "a sample without the batch axis": (
        lambda: net(layers.Dense(1)).predict(ones(4)),
        ValueError,
        ["Did you leave out the batch axis", "x[None]"],
    ),
    "samples of another shape": (
        lambda: net(layers.Dense(1)).predict(ones(2, 5)),
        ValueError,
        ["expects samples of shape (4,)", "(2, 5)"],
    ),
    "validation_split": (
        lambda: dense().fit(X, Y, validation_split=1.0),
        ValueError,
        ["`validation_split` must be between 0 and 1", "1.0"],
    ),
    "validation_split that leaves nothing": (
        lambda: dense().fit(X, Y, validation_split=0.9),
        ValueError,
        ["of 2 samples leaves none for training"],
    ),
    "validation_freq": (
        lambda: dense().fit(X, Y, validation_data=(X, Y), validation_freq=0),
        ValueError,
        ["`validation_freq` must be a positive number", "validation_freq=0"],
    ),
    "validation_freq as a word": (
        lambda: dense().fit(X, Y, validation_data=(X, Y), validation_freq="often"),
        ValueError,
        ["or a list of epochs counted from 1", "'often'"],
    ),
    "class weights and sample weights": (
        lambda: softmax().fit(
            X, np.array([0, 1]), sample_weight=ones(2), class_weight={0: 2.0}
        ),
        ValueError,
        ["`class_weight`", "cannot be used together with `sample_weight`"],
    ),
    "verbose": (
        lambda: dense().fit(X, Y, verbose="loud"),
        ValueError,
        ["fit: `verbose` must be 'auto', 0 (silent), 1", "verbose='loud'"],
    ),
    "verbose of predict": (
        lambda: dense().predict(X, verbose=3),
        ValueError,
        ["predict: `verbose` must be", "verbose=3"],
    ),
    "batch_size": (
        lambda: dense().fit(X, Y, batch_size=0),
        ValueError,
        ["`batch_size` must be a positive integer", "batch_size=0"],
    ),
    "shuffle": (
        lambda: dense().fit(X, Y, shuffle="all"),
        ValueError,
        ["`shuffle` must be True, False or 'batch'", "'all'"],
    ),
    "an argument of evaluate that is not known": (
        lambda: dense().evaluate(X, Y, epochs=3),
        ValueError,
        ["evaluate: unrecognized arguments: epochs"],
    ),
    "a callback that is a function": (
        lambda: dense().fit(X, Y, callbacks=print),
        TypeError,
        ["`callbacks` must be a Callback", "LambdaCallback"],
    ),
    "words for x": (
        lambda: dense().fit(np.array(["a", "b"]), Y),
        ValueError,
        ["`x` must hold numbers"],
    ),
    "ragged x": (
        lambda: dense().fit([[1.0, 2.0], [1.0]], Y),
        ValueError,
        ["`x` cannot be made into one array", "different"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_message(name):
    mistake, kind, parts = MISTAKES[name]
    with pytest.raises(kind) as caught:
        mistake()
    text = str(caught.value)
    for part in parts:
        assert part in text
    assert not re.search(r"<[a-z_.]+ object at", text)


@pytest.mark.parametrize("name", ["mean_squared_eror", "MeanSquaredEror", "MSE2"])
def test_the_nearest_losses_are_offered(name):
    with pytest.raises(ValueError, match="Did you mean 'm"):
        dense(loss=name)


def test_a_model_can_be_used_after_each_mistake():
    model = softmax()
    for wrong in ([0, 3], [[0, 1], [1, 0]], [0]):
        with pytest.raises(ValueError):
            model.fit(X, np.array(wrong), verbose=0)
    model.fit(X, np.array([0, 2]), verbose=0)
