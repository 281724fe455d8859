"""Convolutions of many channels, by transforms and by windows, against real Keras."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras.kernels import conv_fourier, products
from minikeras.training.step import backpropagate

GOLDEN = Path(__file__).parent / "golden"
MODELS = json.loads((GOLDEN / "wide.json").read_text())
MODELS.pop("versions")

_path = GOLDEN / "recipes" / "wide.py"
_spec = importlib.util.spec_from_file_location("wide", _path)
wide = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(wide)


@pytest.fixture(params=MODELS)
def golden(request):
    return MODELS[request.param]


@pytest.fixture(params=["transforms", "windows"])
def way(request, monkeypatch):
    """How convolutions are done; they are counted."""
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: True)
    if request.param == "windows":
        monkeypatch.setattr(conv_fourier, "plan", lambda *_: None)
    calls = []
    function = conv_fourier.convolve

    def counted(*arguments):
        calls.append(None)
        return function(*arguments)

    monkeypatch.setattr(conv_fourier, "convolve", counted)
    yield
    assert bool(calls) is (request.param == "transforms")


def built(golden):
    keras.utils.clear_session()
    model = keras.Sequential.from_config(golden["config"])
    begin = wide.weights(model)
    model.set_weights(begin)
    return model, begin


def assert_near(found, expected, tolerance):
    """Off by so much of the largest number."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    atol = tolerance * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def test_outputs(golden, way):
    model, _ = built(golden)
    x, _ = wide.data(model)
    assert_near(model.predict(x, verbose=0), golden["predict"], 1e-5)


def test_gradients(golden, way):
    model, _ = built(golden)
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = wide.data(model)
    loss, _, gradients = backpropagate(
        lambda: (model.compute_loss(x, y, model(x, training=True)), None),
        model.trainable_weights,
    )
    assert_near(loss, golden["loss"], 1e-6)
    assert len(gradients) == len(golden["gradients"])
    for gradient, expected in zip(gradients, golden["gradients"], strict=True):
        assert_near(wide.projections(gradient), expected, 1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_ten_steps(golden, name, way):
    model, begin = built(golden)
    config = {
        "sgd": keras.optimizers.SGD(0.005),
        "adam": keras.optimizers.Adam(0.0001),
    }
    model.compile(config[name], "sparse_categorical_crossentropy")
    x, y = wide.data(model)
    expected = golden[name]
    losses = [float(model.train_on_batch(x, y)) for _ in expected["losses"]]
    assert_near(losses, expected["losses"], 5e-6)
    trained = zip(model.get_weights(), begin, expected["trained"], strict=True)
    for after, before, wanted in trained:
        # Adam divides a bias's gradient of almost nothing by its own size.
        assert_near(wide.projections(after - before), wanted, 1e-3)
