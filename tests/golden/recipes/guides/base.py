"""What the programs share: data, a network, a regularizer."""

import numpy as np

import minikeras as keras
from minikeras import layers, ops

PROGRAMS = {}


def program(function):
    """Enter a function into PROGRAMS."""
    PROGRAMS[function.__name__] = function
    return function


def numbers(*shape, seed=0, dtype="float32"):
    """Numbers from -0.8 to 0.8, the same everywhere."""
    size = int(np.prod(shape))
    values = 0.8 * np.sin(1.3 * np.arange(size) + 0.7 * seed + 0.1)
    return values.reshape(shape).astype(dtype)


def fill(model):
    """Set a model's weights to numbers that are the same everywhere."""
    model.set_weights(
        [numbers(*w.shape, seed=i) for i, w in enumerate(model.get_weights())]
    )
    return model


def array(x):
    return np.asarray(ops.convert_to_numpy(x))


def history(model, *args, **kwargs):
    """What `fit` says of each epoch, and the weights it ends with."""
    kwargs = {"verbose": 0, "shuffle": False, "batch_size": 4, "epochs": 2, **kwargs}
    found = model.fit(*args, **kwargs).history
    return {"history": found, "weights": model.get_weights()}


X, Y = numbers(10, 3, seed=5), numbers(10, 2, seed=6)
LABELS = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1])
WEIGHT = np.abs(numbers(10, seed=7)) + 0.1
NOISE = numbers(64, 2, seed=11) * 2


class MLP(keras.Model):
    """A subclass of Model, with layers in attributes and in a list."""

    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.hidden = [layers.Dense(4, "relu", name=f"hidden_{i}") for i in range(2)]
        self.head = layers.Dense(units, name="head")

    def call(self, inputs):
        for layer in self.hidden:
            inputs = layer(inputs)
        return self.head(inputs)


def mlp(cls=MLP, **kwargs):
    model = cls(**kwargs)
    model(X[:1])
    return fill(model)


def sum_penalty(x):
    return 0.01 * ops.sum(x)
