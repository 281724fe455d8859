"""Whole models against real Keras: what tests/golden holds, recomputed here."""

import json
from pathlib import Path

import autograd
import numpy as np
import pytest

import minikeras as keras
from minikeras.training.step import backpropagate

GOLDEN = Path(__file__).parent / "golden"
FEEDFORWARD = json.loads((GOLDEN / "feedforward.json").read_text())["cases"]


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "feedforward.npz") as file:
        return {key: file[key] for key in file.files}


class Case:
    """One model of the golden file, with Keras' weights in it."""

    def __init__(self, case, arrays):
        prefix = case["name"] + "/"
        self.golden = {
            key[len(prefix) :]: value
            for key, value in arrays.items()
            if key.startswith(prefix)
        }
        keras.utils.clear_session()
        self.model = keras.Sequential.from_config(case["config"])
        self.case = case
        self.reset()

    def reset(self):
        count = len(self.case["weights"])
        self.model.set_weights([self.golden[f"weights/{i}"] for i in range(count)])

    def compile(self, optimizer="sgd"):
        self.reset()
        loss = keras.losses.get(self.case["loss"])
        self.model.compile(optimizer=optimizer, loss=loss)
        return self.model

    @property
    def batch(self):
        return self.golden["x"], self.golden["y"], self.golden.get("sample_weight")


@pytest.fixture(params=FEEDFORWARD, ids=lambda c: c["name"])
def case(request, arrays):
    return Case(request.param, arrays)


def close(ours, keras_value, tolerance):
    np.testing.assert_allclose(ours, keras_value, rtol=tolerance, atol=tolerance)


def test_shapes_counts_and_names(case):
    golden, model = case.case, case.model
    assert model.count_params() == golden["count_params"]
    assert list(model.output_shape) == golden["output_shape"]
    found = [
        {"name": v.name, "path": v.path, "shape": list(v.shape)} for v in model.weights
    ]
    for weight in golden["weights"]:
        weight.pop("trainable", None)
    assert found == golden["weights"]
    for layer, expected in zip(model.layers, golden["layers"], strict=True):
        assert layer.name == expected["name"]
        assert type(layer).__name__ == expected["class_name"]
        assert list(layer.output_shape) == expected["output_shape"]
        assert layer.count_params() == expected["count_params"]


def test_outputs(case):
    close(case.model.predict(case.golden["x"], verbose=0), case.golden["predict"], 1e-5)


def test_evaluated_loss(case):
    model = case.compile()
    close(model.test_on_batch(*case.batch), case.golden["evaluate_loss"], 1e-5)


def test_gradients(case):
    if not case.case["trains"]:
        assert "loss" not in case.golden
        return
    model, (x, y, weight) = case.compile(), case.batch

    def loss(x):
        model._clear_losses()
        y_pred = model(x, training=True)
        return model.compute_loss(x, y, y_pred, weight)

    value, _, gradients = backpropagate(
        lambda: (loss(x), None), model.trainable_weights
    )
    close(value, case.golden["loss"], 1e-5)
    close(autograd.grad(loss)(x), case.golden["grad_x"], 1e-4)
    places = {id(v): i for i, v in enumerate(model.weights)}
    for variable, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient.dtype == variable.dtype
        close(gradient, case.golden[f"grad/{places[id(variable)]}"], 1e-4)
    kept = [key for key in case.golden if key.startswith("grad/")]
    assert len(kept) == len(gradients)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_ten_steps(case, name):
    if not case.case["trains"]:
        assert f"{name}_losses" not in case.golden
        return
    model = case.compile(keras.optimizers.get(case.case["optimizers"][name]))
    losses = []
    for _ in range(10):
        losses.append(model.train_on_batch(*case.batch))
    close(losses, case.golden[f"{name}_losses"], 1e-4)
    for index, variable in enumerate(model.weights):
        close(variable.array, case.golden[f"{name}_weights/{index}"], 1e-4)
