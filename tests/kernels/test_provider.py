"""Kernels from elsewhere take the place of ours, and give it back."""

from types import SimpleNamespace

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers
from minikeras.kernels import conv, dense, provider

X = np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype("float32")


def counted(function, calls):
    def run(*args, **kwargs):
        calls.append(function.__name__)
        return function(*args, **kwargs)

    return run


def network():
    return keras.Sequential(
        [keras.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(1)]
    )


def test_layers_use_the_provider_and_do_not_know():
    calls = []
    other = SimpleNamespace(
        conv=SimpleNamespace(
            convolve=counted(conv.convolve, calls),
            backward=counted(conv.backward, calls),
        ),
        dense=SimpleNamespace(dense=counted(dense.dense, calls)),
    )
    ours = conv.convolve, conv.backward, dense.dense
    model = network()
    model.compile("sgd", "mse")
    before = model.predict(X, verbose=0)
    with provider.using(other) as names:
        assert names == ["conv.convolve", "conv.backward", "dense.dense"]
        np.testing.assert_array_equal(model.predict(X, verbose=0), before)
        assert calls == ["convolve", "dense"]
        model.train_on_batch(X, np.ones((3, 1)))
        assert "backward" in calls
    assert (conv.convolve, conv.backward, dense.dense) == ours


def test_another_provider_replaces_the_first():
    first = SimpleNamespace(dense=SimpleNamespace(dense=lambda *a: 1))
    second = SimpleNamespace(dense=SimpleNamespace(matmul=lambda *a: 2))
    ours = dense.dense, dense.matmul
    try:
        provider.use(first)
        provider.use(second)
        assert dense.dense is ours[0] and dense.matmul(X, X) == 2
    finally:
        provider.use(None)
    assert (dense.dense, dense.matmul) == ours


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"sound": SimpleNamespace()}, "there is no module minikeras.kernels.sound"),
        (
            {
                "dense": SimpleNamespace(dense=max),
                "conv": SimpleNamespace(convolute=max),
            },
            "minikeras.kernels.conv has no such function",
        ),
    ],
)
def test_errors_change_nothing(other, message):
    ours = dense.dense
    with pytest.raises(ValueError, match=message):
        provider.use(SimpleNamespace(**other))
    assert dense.dense is ours
