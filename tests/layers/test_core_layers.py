"""What Lambda, Identity and EinsumDense do beyond the values of the golden file."""

import json

import numpy as np
import pytest

import minikeras as keras
from minikeras import registry
from minikeras.layers.einsum_dense import EinsumDense
from minikeras.layers.lambda_layer import Identity, Lambda
from minikeras.training.step import backpropagate


@registry.register_keras_serializable("test_core_layers")
def scaled(x, factor=2.0):
    return x * factor


@registry.register_keras_serializable("test_core_layers")
def doubled_shape(shape):
    return (*shape[:-1], None if shape[-1] is None else 2 * shape[-1])


@registry.register_keras_serializable("test_core_layers")
def first_mask(inputs, mask):
    return inputs[:, 0] > 0


def unregistered(x):
    return x


def as_file(layer):
    return json.loads(json.dumps(registry.serialize_keras_object(layer)))


# Lambda -----------------------------------------------------------------------------


def test_lambda_computes_and_is_differentiated():
    layer = Lambda(lambda x, power: x**power, arguments={"power": 3})
    x = keras.Variable(np.float32([1, 2]))
    np.testing.assert_array_equal(layer(x), [1, 8])
    _, _, (gradient,) = backpropagate(lambda: (keras.ops.sum(layer(x * 1)), None), [x])
    np.testing.assert_array_equal(gradient, [3, 12])


def test_lambda_gets_training_and_mask_if_it_takes_them():
    def function(x, training=None, mask=None):
        seen.append((training, mask))
        return x

    seen = []
    layer = Lambda(function)
    layer(np.ones((1, 2)))
    layer(np.ones((1, 2)), training=True, mask="the mask")
    assert seen == [(None, None), (True, "the mask")]
    Lambda(scaled)(np.ones((1, 2)), training=True)
    Lambda(np.negative)(np.ones((1, 2)), training=True)  # has no signature everywhere


def test_lambda_output_shape():
    shape = (None, 3, 4)
    assert Lambda(scaled).compute_output_shape(shape) == shape
    found = Lambda(lambda x: x[:, 0]).compute_output_shape(shape)
    assert found == (None, 4)
    assert Lambda(scaled, (7, 2)).compute_output_shape(shape) == (None, 7, 2)
    assert Lambda(scaled, [7]).compute_output_shape([shape, (5, 2)]) == (None, 7)
    two = Lambda(scaled, [(7,), (8,)]).compute_output_shape((2, 3))
    assert two == [(2, 7), (2, 8)]
    assert Lambda(scaled, doubled_shape).compute_output_shape((2, 3)) == (2, 6)


def test_lambda_in_a_model():
    model = keras.Sequential([keras.Input((3,)), Lambda(lambda x: x[:, :2] + 1)])
    assert model.output_shape == (None, 2)
    np.testing.assert_array_equal(model.predict(np.ones((4, 3)), verbose=0), 2)


def test_lambda_mask():
    x = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert Lambda(scaled).compute_mask(x, "given") is None
    assert Lambda(scaled, mask=[True]).compute_mask(x) == [True]
    found = Lambda(scaled, mask=first_mask).compute_mask(x)
    np.testing.assert_array_equal(found, [True, False])


def test_named_registered_functions_round_trip():
    layer = Lambda(scaled, doubled_shape, first_mask, {"factor": 3.0}, name="it")
    again = registry.deserialize_keras_object(as_file(layer), family=None)
    assert again.get_config() == layer.get_config()
    assert again.function is scaled
    x = np.ones((1, 2))
    np.testing.assert_array_equal(again(x), 3 * x)
    assert again.compute_output_shape((None, 2)) == (None, 4)
    np.testing.assert_array_equal(again.compute_mask(x), [True])
    plain = Lambda(scaled, (2, 3), mask=np.array([True, False]))
    again = Lambda.from_config(json.loads(json.dumps(plain.get_config())))
    assert again.compute_output_shape((None, 2)) == (None, 2, 3)
    np.testing.assert_array_equal(again.mask, [True, False])


def test_functions_can_be_passed_as_custom_objects():
    config = as_file(Lambda(unregistered))
    with pytest.raises(ValueError, match="'unregistered'.*custom_objects"):
        registry.deserialize_keras_object(config)
    again = registry.deserialize_keras_object(config, {"unregistered": unregistered})
    assert again.function is unregistered


def test_a_python_lambda_is_not_written():
    for layer in (
        Lambda(lambda x: x),
        Lambda(scaled, output_shape=lambda shape: shape),
        Lambda(scaled, mask=lambda x, mask: mask),
    ):
        with pytest.raises(TypeError, match="is a Python lambda.*register_keras_ser"):
            layer.get_config()


@pytest.mark.parametrize("key", ["function", "output_shape", "mask"])
def test_a_python_lambda_in_a_file_is_refused(key):
    code = {"code": "4wEAAAAA", "defaults": None, "closure": None}
    config = Lambda(scaled, name="odd").get_config()
    config[key] = {"class_name": "__lambda__", "config": code}
    message = f"Lambda 'odd' is refused: its `{key}` .* never run"
    with pytest.raises(ValueError, match=message):
        Lambda.from_config(config)
    with pytest.raises(ValueError, match=message):
        registry.deserialize_keras_object({"class_name": "Lambda", "config": config})


def test_configs_of_keras_2():
    base = {"name": "old", "trainable": True, "dtype": "float32", "arguments": {}}
    shape = {"output_shape": None, "output_shape_type": "raw"}
    shape["output_shape_module"] = None
    code = {"function": ["4wEAAAAA", None, None], "function_type": "lambda"}
    with pytest.raises(ValueError, match="'old' is refused"):
        Lambda.from_config({**base, **shape, **code, "module": "__main__"})
    named = {"function": "test_core_layers>scaled", "function_type": "function"}
    layer = Lambda.from_config({**base, **shape, **named, "module": "__main__"})
    assert layer.function is scaled


