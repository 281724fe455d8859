"""Bidirectional, TimeDistributed, Masking and Wrapper: what the golden values do not
show."""

from importlib import import_module

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers
from minikeras.layers import time_distributed
from minikeras.layers.bidirectional import Bidirectional
from minikeras.layers.masking import Masking
from minikeras.layers.recurrent import GRU, LSTM
from minikeras.layers.time_distributed import TimeDistributed
from minikeras.layers.wrapper import Wrapper
from minikeras.masks import get_mask
from minikeras.registry import deserialize_keras_object, serialize_keras_object
from minikeras.training.step import input_gradients


def random(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


# --- Bidirectional ------------------------------------------------------------------


def test_backward_layer_is_the_forward_layer_on_the_reverse():
    layer = Bidirectional(LSTM(3, return_sequences=True), merge_mode=None)
    x = random(2, 4, 3)
    layer.build(x.shape)
    weights = layer.forward_layer.get_weights()
    layer.backward_layer.set_weights(weights)
    _, back = layer(x)
    forward, _ = layer(np.ascontiguousarray(x[:, ::-1]))
    np.testing.assert_allclose(back, forward[:, ::-1], rtol=1e-6)


def test_both_layers_are_new_ones():
    inner = LSTM(3, name="memory")
    inner.build((None, 4, 2))
    layer = Bidirectional(inner)
    assert layer.forward_layer is not inner and layer.forward_layer.built
    kernel = inner.get_weights()[0]
    assert not np.array_equal(layer.forward_layer.get_weights()[0], kernel)
    names = layer.forward_layer.name, layer.backward_layer.name
    assert names == ("forward_memory", "backward_memory")
    assert Bidirectional(layer.forward_layer).forward_layer.name == "forward_memory"


def test_initial_weights_are_those_of_both_layers():
    """Keras takes them and leaves them aside."""
    first = Bidirectional(GRU(2))
    first.build((None, 3, 4))
    weights = first.get_weights()
    layer = Bidirectional(GRU(2), weights=weights)
    layer.build((None, 3, 4))
    for one, other in zip(layer.get_weights(), weights, strict=True):
        assert np.array_equal(one, other)


def test_layers_of_different_sizes_are_joined():
    back = GRU(5, go_backwards=True)
    layer = Bidirectional(LSTM(2), backward_layer=back)
    assert layer.backward_layer is back
    assert layer(random(2, 3, 4)).shape == (2, 7)
    assert layer.compute_output_shape((None, 3, 4)) == (None, 7)


def test_forward_layer_that_reads_backwards_takes_one_that_reads_forwards():
    layer = Bidirectional(GRU(2, go_backwards=True), backward_layer=GRU(2))
    assert layer(random(2, 3, 4)).shape == (2, 4)


def test_bidirectional_states_are_reset():
    layer = Bidirectional(LSTM(2, stateful=True))
    layer(random(3, 4, 5))
    assert len(layer.states) == 4 and any(v.numpy().any() for v in layer.states)
    layer.reset_states()
    assert not any(v.numpy().any() for v in layer.states)
    assert Bidirectional(LSTM(2)).states is None


@pytest.mark.parametrize("mode", ["concat", None])
def test_bidirectional_config_round_trip(mode):
    layer = Bidirectional(LSTM(2, return_sequences=True), merge_mode=mode, name="both")
    config = serialize_keras_object(layer)
    assert serialize_keras_object(deserialize_keras_object(config)) == config
    assert config["config"]["layer"]["config"]["zero_output_for_mask"]


BIDIRECTIONAL_ERRORS = {
    "no layer": (lambda: Bidirectional(3), "`layer` must be a recurrent layer.*=3"),
    "dense": (lambda: Bidirectional(layers.Dense(3)), "recurrent layer.*Dense"),
    "backward": (
        lambda: Bidirectional(LSTM(2), backward_layer=3),
        "`backward_layer` must be a recurrent layer.*=3",
    ),
    "mode": (lambda: Bidirectional(LSTM(2), merge_mode="add"), "`merge_mode`.*'add'"),
    "direction": (
        lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2)),
        "one layer must read forwards.*go_backwards=False",
    ),
    "returns": (
        lambda: Bidirectional(
            LSTM(2), backward_layer=LSTM(2, go_backwards=True, return_state=True)
        ),
        "`return_state` of both layers must be equal.*False.*True",
    ),
    "sizes": (
        lambda: Bidirectional(
            LSTM(2), merge_mode="sum", backward_layer=LSTM(3, go_backwards=True)
        )(random(2, 3, 4)),
        r"needs two outputs of one shape.*\(None, 2\) and \(None, 3\)",
    ),
    "weights": (
        lambda: Bidirectional(LSTM(2), weights=[np.ones(2)])(random(2, 3, 4)),
        "6 weights, set_weights received 1",
    ),
}


