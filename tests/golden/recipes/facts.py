"""Set 4: facts asked of Keras: names, configs, summaries, moments and messages."""

import inspect
import warnings
from functools import partial

import keras
import numpy as np
from keras import layers

from . import store
from .messages import messages

SEED = 1337
POOLS = ("MaxPooling1D", "MaxPooling2D", "MaxPooling3D")
POOLS += ("AveragePooling1D", "AveragePooling2D", "AveragePooling3D")


def write(folder):
    """Write facts.json."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about models whose shape does not matter
        facts = {
            "auto_names": auto_names(),
            "snake_case": snake_case(),
            "weight_paths": weight_paths(),
            "configs": configs(),
            "summaries": summaries(),
            "initializer_moments": initializer_moments(),
            "messages": messages(),
        }
    store.write_json(folder / "facts.json", facts)


# Names ------------------------------------------------------------------------------


def auto_names():
    """Layers made one after the other, and the name each of them gets."""
    keras.backend.clear_session()
    makers = [
        ("Dense(1)", lambda: layers.Dense(1)),
        ("Dense(1)", lambda: layers.Dense(1)),
        ("Dense(1, name='mine')", lambda: layers.Dense(1, name="mine")),
        ("Dense(1)", lambda: layers.Dense(1)),
        ("Dense(1, name='dense_3')", lambda: layers.Dense(1, name="dense_3")),
        ("Dense(1)", lambda: layers.Dense(1)),
        ("Conv2D(1, 1)", lambda: layers.Conv2D(1, 1)),
        ("MaxPooling2D()", lambda: layers.MaxPooling2D()),
        ("Conv2D(1, 1)", lambda: layers.Conv2D(1, 1)),
        ("AveragePooling3D(2)", lambda: layers.AveragePooling3D(2)),
        ("AveragePooling3D(2)", lambda: layers.AveragePooling3D(2)),
        ("Input((2,))", lambda: keras.Input((2,))),
        ("Input((2,))", lambda: keras.Input((2,))),
        ("Input((2,), name='given')", lambda: keras.Input((2,), name="given")),
        ("InputLayer((2,))", lambda: layers.InputLayer((2,))),
        ("Sequential()", lambda: keras.Sequential()),
        ("Sequential(name='net')", lambda: keras.Sequential(name="net")),
        ("Sequential()", lambda: keras.Sequential()),
        ("clear_session()", keras.backend.clear_session),
        ("Dense(1)", lambda: layers.Dense(1)),
        ("Sequential()", lambda: keras.Sequential()),
    ]
    made = [(text, make()) for text, make in makers]
    return [[text, getattr(thing, "name", None)] for text, thing in made]


def snake_case():
    """The automatic name of the first layer of each class."""
    keras.backend.clear_session()
    things = [
        *(getattr(layers, name)(2) for name in POOLS),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Activation("relu"),
        layers.ReLU(),
        layers.PReLU(),
        layers.BatchNormalization(),
        layers.LSTM(1),
        layers.GlobalMaxPooling2D(),
        layers.Conv1D(1, 1),
        layers.Conv2DTranspose(1, 1),
        keras.losses.BinaryCrossentropy(),
        keras.losses.MeanSquaredError(),
        keras.losses.SparseCategoricalCrossentropy(),
        keras.metrics.MeanSquaredError(),
        keras.metrics.BinaryAccuracy(),
        keras.metrics.SparseCategoricalAccuracy(),
        keras.optimizers.SGD(),
        keras.optimizers.Adam(),
    ]
    kinds = ((keras.layers.Layer, "layers"), (keras.losses.Loss, "losses"))
    kinds += ((keras.metrics.Metric, "metrics"), (object, "optimizers"))
    return {
        f"{next(n for k, n in kinds if isinstance(t, k))}.{type(t).__name__}": t.name
        for t in things
    }


def weight_paths():
    """Models with the name and the path of every variable they hold."""
    return {name: _variables(make) for name, make in _path_models().items()}


def _path_models():
    return {
        "sequential": lambda: keras.Sequential(
            [keras.Input((4, 4, 1)), layers.Conv2D(2, 2), layers.Dense(3)]
        ),
        "no_input": lambda: keras.Sequential([layers.Dense(3), layers.Dense(1)]),
        "named": lambda: keras.Sequential(
            [keras.Input((4,)), layers.Dense(3, name="first")], name="net"
        ),
        "nested": _nested_model,
        "frozen_middle": lambda: keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(3),
                layers.Dense(3, trainable=False),
                layers.Dense(1),
            ]
        ),
    }


def _nested_model():
    inner = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    deep = keras.Sequential([keras.Input((2,)), layers.Dense(2)], name="deep")
    return keras.Sequential([keras.Input((4,)), inner, deep, layers.Dense(1)])


def _variables(make):
    keras.backend.clear_session()
    model = make()
    shape = (1, *model.inputs[0].shape[1:]) if model.built else (1, 4)
    names_before = [weight.path for weight in model.weights]
    model(np.zeros(shape, "float32"))
    model.compile(keras.optimizers.Adam(), "mse")
    y = np.zeros((1, *model.output_shape[1:]), "float32")
    model.train_on_batch(np.zeros(shape, "float32"), y)
    return {
        "model_name": model.name,
        "layer_names": [layer.name for layer in model.layers],
        "paths_before_call": names_before,
        "weights": [_variable(weight) for weight in model.weights],
        "trainable_weights": [weight.path for weight in model.trainable_weights],
        "optimizer": [_variable(weight) for weight in model.optimizer.variables],
    }


def _variable(weight):
    return {"name": weight.name, "path": weight.path, "shape": weight.shape}


# Configs ----------------------------------------------------------------------------


def configs():
    """What get_config() gives for objects made with as few arguments as possible."""
    keras.backend.clear_session()
    found = {"layers": {}}
    for text, make in _config_layers().items():
        keras.backend.clear_session()
        found["layers"][text] = make().get_config()
    found["sequential"] = _sequential_configs()
    makers = {
        "optimizers": {"SGD": keras.optimizers.SGD, "Adam": keras.optimizers.Adam},
        "losses": _classes(keras.losses, keras.losses.Loss),
        "metrics": _classes(keras.metrics, keras.metrics.Metric),
        "initializers": _classes(keras.initializers, keras.initializers.Initializer),
        "regularizers": _classes(keras.regularizers, keras.regularizers.Regularizer),
        "constraints": _classes(keras.constraints, keras.constraints.Constraint),
    }
    for module, classes in makers.items():
        found[module] = {name: _config(make) for name, make in classes.items()}
    found["serialized"] = _serialized()
    return found


def _config(make):
    """The config of a default object, or which arguments it needs."""
    try:
        return make().get_config()
    except TypeError:
        parameters = inspect.signature(make).parameters.values()
        empty = inspect.Parameter.empty
        return {"needs": [p.name for p in parameters if p.default is empty]}
    except NotImplementedError:
        return {"raises": "NotImplementedError"}


def _classes(module, base):
    """The classes of a module under their own names, without aliases."""
    return {
        name: value
        for name, value in sorted(vars(module).items())
        if inspect.isclass(value) and issubclass(value, base) and value.__name__ == name
    }


def _config_layers():
    return {
        "InputLayer((4, 2))": lambda: layers.InputLayer((4, 2)),
        "InputLayer((4,), batch_size=3)": lambda: layers.InputLayer((4,), batch_size=3),
        "Dense(3)": lambda: layers.Dense(3),
        "Dense(3, 'relu', regularized)": lambda: layers.Dense(
            3,
            "relu",
            kernel_regularizer="l2",
            activity_regularizer="l1",
            kernel_constraint="max_norm",
            name="mine",
        ),
        "Dense(3, activation=keras.activations.tanh)": lambda: layers.Dense(
            3, activation=keras.activations.tanh
        ),
        "Conv2D(3, 2)": lambda: layers.Conv2D(3, 2),
        "Conv2D(4, (2, 3), strides=2, padding='SAME')": lambda: layers.Conv2D(
            4, (2, 3), strides=2, padding="SAME"
        ),
        **{f"{name}(2)": partial(getattr(layers, name), 2) for name in POOLS},
        **{f"{name}()": getattr(layers, name) for name in POOLS[:3]},
        "MaxPooling2D(3, strides=(1, 2))": lambda: layers.MaxPooling2D(
            3, strides=(1, 2)
        ),
        "Flatten()": layers.Flatten,
        "Dropout(0.25)": lambda: layers.Dropout(0.25),
        "Dropout(0.25, seed=3)": lambda: layers.Dropout(0.25, seed=3),
        "Activation('relu')": lambda: layers.Activation("relu"),
    }


def _sequential_configs():
    models = {
        "empty": keras.Sequential,
        "unbuilt": lambda: keras.Sequential([layers.Dense(2)]),
        "with_input": lambda: keras.Sequential([keras.Input((4,)), layers.Dense(2)]),
        "nested": _nested_model,
    }
    found = {}
    for name, make in models.items():
        keras.backend.clear_session()
        found[name] = make().get_config()
    return found


def _serialized():
    """The forms in which other objects store these."""
    keras.backend.clear_session()
    return {
        "layer": keras.layers.serialize(layers.Dense(2)),
        "optimizer": keras.optimizers.serialize(keras.optimizers.Adam()),
        "loss": keras.losses.serialize(keras.losses.MeanSquaredError()),
        "loss_function": keras.losses.serialize(keras.losses.mean_squared_error),
        "metric": keras.metrics.serialize(keras.metrics.MeanSquaredError()),
        "initializer": keras.initializers.serialize(keras.initializers.HeNormal()),
        "regularizer": keras.regularizers.serialize(keras.regularizers.L2()),
        "constraint": keras.constraints.serialize(keras.constraints.NonNeg()),
        "activation": keras.activations.serialize(keras.activations.relu),
        "sequential": keras.saving.serialize_keras_object(
            keras.Sequential([keras.Input((4,)), layers.Dense(2)])
        ),
    }


# Summaries --------------------------------------------------------------------------


def summaries():
    """What summary() prints in a terminal that is wide enough for 88 columns."""
    return [_summary(*case) for case in _summary_cases()]


def _summary(name, make, arguments, fitted):
    keras.backend.clear_session()
    model = make()
    if fitted is not None:
        model.compile(keras.optimizers.get(fitted), "mse")
        x = np.zeros((2, *model.input_shape[1:]), "float32")
        model.fit(x, np.zeros((2, *model.output_shape[1:])), verbose=0)
    printed = []
    model.summary(print_fn=lambda text, **_: printed.append(text), **arguments)
    return {
        "name": name,
        "config": model.get_config(),
        "fitted_with": fitted,
        "arguments": arguments,
        "print_fn_calls": len(printed),
        "text": "".join(printed),
    }


def _summary_cases():
    yield "unbuilt", lambda: keras.Sequential([layers.Dense(2)]), {}, None
    yield "empty", keras.Sequential, {}, None
    yield "dense", _small, {}, None
    yield "images", _images, {}, None
    yield "frozen", _frozen, {"show_trainable": True}, None
    yield "nested", _nested_model, {}, None
    yield "nested_expanded", _nested_model, {"expand_nested": True}, None
    both = {"expand_nested": True, "show_trainable": True}
    yield "nested_expanded_trainable", _nested_model, both, None
    yield "layer_range", _images, {"layer_range": ["conv2d", "flatten"]}, None
    yield "line_length_60", _images, {"line_length": 60}, None
    yield "line_length_110", _images, {"line_length": 110}, None
    yield "positions", _images, {"positions": [0.3, 0.6, 1.0]}, None
    yield "long_names", _long_names, {}, None
    yield "after_adam", _images, {}, "adam"
    yield "after_sgd", _small, {}, "sgd"
    yield "frozen_after_adam", _frozen, {"show_trainable": True}, "adam"
    yield "large", _large, {}, None


def _small():
    return keras.Sequential([keras.Input((20, 3)), layers.Dense(16), layers.Dense(2)])


def _images():
    return keras.Sequential(
        [
            keras.Input((20, 20, 3)),
            layers.Dense(16, activation="relu"),
            layers.Conv2D(32, 3, padding="same"),
            layers.MaxPooling2D(2, strides=2),
            layers.Conv2D(64, 5, padding="same"),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(2),
        ],
        name="images",
    )


def _frozen():
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(4, trainable=False),
            layers.Activation("relu"),
            layers.Dense(2),
        ]
    )


def _long_names():
    return keras.Sequential(
        [
            keras.Input((10, 10, 10, 2)),
            layers.AveragePooling3D(
                2, name="a_name_that_is_much_longer_than_the_column_allows"
            ),
            layers.Dense(3, name="a [name] with brackets"),
        ]
    )


def _large():
    return keras.Sequential([keras.Input((1000,)), layers.Dense(3000)])


# Initializers -----------------------------------------------------------------------


def initializer_moments():
    """Mean, deviation and range of the random initializers, for two shapes."""
    found = {}
    shapes = ((300, 200), (3, 3, 16, 32))
    for name, arguments in _random_initializers():
        for shape in shapes:
            make = getattr(keras.initializers, name)
            values = np.asarray(make(seed=SEED, **arguments)(shape), "float32")
            found.setdefault(name, []).append(_moments(arguments, shape, values))
    return found


def _random_initializers():
    for name in ("RandomNormal", "RandomUniform", "TruncatedNormal", "Orthogonal"):
        yield name, {}
    for family in ("Glorot", "He", "Lecun"):
        yield f"{family}Normal", {}
        yield f"{family}Uniform", {}
    yield "VarianceScaling", {}
    for mode in ("fan_in", "fan_out", "fan_avg"):
        for distribution in ("truncated_normal", "untruncated_normal", "uniform"):
            arguments = {"scale": 2.0, "mode": mode, "distribution": distribution}
            yield "VarianceScaling", arguments


def _moments(arguments, shape, values):
    return {
        "arguments": arguments,
        "shape": shape,
        "mean": values.mean(),
        "std": values.std(),
        "min": values.min(),
        "max": values.max(),
    }
