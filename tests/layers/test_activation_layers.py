"""Activation layers, Embedding and EinsumDense against real Keras, and their errors."""

import json
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras.layers import activation as layers
from minikeras.layers import einsum_dense, embedding, lambda_layer, regularization
from minikeras.training.step import backpropagate

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden/small_layers.json").read_text()
)
CASES = GOLDEN["cases"]
MODULES = (layers, einsum_dense, embedding, lambda_layer, regularization)


def case_id(case):
    words = [f"{key}={value}" for key, value in case["arguments"].items()]
    return "-".join([case["layer"], *words, case["mask"] or ""])


def layer_class(case):
    return next(
        getattr(module, case["layer"])
        for module in MODULES
        if case["layer"] in vars(module) and case["layer"] != "Layer"
    )


def prepared(case, dtype):
    """The layer with Keras' weights, what it is called on and with."""
    layer = layer_class(case)(**case["arguments"], dtype=dtype)
    x = np.array(case["x"], None if case["layer"] == "Embedding" else dtype)
    mask = {"mask": np.array(GOLDEN["masks"][case["mask"]])} if case["mask"] else {}
    layer(x, **mask)
    layer.set_weights([np.array(w["value"]) for w in case["weights"]])
    return layer, x, mask


every_case = pytest.mark.parametrize("case", CASES, ids=case_id)
both_types = pytest.mark.parametrize(
    "dtype, tolerance", [("float64", 1e-13), ("float32", 2e-6)]
)


@every_case
@both_types
def test_values_are_those_of_keras(case, dtype, tolerance):
    layer, x, mask = prepared(case, dtype)
    y = layer(x, **mask)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, case["y"], rtol=tolerance, atol=tolerance)
    losses = [float(loss) for loss in layer.losses]
    np.testing.assert_allclose(losses, case["losses"], rtol=10 * tolerance)


@every_case
@both_types
def test_gradients_are_those_of_keras(case, dtype, tolerance):
    layer, x, mask = prepared(case, dtype)
    size = np.array(case["y"]).size
    cotangent = (0.5 + np.arange(size) / size).reshape(np.shape(case["y"]))
    cotangent = cotangent.astype(dtype)
    real = case["grad_x"] is not None
    source = keras.Variable(x)

    def loss():
        y = layer(source * 1 if real else x, **mask)
        return keras.ops.sum(y * cotangent), None

    variables = [*layer.weights, source] if real else layer.weights
    _, _, gradients = backpropagate(loss, variables)
    theirs = [w["grad"] for w in case["weights"]] + [case["grad_x"]] * real
    for ours, expected in zip(gradients, theirs, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(
            ours, expected, rtol=20 * tolerance, atol=20 * tolerance
        )


@every_case
def test_shapes_names_and_config_are_those_of_keras(case):
    layer, x, _ = prepared(case, "float32")
    shape = layer.compute_output_shape((None, *x.shape[1:]))
    assert shape[0] is None
    assert shape[1:] == np.shape(case["y"])[1:]  # of what Keras really returns
    assert [[w.name, list(w.shape)] for w in layer.weights] == [
        [w["name"], w["shape"]] for w in case["weights"]
    ]
    named = layer_class(case)(**case["arguments"], name="it")
    found = named.get_config()
    assert json.loads(json.dumps(found)) == case["config"]
    again = type(named).from_config(json.loads(json.dumps(found)))
    assert again.get_config() == found


@pytest.mark.parametrize("golden", GOLDEN["configs"], ids=lambda g: g["layer"])
def test_configs_of_noise_are_those_of_keras(golden):
    layer = layer_class(golden).from_config(golden["config"])
    assert json.loads(json.dumps(layer.get_config())) == golden["config"]


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"])
def test_integers_become_the_layers_type(name):
    layer = getattr(layers, name)(dtype="float64")
    y = layer(np.arange(-2, 4).reshape(2, 3))
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, layer(np.arange(-2.0, 4.0).reshape(2, 3)))


