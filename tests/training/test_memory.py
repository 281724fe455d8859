"""Memory of the process stays what it is, however often a model is used."""

import gc
import sys

import numpy as np
import pytest

import minikeras as keras

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads /proc/self/status"
)


def resident():
    """Memory of the process that is in RAM, in MB."""
    gc.collect()
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def small_model():
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(8, activation="relu", activity_regularizer="l2"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


SIZES = [
    pytest.param(2_000, 30, id="quick"),
    pytest.param(20_000, 300, id="full", marks=pytest.mark.slow),
]


def grown(call, warm_up, count):
    for _ in range(warm_up):
        call()
    before = resident()
    for _ in range(count):
        call()
    return resident() - before


@pytest.mark.parametrize("predictions, fits", SIZES)
def test_predict(predictions, fits):
    model, x = small_model(), np.ones((1, 12, 12, 1), "float32")
    assert grown(lambda: model.predict(x, verbose=0), 200, predictions) < 4


@pytest.mark.parametrize("predictions, fits", SIZES)
def test_fit(predictions, fits):
    model = small_model()
    x, y = np.ones((64, 12, 12, 1), "float32"), np.arange(64) % 3

    def fit():
        model.fit(x, y, validation_split=0.25, verbose=0)

    assert grown(fit, 10, fits) < 4


@pytest.mark.parametrize("predictions, fits", SIZES)
def test_models_that_come_and_go(predictions, fits):
    x, y = np.ones((64, 12, 12, 1), "float32"), np.arange(64) % 3

    def make_and_fit():
        small_model().fit(x, y, verbose=0)

    assert grown(make_and_fit, 10, fits) < 8
