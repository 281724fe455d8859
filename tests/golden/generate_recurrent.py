"""Write recurrent.json and recurrent.npz: recurrent layers and wrappers of real Keras.

Outputs, states and gradients, in float64; configs and signatures; calls that keep
their states; training runs. Inputs and weights are not stored: `numbers` makes them.

Run it with Keras and JAX installed:
KERAS_BACKEND=jax python generate_recurrent.py
"""

import inspect
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras.src.backend.common import dtypes

# On JAX, Keras converts float64 to float32 in some places; this is the entry it has on
# TensorFlow.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
jax.config.update("jax_enable_x64", True)

layers = keras.layers


def numbers(shape, seed):
    """Numbers from -0.8 to 0.8, the same everywhere."""
    size = int(np.prod(shape))
    return 0.8 * np.sin(1.3 * np.arange(size) + 0.7 * seed + 0.1).reshape(shape)


MASKS = {
    "right": [[1, 1, 1, 1], [1, 1, 0, 0]],
    "left": [[0, 0, 1, 1], [0, 1, 1, 1]],
    "holes": [[1, 0, 1, 0], [0, 1, 1, 0]],
    "empty": [[0, 0, 0, 0], [1, 1, 1, 0]],
}


class MinimalRNNCell(keras.layers.Layer):
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
        h = keras.ops.matmul(inputs, self.kernel)
        output = h + keras.ops.matmul(states[0], self.recurrent_kernel)
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class TwoStatesCell(MinimalRNNCell):
    """Its output is none of its states, and it has one more of another size."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = (units, 2)
        self.output_size = units

    def call(self, inputs, states, training=False):
        last, count = states
        h = keras.ops.tanh(
            keras.ops.matmul(inputs, self.kernel)
            + keras.ops.matmul(last, self.recurrent_kernel)
        )
        return 2.0 * h + count[:, :1], [h, count + 1.0]


OWN = {"MinimalRNNCell": MinimalRNNCell, "TwoStatesCell": TwoStatesCell}
SEQUENCES = {"return_sequences": True}
BOTH = {"return_sequences": True, "return_state": True}
PLAIN = ("SimpleRNN", "LSTM", "GRU")


def cases():
    """(class, arguments, extras), extras being mask, initial and shape."""
    for name in PLAIN:
        u = {"units": 3}
        yield name, u, {}
        yield name, {**u, **SEQUENCES}, {}
        yield name, {**u, "return_state": True}, {}
        yield name, {**u, **BOTH}, {"initial": True}
        yield name, {**u, **BOTH, "go_backwards": True}, {}
        yield name, {**u, "use_bias": False, "activation": "relu", **BOTH}, {}
        yield name, {**u, "activation": "softsign", **BOTH}, {"mask": "holes"}
        yield name, {**u, "activation": None, **SEQUENCES}, {"shape": [1, 1, 1]}
        for mask in MASKS:
            yield name, {**u, **BOTH}, {"mask": mask}
        yield name, {**u, **BOTH, "go_backwards": True}, {"mask": "right"}
        yield name, {**u, **BOTH}, {"mask": "left", "initial": True}
        yield name, {**u, **BOTH, "zero_output_for_mask": True}, {"mask": "holes"}
        yield name, u, {"mask": "right"}
        yield name, {**u, **BOTH, "unroll": True}, {"initial": True}
        yield (
            name,
            {**u, **BOTH, "unroll": True, "zero_output_for_mask": True},
            {"mask": "left", "initial": True},
        )
    for gates in ("hard_sigmoid", "linear", "tanh", "elu"):
        yield "LSTM", {"units": 2, "recurrent_activation": gates}, {}
        yield "GRU", {"units": 2, "recurrent_activation": gates}, {}
    before = {"units": 3, "reset_after": False}
    yield "GRU", before, {"mask": "holes"}
    yield "GRU", {**before, **BOTH, "use_bias": False}, {"initial": True}
    yield "GRU", {**before, **BOTH, "activation": "elu"}, {}
    yield "GRU", {**before, "go_backwards": True, **SEQUENCES}, {"mask": "left"}
    yield "LSTM", {"units": 3, "unit_forget_bias": False, "implementation": 1}, {}
    yield "GRU", {"units": 3, "implementation": 1}, {}
    yield "GRU", {**before, "implementation": 1}, {}
    cell = {"class_name": "MinimalRNNCell", "arguments": {"units": 3}}
    two = {"class_name": "TwoStatesCell", "arguments": {"units": 3}}
    lstm = {"class_name": "LSTMCell", "arguments": {"units": 3}}
    gru = {"class_name": "GRUCell", "arguments": {"units": 2, "reset_after": False}}
    simple = {"class_name": "SimpleRNNCell", "arguments": {"units": 2}}
    yield "RNN", {"cell": cell}, {}
    yield "RNN", {"cell": cell, **BOTH}, {"mask": "holes", "initial": True}
    yield "RNN", {"cell": cell, **BOTH, "go_backwards": True}, {"mask": "left"}
    yield "RNN", {"cell": two, **BOTH}, {}
    yield "RNN", {"cell": two, **BOTH}, {"mask": "left"}
    yield "RNN", {"cell": two, **BOTH, "zero_output_for_mask": True}, {"mask": "left"}
    yield "RNN", {"cell": two, **BOTH, "unroll": True}, {"mask": "holes"}
    yield "RNN", {"cell": [cell, cell], **SEQUENCES}, {}
    yield "RNN", {"cell": lstm, **BOTH}, {"mask": "holes"}
    yield "RNN", {"cell": [lstm, gru], **BOTH}, {}
    yield "RNN", {"cell": [lstm, gru, simple], **SEQUENCES}, {"mask": "holes"}
    yield "RNN", {"cell": [gru, lstm], "go_backwards": True, **BOTH}, {"mask": "right"}
    yield "RNN", {"cell": [gru, lstm], **SEQUENCES, "unroll": True}, {"mask": "right"}
    zero = {"zero_output_for_mask": True, **SEQUENCES}
    yield "RNN", {"cell": [gru, simple], **zero}, {"mask": "holes"}
    for mode in ("sum", "mul", "concat", "ave", None):
        inner = {"class_name": "LSTM", "arguments": {"units": 2}}
        yield "Bidirectional", {"layer": inner, "merge_mode": mode}, {}
        inner = {"class_name": "GRU", "arguments": {"units": 2, **SEQUENCES}}
        bi = {"layer": inner, "merge_mode": mode}
        yield "Bidirectional", bi, {"mask": "right"}
        inner = {"class_name": "SimpleRNN", "arguments": {"units": 2, **BOTH}}
        bi = {"layer": inner, "merge_mode": mode}
        yield "Bidirectional", bi, {"initial": True, "mask": "left"}
    inner = {"class_name": "LSTM", "arguments": {"units": 2, **SEQUENCES}}
    back = {
        "class_name": "GRU",
        "arguments": {"units": 2, **SEQUENCES, "go_backwards": True},
    }
    yield "Bidirectional", {"layer": inner, "backward_layer": back}, {"mask": "holes"}
    inner = {"class_name": "RNN", "arguments": {"cell": [lstm, gru], **SEQUENCES}}
    yield "Bidirectional", {"layer": inner}, {}
    dense = {"class_name": "Dense", "arguments": {"units": 2, "activation": "tanh"}}
    conv = {"class_name": "Conv2D", "arguments": {"filters": 2, "kernel_size": 2}}
    norm = {"class_name": "LayerNormalization", "arguments": {}}
    inner = {"class_name": "LSTM", "arguments": {"units": 2}}
    yield "TimeDistributed", {"layer": dense}, {}
    yield "TimeDistributed", {"layer": dense}, {"mask": "right"}
    yield "TimeDistributed", {"layer": norm}, {}
    yield "TimeDistributed", {"layer": conv}, {"shape": [2, 2, 3, 4, 1]}
    yield "TimeDistributed", {"layer": inner}, {"shape": [2, 4, 2, 3]}


def make(class_name, arguments, **more):
    """A layer, with the layers and cells in its arguments made too."""

    def filled(value):
        if isinstance(value, dict) and "class_name" in value:
            return make(**value)
        if isinstance(value, list):
            return [filled(item) for item in value]
        return value

    kind = OWN.get(class_name) or getattr(layers, class_name)
    return kind(**{k: filled(v) for k, v in arguments.items()}, **more)


def flat(value):
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in flat(item)]
    return [value]


def as_lists(value):
    if isinstance(value, list | tuple):
        return [as_lists(item) for item in value]
    return value


arrays = {}


def store(key, values):
    for i, value in enumerate(values):
        arrays[f"{key}/{i}"] = np.asarray(value)
    return len(values)


def set_numbers(weights, seed):
    for i, variable in enumerate(weights):
        variable.assign(numbers(variable.shape, seed + i))


def layer_case(index, class_name, arguments, extras):
    keras.utils.clear_session()
    layer = make(class_name, arguments, dtype="float64", name="layer")
    shape = extras.get("shape", [2, 4, 2])
    layer.build(tuple(shape))
    set_numbers(layer.weights, 10)
    options = {}
    if "mask" in extras:
        options["mask"] = np.array(MASKS[extras["mask"]], bool)
    sizes = []
    if extras.get("initial"):
        sizes = flat(layer.state_size) if hasattr(layer, "state_size") else [2, 2]
    initial = [numbers((shape[0], n), 30 + i) for i, n in enumerate(sizes)]
    fixed = [v.value for v in layer.non_trainable_variables]

    def outputs_of(weights, x, initial):
        if sizes:
            options["initial_state"] = list(initial)
        return layer.stateless_call(weights, fixed, x, **options)[0]

    def loss(weights, x, initial):
        leaves = flat(outputs_of(weights, x, initial))
        return sum(
            jnp.sum(leaf * numbers(leaf.shape, 50 + i)) for i, leaf in enumerate(leaves)
        )

    x = numbers(shape, 1)
    start = [v.value for v in layer.trainable_variables]
    outputs = outputs_of(start, x, initial)
    grads = jax.grad(loss, argnums=(0, 1, 2))(start, x, initial)
    key = f"layer/{index}"
    unknown = (None, None, *shape[2:])
    return {
        "class_name": class_name,
        "arguments": arguments,
        "extras": extras,
        "config": layer.get_config() if index % 5 == 0 else None,
        "weights": [[v.path, list(v.shape)] for v in layer.weights],
        "structure": as_lists(jax.tree.map(lambda leaf: "x", outputs)),
        "output_shape": as_lists(layer.compute_output_shape(unknown)),
        "outputs": store(f"{key}/y", flat(outputs)),
        "states": store(f"{key}/ds", grads[2]),
        "gradients": store(f"{key}/dw", grads[0]) + store(f"{key}/dx", grads[1:2]) - 1,
    }


def cell_case(index, class_name, arguments):
    """One step of a cell by itself, with a bare state and with a list of them."""
    keras.utils.clear_session()
    cell = make(class_name, arguments, dtype="float64", name="cell")
    cell.build((2, 2))
    set_numbers(cell.weights, 10)
    sizes = np.atleast_1d(cell.state_size)
    states = [numbers((2, n), 30 + i) for i, n in enumerate(sizes)]
    output, new = cell(numbers((2, 2), 1), states)
    return {
        "class_name": class_name,
        "arguments": arguments,
        "config": cell.get_config(),
        "weights": [[v.path, list(v.shape)] for v in cell.weights],
        "outputs": store(f"cell/{index}/y", [output, *new]),
    }


def stateful_case(index, class_name, arguments):
    """Three calls, a reset, and one more."""
    keras.utils.clear_session()
    layer = make(class_name, arguments, dtype="float64", name="layer")
    layer.build((2, 4, 2))
    set_numbers(layer.weights, 10)
    outputs = [layer(numbers((2, 4, 2), seed)) for seed in (1, 2, 3)]
    kept = [np.asarray(v) for v in flat(layer.states)]
    for variable in flat(layer.states):  # reset_state() fails for stacked cells
        variable.assign(np.zeros(variable.shape))
    outputs.append(layer(numbers((2, 4, 2), 4)))
    return {
        "class_name": class_name,
        "arguments": arguments,
        "config": layer.get_config(),
        "weights": [[v.path, list(v.shape)] for v in layer.weights],
        "outputs": store(f"stateful/{index}/y", outputs),
        "kept": store(f"stateful/{index}/kept", kept),
    }


def models():
    """name, layers, inputs."""
    words = (np.abs(numbers((20, 5), 3)) * 8).astype("int64") % 4
    words[:, 0] += words[:, 0] == 0  # no sample is masked as a whole
    masked = numbers((20, 4, 3), 5)
    masked[::2, 2:] = 0.5
    masked[::3, 1] = 0.5
    video = numbers((20, 3, 4, 4, 2), 7)

    def embedding():
        return [layers.Input((5,)), layers.Embedding(4, 3, mask_zero=True)]

    def masking():
        return [layers.Input((None, 3)), layers.Masking(0.5)]

    yield "embedding", [*embedding(), layers.LSTM(3), layers.Dense(2)], words
    yield (
        "stack",
        [
            *embedding(),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(2), merge_mode="sum"),
            layers.Dense(2),
        ],
        words,
    )
    yield (
        "masking",
        [
            *masking(),
            layers.GRU(3, return_sequences=True, kernel_regularizer="l2"),
            layers.TimeDistributed(layers.Dense(2, activation="tanh")),
            layers.SimpleRNN(2, go_backwards=True),
        ],
        masked,
    )
    yield (
        "sequences",
        [*masking(), layers.GRU(2, return_sequences=True, reset_after=False)],
        masked,
    )
    yield (
        "video",
        [
            layers.Input((3, 4, 4, 2)),
            layers.TimeDistributed(layers.Conv2D(2, 2, activation="relu")),
            layers.TimeDistributed(layers.BatchNormalization()),
            layers.TimeDistributed(layers.Flatten()),
            layers.RNN(MinimalRNNCell(3)),
            layers.Dense(2),
        ],
        video,
    )


def model_case(name, parts, x):
    model = keras.Sequential(parts, name=name)
    set_numbers(model.weights, 10)
    for variable in model.weights:
        if "variance" in variable.name:
            variable.assign(keras.ops.abs(variable) + 0.5)
    shape = (len(x), *model.compute_output_shape(x.shape)[1:])
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
    history = model.fit(
        x, numbers(shape, 9), batch_size=4, epochs=2, shuffle=False, verbose=0
    )
    return {
        "name": name,
        "config": model.get_config(),
        "paths": [v.path for v in model.weights],
        "loss": history.history["loss"],
        "evaluate": float(model.evaluate(x, numbers(shape, 9), verbose=0)),
        "weights": store(f"model/{name}/w", model.get_weights()),
        "predict": store(f"model/{name}/predict", [model.predict(x[:4], verbose=0)]),
    }


def signatures():
    names = [*PLAIN, *(f"{n}Cell" for n in PLAIN), "StackedRNNCells", "RNN"]
    for name in (*names, "Bidirectional", "TimeDistributed", "Masking", "Wrapper"):
        parameters = inspect.signature(getattr(layers, name).__init__).parameters
        yield (
            name,
            [
                [p.name, None if p.default is p.empty else p.default]
                for p in list(parameters.values())[1:]
                if p.kind is not p.VAR_KEYWORD
            ],
        )


def packed():
    """All arrays as one, and where in it each lies."""
    parts, index, start = [], {}, 0
    for key, value in arrays.items():
        index[key] = [start, list(value.shape)]
        start += value.size
        parts.append(value.astype("float64").ravel())
    return np.concatenate(parts), index


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    kept = {"units": 3, "stateful": True}
    twice = [{"class_name": "LSTMCell", "arguments": {"units": n}} for n in (3, 2)]
    golden = {
        "versions": {"keras": keras.__version__, "jax": jax.__version__},
        "layers": [layer_case(i, *case) for i, case in enumerate(cases())],
        "cells": [
            cell_case(0, "SimpleRNNCell", {"units": 3}),
            cell_case(1, "LSTMCell", {"units": 3, "activation": "elu"}),
            cell_case(2, "GRUCell", {"units": 3}),
            cell_case(3, "GRUCell", {"units": 3, "reset_after": False}),
        ],
        "stateful": [
            stateful_case(0, "SimpleRNN", {**kept, **SEQUENCES}),
            stateful_case(1, "LSTM", kept),
            stateful_case(2, "GRU", {**kept, "go_backwards": True}),
            stateful_case(3, "RNN", {"cell": twice, "stateful": True}),
            stateful_case(
                4,
                "Bidirectional",
                {"layer": {"class_name": "LSTM", "arguments": kept}},
            ),
        ],
        "models": [],
        "signatures": dict(signatures()),
    }
    keras.utils.clear_session()
    for model in models():  # made one by one, each with names of its own
        golden["models"].append(model_case(*model))
        keras.utils.clear_session()
    flat_array, golden["index"] = packed()
    here = Path(__file__).parent
    text = json.dumps(golden, separators=(",", ":"))
    (here / "recurrent.json").write_text(text + "\n")
    np.savez_compressed(here / "recurrent.npz", numbers=flat_array)
