"""The models that are measured, with one batch of random data each."""

import numpy as np

import minikeras as keras
from minikeras import layers


def _digits(shape, count):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, *shape), np.float32)
    return x, rng.integers(0, 10, count)


def mlp():
    """784-128-10, batch 32."""
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    return model, *_digits((784,), 32)


def cnn():
    """Conv32, pool, conv64, pool, dropout, dense on 28x28, batch 128."""
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    return model, *_digits((28, 28, 1), 128)


def step_of(model, x, y):
    """A function without arguments that makes one training step."""
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda: model.train_on_batch(x, y)
