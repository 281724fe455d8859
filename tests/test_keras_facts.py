"""Names, paths, configs and summaries, as tests/golden/facts.json has them of Keras."""

import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, registry

GOLDEN = Path(__file__).parent / "golden"
FACTS = json.loads((GOLDEN / "facts.json").read_text("utf-8"))
CONFIGS = FACTS["configs"]

# What `get_config` leaves out or writes otherwise than Keras, and why.
DIFFERENT = {
    "initializers.Identity": {"gain": "Keras forgets it, and so loses it on loading"}
}


@pytest.fixture(autouse=True)
def _fresh():
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)


def plain(value):
    """As JSON has it: lists for tuples, numbers of Python."""
    return json.loads(json.dumps(value, default=lambda v: v.item()))


def assert_same(found, expected, where=""):
    """Equal, with floats to seven digits: Keras holds some of them in float32."""
    assert type(found) is type(expected) or {type(found), type(expected)} == {
        int,
        float,
    }, where
    if isinstance(expected, dict):
        assert set(found) == set(expected), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, pair in enumerate(zip(found, expected, strict=True)):
            assert_same(*pair, f"{where}/{index}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6), where
    else:
        assert found == expected, where


# Names ------------------------------------------------------------------------------

# `Input` gives the input layer here; in Keras a tensor, named apart from its layer.
INPUT_NAMES = {"keras_tensor": "input_layer", "keras_tensor_1": "input_layer_1"}


def test_automatic_names():
    scope = {**vars(layers), "Sequential": keras.Sequential}
    scope["clear_session"] = keras.utils.clear_session
    for code, name in FACTS["auto_names"]:
        made = eval(code, scope)
        assert getattr(made, "name", None) == INPUT_NAMES.get(name, name), code


@pytest.mark.parametrize("path, name", FACTS["snake_case"].items())
def test_snake_case(path, name):
    module, cls = path.split(".")
    assert registry.snake_case(cls) == name
    found = getattr(getattr(keras, module), cls, None)
    if found is not None and module != "layers":
        assert found().name == name


# Paths ------------------------------------------------------------------------------


def nested():
    inner = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    deep = keras.Sequential([keras.Input((2,)), layers.Dense(2)], name="deep")
    return keras.Sequential([keras.Input((4,)), inner, deep, layers.Dense(1)])


MODELS = {
    "sequential": lambda: keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 2), layers.Dense(3)]
    ),
    "no_input": lambda: keras.Sequential([layers.Dense(3), layers.Dense(1)]),
    "named": lambda: keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="first")], name="net"
    ),
    "nested": nested,
    "frozen_middle": lambda: keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3),
            layers.Dense(3, trainable=False),
            layers.Dense(1),
        ]
    ),
}


def our_path(path):
    """A model built before it is added keeps its own path in Keras; here it moves in,
    so that all paths of a model begin with its name."""
    return f"sequential_1/{path}" if path.startswith("deep/") else path


def variable(v):
    return {"name": v.name, "path": v.path, "shape": list(v.shape)}


@pytest.mark.parametrize("name", FACTS["weight_paths"])
def test_weight_paths(name):
    expected = FACTS["weight_paths"][name]
    model = MODELS[name]()
    before = [v.path for v in model.weights]
    assert before == [our_path(p) for p in expected["paths_before_call"]]
    shape = model.input_shape if model.built else (None, 4)
    model(np.zeros((1, *shape[1:]), "float32"))
    assert model.name == expected["model_name"]
    assert [layer.name for layer in model.layers] == expected["layer_names"]
    for weight in expected["weights"]:
        weight["path"] = our_path(weight["path"])
    assert [variable(v) for v in model.weights] == expected["weights"]
    trainable = [our_path(p) for p in expected["trainable_weights"]]
    assert [v.path for v in model.trainable_weights] == trainable


@pytest.mark.parametrize("name", sorted(set(FACTS["weight_paths"]) - {"nested"}))
def test_optimizer_paths(name):
    model = MODELS[name]()
    shape = model.input_shape if model.built else (None, 4)
    x = np.zeros((1, *shape[1:]), "float32")
    model.compile("adam", "mse")
    model.train_on_batch(x, np.zeros_like(model(x)))
    found = [variable(v) for v in model.optimizer.variables]
    assert found == FACTS["weight_paths"][name]["optimizer"]


