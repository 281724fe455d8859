"""Objects to configs and back, by name, without running anything from a file."""

import contextvars
import json
import threading

import numpy as np
import pytest

import minikeras as keras
from minikeras import activations, initializers, layers, losses, registry
from minikeras.registry import (
    Family,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
    serialize_member,
    snake_case,
)


class Plain:
    """A class with a config, known to nobody."""

    def __init__(self, size=1):
        self.size = size

    def get_config(self):
        return {"size": self.size}


def plain_function(x):
    return x


@pytest.fixture(autouse=True)
def _clean():
    keras.utils.clear_session()
    objects, names = dict(registry._registered), dict(registry._registered_names)
    yield
    for table, before in (
        (registry._registered, objects),
        (registry._registered_names, names),
    ):
        table.clear()
        table.update(before)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("Dense", "dense"),
        ("Conv2D", "conv2d"),
        ("MaxPooling2D", "max_pooling2d"),
        ("ReLU", "re_lu"),
        ("LSTM", "lstm"),
        ("BatchNormalization", "batch_normalization"),
        ("L1L2", "l1l2"),
        ("my layer!", "mylayer"),
        ("", ""),
    ],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


# Families ---------------------------------------------------------------------------


@pytest.fixture
def family(monkeypatch):
    monkeypatch.setattr(registry, "_families", dict(registry._families))
    monkeypatch.setattr(registry, "_public", dict(registry._public))
    made = Family("thing", "keras.things")

    @made.add("big", "BG")
    class BigThing:
        def __init__(self, size=3):
            self.size = size

        def get_config(self):
            return {"size": self.size}

    @made.add()
    def small_thing():
        return "small"

    return made


def test_get(family):
    big, small = family.members["BigThing"], family.members["small_thing"]
    for name in ("BigThing", "big_thing", "big", "BG", "BIG"):
        assert type(family.get(name)) is big
    assert family.get("small_thing") is small
    assert family.get(None) is None
    assert family.get(big).size == 3
    instance = big(7)
    assert family.get(instance) is instance
    assert family.get(plain_function) is plain_function
    assert family.get({"class_name": "BigThing", "config": {"size": 9}}).size == 9
    config = {
        "module": "keras.things",
        "class_name": "function",
        "config": "small_thing",
    }
    assert family.get(config) is small
    assert family.find("big_thing") is big


def test_get_refuses(family):
    with pytest.raises(ValueError) as error:
        family.get("big_thnig")
    text = str(error.value)
    assert text.startswith("Unknown thing: 'big_thnig'. Did you mean 'big_thing'")
    assert "Known names: big, big_thing, small_thing." in text
    assert "`register_keras_serializable`" in text
    with pytest.raises(
        TypeError, match="Expected the thing as a name, a config.* 3 of"
    ):
        family.get(3)


def test_an_alias_may_not_hide_a_member(family):
    assert family.members["BG"] is family.members["big"]
    assert "bg" not in family.members


def test_the_user_can_hide_a_member_by_registering(family):
    class Other(Plain):
        pass

    with custom_object_scope({"BigThing": Other}):
        assert type(family.get("BigThing")) is Other
    assert type(family.get("BigThing")) is family.members["BigThing"]


# Writing ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "x", 3, 2.5, True, [1, (2, None)], {"a": [1]}])
def test_plain_values_stay(value):
    assert serialize_keras_object(value) == value
    assert deserialize_keras_object(serialize_keras_object(value)) == value


def test_numpy_values():
    assert serialize_keras_object(np.float32(0.5)) == 0.5
    assert type(serialize_keras_object(np.float64(0.5))) is float
    assert type(serialize_keras_object(np.int64(3))) is int
    array = np.arange(6, dtype="int16").reshape(2, 3)
    config = serialize_keras_object({"x": array})
    assert config == {
        "x": {
            "class_name": "__numpy__",
            "config": {"value": [[0, 1, 2], [3, 4, 5]], "dtype": "int16"},
        }
    }
    again = deserialize_keras_object(json.loads(json.dumps(config)))["x"]
    np.testing.assert_array_equal(again, array)
    assert again.dtype == np.int16


