"""Sequential: putting layers together, building, names, configs, odd inputs."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, regularizers
from minikeras.layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D

X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


@pytest.fixture(autouse=True)
def _fresh():
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)


def paths(model):
    return [v.path for v in model.weights]


def net(*more, shape=(4,), **kwargs):
    return keras.Sequential([Input(shape), *more], **kwargs)


def dense(x, *weights):
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        x = x @ kernel + bias
    return x


# Putting together -------------------------------------------------------------------


def test_a_list_and_add_are_the_same():
    one = keras.Sequential([Input((4,)), Dense(3, name="a"), Dense(2, name="b")])
    two = keras.Sequential()
    two.add(Input((4,)))
    two.add(Dense(3, name="a"))
    two.add(Dense(2, name="b"))
    for model in (one, two):
        assert model.built
        assert [layer.name for layer in model.layers] == ["a", "b"]
        assert model.input_shape == (None, 4)
        assert model.output_shape == (None, 2)
        assert model.count_params() == 4 * 3 + 3 + 3 * 2 + 2
    two.set_weights(one.get_weights())
    np.testing.assert_array_equal(one(X), two(X))
    np.testing.assert_allclose(one(X), dense(X, *one.get_weights()), rtol=1e-5)


def test_building_on_first_use():
    model = keras.Sequential((Dense(3), Dense(2)))
    assert not model.built and model.weights == []
    with pytest.raises(AttributeError, match="no input shape yet"):
        _ = model.input_shape
    with pytest.raises(AttributeError, match="no input shape yet"):
        _ = model.output_shape
    with pytest.raises(ValueError, match="cannot be counted"):
        model.count_params()
    assert model(X).shape == (5, 2)
    assert model.input_shape == (None, 4)
    assert paths(model) == [
        "sequential/dense/kernel",
        "sequential/dense/bias",
        "sequential/dense_1/kernel",
        "sequential/dense_1/bias",
    ]


def test_build():
    model = keras.Sequential([Dense(3)])
    model.build([None, 4])
    assert model.input_shape == (None, 4)
    before = model.get_weights()
    model.build((None, 4))  # once more does nothing
    model.build()
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    with pytest.raises(ValueError, match=r"expects samples of shape \(4,\)"):
        model.build((None, 5))


@pytest.mark.parametrize(
    "argument",
    [
        {"input_shape": (4,)},
        {"input_dim": 4},
        {"batch_input_shape": (None, 4)},
        {"batch_shape": (None, 4)},
        {"input_shape": 4},
        {"input_shape": [4]},
    ],
    ids=str,
)
def test_input_shape_on_the_first_layer(argument):
    model = keras.Sequential([Dense(3, **argument), Dense(2)])
    assert model.built and model.input_shape == (None, 4)
    assert len(model.layers) == 2
    assert model(X).shape == (5, 2)
    assert "input_shape" not in model.layers[0].get_config()


def test_input_forms():
    for entry in (
        Input((4,)),
        Input(shape=[4]),
        Input(4),
        Input(batch_shape=(None, 4)),
        layers.InputLayer((4,)),
        layers.InputLayer(input_shape=(4,)),
        layers.InputLayer(batch_input_shape=[None, 4]),
    ):
        model = keras.Sequential([entry, Dense(2)])
        assert model.input_shape == (None, 4) and model.built
    fixed = keras.Sequential([Input((4,), batch_size=3), Dense(2)])
    assert fixed.input_shape == (3, 4) and fixed.output_shape == (3, 2)


def test_input_alone():
    model = keras.Sequential([Input((4,))])
    assert model.layers == [] and model.weights == []
    np.testing.assert_array_equal(model(X), X)
    model.add(Dense(3))
    assert model.output_shape == (None, 3)
    assert model(X).shape == (5, 3)


def test_pop():
    model = net(Dense(3), Dense(2))
    last = model.layers[-1]
    assert model.pop() is last
    assert model.output_shape == (None, 3) and len(model.weights) == 2
    assert model(X).shape == (5, 3)
    model.add(Dense(7))
    assert model.output_shape == (None, 7)
    assert model(X).shape == (5, 7)
    model.pop(), model.pop()
    assert model.layers == [] and model.pop() is None
    model.add(Dense(2))
    assert model(X).shape == (5, 2)


def test_pop_before_building():
    model = keras.Sequential([Dense(3), Dense(2)])
    assert model.pop().units == 2
    assert model(X).shape == (5, 3)
    model = keras.Sequential([Dense(3)])
    model.pop()
    model.add(Dense(9))
    assert model(X).shape == (5, 9)
    assert keras.Sequential().pop() is None


def test_adding_to_a_trained_model():
    model = net(Dense(3))
    model.compile("adam", "mse")
    model.train_on_batch(X, np.ones((5, 3)))
    kept = model.get_weights()
    model.add(Dense(2))
    for old, new in zip(kept, model.get_weights(), strict=False):
        np.testing.assert_array_equal(old, new)
    model.train_on_batch(X, np.ones((5, 2)))
    assert not np.array_equal(kept[0], model.get_weights()[0])


# Refusals leave the model as it was -------------------------------------------------


def test_what_cannot_be_added():
    model = net(Dense(3, name="a"))
    before = model.get_config()
    with pytest.raises(TypeError, match=r"only layers can be added. Received: 'dense'"):
        model.add("dense")
    with pytest.raises(TypeError, match=r"Make a layer of the class: Flatten\(...\)"):
        model.add(Flatten)
    with pytest.raises(ValueError, match="different names, and 'a' is taken"):
        model.add(Dense(2, name="a"))
    with pytest.raises(ValueError, match="different names"):
        model.add(model.layers[0])
    with pytest.raises(ValueError, match="an Input can only be the first layer"):
        model.add(Input((3,)))
    with pytest.raises(ValueError, match="expects an input with 4 axes"):
        model.add(Conv2D(2, 3))
    assert model.get_config() == before
    assert model.output_shape == (None, 3) and model(X).shape == (5, 3)
    model.add(Dense(1))
    assert model(X).shape == (5, 1)


def test_a_first_layer_that_fails_leaves_the_model_empty():
    model = keras.Sequential()
    with pytest.raises(ValueError, match="does not fit into an input"):
        model.add(Conv2D(2, 5, input_shape=(3, 3, 1)))
    assert model.layers == [] and not model.built
    assert model.get_config()["layers"] == []
    model.add(Dense(2, input_shape=(4,)))
    assert model.output_shape == (None, 2)


def test_arguments_that_are_not_layers():
    with pytest.raises(TypeError, match="`layers` must be a list of layers"):
        keras.Sequential(Dense(2))
    with pytest.raises(TypeError, match="Received: 3 of type int"):
        keras.Sequential([Dense(2), 3])


def test_empty_models():
    model = keras.Sequential()
    for use in (lambda: model(X), lambda: model.build((None, 4))):
        with pytest.raises(ValueError, match="'sequential' has no layers"):
            use()
    with pytest.raises(ValueError, match="the input shape is not known"):
        keras.Sequential([Dense(1)]).build()
    with pytest.raises(ValueError, match=r"tuple of sizes, .*input_shape=4"):
        keras.Sequential([Dense(1)]).build(4)
    with pytest.raises(ValueError, match=r"Received: input_shape=\('a', 4\)"):
        keras.Sequential([Dense(1)]).build(("a", 4))


def test_layers_built_for_another_shape():
    built = Dense(2)
    built.build((None, 3))
    with pytest.raises(ValueError, match="'dense' expects an input with size 3"):
        net(built)
    inner = keras.Sequential([Input((3,)), Dense(2)], name="inner")
    with pytest.raises(ValueError, match=r"'inner' expects samples of shape \(3,\)"):
        net(inner)


# Names ------------------------------------------------------------------------------


def test_names():
    model = keras.Sequential([Dense(1), Dense(1, name="mine"), Dense(1), Flatten()])
    names = [layer.name for layer in model.layers]
    assert names == ["dense", "mine", "dense_1", "flatten"]
    assert [keras.Sequential().name for _ in range(2)] == [
        "sequential_1",
        "sequential_2",
    ]
    assert keras.Sequential(name="my model").name == "my model"
    keras.utils.clear_session()
    assert keras.Sequential([Dense(1)]).layers[0].name == "dense"


def test_get_layer():
    model = net(Dense(3, name="a"), Dense(2, name="b"))
    a, b = model.layers
    assert model.get_layer("a") is a and model.get_layer(name="b") is b
    assert model.get_layer(index=0) is a and model.get_layer(index=-1) is b
    with pytest.raises(ValueError, match="has no layer 'c'. Its layers are: a, b"):
        model.get_layer("c")
    for index in (2, -3):
        with pytest.raises(ValueError, match=f"has 2 layers. Received: index={index}"):
            model.get_layer(index=index)
    with pytest.raises(ValueError, match="a name or an index, and not both"):
        model.get_layer()
    with pytest.raises(ValueError, match="not both"):
        model.get_layer("a", 0)


def test_layers_is_a_copy_or_safe_to_iterate():
    model = net(Dense(3))
    listed = model.layers
    listed.append(Dense(1))
    assert len(model.layers) == 1


# Weights ----------------------------------------------------------------------------


def test_weights_in_the_order_of_the_layers():
    model = net(Dense(3, use_bias=False), Dropout(0.1), Dense(2))
    assert [v.shape for v in model.weights] == [(4, 3), (3, 2), (2,)]
    assert [w.shape for w in model.get_weights()] == [(4, 3), (3, 2), (2,)]
    new = [np.full(v.shape, i, "float64") for i, v in enumerate(model.weights)]
    model.set_weights(new)
    np.testing.assert_array_equal(model.layers[0].kernel, np.zeros((4, 3)))
    np.testing.assert_array_equal(model.layers[2].bias, [2, 2])
    assert all(v.dtype == "float32" for v in model.weights)


@pytest.mark.parametrize("change", ["fewer", "more", "shape"])
def test_set_weights_changes_nothing_on_an_error(change):
    model = net(Dense(3), Dense(2))
    before = model.get_weights()
    wrong = [np.zeros_like(w) for w in before]
    if change == "fewer":
        wrong.pop()
    elif change == "more":
        wrong.append(np.zeros(1))
    else:
        wrong[-1] = np.zeros(3)
    with pytest.raises(ValueError, match="Sequential 'sequential'"):
        model.set_weights(wrong)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_freezing():
    model = net(Dense(3), Dense(2))
    first, second = model.layers
    first.trainable = False
    assert model.trainable_weights == second.weights
    assert model.non_trainable_weights == first.weights
    assert model.weights == first.weights + second.weights
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = model.get_weights()
    model.train_on_batch(X, np.ones((5, 2)))
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(before, model.get_weights(), strict=True)
    ]
    assert moved == [False, False, True, True]
    first.trainable = True
    model.train_on_batch(X, np.ones((5, 2)))
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_freezing_the_model():
    model = net(Dense(3))
    model.trainable = False
    assert model.trainable_weights == [] and len(model.non_trainable_weights) == 2
    model.layers[0].trainable = True
    assert model.trainable_weights == []  # as in Keras, the model decides
    model.trainable = True
    assert len(model.trainable_weights) == 2
    frozen = keras.Sequential([Input((4,)), Dense(3)], trainable=False)
    frozen.add(Dense(2))
    assert frozen.trainable_weights == [] and len(frozen.weights) == 4


def test_a_frozen_inner_model_stays_frozen_in_an_outer_one():
    inner = net(Dense(3))
    inner.trainable = False
    outer = keras.Sequential([inner, Dense(2)])
    assert outer.trainable_weights == outer.layers[1].weights


# Nested models ----------------------------------------------------------------------


def test_nested():
    inner = keras.Sequential([Dense(3), Dense(2)], name="inner")
    model = keras.Sequential([Input((4,)), inner, Dense(1)], name="outer")
    assert inner.built and inner.input_shape == (None, 4)
    assert [layer.name for layer in model.layers] == ["inner", "dense_2"]
    assert paths(model) == [
        "outer/inner/dense/kernel",
        "outer/inner/dense/bias",
        "outer/inner/dense_1/kernel",
        "outer/inner/dense_1/bias",
        "outer/dense_2/kernel",
        "outer/dense_2/bias",
    ]
    np.testing.assert_allclose(model(X), dense(X, *model.get_weights()), rtol=1e-4)
    assert model.count_params() == 15 + 8 + 3
    assert inner.layers[0].path == "outer/inner/dense"


def test_nested_models_that_were_built_before():
    inner = net(Dense(3), Dense(2), name="inner")
    kept = inner.get_weights()
    model = keras.Sequential([inner, Dense(1)], name="outer")
    assert model.built and model.input_shape == (None, 4)  # known from the inner one
    np.testing.assert_array_equal(model.get_weights()[0], kept[0])
    np.testing.assert_array_equal(inner(X), model.layers[0](X))
    again = keras.Sequential([Input((4,)), inner, Dense(1)])
    np.testing.assert_array_equal(again.get_weights()[0], kept[0])
    assert again.output_shape == (None, 1)


def test_nested_models_built_on_first_use():
    model = keras.Sequential(
        [keras.Sequential([keras.Sequential([Dense(3)]), Dense(2)]), Dense(1)]
    )
    assert model(X).shape == (5, 1)
    assert len(model.weights) == 6 and len(set(paths(model))) == 6
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = model.get_weights()
    model.train_on_batch(X, np.ones((5, 1)))
    for old, new in zip(before, model.get_weights(), strict=True):
        assert not np.array_equal(old, new)


def test_nested_training_flag_and_losses():
    inner = keras.Sequential(
        [Dense(4, kernel_regularizer=regularizers.L2(1.0)), Dropout(0.9)]
    )
    model = net(inner)
    inner.layers[0].set_weights([np.eye(4), np.ones(4)])
    assert np.any(model(X, training=True) == 0)
    np.testing.assert_allclose(model(X), X + 1, rtol=1e-6)
    np.testing.assert_allclose(model.losses, [4.0])


# Configs ----------------------------------------------------------------------------


def several():
    yield "empty", keras.Sequential(name="e")
    yield "unbuilt", keras.Sequential([Dense(2), Dropout(0.3, seed=4)])
    yield "built", net(Dense(2, "relu", kernel_regularizer="l1"))
    late = keras.Sequential([Dense(2)])
    late(X)
    yield "late", late
    yield "nested", net(keras.Sequential([Dense(2)]), keras.Sequential([Dense(3)]))
    yield "images", net(Conv2D(2, 3), MaxPooling2D(), Flatten(), shape=(8, 8, 1))
    yield "fixed batch", keras.Sequential([Input((4,), batch_size=5), Dense(2)])
    yield "integers", keras.Sequential([Input((4,), dtype="int32"), Dense(2)])


@pytest.mark.parametrize("name", [name for name, _ in several()])
def test_config_round_trip(name):
    keras.utils.clear_session()
    model = dict(several())[name]
    again = keras.Sequential.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert again.name == model.name and again.built == model.built
    assert paths(again) == paths(model)
    if model.built:
        assert again.input_shape == model.input_shape
        assert again.output_shape == model.output_shape
        again.set_weights(model.get_weights())
        x = np.random.default_rng(0).normal(size=(5, *model.input_shape[1:]))
        np.testing.assert_array_equal(again(x), model(x))
    by_registry = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(model)
    )
    assert by_registry.get_config() == model.get_config()


def test_a_model_built_on_data_says_so_in_its_config_as_keras_does():
    model = keras.Sequential([Dense(2)])
    model(X.astype("uint8"))
    config = model.get_config()
    assert config["build_input_shape"] == (None, 4)
    entry = config["layers"][0]
    assert entry["class_name"] == "InputLayer"
    assert entry["config"]["dtype"] == "float32"


def test_frozen_layers_survive_the_round_trip():
    model = net(Dense(3), Dense(2))
    model.layers[0].trainable = False
    again = keras.Sequential.from_config(model.get_config())
    assert [layer.trainable for layer in again.layers] == [False, True]
    model.trainable = False
    again = keras.Sequential.from_config(model.get_config())
    assert not again.trainable and again.trainable_weights == []


def test_configs_of_older_keras():
    config = {
        "name": "old",
        "layers": [
            {
                "class_name": "InputLayer",
                "config": {
                    "batch_input_shape": [None, 4],
                    "dtype": "float32",
                    "sparse": False,
                    "ragged": False,
                    "name": "dense_input",
                },
            },
            {"class_name": "Dense", "config": {"units": 3, "name": "d"}},
        ],
    }
    model = keras.Sequential.from_config(config)
    assert model.name == "old" and model.output_shape == (None, 3)
    first = {"units": 3, "name": "d", "batch_input_shape": [None, 4]}
    config["layers"] = [{"class_name": "Dense", "config": first}]
    assert keras.Sequential.from_config(config).input_shape == (None, 4)


def test_custom_objects():
    class Double(layers.Layer):
        def call(self, x):
            return 2 * x

    model = net(Double(name="twice"))
    config = model.get_config()
    again = keras.Sequential.from_config(config, {"Double": Double})
    np.testing.assert_array_equal(again(X), 2 * X)
    with pytest.raises(ValueError, match="'Double'"):
        keras.Sequential.from_config(config)


# Inputs -----------------------------------------------------------------------------


def test_lists_and_numbers_of_all_types():
    model = net(Dense(2))
    expected = model(X.round().astype("float32"))
    x = X.round()
    for other in (x.tolist(), tuple(map(tuple, x.tolist())), x.astype("float64")):
        np.testing.assert_allclose(model(other), expected, rtol=1e-6)
        assert model(other).dtype == np.float32
    np.testing.assert_allclose(model(x.astype("int64")), expected, rtol=1e-6)
    np.testing.assert_allclose(model([x]), expected, rtol=1e-6)  # as in Keras


@pytest.mark.parametrize("known", [True, False])
def test_uint8_images(known):
    model = keras.Sequential([Conv2D(2, 3), Flatten(), Dense(1)])
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 1), np.uint8)
    if known:
        model = net(*model.layers, shape=(6, 6, 1))
    y = model(images)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, model(images.astype("float32")))
    np.testing.assert_array_equal(model.predict(images, verbose=0), y)


@pytest.mark.parametrize("built", ["before", "on integers"])
def test_inputs_take_the_type_of_the_model_as_in_keras(built):
    model = keras.Sequential([Flatten()])
    if built == "before":
        model = net(Flatten(), shape=(2, 2))
    assert model(np.ones((3, 2, 2), "uint8")).dtype == np.float32
    integers = keras.Sequential([Input((2,), dtype="int32"), Flatten()])
    assert integers(np.ones((3, 2))).dtype == np.int32


def test_a_double_precision_model():
    x = np.random.default_rng(0).normal(size=(5, 4))
    for model in (
        keras.Sequential([Input((4,), dtype="float64"), Dense(2, dtype="float64")]),
        keras.Sequential([Input((4,), dtype=np.float64), Dense(2, dtype="float64")]),
        keras.Sequential([Dense(2, dtype="float64", input_shape=(4,))]),
        keras.Sequential([Dense(2, dtype="float64")]),
    ):
        y = model(x)
        assert y.dtype == np.float64
        kernel, bias = model.get_weights()
        np.testing.assert_allclose(y, x @ kernel + bias, rtol=1e-13)


@pytest.mark.parametrize(
    "shape, given, output",
    [
        ((3, 1), (2, 3), (2, 3, 1)),
        ((3,), (2, 3, 1), (2, 1)),
        ((1,), (2,), (2, 1)),
        ((None, 1), (2, 3), (2, 3, 1)),
        ((None, 1), (2, 3, 1), (2, 3, 1)),
    ],
)
def test_a_last_axis_of_one_is_added_or_dropped_as_in_keras(shape, given, output):
    model = net(Dense(1, kernel_initializer="ones"), shape=shape)
    x = np.random.default_rng(0).normal(size=given).astype("float32")
    y = model(x)
    assert y.shape == output
    inside = x.reshape(2, *(x.shape[1:] or (1,)))
    if len(shape) == 1:
        expected = inside.reshape(2, -1).sum(1, keepdims=True)
    else:
        expected = inside.reshape(2, -1, 1)
    np.testing.assert_allclose(y, expected, rtol=1e-5)


def test_images_without_the_channel_axis():
    model = net(Conv2D(2, 3), shape=(6, 6, 1))
    images = np.random.default_rng(0).normal(size=(3, 6, 6))
    np.testing.assert_array_equal(model(images), model(images[..., None]))
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), model.predict(images[..., None], verbose=0)
    )


@pytest.mark.parametrize(
    "shape, given",
    [
        ((3,), (2, 3, 1, 1)),
        ((3,), (3,)),
        ((3,), (2, 4)),
        ((1, 3), (2, 3)),
        ((3, 1), (2, 4)),
        ((2, 3), (2, 6)),
    ],
)
def test_other_shapes_are_refused(shape, given):
    with pytest.raises(ValueError, match="Sequential 'sequential' expects samples of"):
        net(Dense(1), shape=shape)(np.ones(given))


def test_sizes_that_vary():
    model = net(Dense(2), MaxPooling2D(), shape=(None, None, 3))
    assert model.output_shape == (None, None, None, 2)
    for rows, columns in ((4, 4), (6, 9)):
        y = model(np.ones((2, rows, columns, 3)))
        assert y.shape == (2, rows // 2, columns // 2, 2)


def test_an_empty_batch():
    assert net(Dense(2))(np.ones((0, 4))).shape == (0, 2)


# Summaries --------------------------------------------------------------------------

IMAGES = (20, 20, 3)


def convolutions(padding):
    return net(
        Dense(16),
        Conv2D(32, 3, padding=padding, activation="relu"),
        Conv2D(64, 5, padding=padding, activation="relu"),
        Conv2D(128, 7, padding=padding, activation="relu"),
        Flatten(),
        Dense(2, activation="softmax"),
        shape=IMAGES,
    )


def pooled():
    return net(
        Dense(16),
        Conv2D(32, 3, padding="same"),
        MaxPooling2D(2, strides=2),
        Conv2D(64, 5, padding="same"),
        Flatten(),
        Dense(2),
        shape=IMAGES,
    )


CLASSIC = """\
Model: "sequential"
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
dense (Dense)                (None, 20, 20, 16)        64        
_________________________________________________________________
conv2d (Conv2D)              (None, 18, 18, 32)        4640      
_________________________________________________________________
conv2d_1 (Conv2D)            (None, 14, 14, 64)        51264     
_________________________________________________________________
conv2d_2 (Conv2D)            (None, 8, 8, 128)         401536    
_________________________________________________________________
flatten (Flatten)            (None, 8192)              0         
_________________________________________________________________
dense_1 (Dense)              (None, 2)                 16386     
=================================================================
Total params: 473,890
Trainable params: 473,890
Non-trainable params: 0
_________________________________________________________________
"""


def test_the_classic_summary_to_the_character(capsys):
    convolutions("valid").summary()
    assert capsys.readouterr().out.rstrip("\n") == CLASSIC.rstrip("\n")


@pytest.mark.parametrize(
    "make, total, size",
    [
        (lambda: convolutions("valid"), "473,890", "1.81 MB"),
        (lambda: convolutions("same"), "559,906", "2.14 MB"),
        (pooled, "68,770", "268.63 KB"),
    ],
    ids=["valid", "same", "pooled"],
)
def test_totals_in_both_styles(make, total, size):
    model = make()
    assert f"{model.count_params():,}" == total
    lines = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert f"\nTotal params: {total}\nTrainable params: {total}\n" in text
    box = []
    model.summary(print_fn=box.append, style="keras3")
    assert f" Total params: {total} ({size})\n" in "".join(box)


def test_a_model_of_texts():
    texts = np.array([["good film"], ["bad film"]])
    vectors = layers.TextVectorization(output_mode="multi_hot")
    vectors.adapt(texts)
    model = keras.Sequential(
        [keras.Input((1,), dtype="string"), vectors, layers.Dense(1)]
    )
    assert model.predict(texts, verbose=0).shape == (2, 1)
    model.compile("sgd", "mse")
    model.fit(texts, np.ones((2, 1)), verbose=0)
    again = keras.Sequential.from_config(model.get_config())
    assert again.input_shape == (None, 1)
    numbers = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="must hold numbers. Received texts"):
        numbers.predict(texts, verbose=0)