def test_softmax_in_half_size_floats_takes_a_mask_too():
    x = np.float16([[1, 2, 3], [4, 5, 6]])
    keep = np.array([[True, False, True], [False, False, False]])
    y = layers.Softmax(dtype="float16")(x, mask=keep)
    assert y.dtype == np.float16
    e = np.exp(-2)
    expected = [[e / (1 + e), 0, 1 / (1 + e)], [0, 0, 0]]
    np.testing.assert_allclose(y, expected, rtol=2e-3)


def test_softmax_masks_infinities():
    x = np.float32([[np.inf, 1, 1], [np.nan, 2, 2]])
    y = layers.Softmax()(x, mask=[[False, True, True]])
    np.testing.assert_array_equal(y, [[0, 0.5, 0.5]] * 2)


def test_leaky_relu_takes_the_old_name_with_a_warning():
    with pytest.warns(UserWarning, match=r"`alpha` .* LeakyReLU\(negative_slope=0.5\)"):
        layer = layers.LeakyReLU(alpha=0.5)
    assert layer.negative_slope == 0.5


def test_prelu_is_trained():
    layer = layers.PReLU(shared_axes=[1])
    model = keras.Sequential([keras.Input((4, 3)), layer])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x = np.random.default_rng(0).normal(size=(64, 4, 3)).astype("float32")
    slopes = np.float32([0.1, 0.5, -0.25])
    model.fit(x, np.where(x > 0, x, slopes * x), epochs=60, verbose=0)
    np.testing.assert_allclose(layer.alpha, [slopes], atol=0.01)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.ReLU(-1.0), "ReLU: `max_value` .* not negative.*-1.0"),
        (lambda: layers.ReLU("6"), "ReLU: `max_value` must be a .*'6'"),
        (lambda: layers.ReLU(negative_slope=-0.5), "`negative_slope` .*=-0.5"),
        (lambda: layers.ReLU(negative_slope=None), "`negative_slope` .*=None"),
        (lambda: layers.ReLU(threshold=float("nan")), "`threshold` .*=nan"),
        (lambda: layers.LeakyReLU(-1), "LeakyReLU: `negative_slope` .*=-1"),
        (lambda: layers.ELU(None), "ELU: `alpha` must be a number. .*=None"),
        (lambda: layers.PReLU(shared_axes=0), "`shared_axes` .* from 1 on.*=0"),
        (lambda: layers.PReLU(shared_axes=[1, 1]), r"different ones.*\[1, 1\]"),
        (lambda: layers.PReLU(shared_axes=1.5), "`shared_axes` .*=1.5"),
        (lambda: layers.Softmax("last"), "Softmax: `axis` .*='last'"),
        (lambda: layers.Softmax([]), r"Softmax: `axis` .*=\[\]"),
    ],
)
def test_wrong_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_inputs():
    with pytest.raises(ValueError, match=r"from 1 to 2.*=\[3\] .* \(None, 2, 3\)"):
        layers.PReLU(shared_axes=3)(np.ones((4, 2, 3)))
    with pytest.raises(ValueError, match="size of axis 1"):
        layers.PReLU().build((None, None, 3))
    layer = layers.PReLU(shared_axes=[1])
    layer(np.ones((4, 2, 3)))
    layer(np.ones((4, 5, 3)))
    with pytest.raises(ValueError, match="size 3 on axis 2"):
        layer(np.ones((4, 5, 1)))
    for axis in (2, -3):
        with pytest.raises(ValueError, match="at least 3 axes"):
            layers.Softmax(axis)(np.ones((2, 3)))
    for shape in ((2,), (3, 2, 3)):
        with pytest.raises(ValueError, match="mask of shape .* input of shape"):
            layers.Softmax()(np.ones((2, 3)), mask=np.ones(shape, bool))