@pytest.mark.parametrize("name", BIDIRECTIONAL_ERRORS)
def test_bidirectional_errors(name):
    function, message = BIDIRECTIONAL_ERRORS[name]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        function()


def test_bidirectional_without_states_has_none_to_reset():
    with pytest.raises(AttributeError, match="stateful=True"):
        Bidirectional(LSTM(2)).reset_state()


# --- TimeDistributed ----------------------------------------------------------------


def test_modules_that_treat_each_sample_for_itself_are_there():
    for name in time_distributed._SAMPLE_BY_SAMPLE:
        assert import_module(name).__name__ == name
    import_module(time_distributed._MODEL)


class Plain(keras.Layer):
    """A layer of one's own may look at the whole batch, so steps come one by one."""

    calls = 0

    def call(self, inputs):
        self.calls += 1
        return inputs - inputs.mean(axis=0)


def test_own_layer_sees_one_step_after_the_other():
    inner = Plain()
    x = random(3, 4, 2)
    y = TimeDistributed(inner)(x)
    assert inner.calls >= 4
    np.testing.assert_allclose(y, x - x.mean(0), atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 1, 2), (1, 4, 2)])
def test_large_batch_of_all_steps_equals_steps_one_by_one(shape, monkeypatch):
    inner = keras.Sequential(
        [
            keras.Input(shape[2:]),
            layers.Dense(5, activation="tanh"),
            layers.LayerNormalization(),
        ]
    )
    layer = TimeDistributed(inner)
    x = random(*shape)
    weights = random(*shape[:2], 5)

    def results():
        return layer(x), *input_gradients(lambda x: (layer(x) * weights).sum(), x)[1]

    together = results()
    assert inner.layers[0].units == 5
    path = "minikeras.layers.time_distributed._is_sample_by_sample"
    monkeypatch.setattr(path, lambda layer: False)
    for one, other in zip(together, results(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_which_layers_take_all_steps_at_once():
    from minikeras.layers.time_distributed import _is_sample_by_sample

    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3)])
    assert _is_sample_by_sample(model)
    model.add(layers.BatchNormalization())
    assert not _is_sample_by_sample(model)
    assert not _is_sample_by_sample(layers.Dropout(0.5))
    assert not _is_sample_by_sample(layers.Dense(2, activity_regularizer="l2"))
    assert not _is_sample_by_sample(LSTM(2))


