"""Recurrent cells of one's own, and masks."""

import numpy as np

import minikeras as keras
from minikeras import layers, ops

from .base import Y, fill, history, numbers, program
from .own_layers import MaskedMean


class PlainCell(layers.Layer):
    """A recurrent cell of one's own."""

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
        prev_output = states[0]
        h = ops.matmul(inputs, self.kernel)
        output = h + ops.tanh(ops.matmul(prev_output, self.recurrent_kernel))
        return output, [output]


class PairCell(layers.Layer):
    """A cell with two states of different sizes."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(units)
        self.state_size = [units, 1]
        self.output_size = units

    def build(self, input_shape):
        self.dense.build((input_shape[0], input_shape[-1]))

    def call(self, inputs, states):
        last, count = states
        output = self.dense(inputs) + 0.5 * last / (1 + count)
        return output, [output, count + 1]


class TemporalSplit(layers.Layer):
    """Cuts sequences in two, and their mask with them."""

    def call(self, inputs):
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs, mask=None):
        if mask is None:
            return None
        return ops.split(mask, 2, axis=1)


class CustomEmbedding(layers.Layer):
    def __init__(self, input_dim, output_dim, mask_zero=False, **kwargs):
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mask_zero = mask_zero

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.output_dim),
            initializer="random_normal",
            dtype="float32",
        )

    def call(self, inputs):
        inputs = ops.cast(inputs, "int32")
        return ops.take(self.embeddings, inputs, axis=0)

    def compute_mask(self, inputs, mask=None):
        if not self.mask_zero:
            return None
        return ops.not_equal(inputs, 0)


class MyActivation(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return ops.relu(inputs)


class TemporalSoftmax(layers.Layer):
    def call(self, inputs, mask=None):
        assert mask is not None
        broadcast = ops.expand_dims(ops.cast(mask, "float32"), -1)
        exp = ops.exp(inputs) * broadcast
        return exp / ops.sum(exp * broadcast, axis=1, keepdims=True)


WORDS = np.array([[1, 2, 3, 0, 0, 0], [4, 1, 0, 0, 0, 0], [2, 2, 2, 3, 3, 1]])
MASK = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)


@program
def cells_of_ones_own():
    x = numbers(3, 4, 5, seed=3)
    found = {}
    for name, cell in {
        "one": PlainCell(3),
        "stacked": [PlainCell(3), PlainCell(2)],
        "pair": PairCell(3),
    }.items():
        layer = layers.RNN(cell, return_sequences=True, return_state=True)
        layer(x)
        fill(layer)
        outputs, *states = layer(x)
        found[name] = [outputs, *(state for state in _flat(states))]
    model = keras.Sequential(
        [keras.Input((4, 5)), layers.RNN(PlainCell(3)), layers.Dense(2)]
    )
    fill(model)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    found["fit"] = history(model, x, Y[:3])
    found["masked"] = layers.RNN(PlainCell(3, name="again"), return_sequences=True)
    masked = found["masked"]
    masked(x)
    fill(masked)
    found["masked"] = masked(x, mask=MASK)
    return found


def _flat(states):
    for state in states:
        if isinstance(state, (list, tuple)):
            yield from _flat(state)
        else:
            yield state


@program
def masks():
    embedding = CustomEmbedding(5, 4, mask_zero=True)
    embedding(WORDS)
    fill(embedding)
    lstm, last = layers.LSTM(3), MaskedMean()
    lstm(numbers(3, 6, 4))
    fill(lstm)
    found = {"mask": embedding.compute_mask(WORDS), "lstm": lstm(embedding(WORDS))}
    found["activation"] = last(MyActivation()(embedding(WORDS)))
    found["passed on"] = lstm(embedding(WORDS), mask=embedding.compute_mask(WORDS))
    first, second = TemporalSplit()(embedding(WORDS[2:]))
    found["split"] = [lstm(first), lstm(second)]
    found["explicit"] = last(numbers(3, 4, 2), mask=MASK)
    scores = layers.Dense(1)
    scores(numbers(3, 6, 4))
    fill(scores)
    found["softmax"] = TemporalSoftmax()(scores(embedding(WORDS)))
    return found


@program
def training_with_masks():
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(5, 4, mask_zero=True),
            layers.LSTM(3, return_sequences=True),
            MyActivation(),
            layers.Dense(2),
        ]
    )
    fill(model)
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    y = numbers(3, 6, 2, seed=9)
    found = history(model, WORDS, y, batch_size=2, epochs=3)
    return {**found, "loss": model.evaluate(WORDS, y, verbose=0)}