# Configs ----------------------------------------------------------------------------


def layer_from(text):
    regularized = {
        "activation": "relu",
        "kernel_regularizer": "l2",
        "activity_regularizer": "l1",
        "kernel_constraint": "max_norm",
        "name": "mine",
    }
    if "regularized" in text:
        return layers.Dense(3, **regularized)
    return eval(text, {**vars(layers), "keras": keras})


@pytest.mark.parametrize("text", CONFIGS["layers"])
def test_layer_configs(text):
    expected = CONFIGS["layers"][text]
    layer = layer_from(text)
    assert_same(plain(layer.get_config()), expected)
    again = type(layer).from_config(expected)  # what Keras wrote loads here
    assert_same(plain(again.get_config()), expected)


def has(family, name):
    found = getattr(getattr(keras, family), name, None)
    return inspect.isclass(found)


OTHERS = [
    (family, name)
    for family in (
        "optimizers",
        "losses",
        "metrics",
        "initializers",
        "regularizers",
        "constraints",
    )
    for name in CONFIGS[family]
    if has(family, name)
]


@pytest.mark.parametrize("family, name", OTHERS)
def test_configs_of_the_other_families(family, name):
    expected = CONFIGS[family][name]
    cls = getattr(getattr(keras, family), name)
    if "raises" in expected:
        with pytest.raises(NotImplementedError):
            cls().get_config()
        return
    if "needs" in expected:
        parameters = inspect.signature(cls).parameters.values()
        required = [p.name for p in parameters if p.default is inspect.Parameter.empty]
        assert [n for n in required if n != "kwargs"] == [
            n for n in expected["needs"] if n != "kwargs"
        ]
        return
    left_out = DIFFERENT.get(f"{family}.{name}", {})
    wanted = {k: v for k, v in expected.items() if k not in left_out}
    found = plain(cls().get_config())
    assert_same({k: v for k, v in found.items() if k not in left_out}, wanted)
    again = cls.from_config(expected)
    assert_same(plain(again.get_config()), found)


@pytest.mark.parametrize("family", ["losses", "metrics", "initializers", "constraints"])
def test_enough_classes_were_compared(family):
    assert sum(f == family for f, _ in OTHERS) >= 3


def test_different_names_only_what_exists():
    assert set(DIFFERENT) <= {f"{family}.{name}" for family, name in OTHERS}


SEQUENTIALS = {
    "empty": keras.Sequential,
    "unbuilt": lambda: keras.Sequential([layers.Dense(2)]),
    "with_input": lambda: keras.Sequential([keras.Input((4,)), layers.Dense(2)]),
    "nested": nested,
}


def without_compile_config(config):
    """Keras writes an empty `compile_config` for inner models never compiled."""
    if isinstance(config, dict):
        return {
            key: without_compile_config(value)
            for key, value in config.items()
            if key != "compile_config"
        }
    if isinstance(config, list):
        return [without_compile_config(item) for item in config]
    return config


@pytest.mark.parametrize("name", SEQUENTIALS)
def test_sequential_configs(name):
    expected = CONFIGS["sequential"][name]
    found = plain(SEQUENTIALS[name]().get_config())
    assert_same(without_compile_config(found), without_compile_config(expected))
    loaded = keras.Sequential.from_config(expected)
    assert_same(
        without_compile_config(plain(loaded.get_config())),
        without_compile_config(expected),
    )


MADE = {
    "layer": lambda: layers.Dense(2),
    "optimizer": keras.optimizers.Adam,
    "loss": keras.losses.MeanSquaredError,
    "loss_function": lambda: keras.losses.mean_squared_error,
    "metric": keras.metrics.MeanSquaredError,
    "initializer": keras.initializers.HeNormal,
    "regularizer": keras.regularizers.L2,
    "constraint": keras.constraints.NonNeg,
    "activation": lambda: keras.activations.relu,
    "sequential": SEQUENTIALS["with_input"],
}
MODULES = {
    "layer": layers,
    "optimizer": keras.optimizers,
    "loss": keras.losses,
    "loss_function": keras.losses,
    "metric": keras.metrics,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "activation": keras.activations,
    "sequential": keras.saving,
}