def test_reading_a_config_does_not_change_it():
    config = Lambda(scaled).get_config()
    before = json.dumps(config)
    Lambda.from_config(config)
    assert json.dumps(config) == before


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"function": 3}, "`function` must be a function.*function=3"),
        ({"output_shape": 3}, "`output_shape` must be a shape.*output_shape=3"),
        ({"arguments": [1]}, r"`arguments` must be a dictionary.*=\[1\]"),
    ],
)
def test_wrong_lambdas(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lambda(**{"function": scaled, **arguments})


# Identity ---------------------------------------------------------------------------


def test_identity_returns_the_very_array_whatever_its_type():
    for x in (np.ones((2, 3), "float32"), np.arange(4), np.array([True])):
        assert Identity()(x) is x
    pair = [np.ones((1, 2), "float32"), np.ones((1, 3), "float32")]
    assert [y.shape for y in Identity()(pair)] == [(1, 2), (1, 3)]
    assert Identity().compute_output_shape((None, 3)) == (None, 3)


# EinsumDense ------------------------------------------------------------------------


def test_einsum_dense_is_dense():
    dense = keras.layers.Dense(3, "relu", bias_initializer="ones")
    layer = EinsumDense("...x,xy->...y", 3, "relu", "y")
    x = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("float32")
    expected = dense(x)
    layer(x)
    layer.set_weights(dense.get_weights())
    np.testing.assert_allclose(layer(x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "equation, output_shape, shape, inputs, outputs",
    [
        ("abc,cde->abde", (None, 20, 30), (None, 5, 40), 40, 600),
        ("abde,dec->abc", (None, 40), (None, 5, 20, 30), 600, 40),
        ("abc,c->abc", (None, 4000), (None, 5, 4000), 1, 4000),
    ],
)
def test_kernels_are_scaled_by_what_the_equation_calls_inputs(
    equation, output_shape, shape, inputs, outputs
):
    layer = EinsumDense(equation, output_shape)
    layer.build(shape)
    limit = np.sqrt(6 / (inputs + outputs))  # of Glorot and Bengio
    assert 0.99 * limit < np.abs(layer.kernel).max() <= limit
    he = EinsumDense(equation, output_shape, kernel_initializer="he_uniform")
    he.build(shape)
    limit = np.sqrt(6 / inputs)
    assert 0.99 * limit < np.abs(he.kernel).max() <= limit
    assert he.kernel_initializer.input_axes is None  # only a copy was told


def test_axes_that_an_initializer_was_given_are_kept():
    glorot = keras.initializers.GlorotUniform(0, input_axes=[1, 2], output_axes=[0])
    layer = EinsumDense("abc,cde->abde", (None, 20, 30), kernel_initializer=glorot)
    layer.build((None, 5, 40))
    np.testing.assert_array_equal(layer.kernel, glorot((40, 20, 30), "float32"))


def test_sizes_left_open_are_the_inputs():
    layer = EinsumDense("abc,bcd->abd", (None, 3), bias_axes="bd")
    assert layer.compute_output_shape((None, 5, 4)) == (None, 5, 3)
    assert layer.compute_output_shape((None, None, 4)) == (None, None, 3)
    layer.build((None, 5, 4))
    assert [w.shape for w in layer.weights] == [(5, 4, 3), (5, 3)]


@pytest.mark.parametrize(
    "equation", ["ab,bc", "ab->ab", "...ab,bc->ac", "a...,ab->b...", "ab,bc->ac...", 3]
)
def test_equations_of_another_form(equation):
    with pytest.raises(ValueError, match="must have the form .* Received: equation="):
        EinsumDense(equation, 3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("aab,bc->ac", 3), "a letter occurs twice in 'aab'"),
        (("ab,bc->ad", 3), "axis 'd' of the output is neither"),
        (("ab,bcd->ac", 3), "axis 'd' of the kernel is neither"),
        (("ab,bc->ac", 0), "`output_shape` must be .*=0"),
        (("ab,bc->ac", "3"), "`output_shape` must be .*='3'"),
        (("ab,bc->ac", (3.0,)), r"`output_shape` must be .*=\(3.0,\)"),
        (("ab,bc->ac", 3, None, "b"), "`bias_axes` must be letters .* 'ac' .*='b'"),
        (("ab,bc->ac", 3, None, ""), "`bias_axes` must be letters .*=''"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        EinsumDense(*arguments)


@pytest.mark.parametrize(
    "arguments, shape, message",
    [
        (("ab,bc->ac", 3), (None, 4, 5), r"expects .* 2 axes.* \(None, 4, 5\)"),
        (("...ab,bc->...ac", 3), (4,), "expects an input with at least 2 axes"),
        (("abc,cd->abd", 3), (None, 4, 5), r"must have 2 sizes .* Received: \(3,\)"),
        (("...ab,bc->...ac", (4, 3)), (None, 4), "must have 1 sizes"),
        (("abc,cd->abd", (6, 3)), (None, 4, 5), "axis 'b' .* size 4 in .* and 6 in"),
        (("ab,bc->ac", 3), (None, None), "size of axis 'b' of 'ab,bc->ac'"),
        (("ab,abc->ac", 3), (None, 4), "size of axis 'a'"),
    ],
)
def test_inputs_that_do_not_fit(arguments, shape, message):
    with pytest.raises(ValueError, match=message):
        EinsumDense(*arguments).build(shape)


def test_what_is_not_offered_is_refused():
    with pytest.raises(ValueError, match="EinsumDense: `lora_rank` is not offered"):
        EinsumDense("ab,bc->ac", 3, lora_rank=2)
