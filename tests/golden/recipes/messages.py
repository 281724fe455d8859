"""The messages Keras gives for common mistakes; text for people to read."""

import contextlib
import io
import re

import keras
import numpy as np
from keras import layers

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def messages():
    """Each mistake as code, with the type and the text of what was raised.

    Where nothing is raised the type is None and the text shows the result.
    """
    return [_message(title, code) for title, code in MISTAKES.items()]


def _message(title, code):
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    names = {"keras": keras, "layers": layers, "np": np, "ones": _ones, "net": _net}
    kind = None
    with contextlib.redirect_stdout(io.StringIO()):  # progress bars
        try:
            value = eval(code, names)
            shown = isinstance(value, int | float | list)
            text = str(value) if shown else f"a {type(value).__name__}"
        except Exception as error:  # whatever it is, it is the fact
            kind, text = type(error).__name__, COLOUR.sub("", str(error))
    return {"title": title, "code": code, "type": kind, "text": text}


def _ones(*shape):
    return np.ones(shape, "float32")


def _net(*layer_list, shape=(4,), **compiled):
    """A Sequential; compiled when compile arguments are given."""
    model = keras.Sequential([keras.Input(shape), *layer_list])
    if compiled:
        model.compile(**compiled)
    return model


_SPARSE = "loss='sparse_categorical_crossentropy'"
_SOFTMAX = f"net(layers.Dense(3, 'softmax'), {_SPARSE})"
MISTAKES = {
    "fit before compile": "net(layers.Dense(1)).fit(ones(2, 4), ones(2, 1))",
    "evaluate before compile": "net(layers.Dense(1)).evaluate(ones(2, 4), ones(2, 1))",
    "wrong rank for Conv2D": "layers.Conv2D(1, 1)(ones(2, 4))",
    "wrong rank for MaxPooling2D": "layers.MaxPooling2D()(ones(2, 4))",
    "wrong rank for Sequential": "net(layers.Dense(1))(ones(2, 3, 4))",
    "rank 1 for Dense": "layers.Dense(1)(ones(4))",
    "wrong last dimension": "net(layers.Dense(1)).predict(ones(2, 5), verbose=0)",
    "wrong last dimension in a built layer": (
        "net(layers.Dense(1)).layers[0](ones(2, 5))"
    ),
    "negative filters": "layers.Conv2D(-1, 1)",
    "zero filters": "layers.Conv2D(0, 1)",
    "negative units": "layers.Dense(-1)",
    "units of another type": "layers.Dense('three')",
    "units as a float": "layers.Dense(3.5)",
    "kernel larger than input": "net(layers.Conv2D(1, 5), shape=(3, 3, 1))",
    "pool larger than input": "net(layers.MaxPooling2D(5), shape=(3, 3, 1))",
    "kernel size of three numbers": "layers.Conv2D(1, (1, 2, 3))",
    "zero kernel size": "layers.Conv2D(1, 0)",
    "zero strides": "layers.Conv2D(1, 1, strides=0)",
    "strides and dilation": "layers.Conv2D(1, 2, strides=2, dilation_rate=2)",
    "unknown padding": "layers.Conv2D(1, 1, padding='full')",
    "causal padding in 2D": "layers.Conv2D(1, 1, padding='causal')",
    "unknown data format": "layers.Conv2D(1, 1, data_format='last')",
    "filters not divisible by groups": "layers.Conv2D(3, 1, groups=2)",
    "channels not divisible by groups": (
        "net(layers.Conv2D(2, 1, groups=2), shape=(3, 3, 3))"
    ),
    "dropout rate above one": "layers.Dropout(1.5)",
    "dropout rate of one": "layers.Dropout(1.0)",
    "unknown argument": "layers.Dense(1, colour='red')",
    "unknown activation": "layers.Dense(1, activation='rellu')",
    "unknown initializer": "layers.Dense(1, kernel_initializer='glorot')",
    "unknown regularizer": "layers.Dense(1, kernel_regularizer='l3')",
    "unknown constraint": "layers.Dense(1, kernel_constraint='norm')",
    "unknown loss": "net(layers.Dense(1), loss='msse').fit(ones(2, 4), ones(2, 1))",
    "unknown optimizer": "net(layers.Dense(1), optimizer='adamm')",
    "unknown metric": (
        "net(layers.Dense(1), loss='mse', metrics=['acurate'])"
        ".fit(ones(2, 4), ones(2, 1))"
    ),
    "no loss": "net(layers.Dense(1), optimizer='sgd').fit(ones(2, 4), ones(2, 1))",
    "duplicate layer names": (
        "net(layers.Dense(1, name='a'), layers.Dense(1, name='a'))"
    ),
    "the same layer twice": "(lambda d: net(d, d))(layers.Dense(4))",
    "something that is no layer": "keras.Sequential([keras.Input((4,)), 3])",
    "a class for a layer": "keras.Sequential([keras.Input((4,)), layers.Flatten])",
    "a second input layer": "net(layers.InputLayer((4,)))",
    "weights of an unbuilt model": "keras.Sequential([layers.Dense(1)]).weights",
    "output_shape of an unbuilt model": (
        "keras.Sequential([layers.Dense(1)]).output_shape"
    ),
    "count_params of an unbuilt model": (
        "keras.Sequential([layers.Dense(1)]).count_params()"
    ),
    "set_weights with too few": "net(layers.Dense(1)).set_weights([ones(4, 1)])",
    "set_weights with a wrong shape": (
        "net(layers.Dense(1)).set_weights([ones(3, 1), ones(1)])"
    ),
    "assigning a wrong shape": "net(layers.Dense(1)).weights[0].assign(ones(3, 1))",
    "labels above the classes": (
        f"{_SOFTMAX}.evaluate(ones(2, 4), np.array([0, 3]), verbose=0)"
    ),
    "labels below zero": (
        f"{_SOFTMAX}.evaluate(ones(2, 4), np.array([0, -1]), verbose=0)"
    ),
    "targets of another shape": (
        "net(layers.Dense(3), loss='categorical_crossentropy')"
        ".fit(ones(2, 4), ones(2, 2))"
    ),
    "mse targets of another shape": (
        "net(layers.Dense(3), loss='mse').fit(ones(2, 4), ones(2, 2))"
    ),
    "x and y of different lengths": (
        "net(layers.Dense(1), loss='mse').fit(ones(3, 4), ones(2, 1))"
    ),
    "y missing": "net(layers.Dense(1), loss='mse').fit(ones(3, 4))",
    "validation_split of one": (
        "net(layers.Dense(1), loss='mse')"
        ".fit(ones(3, 4), ones(3, 1), validation_split=1.0)"
    ),
    "validation_split that leaves nothing": (
        "net(layers.Dense(1), loss='mse')"
        ".fit(ones(3, 4), ones(3, 1), validation_split=0.1)"
    ),
    "class_weight and sample_weight": (
        f"{_SOFTMAX}.fit(ones(2, 4), np.array([0, 1]), sample_weight=ones(2),"
        " class_weight={0: 1.0, 1: 2.0})"
    ),
    "sample_weight of another length": (
        f"{_SOFTMAX}.fit(ones(2, 4), np.array([0, 1]), sample_weight=ones(3))"
    ),
    "sample_weight per sample, loss per step": (
        "net(layers.Dense(2), shape=(3, 4), loss='mse')"
        ".fit(ones(2, 3, 4), ones(2, 3, 2), sample_weight=ones(2))"
    ),
    "unknown reduction": "keras.losses.MeanSquaredError(reduction='average')",
    "negative learning rate": "keras.optimizers.SGD(-1.0).learning_rate.numpy().item()",
    "negative momentum": "keras.optimizers.SGD(momentum=-0.5)",
    "momentum above one": "keras.optimizers.SGD(momentum=2.0)",
    "unknown optimizer argument": "keras.optimizers.Adam(lr=0.1)",
    "summary with an unknown layer_range": (
        "net(layers.Dense(1)).summary(layer_range=['x', 'y'])"
    ),
    "compile with an unknown argument": "net(layers.Dense(1), losses='mse')",
}