def test_our_own_objects_have_the_addresses_of_keras():
    assert serialize_keras_object(initializers.Zeros()) == {
        "module": "keras.initializers",
        "class_name": "Zeros",
        "config": {},
        "registered_name": None,
    }
    relu = serialize_keras_object(activations.relu)
    assert (relu["class_name"], relu["config"]) == ("function", "relu")
    assert serialize_member(activations.relu) == "relu"
    assert serialize_member(initializers.Zeros())["class_name"] == "Zeros"
    layer = layers.Dense(2)
    assert "build_config" not in serialize_keras_object(layer)
    layer.build((None, 3))
    config = serialize_keras_object(layer)
    assert config["build_config"] == {"input_shape": (None, 3)}
    assert deserialize_keras_object(config).kernel.shape == (3, 2)


def test_what_cannot_be_written():
    with pytest.raises(TypeError, match="A lambda cannot be written as a config"):
        serialize_keras_object(lambda x: x)
    with pytest.raises(TypeError, match="A lambda"):
        layers.Dense(1, activation=lambda x: x).get_config()
    with pytest.raises(TypeError, match="object cannot be written.* `get_config`"):
        serialize_keras_object(object())
    with pytest.raises(TypeError, match="set cannot be written"):
        serialize_keras_object([1, {2}])


# Reading ----------------------------------------------------------------------------


def test_an_unknown_class_is_refused():
    config = serialize_keras_object(Plain(4))
    assert config["class_name"] == "Plain" and config["registered_name"] == "Plain"
    with pytest.raises(ValueError) as error:
        deserialize_keras_object(config)
    text = str(error.value)
    assert "Unknown class or function 'Plain' of module" in text
    assert "`register_keras_serializable` or passed in `custom_objects`" in text
    assert deserialize_keras_object(config, {"Plain": Plain}).size == 4
    with pytest.raises(ValueError, match="Did you mean 'Dense'"):
        deserialize_keras_object({"class_name": "Denze", "config": {}})
    with pytest.raises(
        ValueError, match="Unknown layer: 'Denze'. Did you mean 'dense'"
    ):
        layers_config = {"module": "keras.layers", "class_name": "Denze", "config": {}}
        deserialize_keras_object(layers_config)


@pytest.mark.parametrize("kind", ["__lambda__", "__tensor__", "__slice__", "__typo__"])
def test_kinds_that_would_run_code_are_refused(kind):
    config = {"class_name": kind, "config": {"value": ["4wEAAAAA", None, None]}}
    with pytest.raises(ValueError, match=f"A config of kind '{kind}' is refused"):
        deserialize_keras_object(config)
    outer = layers.Dense(1).get_config()
    outer["activation"] = config
    with pytest.raises(ValueError, match="is refused"):
        layers.Dense.from_config(outer)


@pytest.mark.parametrize(
    "module, name",
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("subprocess", "Popen"),
        ("minikeras.utils.files", "get_file"),
        ("numpy", "load"),
    ],
)
def test_nothing_is_imported(module, name):
    for config in (
        {"module": module, "class_name": name, "config": {}},
        {"module": module, "class_name": "function", "config": name},
        {"module": module, "class_name": name, "registered_name": name, "config": {}},
    ):
        with pytest.raises(ValueError, match="Unknown"):
            deserialize_keras_object(config)
        with pytest.raises(ValueError, match="Unknown"):
            activations.get(config)


def test_minimal_configs():
    assert deserialize_keras_object({"class_name": "Zeros"}).get_config() == {}
    dense = {"class_name": "Dense", "config": {"units": 3}}
    assert deserialize_keras_object(dense).units == 3
    loss = {"module": "keras.losses", "class_name": "MeanSquaredError", "config": {}}
    assert type(deserialize_keras_object(loss)) is losses.MeanSquaredError
    assert deserialize_keras_object("relu") == "relu"  # a string stays, without family
    mixed = deserialize_keras_object([dense, {"inner": dense}, 3])
    assert mixed[0].units == mixed[1]["inner"].units == mixed[2] == 3