def test_training_reaches_the_layer():
    layer = TimeDistributed(layers.Dropout(0.5))
    x = np.ones((8, 5, 6), "float32")
    y = layer(x, training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    assert not np.array_equal(y[:, 0], y[:, 1])
    assert np.array_equal(layer(x), x)


def test_mask_reaches_a_layer_that_takes_one():
    layer = TimeDistributed(GRU(2))
    x = random(2, 3, 4, 5)
    mask = np.random.default_rng(1).random((2, 3, 4)) < 0.6
    expected = [layer.layer(x[:, t], mask=mask[:, t]) for t in range(3)]
    np.testing.assert_allclose(layer(x, mask=mask), np.stack(expected, 1), rtol=1e-6)


def test_mask_is_handed_on():
    x = Masking()(np.array([[[1.0, 1.0], [0.0, 0.0]]]))
    y = TimeDistributed(layers.Dense(3))(x)
    assert np.array_equal(get_mask(y), [[True, False]])


def test_embedding_of_each_step():
    layer = TimeDistributed(layers.Embedding(10, 3))
    assert layer(np.array([[[1, 2], [3, 4]]])).shape == (1, 2, 2, 3)


def test_time_distributed_in_a_model_with_any_number_of_steps():
    model = keras.Sequential(
        [keras.Input((None, 6)), TimeDistributed(layers.Dense(2)), LSTM(3)]
    )
    assert model.layers[0].output_shape == (None, None, 2)
    assert model.predict(np.ones((2, 5, 6)), verbose=0).shape == (2, 3)


TIME_ERRORS = {
    "no layer": (lambda: TimeDistributed(3), "TimeDistributed: `layer` must.*layer=3"),
    "axes": (
        lambda: TimeDistributed(layers.Dense(2))(np.ones((2, 3))),
        r"at least 3 axes.*\(None, 3\)",
    ),
    "mask": (
        lambda: TimeDistributed(layers.Dense(2))(
            np.ones((2, 3, 4)), mask=np.ones((2, 4), bool)
        ),
        r"mask must begin.*\(2, 3\).*\(2, 4\)",
    ),
    "short mask": (
        lambda: TimeDistributed(layers.Dense(2))(
            np.ones((2, 3, 4)), mask=np.ones(2, bool)
        ),
        r"mask must begin.*\(2, 3\).*\(2,\)",
    ),
}


@pytest.mark.parametrize("name", TIME_ERRORS)
def test_time_distributed_errors(name):
    function, message = TIME_ERRORS[name]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        function()


# --- Masking and Wrapper ------------------------------------------------------------


def test_masking_takes_nan_and_its_gradient_away():
    layer = Masking(2.0)
    x = np.array([[[2.0, 2.0], [2.0, 1.0]]], "float32")
    assert layer(x).tolist() == [[[0, 0], [2, 1]]] and layer(x).dtype == np.float32
    _, (gradient,) = input_gradients(lambda x: (layer(x) * 3.0).sum(), x)
    assert gradient.tolist() == [[[0, 0], [3, 3]]] and gradient.dtype == np.float32


@pytest.mark.parametrize("value", [0.1, -3, np.float32(0.1)])
def test_masking_compares_in_the_type_of_the_input(value):
    x = np.full((1, 2, 2), value, "float32")
    x[0, 1, 1] = 7
    assert np.array_equal(get_mask(Masking(value)(x)), [[False, True]])


def test_masking_keeps_whole_numbers():
    x = np.array([[[0, 0], [1, 0]]])
    y = Masking()(x)
    assert y.dtype == x.dtype and np.array_equal(get_mask(y), [[False, True]])


@keras.utils.register_keras_serializable("tests")
class Twice(Wrapper):
    def call(self, inputs):
        return self.layer(self.layer(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape


def test_wrapper_has_the_weights_of_its_layer():
    layer = Twice(layers.Dense(3, name="inner"), name="outer")
    x = random(2, 3)
    y = layer(x)
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(y, (x @ kernel + bias) @ kernel + bias, rtol=1e-5)
    assert layer.weights[0].path == "outer/inner/kernel"
    again = deserialize_keras_object(serialize_keras_object(layer))
    assert type(again) is Twice and again.layer.units == 3 and again.built


def test_wrapper_refuses_what_is_no_layer():
    with pytest.raises(ValueError, match="Twice: `layer` must be a layer.*None"):
        Twice(None)
