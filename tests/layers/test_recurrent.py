"""Recurrent layers and wrappers against real Keras, and the fast path against the loop.

What golden/recurrent.json holds was written by golden/generate_recurrent.py.
"""

import inspect
import json
from functools import reduce
from pathlib import Path

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
from minikeras.layers.structure import leaves
from minikeras.layers.time_distributed import TimeDistributed
from minikeras.layers.wrapper import Wrapper
from minikeras.registry import deserialize_keras_object, serialize_keras_object
from minikeras.training.step import backpropagate, input_gradients

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "recurrent.json").read_text())
CLASSES = {
    c.__name__: c
    for c in (
        *(SimpleRNN, LSTM, GRU, SimpleRNNCell, LSTMCell, GRUCell),
        *(RNN, StackedRNNCells, Bidirectional, TimeDistributed, Masking, Wrapper),
    )
}
MASKS = {
    "right": [[1, 1, 1, 1], [1, 1, 0, 0]],
    "left": [[0, 0, 1, 1], [0, 1, 1, 1]],
    "holes": [[1, 0, 1, 0], [0, 1, 1, 0]],
    "empty": [[0, 0, 0, 0], [1, 1, 1, 0]],
}
CELLS = (SimpleRNNCell, LSTMCell, GRUCell)


class MinimalRNNCell(keras.Layer):
    """The cell of Keras's guide, word for word but for the module's name."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="uniform", name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units),
            initializer="uniform",
            name="recurrent_kernel",
        )

    def call(self, inputs, states):
        h = ops.matmul(inputs, self.kernel)
        output = h + ops.matmul(states[0], self.recurrent_kernel)
        return output, [output]


class TwoStatesCell(MinimalRNNCell):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = (units, 2)
        self.output_size = units

    def call(self, inputs, states, training=False):
        last, count = states
        h = ops.tanh(
            ops.matmul(inputs, self.kernel) + ops.matmul(last, self.recurrent_kernel)
        )
        return 2.0 * h + count[:, :1], [h, count + 1.0]


OWN = {"MinimalRNNCell": MinimalRNNCell, "TwoStatesCell": TwoStatesCell}


def numbers(shape, seed):
    """As in the script that wrote the golden values."""
    size = int(np.prod(shape))
    return 0.8 * np.sin(1.3 * np.arange(size) + 0.7 * seed + 0.1).reshape(shape)


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "recurrent.npz") as file:
        flat = file["numbers"]
    return {
        key: flat[start : start + int(np.prod(shape))].reshape(shape)
        for key, (start, shape) in CASES["index"].items()
    }


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


@pytest.fixture(autouse=True)
def fresh_names():
    keras.utils.clear_session()


def close(ours, expected, tolerance=1e-10):
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)


def make(class_name, arguments, **more):
    def filled(value):
        if isinstance(value, dict) and "class_name" in value:
            return make(**value)
        if isinstance(value, list):
            return [filled(item) for item in value]
        return value

    kind = CLASSES.get(class_name) or OWN.get(class_name) or getattr(layers, class_name)
    return kind(**{k: filled(v) for k, v in arguments.items()}, **more)


def set_numbers(weights, seed):
    for i, variable in enumerate(weights):
        variable.assign(numbers(variable.shape, seed + i))


def structure(value):
    if isinstance(value, list | tuple):
        return [structure(item) for item in value]
    return "x"


def as_lists(value):
    return [as_lists(v) for v in value] if isinstance(value, list | tuple) else value


def same_config(ours, keras_config):
    """Equal but for the module of the classes written in this file and in the script,
    and for the numbers of automatic names."""

    def plain(value):
        if isinstance(value, dict):
            value = {k: plain(v) for k, v in value.items() if k != "build_config"}
            if value.get("class_name") in OWN:
                value["module"] = value["registered_name"] = None
            return value
        return (
            as_lists(value)
            if not isinstance(value, list | tuple)
            else [plain(item) for item in value]
        )

    assert plain(ours) == plain(keras_config)


def case_id(case):
    return "-".join(map(str, (case["class_name"], case["arguments"], case["extras"])))


def ids(name):
    return range(len(CASES[name]))


def prepared(case):
    """The layer, and a function of x and the initial states to its outputs."""
    shape = case["extras"].get("shape", [2, 4, 2])
    layer = make(case["class_name"], case["arguments"], dtype="float64", name="layer")
    layer.build(tuple(shape))
    set_numbers(layer.weights, 10)
    mask = case["extras"].get("mask")
    options = {} if mask is None else {"mask": np.array(MASKS[mask], bool)}
    initial = []
    if case["extras"].get("initial"):
        sizes = list(leaves(getattr(layer, "state_size", [2, 2])))
        initial = [numbers((shape[0], n), 30 + i) for i, n in enumerate(sizes)]

    def run(x, *states):
        if states:
            options["initial_state"] = list(states)
        return layer(x, **options)

    return layer, run, numbers(shape, 1), initial


def weighted_sum(outputs):
    found = list(leaves(outputs))
    return sum(ops.sum(y * numbers(y.shape, 50 + i)) for i, y in enumerate(found))


@pytest.mark.parametrize(
    "index", ids("layers"), ids=lambda i: case_id(CASES["layers"][i])
)
def test_layer_equals_keras(index, golden, float64):
    case = CASES["layers"][index]
    layer, run, x, initial = prepared(case)
    key = f"layer/{index}"
    outputs = run(x, *initial)
    assert structure(outputs) == case["structure"]
    for i, y in enumerate(leaves(outputs)):
        close(y, golden[f"{key}/y/{i}"])
    shapes = [[v.path, list(v.shape)] for v in layer.weights]
    assert shapes == case["weights"]
    shape = case["extras"].get("shape", [2, 4, 2])
    unknown = (None, None, *shape[2:])
    assert as_lists(layer.compute_output_shape(unknown)) == case["output_shape"]
    if case["config"] is not None:
        same_config(layer.get_config(), case["config"])
    _, dx = input_gradients(lambda *a: weighted_sum(run(*a)), x, *initial)
    close(dx[0], golden[f"{key}/dx/0"])
    assert len(initial) == case["states"]
    for i, gradient in enumerate(dx[1:]):
        close(gradient, golden[f"{key}/ds/{i}"])
    _, _, dw = backpropagate(
        lambda: (weighted_sum(run(x, *initial)), None), layer.trainable_weights
    )
    assert len(dw) == case["gradients"]
    for i, gradient in enumerate(dw):
        close(gradient, golden[f"{key}/dw/{i}"])


@pytest.mark.parametrize(
    "index", ids("layers"), ids=lambda i: case_id(CASES["layers"][i])
)
def test_loop_equals_whole_sequence(index, monkeypatch, float64):
    """The same numbers, forward and backward, with and without the fused functions."""
    case = CASES["layers"][index]

    def results():
        layer, run, x, initial = prepared(case)
        outputs = list(leaves(run(x, *initial)))
        _, dx = input_gradients(lambda *a: weighted_sum(run(*a)), x, *initial)
        _, _, dw = backpropagate(
            lambda: (weighted_sum(run(x, *initial)), None), layer.trainable_weights
        )
        return [*outputs, *dx, *dw]

    whole = results()
    monkeypatch.setattr("minikeras.layers.rnn.WHOLE", ())
    loop = results()
    for one, other in zip(whole, loop, strict=True):
        close(one, other, 1e-12)


@pytest.mark.parametrize("index", ids("cells"))
def test_cell_equals_keras(index, golden, float64):
    case = CASES["cells"][index]
    cell = make(case["class_name"], case["arguments"], dtype="float64", name="cell")
    cell.build((2, 2))
    set_numbers(cell.weights, 10)
    sizes = np.atleast_1d(cell.state_size)
    states = [numbers((2, n), 30 + i) for i, n in enumerate(sizes)]
    output, new = cell(numbers((2, 2), 1), states)
    assert 1 + len(new) == case["outputs"]
    for i, y in enumerate([output, *new]):
        close(y, golden[f"cell/{index}/y/{i}"])
    same_config(cell.get_config(), case["config"])
    assert [[v.path, list(v.shape)] for v in cell.weights] == case["weights"]
    if len(states) == 1:
        _, bare = cell(numbers((2, 2), 1), states[0])
        close(bare, new[0])


@pytest.mark.parametrize("index", ids("stateful"))
def test_stateful_equals_keras(index, golden, float64):
    case = CASES["stateful"][index]
    layer = make(case["class_name"], case["arguments"], dtype="float64", name="layer")
    layer.build((2, 4, 2))
    set_numbers(layer.weights, 10)
    outputs = [layer(numbers((2, 4, 2), seed)) for seed in (1, 2, 3)]
    for i, variable in enumerate(leaves(layer.states)):
        close(variable.numpy(), golden[f"stateful/{index}/kept/{i}"])
    layer.reset_states()
    outputs.append(layer(numbers((2, 4, 2), 4)))
    for i, y in enumerate(outputs):
        close(y, golden[f"stateful/{index}/y/{i}"])
    same_config(layer.get_config(), case["config"])
    assert [[v.path, list(v.shape)] for v in layer.weights] == case["weights"]
    assert layer.non_trainable_weights == []


def parts_of(name):
    def embedding():
        return [layers.Input((5,)), layers.Embedding(4, 3, mask_zero=True)]

    def masking():
        return [layers.Input((None, 3)), Masking(0.5)]

    return {
        "embedding": lambda: [*embedding(), LSTM(3), layers.Dense(2)],
        "stack": lambda: [
            *embedding(),
            Bidirectional(LSTM(2, return_sequences=True)),
            Bidirectional(LSTM(2), merge_mode="sum"),
            layers.Dense(2),
        ],
        "masking": lambda: [
            *masking(),
            GRU(3, return_sequences=True, kernel_regularizer="l2"),
            TimeDistributed(layers.Dense(2, activation="tanh")),
            SimpleRNN(2, go_backwards=True),
        ],
        "sequences": lambda: [
            *masking(),
            GRU(2, return_sequences=True, reset_after=False),
        ],
        "video": lambda: [
            layers.Input((3, 4, 4, 2)),
            TimeDistributed(layers.Conv2D(2, 2, activation="relu")),
            TimeDistributed(layers.BatchNormalization()),
            TimeDistributed(layers.Flatten()),
            RNN(MinimalRNNCell(3)),
            layers.Dense(2),
        ],
    }[name]()


def inputs_of(name):
    if name in ("embedding", "stack"):
        words = (np.abs(numbers((20, 5), 3)) * 8).astype("int64") % 4
        words[:, 0] += words[:, 0] == 0
        return words
    if name == "video":
        return numbers((20, 3, 4, 4, 2), 7)
    x = numbers((20, 4, 3), 5)
    x[::2, 2:] = 0.5
    x[::3, 1] = 0.5
    return x


@pytest.mark.parametrize("case", CASES["models"], ids=lambda case: case["name"])
def test_training_equals_keras(case, golden, float64):
    name = case["name"]
    model = keras.Sequential(parts_of(name), name=name)
    assert [v.path for v in model.weights] == case["paths"]
    set_numbers(model.weights, 10)
    for variable in model.weights:
        if "variance" in variable.name:
            variable.assign(np.abs(variable.numpy()) + 0.5)
    x = inputs_of(name)
    y = numbers((len(x), *model.compute_output_shape(x.shape)[1:]), 9)
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    close(history.history["loss"], case["loss"], 1e-6)
    for i, weight in enumerate(model.get_weights()):
        close(weight, golden[f"model/{name}/w/{i}"], 1e-6)
    close(model.predict(x[:4], verbose=0), golden[f"model/{name}/predict/0"], 1e-6)
    close(model.evaluate(x, y, verbose=0), case["evaluate"], 1e-6)
    same_config(model.get_config()["layers"], case["config"]["layers"])


@pytest.mark.parametrize("case", CASES["models"], ids=lambda case: case["name"])
def test_config_of_keras_makes_the_model(case):
    model = keras.Sequential.from_config(case["config"], custom_objects=OWN)
    assert [v.path for v in model.weights] == case["paths"]
    again = keras.Sequential.from_config(model.get_config(), custom_objects=OWN)
    assert again.get_config() == model.get_config()


@pytest.mark.parametrize("name", CASES["signatures"])
def test_arguments_are_those_of_keras(name):
    parameters = inspect.signature(CLASSES[name].__init__).parameters
    ours = [
        [p.name, None if p.default is p.empty else p.default]
        for p in list(parameters.values())[1:]
        if p.kind is not p.VAR_KEYWORD
    ]
    assert ours == CASES["signatures"][name]


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("loop", [False, True])
def test_float32_stays_float32(name, loop, monkeypatch):
    if loop:
        monkeypatch.setattr("minikeras.layers.rnn.WHOLE", ())
    both = {"return_sequences": True, "return_state": True}
    layer = CLASSES[name](3, dropout=0.2, recurrent_dropout=0.2, **both)
    x = numbers((2, 4, 2), 1)
    outputs = layer(x, training=True, mask=np.array(MASKS["left"], bool))
    _, _, gradients = backpropagate(
        lambda: (reduce(ops.add, map(ops.sum, layer(x, training=True))), None),
        layer.trainable_weights,
    )
    assert {a.dtype for a in (*outputs, *gradients)} == {np.dtype("float32")}


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("implementation", [1, 2])
def test_dropout_equals_in_loop_and_whole(name, implementation, monkeypatch, float64):
    """The same masks, in the same places, for the whole sequence and step by step."""
    more = {} if name == "SimpleRNN" else {"implementation": implementation}
    for recurrent in (0.0, 0.4):

        def results(recurrent=recurrent):
            rates = {"dropout": 0.4, "recurrent_dropout": recurrent}
            layer = CLASSES[name](5, return_sequences=True, seed=3, **rates, **more)
            layer.build((None, None, 6))
            set_numbers(layer.weights, 10)
            return [layer(numbers((3, 4, 6), 1), training=True) for _ in range(2)]

        monkeypatch.undo()
        whole = results()
        monkeypatch.setattr("minikeras.layers.rnn.WHOLE", ())
        for one, other in zip(whole, results(), strict=True):
            close(one, other, 1e-12)
        assert not np.allclose(whole[0], whole[1])  # drawn again for each call


def test_dropout_is_one_mask_for_all_steps():
    layer = SimpleRNN(
        8,
        activation=None,
        use_bias=False,
        kernel_initializer="identity",
        recurrent_initializer="zeros",
        dropout=0.5,
        return_sequences=True,
    )
    y = layer(np.ones((4, 6, 8)), training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    assert np.all(y == y[:, :1])
    assert not np.all(y == y[:1])
    assert np.all(layer(np.ones((4, 6, 8))) == 1)


def test_recurrent_dropout_is_one_mask_for_all_steps():
    layer = SimpleRNN(
        8,
        activation=None,
        kernel_initializer="zeros",
        recurrent_initializer="identity",
        recurrent_dropout=0.5,
        return_sequences=True,
    )
    y = layer(np.zeros((4, 3, 8)), [np.ones((4, 8))], training=True)
    for number, value in enumerate((2.0, 4.0, 8.0)):
        assert set(np.unique(y[:, number])) == {0.0, value}
    assert np.all((y[:, 0] == 0) == (y[:, 2] == 0))


@pytest.mark.parametrize("gates", [4, 3])
def test_each_gate_has_a_mask_with_recurrent_dropout(gates):
    cell = (LSTMCell if gates == 4 else GRUCell)(5, dropout=0.5, recurrent_dropout=0.5)
    x, h = np.ones((3, 7), "float32"), np.ones((3, 5), "float32")
    masks, state_masks = cell.get_dropout_mask(x), cell.get_recurrent_dropout_mask(h)
    assert [m.shape for m in masks] == [(3, 7)] * gates
    assert [m.shape for m in state_masks] == [(3, 5)] * gates
    assert cell.get_dropout_mask(x) is masks
    cell.reset_dropout_mask()
    cell.reset_recurrent_dropout_mask()
    assert not np.array_equal(np.stack(cell.get_dropout_mask(x)), np.stack(masks))
    assert cell.get_recurrent_dropout_mask(h) is not state_masks


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_rates_are_brought_into_range_as_in_keras(name):
    layer = CLASSES[name](2, dropout=2.0, recurrent_dropout=-1.0)
    assert (layer.dropout, layer.recurrent_dropout) == (1.0, 0.0)
    x = numbers((2, 3, 2), 1)
    y = layer(x, training=True)
    if name == "SimpleRNN":
        assert np.all(y == 0)
    else:  # the cells of Keras with gates take a rate of 1 as none
        close(y, layer(x), 1e-6)


def test_seed_repeats_dropout():
    x = np.ones((2, 5, 4))
    one, other = (LSTM(3, dropout=0.5, seed=7) for _ in range(2))
    one.build((None, 5, 4))
    other.build((None, 5, 4))
    other.set_weights(one.get_weights())
    assert np.array_equal(one(x, training=True), other(x, training=True))


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_initial_weights(name):
    layer = CLASSES[name](4)
    layer.build((None, None, 6))
    kernel, recurrent, bias = layer.get_weights()
    limit = np.sqrt(6 / sum(kernel.shape))  # Glorot, from the whole kernel
    assert 0.7 * limit < np.abs(kernel).max() <= limit
    close(recurrent @ recurrent.T, np.eye(4), 1e-5)
    expected = np.zeros(bias.shape)
    if name == "LSTM":
        expected[4:8] = 1
    assert np.array_equal(bias, expected)


def test_regularizers_constraints_and_initializers_reach_the_weights():
    layer = GRU(
        2,
        kernel_regularizer=keras.regularizers.L1(1.0),
        recurrent_regularizer=keras.regularizers.L1(2.0),
        bias_regularizer=keras.regularizers.L1(3.0),
        activity_regularizer=keras.regularizers.L1(4.0),
        kernel_constraint="non_neg",
        recurrent_constraint="unit_norm",
        bias_constraint="non_neg",
        **{f"{w}_initializer": "ones" for w in ("kernel", "recurrent", "bias")},
    )
    y = layer(np.ones((2, 3, 2)))
    close(layer.losses, [4 * np.abs(y).sum() / 2, 12.0, 24.0, 36.0], 1e-6)
    assert all(v.constraint is not None for v in layer.weights)


def test_simple_rnn_honours_its_activity_regularizer():
    """Keras takes the argument and leaves it aside."""
    layer = SimpleRNN(2, activity_regularizer=keras.regularizers.L1(1.0))
    y = layer(np.ones((2, 3, 2)))
    close(layer.losses, [np.abs(y).sum() / 2], 1e-6)


def test_frozen_and_renamed():
    layer = LSTM(2, trainable=False, name="memory")
    layer.build((None, 3, 2))
    assert layer.trainable_weights == []
    assert layer.weights[0].path == "memory/lstm_cell/kernel"


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_attributes_are_those_of_the_cell(name):
    layer = CLASSES[name](3, activation="relu", kernel_regularizer="l2")
    assert layer.units == 3 and layer.activation is keras.activations.relu
    assert layer.kernel_regularizer is layer.cell.kernel_regularizer
    assert hasattr(layer, "recurrent_activation") == (name != "SimpleRNN")
    assert hasattr(layer, "unit_forget_bias") == (name == "LSTM")
    assert hasattr(layer, "reset_after") == (name == "GRU")


def test_first_layer_of_a_model():
    model = keras.Sequential([LSTM(4, input_shape=(None, 8)), layers.Dense(1)])
    assert model.count_params() == 4 * 4 * (8 + 4 + 1) + 5
    assert model.predict(np.ones((2, 3, 8)), verbose=0).shape == (2, 1)
    assert model.predict(np.ones((2, 7, 8)), verbose=0).shape == (2, 1)


def test_summary_shows_the_shapes_of_keras(capsys):
    keras.Sequential(
        [
            layers.Input((None, 8)),
            Bidirectional(LSTM(4, return_sequences=True)),
            TimeDistributed(layers.Dense(3)),
            GRU(5),
        ]
    ).summary()
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    expected = [
        "bidirectional (Bidirectional) (None, None, 8) 416",
        "time_distributed (TimeDistributed) (None, None, 3) 27",
        "gru (GRU) (None, 5) 150",
    ]
    for row in expected:
        assert row.split() in rows


def test_masked_steps_do_not_reach_anything():
    """Whatever stands in masked steps, outputs and states stay the same."""
    layer = LSTM(3, return_state=True)
    mask = np.array(MASKS["holes"], bool)
    x = numbers((2, 4, 2), 1)
    other = np.where(mask[..., None], x, 9.0)
    for one, two in zip(layer(x, mask=mask), layer(other, mask=mask), strict=True):
        assert np.array_equal(one, two)


def test_mask_of_three_axes_is_that_of_any_entry():
    layer = GRU(3)
    mask = np.array(MASKS["holes"], bool)
    x = numbers((2, 4, 2), 1)
    wide = np.stack([mask, np.zeros_like(mask)], -1)
    assert np.array_equal(layer(x, mask=wide), layer(x, mask=mask))


def test_second_derivatives(float64):
    from autograd.test_util import check_grads

    layer = GRU(2, activation="softsign", return_sequences=True)  # by the loop
    layer.build((None, 3, 2))
    mask = np.array([[1, 0, 1]], bool)
    check_grads(lambda x: layer(x, mask=mask), modes=["rev"], order=2)(
        numbers((1, 3, 2), 1)
    )


def test_round_trip_of_configs():
    stacked = RNN([LSTMCell(3), GRUCell(2)], return_state=True)
    for layer in (stacked, Bidirectional(GRU(2), merge_mode=None), LSTM(2, seed=4)):
        config = serialize_keras_object(layer)
        again = deserialize_keras_object(json.loads(json.dumps(config)))
        assert serialize_keras_object(again) == config