def test_a_bare_name_means_the_family_it_is_asked_of():
    assert type(initializers.get("zeros")) is initializers.Zeros
    assert losses.get("mean_squared_error") is losses.mean_squared_error
    assert keras.metrics.get("mean_squared_error") is not losses.MeanSquaredError


# Registered -------------------------------------------------------------------------


def test_register():
    decorated = register_keras_serializable("mine", "Fancy")(Plain)
    assert decorated is Plain
    assert get_registered_name(Plain) == "mine>Fancy"
    assert get_registered_object("mine>Fancy") is Plain
    assert get_registered_object("mine>Other") is None
    assert get_registered_object("x", {"x": 3}) == 3
    assert get_custom_objects()["mine>Fancy"] is Plain
    config = json.loads(json.dumps(serialize_keras_object(Plain(8))))
    assert config["registered_name"] == "mine>Fancy"
    assert config["class_name"] == "Plain"
    assert deserialize_keras_object(config).size == 8


def test_register_with_defaults_and_functions():
    register_keras_serializable()(plain_function)
    assert get_registered_name(plain_function) == "Custom>plain_function"
    layer = layers.Dense(2, activation=plain_function)
    config = json.loads(json.dumps(layer.get_config()))
    assert layers.Dense.from_config(config).activation is plain_function
    assert activations.get("Custom>plain_function") is plain_function


def test_register_needs_a_config():
    class Bare:
        pass

    with pytest.raises(ValueError, match="class Bare needs a `get_config` method"):
        register_keras_serializable()(Bare)


def test_names_of_what_is_not_registered():
    assert get_registered_name(plain_function) == "plain_function"
    assert get_registered_name(Plain) == "Plain"


# Scopes -----------------------------------------------------------------------------


def test_scopes_nest_and_end():
    class One(Plain):
        pass

    class Two(Plain):
        pass

    def found(name):
        return type(deserialize_keras_object({"class_name": name, "config": {}}))

    with custom_object_scope({"A": One, "B": One}):
        with custom_object_scope({"A": Two}):
            assert found("A") is Two and found("B") is One
        assert found("A") is One
        with pytest.raises(KeyError), custom_object_scope({"A": Two}):
            raise KeyError
        assert found("A") is One
    with pytest.raises(ValueError, match="Unknown class or function 'A'"):
        found("A")
    assert get_registered_object("A") is None


def test_a_scope_belongs_to_its_thread_and_context():
    seen = []

    def look():
        seen.append(get_registered_object("A"))

    with custom_object_scope({"A": Plain}):
        thread = threading.Thread(target=look, name="other")
        # Since 3.14 threads may start in a copy of the context: use an empty one.
        empty = contextvars.Context()
        thread.run = lambda: empty.run(look)
        thread.start()
        thread.join()
        look()
        contextvars.copy_context().run(look)
    look()
    assert seen == [None, Plain, Plain, None]


def test_scope_is_a_decorator_too():
    @custom_object_scope({"A": Plain})
    def inside():
        return get_registered_object("A")

    assert inside() is Plain and get_registered_object("A") is None


def test_custom_objects_reach_nested_configs():
    class Twice(layers.Layer):
        def call(self, x):
            return x * 2

    model = keras.Sequential([keras.Sequential([keras.Input((3,)), Twice()])])
    config = serialize_keras_object(model)
    again = deserialize_keras_object(config, {"Twice": Twice})
    assert type(again.layers[0].layers[0]) is Twice
    assert get_registered_object("Twice") is None


def test_names_under_which_keras_offers_all_this():
    for name in (
        "CustomObjectScope",
        "custom_object_scope",
        "deserialize_keras_object",
        "get_custom_objects",
        "get_registered_name",
        "get_registered_object",
        "register_keras_serializable",
        "serialize_keras_object",
    ):
        assert getattr(keras.saving, name) is getattr(keras.utils, name)
