"""Layers of one's own."""

import numpy as np

import minikeras as keras
from minikeras import layers, ops

from .base import X, Y, array, fill, history, numbers, program


class Linear(layers.Layer):
    """y = x.w + b with weights made at once."""

    def __init__(self, units=4, input_dim=3):
        super().__init__()
        self.w = self.add_weight(
            shape=(input_dim, units), initializer="random_normal", trainable=True
        )
        self.b = self.add_weight(shape=(units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b


@keras.saving.register_keras_serializable(package="Guides")
class LazyLinear(layers.Layer):
    """y = x.w + b with weights made when the input is known."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer="random_normal",
            trainable=True,
            name="w",
        )
        self.b = self.add_weight(
            shape=(self.units,), initializer="random_normal", trainable=True, name="b"
        )

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


class Block(layers.Layer):
    """Layers inside a layer."""

    def __init__(self):
        super().__init__()
        self.linear_1 = LazyLinear(5)
        self.linear_2 = LazyLinear(4)
        self.linear_3 = LazyLinear(2)

    def call(self, inputs):
        x = self.linear_1(inputs)
        x = keras.activations.relu(x)
        x = self.linear_2(x)
        x = keras.activations.relu(x)
        return self.linear_3(x)


class ComputeSum(layers.Layer):
    """Keeps the sum of all it has seen in a weight that does not train."""

    def __init__(self, input_dim):
        super().__init__()
        self.total = self.add_weight(
            initializer="zeros", shape=(input_dim,), trainable=False
        )

    def call(self, inputs):
        self.total.assign_add(ops.sum(inputs, axis=0))
        return self.total


class MovingNorm(layers.Layer):
    """Divides by a moving average of magnitudes that it keeps itself."""

    def build(self, input_shape):
        self.size = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", trainable=False, name="size"
        )
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs, training=False):
        if training:
            size = ops.mean(ops.abs(inputs), axis=0)
            self.size.assign(0.5 * self.size + 0.5 * ops.stop_gradient(size))
        return inputs / self.size * self.gain


class ActivityPenalty(layers.Layer):
    def __init__(self, rate=1e-2):
        super().__init__()
        self.rate = rate

    def call(self, inputs):
        self.add_loss(self.rate * ops.mean(ops.square(inputs)))
        return inputs


class Outer(layers.Layer):
    def __init__(self):
        super().__init__()
        self.penalty = ActivityPenalty(0.5)

    def call(self, inputs):
        return self.penalty(inputs)


class FixedDropout(layers.Layer):
    """Dropout whose mask is known."""

    def call(self, inputs, training=None):
        if training:
            keep = np.array([1, 0, 1], "float32")
            return inputs * keep * 1.5
        return inputs


class MaskedMean(layers.Layer):
    """Mean over the steps that count."""

    def call(self, inputs, mask=None):
        if mask is None:
            return ops.mean(inputs, axis=1)
        kept = ops.cast(mask, "float32")[:, :, None]
        return ops.sum(inputs * kept, axis=1) / ops.sum(kept, axis=1)


@program
def linear_layers():
    layer, lazy = fill(Linear()), LazyLinear(2)
    before = [lazy.built, len(lazy.weights)]
    lazy.build((None, 4))
    fill(lazy)
    return {
        "outputs": lazy(layer(X)),
        "before": before,
        "names": [w.name for w in lazy.weights],
        "shapes": [tuple(w.shape) for w in (*layer.weights, *lazy.weights)],
        "dtypes": [w.dtype for w in layer.weights],
        "trainable": [w.trainable for w in layer.weights],
        "count": [layer.count_params(), lazy.count_params()],
    }


@program
def nested_layers():
    block = Block()
    before = len(block.weights)
    block(ops.ones(shape=(3, 3)))
    fill(block)
    return {
        "outputs": block(X),
        "weights": [before, len(block.weights), len(block.trainable_weights)],
        "params": block.count_params(),
    }


@program
def weights_that_do_not_train():
    layer = ComputeSum(2)
    first = array(layer(ops.ones((2, 2)))).copy()
    second = array(layer(ops.ones((2, 2)))).copy()
    return {
        "sums": [first, second],
        "counts": [
            len(layer.weights),
            len(layer.non_trainable_weights),
            len(layer.trainable_weights),
        ],
    }


@program
def state_of_ones_own_in_fit():
    model = keras.Sequential([keras.Input((3,)), MovingNorm(), layers.Dense(2)])
    dense = model.layers[-1]
    dense.set_weights([numbers(3, 2), numbers(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    found = history(model, X, Y)
    return {
        **found,
        "state": model.layers[0].size,
        "outputs": model.predict(X, verbose=0),
    }


@program
def losses_added_in_call():
    outer = Outer()
    found = {"before": len(outer.losses)}
    outer(ops.ones((2, 2)))
    found["once"] = [float(loss) for loss in outer.losses]
    outer(ops.zeros((1, 1)))
    found["again"] = [float(loss) for loss in outer.losses]
    regular = layers.Dense(2, kernel_regularizer=keras.regularizers.L2(1e-1))
    model = keras.Sequential([keras.Input((3,)), Outer(), regular])
    fill(model)
    model(X)
    found["in a model"] = [float(loss) for loss in model.losses]
    model.compile(keras.optimizers.SGD(0.1))
    return {**found, **history(model, X)}


@program
def configs():
    layer = LazyLinear(6, name="six", trainable=False)
    config = layer.get_config()
    new = LazyLinear.from_config(config)
    model = keras.Sequential([keras.Input((3,)), LazyLinear(2, name="two")])
    fill(model)
    again = keras.Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    written = keras.saving.serialize_keras_object(LazyLinear(3, name="three"))
    back = keras.saving.deserialize_keras_object(written)
    return {
        "config": [config["units"], config["name"], config["trainable"]],
        "new": [new.units, new.name, new.trainable],
        "registered": [written["class_name"], written["registered_name"]],
        "back": [back.units, back.name],
        "same": again(X),
    }


@program
def training_argument():
    model = keras.Sequential([keras.Input((3,)), FixedDropout(), layers.Dense(2)])
    fill(model)
    found = {
        "silent": model(X),
        "training": model(X, training=True),
        "inference": model(X, training=False),
        "predict": model.predict(X, verbose=0),
    }
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {**found, **history(model, X, Y), "loss": model.evaluate(X, Y, verbose=0)}