def serialize(kind, thing):
    module = MODULES[kind]
    function = getattr(module, "serialize", keras.saving.serialize_keras_object)
    return plain(function(thing))


@pytest.mark.parametrize("kind", MADE)
def test_serialized_objects(kind):
    expected = CONFIGS["serialized"][kind]
    if kind == "sequential":  # its only layer was the second Dense of the script
        layers.Dense(1)
    found = serialize(kind, MADE[kind]())
    if kind == "loss_function":
        # Keras addresses it by builtins and "function"; ours says where it is from.
        assert found == expected or found["config"] == expected["config"]
    else:
        assert_same(without_compile_config(found), without_compile_config(expected))


@pytest.mark.parametrize("kind", MADE)
def test_what_keras_serialized_loads(kind):
    expected = CONFIGS["serialized"][kind]
    module = MODULES[kind]
    load = getattr(module, "deserialize", keras.saving.deserialize_keras_object)
    found = load(expected)
    if kind in ("activation", "loss_function"):
        assert found is MADE[kind]()
    else:
        assert type(found) is type(MADE[kind]())
        assert_same(
            without_compile_config(serialize(kind, found)),
            without_compile_config(expected),
        )


# Summaries --------------------------------------------------------------------------


@pytest.mark.parametrize("case", FACTS["summaries"], ids=lambda c: c["name"])
def test_summaries(case, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    model = keras.Sequential.from_config(case["config"])
    if case["fitted_with"] is not None:
        model.compile(case["fitted_with"], "mse")
        x = np.zeros((2, *model.input_shape[1:]), "float32")
        model.fit(x, np.zeros((2, *model.output_shape[1:])), verbose=0)
    printed = []
    model.summary(print_fn=printed.append, style="keras3", **case["arguments"])
    assert len(printed) == case["print_fn_calls"]
    found, expected = "".join(printed), case["text"]
    if case["fitted_with"] is not None:
        # The step counter takes 8 bytes, as in Keras on TensorFlow, and 4 on JAX.
        size = re.compile(r"((?:Total|Optimizer) params: [\d,]+) \([^)]*\)")
        found, expected = size.sub(r"\1", found), size.sub(r"\1", expected)
    assert found == expected


# Messages ---------------------------------------------------------------------------

# Refused here with another type of error than in Keras, or not refused at all.
OTHER_TYPE = {
    "something that is no layer": "TypeError",
    "a class for a layer": "TypeError",
    "the same layer twice": "ValueError: a second one would have the same name",
    "labels above the classes": "ValueError: Keras makes NaN or nonsense of them",
    "labels below zero": "ValueError",
    "mse targets of another shape": "ValueError",
    "no loss": "ValueError: there is nothing to minimise",
    "negative learning rate": "ValueError: it would climb",
}


def ones(*shape):
    return np.ones(shape, "float32")


def net(*more, shape=(4,), optimizer=None, loss=None, metrics=None, **kwargs):
    model = keras.Sequential([keras.Input(shape), *more])
    if optimizer or loss or metrics or kwargs:
        model.compile(optimizer or "sgd", loss, metrics=metrics, **kwargs)
    return model


@pytest.mark.parametrize("case", FACTS["messages"], ids=lambda c: c["title"])
def test_what_keras_refuses_is_refused(case):
    scope = {"layers": layers, "keras": keras, "ones": ones, "net": net, "np": np}
    if case["type"] is None and case["title"] not in OTHER_TYPE:
        eval(case["code"], scope)
        return
    types = (ValueError, TypeError, AttributeError)
    with pytest.raises(types) as error:
        eval(case["code"], scope)
    if case["title"] not in OTHER_TYPE:
        assert error.type.__name__ == case["type"]
    else:
        assert error.type.__name__ == OTHER_TYPE[case["title"]].split(":")[0]
