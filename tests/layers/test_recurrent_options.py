"""States, cells of one's own, and what recurrent layers refuse."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops
from minikeras.layers.bidirectional import Bidirectional
from minikeras.layers.masking import Masking
from minikeras.layers.recurrent import GRU, LSTM, SimpleRNN
from minikeras.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from minikeras.layers.rnn import RNN
from minikeras.layers.stacked_cells import StackedRNNCells
from minikeras.registry import deserialize_keras_object, serialize_keras_object
from minikeras.training.step import backpropagate, input_gradients

RECURRENT = (SimpleRNN, LSTM, GRU)


def random(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


class Sum:
    """A cell that is no layer, with one bare state and nothing else."""

    state_size = 2

    def call(self, inputs, states):
        total = inputs + states[0]
        return total, total


class Counter(keras.Layer):
    """A cell with layers inside, states nested in lists, and a start of its own."""

    state_size = [[2, 1], 2]
    output_size = 3

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(3)
        self.trained = []

    def get_initial_state(self, batch_size):
        one = np.ones((batch_size, 2), "float32")
        return [[one, one[:, :1]], 0 * one]

    def call(self, inputs, states, training=False):
        self.trained.append(training)
        (a, b), c = states
        return self.dense(inputs) * b, [[a * 2.0, b], c + a]


# --- cells of one's own -------------------------------------------------------------


def test_cell_that_is_no_layer():
    x = random(3, 4, 2)
    outputs, state = RNN(Sum(), return_sequences=True, return_state=True)(x)
    np.testing.assert_allclose(outputs, np.cumsum(x, 1), rtol=1e-5)
    np.testing.assert_allclose(state, x.sum(1), rtol=1e-5)
    np.testing.assert_allclose(RNN(Sum())(x, np.ones((3, 2))), 1 + x.sum(1), rtol=1e-5)


def test_stack_of_cells_that_are_no_layers():
    x = random(3, 4, 2)
    y, one, other = RNN([Sum(), Sum()], return_state=True)(x)
    np.testing.assert_allclose(one, x.sum(1), rtol=1e-5)
    np.testing.assert_allclose(y, np.cumsum(x, 1).sum(1), rtol=1e-4)
    assert other.shape == (3, 2)


def test_cell_with_layers_inside_and_nested_states():
    cell = Counter()
    layer = RNN(cell, return_state=True, name="outer")
    x = random(2, 3, 4)
    y, (a, b), c = layer(x, training=True)
    assert y.shape == (2, 3) and (a == 8).all() and (b == 1).all() and (c == 7).all()
    assert cell.trained[-3:] == [True] * 3
    assert [v.path for v in layer.weights] == [
        "outer/counter/dense/kernel",
        "outer/counter/dense/bias",
    ]
    mask = np.array([[1, 0, 1], [0, 0, 1]], bool)
    with pytest.raises(ValueError, match=r"shape \(2, 2\).*zero_output_for_mask"):
        RNN(cell)(x, mask=mask[:, ::-1])  # its first state is no output
    layer.zero_output_for_mask = True
    _, (a, _), c = layer(x, mask=mask)
    assert a.tolist() == [[4, 4], [2, 2]] and c.tolist() == [[3, 3], [1, 1]]
    _, _, gradients = backpropagate(
        lambda: (ops.sum(layer(x, mask=mask)[0]), None), layer.trainable_weights
    )
    np.testing.assert_allclose(gradients[0], np.outer(x[:, 2].sum(0), [1] * 3), 1e-5)


def test_cell_is_built_in_a_model_before_it_is_called():
    model = keras.Sequential([keras.Input((3, 4)), RNN(Counter())])
    assert model.count_params() == 15


def test_gradients_over_a_long_sequence():
    layer = RNN(Sum(), return_sequences=True)
    x = np.ones((4, 4000, 2), "float32")
    _, (gradient,) = input_gradients(lambda x: ops.sum(layer(x)), x)
    assert np.array_equal(gradient[0, :, 0], np.arange(4000, 0, -1))


def test_own_cell_need_not_be_registered_to_be_read_both_ways():
    class Own(SimpleRNNCell):
        pass

    layer = Bidirectional(RNN(Own(3)))
    assert layer(random(2, 3, 4)).shape == (2, 6)
    assert type(layer.backward_layer.cell) is Own
    assert layer.backward_layer.cell is not layer.forward_layer.cell


def test_subclass_of_a_cell_runs_its_own_call():
    class Doubled(LSTMCell):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training)
            return 2 * output, states

    one, other = RNN(LSTMCell(3)), RNN(Doubled(3))
    x = random(2, 4, 2)
    one.build(x.shape)
    other.build(x.shape)
    other.set_weights(one.get_weights())
    np.testing.assert_allclose(other(x), 2 * one(x), rtol=1e-5, atol=1e-6)


def test_stack_of_one_cell():
    """Keras fails at it."""
    one, stack = RNN(LSTMCell(3)), RNN([LSTMCell(3)], return_state=True)
    x = random(2, 4, 2)
    one.build(x.shape)
    stack.build(x.shape)
    stack.set_weights(one.get_weights())
    y, (h, c) = stack(x)
    assert np.array_equal(y, one(x)) and np.array_equal(h, y) and c.shape == (2, 3)


def test_stacked_dropout_is_drawn_once_for_each_cell():
    cells = [SimpleRNNCell(4, dropout=0.5), GRUCell(4, dropout=0.5)]
    drawn = []
    for cell in cells:
        draw = cell._draw
        cell._draw = lambda *a, draw=draw: drawn.append(1) or draw(*a)
    layer = RNN(cells)
    x = random(2, 5, 3)
    layer(x)
    assert not drawn
    layer(x, training=True)
    assert len(drawn) == 2


# --- states -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RECURRENT)
def test_states_are_kept_in_training_too(kind):
    model = keras.Sequential(
        [keras.Input(batch_shape=(2, 3, 4)), kind(3, stateful=True), layers.Dense(1)]
    )
    layer = model.layers[0]
    assert model.count_params() == layer.count_params() + 4  # states are no weights
    assert layer.output_shape == (2, 3)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = random(2, 3, 4)
    model.fit(x, np.ones((2, 1)), batch_size=2, epochs=2, shuffle=False, verbose=0)
    kept = [v.numpy() for v in layer.states]
    twice = kind(3, return_state=True)
    twice.build((2, 6, 4))
    twice.set_weights(layer.get_weights())
    _, *expected = twice(np.concatenate([x, x], 1))
    for one, other in zip(kept, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    first = model.predict(x, batch_size=2, verbose=0)
    second = model.predict(x, batch_size=2, verbose=0)
    assert not np.allclose(first, second)
    layer.reset_state()
    assert not any(v.numpy().any() for v in layer.states)


def test_gradient_through_a_stateful_call_uses_the_states_before():
    """The kept states are overwritten after the call, not before its derivative."""
    layer = RNN(SimpleRNNCell(2, activation="softsign"), stateful=True)
    layer.build((2, 3, 2))
    x = random(2, 3, 2)
    layer(x)
    kept = [v.numpy() for v in layer.states]
    free = RNN(SimpleRNNCell(2, activation="softsign"))
    free.build((2, 3, 2))
    free.set_weights(layer.get_weights())

    def gradients(layer, **options):
        return backpropagate(
            lambda: (ops.sum(layer(x, **options)), None), layer.trainable_weights
        )[2]

    found, expected = gradients(layer), gradients(free, initial_state=kept)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_stateful_layer_called_on_data_learns_the_number_of_samples():
    layer = GRU(2, stateful=True)
    layer(random(3, 4, 5))
    assert layer.input_shape == (3, 4, 5) and layer.states[0].shape == (3, 2)
    assert layer.states[0].path == f"{layer.name}/rnn_state"
    assert LSTM(2).states is None
    LSTM(2).reset_states()  # nothing to do


def test_initial_state_may_be_one_array_for_one_state():
    layer, state = GRU(2), random(3, 2)
    x = random(3, 4, 5)
    assert np.array_equal(layer(x, state), layer(x, initial_state=[state]))


def test_units_of_the_same_numbers_whatever_unroll_says():
    one, other = LSTM(3), LSTM(3, unroll=True)
    x = random(2, 4, 3)
    one.build(x.shape)
    other.build(x.shape)
    other.set_weights(one.get_weights())
    assert np.array_equal(one(x), other(x))


# --- masks --------------------------------------------------------------------------


def test_masking_before_a_layer_is_the_mask_given_to_it():
    x = random(3, 5, 2)
    x[0, 3:] = x[1, 1] = -1.0
    layer = LSTM(4)
    by_mask = layer(x, mask=(x != -1).any(-1))
    np.testing.assert_allclose(layer(Masking(-1.0)(x)), by_mask, rtol=1e-6)
    model = keras.Sequential([keras.Input((5, 2)), Masking(-1.0), layer])
    np.testing.assert_allclose(model.predict(x, verbose=0), by_mask, rtol=1e-6)


@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_mask_is_handed_on_with_sequences_only(sequences, state):
    from minikeras.masks import get_mask

    mask = np.array([[True, False, True]])
    options = {"return_sequences": sequences, "return_state": state}
    x = Masking()(mask[..., None] * np.ones((1, 3, 2)))
    wrapped = (LSTM(2, **options), Bidirectional(LSTM(2, **options)))
    for layer in (*wrapped, Bidirectional(GRU(2, **options), merge_mode=None)):
        outputs = layer(x)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        count = 2 if getattr(layer, "merge_mode", 1) is None else 1
        for number, output in enumerate(outputs):
            found = get_mask(output)
            if sequences and number < count:
                assert np.array_equal(found, mask)
            else:
                assert found is None


def test_layer_without_masks_warns():
    with pytest.warns(UserWarning, match="mask"):
        SimpleRNNCell(2)(Masking()(np.ones((2, 3))), [np.zeros((2, 2), "float32")])


# --- configs ------------------------------------------------------------------------


def test_config_of_a_built_layer_builds_it_again():
    layer = RNN([LSTMCell(3), GRUCell(2)])
    layer(random(2, 4, 5))
    assert layer.get_build_config() == {"input_shape": (None, 4, 5)}
    again = deserialize_keras_object(serialize_keras_object(layer))
    assert [v.shape for v in again.weights] == [v.shape for v in layer.weights]


def test_use_cudnn_is_no_part_of_the_config():
    assert "use_cudnn" not in LSTM(2, use_cudnn=False).get_config()


def test_array_as_mask_value_is_written_and_read():
    layer = Masking(np.array([1.0, 2.0], "float32"))
    again = deserialize_keras_object(serialize_keras_object(layer))
    x = np.array([[[1.0, 2.0], [2.0, 1.0]]])
    assert again(x).tolist() == [[[0, 0], [2, 1]]]


# --- errors -------------------------------------------------------------------------


class NoSize:
    def call(self, inputs, states):
        return inputs, states


class Constants(NoSize):
    state_size = 2

    def call(self, inputs, states, constants):
        return inputs, states


class OtherStates(NoSize):
    state_size = 2

    def call(self, inputs, states):
        return inputs, [*states, inputs]


class OneThing(NoSize):
    state_size = 2

    def call(self, inputs, states):
        return inputs


X = np.ones((2, 3, 4), "float32")
ERRORS = {
    "units": (lambda: LSTM(0), "LSTMCell: `units` must be a positive integer.*units=0"),
    "seed": (lambda: GRU(2, seed="a"), "GRUCell: `seed`.*'a'"),
    "unknown": (lambda: LSTM(2, return_sequence=True), "Did you mean.*sequences"),
    "implementation": (lambda: SimpleRNN(2, implementation=1), "implementation"),
    "cudnn": (lambda: LSTM(2, use_cudnn=True), "LSTM: `use_cudnn`.*no GPU.*True"),
    "axes": (lambda: LSTM(2)(np.ones((2, 3))), "3 axes"),
    "features": (lambda: LSTM(2).build((None, 3, None)), "size of axis -1"),
    "no steps": (lambda: GRU(2)(np.ones((2, 0, 4))), r"no step.*\(2, 0, 4\)"),
    "no cell": (lambda: RNN(3), "RNN: a cell must have a method `call.*Received: 3"),
    "state_size": (lambda: RNN(NoSize()), "attribute `state_size`.*state_size=None"),
    "stack": (lambda: StackedRNNCells([NoSize()]), "StackedRNNCells: a cell.*None"),
    "no cells": (lambda: RNN([]), r"`cells` must be a list of cells.*cells=\[\]"),
    "constants": (lambda: RNN(Constants()), "`constants` are not offered"),
    "returns": (lambda: RNN(OneThing())(X), "two things.*ndarray"),
    "states": (
        lambda: RNN(OtherStates())(X[..., :2]),
        r"as many states.*\[\(2, 2\)\]. Received: \[\(2, 2\), \(2, 2\)\]",
    ),
    "initial number": (
        lambda: LSTM(2)(X, initial_state=[np.ones((2, 2))]),
        r"`initial_state` must be a list of 2.*Received: a list of 1",
    ),
    "initial shape": (
        lambda: GRU(2)(X, initial_state=[np.ones((2, 3))]),
        r"`initial_state`.*\[\(2, 2\)\].*\[\(2, 3\)\]",
    ),
    "mask": (
        lambda: GRU(2)(X, mask=np.ones((2, 4), bool)),
        r"mask must have the shape \(batch, time\), here \(2, 3\).*\(2, 4\)",
    ),
    "batch": (
        lambda: keras.Sequential([keras.Input((3, 4)), LSTM(2, stateful=True)]),
        r"stateful=True.*batch_shape=.*\(None, 3, 4\)",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    function, message = ERRORS[name]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        function()


def test_stateful_refuses_another_number_of_samples():
    model = keras.Sequential(
        [keras.Input(batch_shape=(2, 3, 4)), GRU(1, stateful=True)]
    )
    model.compile("sgd", "mse")
    message = r"keeps states for 2 samples.*Received: a batch of 1.*batch_size"
    with pytest.raises(ValueError, match=message):
        model.predict(np.ones((3, 3, 4)), batch_size=2, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.evaluate(np.ones((1, 3, 4)), np.ones((1, 1)), verbose=0)


def test_recurrent_activation_is_no_attribute_of_simple_rnn():
    with pytest.raises(AttributeError, match="recurrent_activation"):
        SimpleRNN(2).recurrent_activation  # noqa: B018
