"""Merging layers against real Keras, their derivatives, masks and errors."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from autograd import make_vjp
from autograd.test_util import check_grads

import minikeras as keras
from minikeras.layers import merging
from minikeras.layers.joining import Concatenate, Dot
from minikeras.layers.merge import Merge
from minikeras.layers.merging import (
    Add,
    Average,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)
from minikeras.masks import get_mask, set_mask
from minikeras.registry import deserialize_keras_object, serialize_keras_object

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "attention.json").read_text())
CLASSES = (Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot)
LAYERS = {cls.__name__: cls for cls in CLASSES}
X, Y = np.arange(24.0).reshape(2, 3, 4), np.arange(24.0)[::-1].reshape(2, 3, 4)


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "attention.npz") as file:
        values = file["values"]

    def read(key):
        start, shape = CASES["index"][key]
        return values[start : start + int(np.prod(shape))].reshape(shape)

    return read


def _numbers():
    path = GOLDEN / "recipes" / "transformer.py"
    spec = importlib.util.spec_from_file_location("transformer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.numbers


numbers = _numbers()


def inputs_of(case):
    return [numbers(shape, 10 + k) for k, shape in enumerate(case["shapes"])]


def case_id(case):
    return "-".join(map(str, (case["key"], case["layer"], case["arguments"])))


every_case = pytest.mark.parametrize("case", CASES["merges"], ids=case_id)


@every_case
def test_layer_equals_keras(case, golden):
    layer = LAYERS[case["layer"]](**case["arguments"], dtype="float64", name="it")

    def run(arrays):
        for x, mask in zip(arrays, case["masks"] or [None] * len(arrays), strict=True):
            set_mask(x, mask)
        return layer([*arrays])

    inputs = inputs_of(case)
    y = run(inputs)
    mask = get_mask(y)
    np.testing.assert_allclose(y, golden(f"{case['key']}/y"), rtol=1e-12, atol=1e-14)
    assert (mask if mask is None else mask.tolist()) == case["mask"]
    pullback, _ = make_vjp(run)(tuple(inputs))
    for k, gradient in enumerate(pullback(numbers(y.shape, 90))):
        expected = golden(f"{case['key']}/x{k}")
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


@every_case
def test_shapes_and_config_equal_keras(case):
    cls = LAYERS[case["layer"]]
    layer = cls(**case["arguments"], name="it")
    shapes = [(None, *shape[1:]) for shape in case["shapes"]]
    assert list(layer.compute_output_shape(shapes)) == case["output_shape"]
    inputs = [x.astype("float32") for x in inputs_of(case)]
    y = layer(inputs)
    assert y.dtype == np.float32
    assert layer.output_shape == (None, *y.shape[1:])
    assert layer.compute_output_shape([x.shape for x in inputs]) == y.shape
    assert json.loads(json.dumps(layer.get_config())) == case["config"]
    again = deserialize_keras_object(serialize_keras_object(layer))
    assert type(again) is cls and again.get_config() == layer.get_config()
    assert cls.from_config(case["config"]).get_config() is not None


@every_case
def test_derivatives(case):
    layer = LAYERS[case["layer"]](**case["arguments"], dtype="float64")
    inputs = [x + 1e-4 * k for k, x in enumerate(inputs_of(case))]  # no ties
    everything = tuple(range(len(inputs)))
    check = check_grads(lambda *xs: layer(list(xs)), everything, ["rev"], order=2)
    check(*inputs)


@every_case
def test_functions_are_the_layers(case):
    inputs = inputs_of(case)
    function = getattr(merging, case["layer"].lower())
    expected = LAYERS[case["layer"]](**case["arguments"])(inputs)
    np.testing.assert_array_equal(function(inputs, **case["arguments"]), expected)


def test_functions_have_the_axes_of_keras():
    np.testing.assert_array_equal(
        merging.concatenate([X, Y]), np.concatenate([X, Y], axis=-1)
    )
    expected = np.einsum("abk,ack->abc", X, Y)
    np.testing.assert_array_equal(merging.dot([X, Y]), expected)


def test_whole_numbers():
    x, y = np.array([[1, 2]], "int32"), np.array([[5, 1]], "int32")
    assert Add()([x, y]).dtype == np.int32
    assert Maximum()([x, y]).tolist() == [[5, 2]]
    assert Concatenate()([x, y]).dtype == np.int32
    average = Average()([x, y])
    assert average.dtype == np.float32 and average.tolist() == [[3, 1.5]]


def test_tuples_and_other_shapes_than_before():
    layer = Add()
    np.testing.assert_array_equal(layer((X, Y)), np.full(X.shape, 23))
    np.testing.assert_array_equal(layer([X[:, 0], Y]), X[:, :1] + Y)
    np.testing.assert_array_equal(layer([X]), X)
    assert layer.compute_output_shape([(None, None, 4), (None, 1, 4)]) == (
        None,
        None,
        4,
    )
    assert layer.compute_output_shape([(None, 3), (7, 1)]) == (7, 3)


def test_gradients_of_ties_are_shared():
    for layer in (Maximum(), Minimum()):
        pullback, _ = make_vjp(lambda a, layer=layer: layer([a, X]))(X.copy())
        gradient = pullback(np.ones(X.shape))
        np.testing.assert_array_equal(gradient, np.full(X.shape, 0.5))


def test_masks_of_fewer_axes_than_features():
    images, mask = np.ones((2, 3, 4, 5), "float32"), np.array([[1, 1, 0]] * 2, bool)
    other = images.copy()
    for layer in (Multiply(), Maximum()):
        set_mask(images, mask)
        set_mask(other, mask)
        np.testing.assert_array_equal(get_mask(layer([images, other])), mask)


def test_compute_mask_refuses_lists_that_do_not_fit():
    one = np.ones((2, 3), bool)
    for layer in (Add(), Concatenate()):
        assert layer.compute_mask([X, Y], None) is None
        for inputs, mask in (([X, Y], one), (X, [one, one]), ([X], [one, one])):
            with pytest.raises(ValueError, match="must be lists of the same length"):
                layer.compute_mask(inputs, mask)
    assert Dot(1).compute_mask([X, Y], [one, one]) is None


REFUSED = [
    (lambda: Add()(X), r"must be called on a list of arrays.* shape \(None, 3, 4\)"),
    (lambda: Add()([]), "must be called on a list of arrays"),
    (lambda: Add().compute_output_shape([]), "must be called on a list of arrays"),
    (lambda: Add()([X, Y[:, :2]]), r"equally long, or.*\(None, 3, 4\), \(None, 2, 4\)"),
    (lambda: Add()([X, Y[:1]]), r"same batch size.*\(2, 3, 4\), \(1, 3, 4\)"),
    (lambda: Subtract()([X]), "a list of 2 arrays. Received 1"),
    (lambda: Subtract()([X, Y, X]), "a list of 2 arrays. Received 3"),
    (lambda: Concatenate("a"), "`axis` must be a whole number. Received: axis='a'"),
    (lambda: Concatenate()(X), "must be called on a list of arrays"),
    (lambda: Concatenate(3)([X, Y]), "axis 3 must be one of them"),
    (lambda: Concatenate(1)([X, Y[0]]), "the same number of axes"),
    (lambda: Concatenate(1)([X, Y[..., :2]]), "equal shapes but for axis 1"),
    (lambda: Concatenate()([X, Y[:1]]), "equal shapes but for axis -1"),
    (lambda: Dot((1, 2, 3)), r"a pair of whole numbers. Received: axes=\(1, 2, 3\)"),
    (lambda: Dot((1, 0.5)), "a pair of whole numbers"),
    (lambda: Dot(1)(X), "must be called on a list of arrays"),
    (lambda: Dot(1)([X, Y, X]), "a list of 2 arrays. Received 3"),
    (lambda: Dot(0)([X, Y]), "not the batch. Received: axes=0"),
    (lambda: Dot((1, -3))([X, Y]), r"not the batch. Received: axes=\(1, -3\)"),
    (lambda: Dot(3)([X, Y]), "must be axes of the inputs"),
    (
        lambda: Dot(1)([X, Y[:, :2]]),
        "axis 1 of the first input and axis 1 of the second",
    ),
    (lambda: Dot(1)([X, Y[:1]]), "the same batch size"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_refused_once_built_too():
    for layer in (Add(), Concatenate(), Dot(1)):
        layer([X, Y])
        with pytest.raises(ValueError, match="must be called on a list of arrays"):
            layer(X)
    with pytest.raises(TypeError, match="`axes` must be a whole number or a pair"):
        Dot("a")


def test_a_merge_of_ones_own():
    class Root(Merge):
        def _merge_function(self, inputs):
            return keras.ops.sqrt(inputs[0] * inputs[0] + inputs[1] * inputs[1])

    np.testing.assert_allclose(Root()([X, Y]), np.hypot(X, Y), rtol=1e-6)
    with pytest.raises(NotImplementedError, match=r"must define `_merge_function"):
        Merge()([X, Y])
